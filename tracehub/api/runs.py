"""Calls about runs of eval sets and their gates."""

from __future__ import annotations

import re

from tracehub.api import cursors
from tracehub.api.errors import ApiError, missing
from tracehub.api.eval_sets import find_set
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core import runs as core
from tracehub.core.gate_files import junit, markdown
from tracehub.core.shape import Schema
from tracehub.evals import run_actions, run_querysets
from tracehub.evals.models import Run
from tracehub.projects.models import Project

RUN = core.RUN
# The results are checked one by one by `core.runs.read`, whose messages name the result.
RUN_OUTLINE: Schema = {
    **core.RUN,
    "properties": {
        **core.RUN["properties"],
        "results": {"type": "array", "minItems": 1, "maxItems": core.MAX_RESULTS},
    },
}
FORMATS = ("json", "junit", "markdown")
AUTO = "auto"


def add_run(asked: ApiRequest) -> Answer:
    """Store the results of a candidate."""
    run, new = run_actions.add_run(find_set(asked), asked.body, by=asked.key)
    return Answer(run_querysets.run_json(run), 201 if new else 200)


def list_runs(asked: ApiRequest) -> Answer:
    """Answer the runs of a set, newest first."""
    eval_set = find_set(asked)
    rows = run_querysets.of_set(eval_set).select_related("eval_set", "overridden_by")
    if version := asked.query.get("version"):
        rows = rows.filter(version=int(version))
    listing = {"project": asked.project.pk, "list": f"runs:{eval_set.pk}:{version or ''}"}
    limit = asked.whole("limit", 50)
    if cursor := asked.query.get("cursor"):
        rows = rows.filter(number__lt=cursors.decode(cursor, listing))
    found = list(rows.order_by("-number")[: limit + 1])
    following = cursors.encode(listing, found[limit - 1].number) if len(found) > limit else None
    return Answer({"items": [run_querysets.run_json(run) for run in found[:limit]],
                   "next": following})  # fmt: skip


def get_run(asked: ApiRequest) -> Answer:
    """Answer a run with its results."""
    run = _find(asked.project, asked.path["id"])
    return Answer(run_querysets.run_json(run) | {"results": run_querysets.results_json(run)})


def get_gate(asked: ApiRequest) -> Answer:
    """Answer the gate of a run, decided now, as JSON, JUnit XML or Markdown."""
    run = _find(asked.project, asked.path["id"])
    kind = asked.query.get("format", "json")
    if kind not in FORMATS:
        raise ApiError(
            400, f"format must be one of {', '.join(FORMATS)}. Got {kind[:40]!r}.", "format"
        )
    baseline = baseline_of(run, asked.query.get("baseline", AUTO))
    gate = run_querysets.gate(run, baseline)
    about = run_querysets.about(run, baseline)
    if kind == "json":
        shown = gate.as_json(
            set=about.set, version=about.version, run=about.run, baseline=about.baseline
        )
        return Answer(shown)
    lines = run_querysets.case_lines(run, asked.project.slug)
    if kind == "junit":
        return Answer(junit(gate, about, lines).encode(), media_type="application/xml")
    return Answer(markdown(gate, about, lines).encode(), media_type="text/markdown; charset=utf-8")


def baseline_of(run: Run, wanted: str) -> Run | None:
    """Return the run to compare with: the automatic one, or the one of this number.

    Raises ApiError 400 for one of another set, 404 when there is none.
    """
    if wanted == AUTO:
        return run_querysets.automatic_baseline(run)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", wanted):
        raise ApiError(
            400, f"baseline must be auto or the id of a run. Got {wanted[:40]!r}.", "baseline"
        )
    found = run_querysets.of_project(run.eval_set.project).filter(number=int(wanted)).first()
    if found is None:
        raise missing(f"run {wanted}")
    if found.eval_set_id != run.eval_set_id:
        raise ApiError(
            400,
            f"Run {wanted} is of {found.eval_set.slug}, not of {run.eval_set.slug}.",
            "baseline",
        )
    return found


def _find(project: Project, number: str) -> Run:
    rows = run_querysets.of_project(project).select_related("eval_set__project")
    found = (
        rows.filter(number=int(number)).first()
        if re.fullmatch(r"[1-9][0-9]{0,8}", number)
        else None
    )
    if found is None:
        raise missing("such run")
    return found
