"""A project that is exported and loaded elsewhere is the same there."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.security import world
from tracehub.cli import project_archive
from tracehub.core import cases
from tracehub.digest.actions import digest_all
from tracehub.evals import actions as evals
from tracehub.evals.models import Case, EvalSet
from tracehub.notify import actions as notify
from tracehub.notify import alert_actions as alerts
from tracehub.projects.models import Project, User
from tracehub.review.models import Review
from tracehub.traces.models import Trace

ANEW = {"id", "url", "project", "set", "trace_url", "created_at", "updated_at", "number"}


def plain(value):
    """What stays the same: without numbers that are given anew."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if key not in ANEW}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


def read(folder):
    """Each file of an export as values, in an order of its own."""
    files = {}
    for path in sorted(folder.rglob("*.jsonl")):
        rows = [plain(json.loads(line)) for line in path.read_text().splitlines()]
        for row in rows:
            row.get("source", {}).pop("failure", None)  # TH-n: numbered anew
            for signal in row.get("signals", []):
                signal.pop("failure")
            for span in row.get("spans", []):
                tool = span["tool"] or {}  # ingestion says its arguments and result there as well
                if span["kind"] == "tool":
                    assert span["input"] in (None, tool["arguments"])
                    assert span["output"] in (None, tool["result"])
                    del span["input"], span["output"]
        files[str(path.relative_to(folder))] = sorted(rows, key=json.dumps)
    (setup,) = yaml.safe_load((folder / "setup.yaml").read_text())["projects"]
    files["setup"] = {k: v for k, v in setup.items() if k != "slug"}
    files["sets"] = plain(json.loads((folder / "eval-sets.json").read_text()))
    return files


def differing(one, two, place=""):
    """Where two values differ, and how: nothing is left for a reader to search."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted({*one, *two})
        pairs = [(one.get(key), two.get(key), f"{place}.{key}") for key in keys]
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        pairs = [(a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(one, two, strict=True))]
    else:
        return [] if one == two else [f"{place}: {one!r} became {two!r}"]
    return [line for a, b, where in pairs for line in differing(a, b, where)]


@pytest.fixture
def ours(committed_db, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEHUB_DATA_DIR", str(tmp_path / "data"))
    made = world.make("skylane", 1)
    by = User.objects.get(email="admin@skylane.example")
    place = notify.add_destination(
        made.project, "slack", "ops", "https://hooks.example.com/T0/x", by=by
    )
    rule = {"severity": "high"}
    alerts.add(alerts.draft(made.project, "new", "Grave", rule, [place.pk], 1), by=by)
    _change_drafts(made)
    digest_all(seconds=30)
    return made


def _change_drafts(made):
    """A case more and one less since the version; a set that has a draft alone."""
    known = EvalSet.objects.get(project=made.project)
    evals.remove_case(known, 1)
    alone, _ = evals.create_set(made.project, "Only a draft")
    for one in (known, alone):
        source = {"trace_id": made.objects["trace_id"], "span_id": None, "failure": "TH-1"}
        said = {"input": {"variables": {"a": 1}}, "title": f"Not fixed in {one.slug}"}
        evals.add_case(one, cases.read({"kind": "risky_edge", "source": source, **said}))


def test_what_left_comes_in_elsewhere_and_is_the_same(ours, tmp_path, capsys):
    project_archive.write("skylane", tmp_path / "one")
    project_archive.read(tmp_path / "one", "elsewhere")
    digest_all(seconds=30)
    copy = Project.objects.get(slug="elsewhere")
    assert Review.objects.filter(project=copy).exists()
    drafts = Case.objects.filter(project=copy, removed_in=None)
    assert set(drafts.values_list("title", "source_failure")) == {
        ("Not fixed in skylane-set", ""), ("Not fixed in only-a-draft", "")
    }  # fmt: skip
    project_archive.write("elsewhere", tmp_path / "two")
    lines = differing(read(tmp_path / "one"), read(tmp_path / "two"))
    assert "\n".join(lines) == ""
    assert "th_ing_" in capsys.readouterr().out
    before = counts(copy)
    project_archive.read(tmp_path / "one", "elsewhere")
    digest_all(seconds=30)
    assert counts(copy) == before
    assert "th_" not in capsys.readouterr().out


def counts(project: Project) -> list[int]:
    tables = (Review, Trace, EvalSet)
    return [model.objects.filter(project_id=project.pk).count() for model in tables]
