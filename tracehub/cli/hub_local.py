"""The hub of the local installation: the same actions that the API calls, without HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from tracehub.cli.accounts import find_project
from tracehub.cli.hub import Version, check_version, first_run
from tracehub.core import runs as core
from tracehub.core.gate_files import junit, markdown
from tracehub.core.shape import ShapeError, check
from tracehub.evals import querysets, run_actions, run_querysets
from tracehub.evals.models import EvalSet, Run


class Local:
    """Sets and runs of one project of this installation."""

    def __init__(self, project: str) -> None:
        self._project = find_project(project)

    def version(self, slug: str, number: int | None) -> Version:
        eval_set = self._set(slug)
        newest = querysets.newest_version(eval_set)
        wanted = number or newest
        check_version(slug, wanted, newest)
        cases = list(querysets.VersionCases(eval_set, wanted))
        return Version(slug, wanted, cases, run_querysets.rules(eval_set))

    def add_run(self, slug: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            check(body, core.RUN)
            run, _ = run_actions.add_run(self._set(slug), body)
        except ShapeError as error:
            raise click.ClickException(str(error)) from error
        return run_querysets.run_json(run)

    def latest_run(self, slug: str) -> int:
        newest = run_querysets.of_set(self._set(slug)).first()
        return first_run(slug, newest.number if newest else None)

    def gate(self, slug: str, run: int, baseline: str, form: str) -> str:
        found = self._run(slug, run)
        against = (
            run_querysets.automatic_baseline(found)
            if baseline == "auto"
            else self._run(slug, int(baseline))
        )
        gate = run_querysets.gate(found, against)
        about = run_querysets.about(found, against)
        if form == "json":
            return json.dumps(
                gate.as_json(
                    set=about.set, version=about.version, run=about.run, baseline=about.baseline
                )
            )
        lines = run_querysets.case_lines(found, self._project.slug)
        return junit(gate, about, lines) if form == "junit" else markdown(gate, about, lines)

    def _set(self, slug: str) -> EvalSet:
        found = EvalSet.objects.filter(project=self._project, slug=slug).first()
        if found is None:
            raise click.ClickException(
                f"There is no eval set {slug!r} in project {self._project.slug}."
            )
        return found

    def _run(self, slug: str, number: int) -> Run:
        rows = run_querysets.of_project(self._project).select_related("eval_set__project")
        found = rows.filter(number=number, eval_set__slug=slug).first()
        if found is None:
            raise click.ClickException(f"{slug} has no run {number}.")
        return found
