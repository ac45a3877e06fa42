"""A project as a folder of open formats, and back: for leaving, and for moving elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import click
import orjson
import yaml
from django.db import transaction
from django.db.models import QuerySet

from tracehub.api.setup import plan, state
from tracehub.api.setup.shape import FILE
from tracehub.cli import export_evals, export_traces, import_lines, import_local
from tracehub.cli.accounts import find_project
from tracehub.core import cases, exports, gate_rules, shape
from tracehub.core.media import Media
from tracehub.evals import actions as evals
from tracehub.evals import querysets, run_actions
from tracehub.evals.models import Case, EvalSet
from tracehub.notify.models import Destination
from tracehub.projects.actions import create_project
from tracehub.projects.models import ApiKey, Project, User
from tracehub.review.actions import NOTHING, submit_review
from tracehub.review.models import FailureMode, Review
from tracehub.traces.media import reading
from tracehub.traces.media import store as media

MEDIA, TYPES = "media", "types.json"
SETUP, TRACES, SETS = "setup.yaml", "traces.jsonl", "eval-sets.json"
DRAFT = "draft.jsonl"  # of a set, beside its versions
NATIVE = exports.find("native")
_NAMESPACE = UUID("a1f2bb51-6c0e-5d7b-8a55-0d5f0c4c8f11")


def write(project: str, folder: Path) -> None:
    """Write set-up, traces with reviews and media, and the versions and draft of each eval set."""
    place = find_project(project)
    if folder.exists() and any(folder.iterdir()):
        raise click.ClickException(f"{folder} is not empty. Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # addresses of webhooks are in it
    text = yaml.safe_dump({"projects": [_setup(place)]}, sort_keys=False, allow_unicode=True)
    (folder / SETUP).write_text(text, encoding="utf-8")
    export_traces.write("", ("", ""), "jsonl", str(folder / TRACES), project=place.slug)
    _write_media(place, folder / MEDIA)
    sets = list(EvalSet.objects.filter(project=place).order_by("pk"))
    (folder / SETS).write_bytes(
        orjson.dumps([_set_json(one) for one in sets], option=orjson.OPT_INDENT_2)
    )
    for one in sets:
        out = folder / "evals" / one.slug
        out.mkdir(parents=True)
        for number in range(1, querysets.newest_version(one) + 1):
            name, file = f"{one.slug}@{number}", str(out / f"{number}.jsonl")
            export_evals.write(name, NATIVE, file, draft=False, project=place.slug)
        if querysets.draft_changes(one) and _drafted(one).exists():
            file = str(out / DRAFT)
            export_evals.write(one.slug, NATIVE, file, draft=True, project=place.slug)


def _drafted(one: EvalSet) -> QuerySet[Case]:
    return querysets.in_version(one, querysets.draft_number(one))


def _write_media(place: Project, folder: Path) -> None:
    """Write each medium that traces hold as a file named by its hash, and a list of their types."""
    types: dict[str, str] = {}
    for hash_, kind in media.names(place.pk):
        kept = reading.read(place.pk, hash_.hex())
        if kept is not None:  # deleted meanwhile
            folder.mkdir(exist_ok=True)
            (folder / hash_.hex()).write_bytes(kept.body)
            types[hash_.hex()] = kind
    if types:
        (folder / TYPES).write_bytes(orjson.dumps(types, option=orjson.OPT_INDENT_2))


def _read_media(place: Project, folder: Path) -> None:
    """Store media before the traces that name them: they are kept for a day without."""
    types = orjson.loads((folder / TYPES).read_bytes()) if folder.is_dir() else {}
    for name, kind in types.items():
        body = (folder / Path(name).name).read_bytes()
        media.put(place.pk, Media(sha256(body).digest(), str(kind), body))
    if types:
        click.echo(f"Loaded {len(types)} media.", err=True)


def _setup(place: Project) -> dict[str, Any]:
    """Return what `tracehub apply` takes: keys by name and scope alone, every failure mode."""
    found = state.of(place)
    rows = FailureMode.objects.filter(project=place).order_by("position")
    addresses = dict(Destination.objects.filter(project=place).values_list("name", "address"))
    return found | {
        "keys": [{"name": key["name"], "scope": key["scope"]} for key in found["keys"]],
        "failure_modes": [
            {"name": row.name, "slug": row.slug, "definition": row.definition} for row in rows
        ],
        "destinations": [
            {
                "name": one["name"],
                "kind": one["kind"],
                "address": addresses[one["name"]],
                "events": one["events"],
            }
            for one in found["destinations"]
        ],
    }


def _set_json(one: EvalSet) -> dict[str, Any]:
    return {
        "slug": one.slug,
        "name": one.name,
        "description": one.description,
        "gate": gate_rules.read(one.gate_rules).as_json(),
        "versions": [
            {"number": version.number, "note": version.note}
            for version in one.versions.order_by("number")
        ],
    }


def read(folder: Path, project: str) -> None:
    """Load a folder that `write` wrote into a project, made if new. Repeating it adds nothing."""
    try:
        wanted = yaml.safe_load((folder / SETUP).read_text(encoding="utf-8"))
        sets = orjson.loads((folder / SETS).read_bytes())
    except OSError as error:
        raise click.ClickException(
            f"{folder} is no folder that `tracehub export project` wrote: {error.strerror}."
        ) from error
    shape.check(wanted, FILE)
    place = _prepare(project, wanted["projects"][0])
    _read_media(place, folder / MEDIA)
    with import_local.door(place.slug) as send:
        import_lines.load(folder / TRACES, "native", send, place.slug)
    click.echo(f"Loaded {_reviews(place, folder / TRACES)} reviews.", err=True)
    for one in sets:
        _load_set(place, one, folder / "evals" / one["slug"])
    click.echo(f"Loaded {len(sets)} eval sets.", err=True)


def _prepare(slug: str, setup: Mapping[str, Any]) -> Project:
    with transaction.atomic():
        place = Project.objects.filter(slug=slug).first()
        place = place or create_project(slug, setup.get("name", ""))
        wanted = {part: value for part, value in setup.items() if part != "slug"}
        for name, text in plan.make(list(plan.changes(place, wanted)), None).items():
            click.echo(f"{place.slug}/{name} {text}")
    return place


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _reviews(place: Project, file: Path) -> int:
    count = 0
    people = {user.email: user for user in User.objects.all()}
    for trace in _lines(file):
        for said in sorted(trace["reviews"], key=lambda one: (one["created_at"], one["id"])):
            name = said["author"] or "unknown"
            author = people.get(name) or ApiKey(project=place, name=name)
            corrected = said["corrected_output"]
            review, new = submit_review(
                place, UUID(hex=trace["trace_id"]), said["verdict"], author=author,
                modes=said["failure_modes"], severity=said["severity"] or "", note=said["note"],
                corrected_output=NOTHING if corrected is None else corrected,
                submission=uuid5(_NAMESPACE, f"{place.pk}/{trace['trace_id']}/{said['id']}"),
            )  # fmt: skip
            if new:
                at = datetime.fromisoformat(said["created_at"])
                Review.objects.filter(pk=review.pk).update(created_at=at)
            count += new
    return count


@transaction.atomic
def _load_set(place: Project, said: Mapping[str, Any], folder: Path) -> None:
    """Bring a set to its versions, one after the other, and its draft; what is there is kept."""
    made, new = evals.create_set(
        place, said["name"], slug=said["slug"], description=said["description"]
    )
    run_actions.set_rules(made, gate_rules.read(said["gate"]), by=None)
    missing = said["versions"][querysets.newest_version(made) :]
    for version in missing:
        _bring_draft(made, folder / f"{version['number']}.jsonl")
        evals.fix(made, note=version["note"])
    if (new or missing) and (folder / DRAFT).exists():
        _bring_draft(made, folder / DRAFT)


def _bring_draft(made: EvalSet, file: Path) -> None:
    """Have the draft hold the cases of a file and no others."""
    contents = [cases.read(line) for line in _lines(file)]
    for content in contents:
        content["source"]["failure"] = None  # its number is that of another installation
    kept = {row.number for row, _ in evals.add_cases(made, contents)}
    for number in _drafted(made).exclude(number__in=kept).values_list("number", flat=True):
        evals.remove_case(made, number)
