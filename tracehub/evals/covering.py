"""What the cases of a version say about what it covers: counted by Postgres, never row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import CharField, Count, F, Func, JSONField, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform

from tracehub.core.coverage import NO_MODE
from tracehub.evals import querysets
from tracehub.evals.models import Case, EvalSet
from tracehub.failures.models import Failure
from tracehub.projects.models import Project

SEGMENTS = ("prompt", "model", "tag")
PIPS = 5  # that a row shows


def cases(
    eval_set: EvalSet, version: int, segment: tuple[str, str] | None = None
) -> QuerySet[Case]:
    """The cases of a version, or those of one segment such as `("prompt", "refund")`."""
    rows = querysets.in_version(eval_set, version).order_by()
    if segment is None:
        return rows
    key, value = segment
    if key == "prompt":
        return rows.filter(prompt__name=value)
    return rows.filter(model=value) if key == "model" else rows.filter(tags__contains=[value])


def per_mode_and_kind(rows: QuerySet[Case]) -> dict[tuple[str, str], int]:
    """Return the number of cases by (failure mode, kind); those without a mode under ""."""
    found = {
        (NO_MODE, kind): count
        for kind, count in rows.filter(failure_modes=[])
        .values_list("kind")
        .annotate(cases=Count("*"))
    }
    modes = Func(F("failure_modes"), function="unnest", output_field=CharField())
    counted = rows.annotate(mode=modes).values("mode", "kind").annotate(cases=Count("*"))
    return found | {(row["mode"], row["kind"]): row["cases"] for row in counted}


def per_kind(rows: QuerySet[Case]) -> dict[str, int]:
    """Return the number of cases by kind."""
    return _counts(rows, "kind")


def per_prompt(rows: QuerySet[Case]) -> dict[str, int]:
    """Return the number of cases by the name of their prompt; those without one are left out."""
    named = rows.exclude(prompt=None).annotate(named=KeyTextTransform("name", "prompt"))
    return _counts(named, "named")


def per_model(rows: QuerySet[Case]) -> dict[str, int]:
    """Return the number of cases by model."""
    return _counts(rows.exclude(model=""), "model")


def per_tag(rows: QuerySet[Case]) -> dict[str, int]:
    """Return the number of cases by tag."""
    tags = Func(F("tags"), function="unnest", output_field=CharField())
    return _counts(rows.annotate(tagged=tags), "tagged")


def per_contract(rows: QuerySet[Case]) -> dict[str, int]:
    """Return the number of assertions by the contract they name, as `name/version`."""
    return _at(rows, "assertions", "$[*].contract")


def tools(rows: QuerySet[Case]) -> dict[str, int]:
    """Return the tools that cases record or expect, with the number of calls."""
    return _at(rows, "tool_calls", "$.*[*].name")


def _counts(rows: QuerySet[Case], column: str) -> dict[str, int]:
    return dict(rows.values_list(column).annotate(cases=Count("*")).order_by())


def _at(rows: QuerySet[Case], column: str, path: str) -> dict[str, int]:
    found = Func(F(column), Value(path), function="jsonb_path_query", output_field=JSONField(),
                 template="%(function)s(%(expressions)s::jsonpath)")  # fmt: skip
    counted = rows.annotate(found=found).values_list("found").annotate(n=Count("*"))
    return {name: n for name, n in counted if isinstance(name, str)}


def cases_by_mode(project: Project) -> Counter[str]:
    """Return in how many cases of today's drafts each failure mode is named."""
    modes = Func(F("failure_modes"), function="unnest", output_field=CharField())
    rows = Case.objects.filter(project=project, removed_in=None).exclude(failure_modes=[])
    counts = rows.order_by().annotate(mode=modes).values_list("mode").annotate(n=Count("*"))
    return Counter(dict(counts))


class Coverage(NamedTuple):
    """Of the eval sets that test the prompt of a failure, those with a case made from it."""

    sets: int
    covered: int
    cases: int

    @property
    def pips(self) -> list[bool]:
        """One for each set, those with a case first; of many sets the share is kept."""
        most = min(self.sets, PIPS)
        full = -(-self.covered * most // self.sets) if self.sets else 0
        return [i < full for i in range(most)]


def of_failures(project: Project, failures: Sequence[Failure]) -> dict[int, Coverage]:
    """Return by id of a failure what covers it. Two reads of today's drafts for all of them."""
    home = {one.key: top.pk for top in failures for one in (top, *top.merged.all())}
    rows = Case.objects.filter(project=project, removed_in=None).order_by()
    made: dict[int, Counter[int]] = {one.pk: Counter() for one in failures}
    for key, eval_set, count in (
        rows.filter(source_failure__in=list(home))
        .exclude(source_failure="")
        .values_list("source_failure", "eval_set_id")
        .annotate(cases=Count("*"))
    ):
        made[home[key]][eval_set] += count
    names = {one.pk: one.since.rpartition("@")[0] for one in failures}
    testing: dict[str, set[int]] = {}
    named = rows.annotate(named=KeyTextTransform("name", "prompt"))
    wanted = sorted(set(names.values()) - {""})
    for name, eval_set in (
        named.filter(named__in=wanted).values_list("named", "eval_set_id").distinct()
        if wanted
        else ()
    ):
        testing.setdefault(name, set()).add(eval_set)
    return {
        pk: Coverage(len(testing.get(names[pk], set()) | set(counts)), len(counts), counts.total())
        for pk, counts in made.items()
    }
