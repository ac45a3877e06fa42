"""The pane of one failure: what it is, the suspected change, where it happens, examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse

from tracehub.core import suspect
from tracehub.core.diverse import most_different
from tracehub.evals import covering
from tracehub.evals import querysets as evals
from tracehub.evals.models import RolloutStep
from tracehub.failures import fixes, querysets
from tracehub.failures.models import RECENT_DAYS as DAYS
from tracehub.failures.models import Failure
from tracehub.failures.triage.querysets import since_day
from tracehub.projects.models import Membership, Project, User
from tracehub.traces import rollup
from tracehub.traces.models import PromptVersion, Trace
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import copy, failure_talk, links, word_diff
from tracehub.web.failure_view import badge, mark_of
from tracehub.web.trace_view.text import visible

SAMPLE = 200  # newest traces that representatives are chosen from
SHOWN, PROMOTED = 3, 5
DIFF_LINES = 10
SECONDS = 2.0  # that the comparison of one group may take
NUMBERS = ("No", "The one", "The two", "The three", "The four", "The five")
_WORD = re.compile(r"\w{3,}")
_GOT = re.compile(r"\. Got (?:the string |the value )?`(.*)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """A trace of a group with what was wrong in it: `field` is the last part of its place."""

    trace: Trace
    said: str
    url: str
    field: str = ""


def pane(
    project: Project,
    failure: Failure,
    now: datetime,
    over: int = DAYS,
    coverage: covering.Coverage | None = None,
) -> dict[str, Any]:
    """Return everything that the pane of a group shows of the last `over` days."""
    shown = querysets.shown_status(failure, now)
    since = since_day(now, over)
    start = datetime.combine(since, datetime.min.time(), UTC)
    end = now + timedelta(days=1)
    sample = querysets.newest_traces(failure, start, end, SAMPLE)
    examples = [_example(project, failure, trace) for trace in different(sample)]
    return {
        "failure": failure,
        "shown": shown,
        "badge": badge(failure, shown),
        "mark": mark_of(failure),
        "reason": [(part, visible(value)) for part, value in failure.reason if value],
        "examples": examples[:SHOWN],
        "to_promote": examples,
        "spanned": spanned([one.trace for one in examples]),
        "contract": _contract(failure, sample),
        "arrival": _arrival(failure),
        "merged": list(failure.merged.all()),
        "coverage": coverage or covering.of_failures(project, [failure])[failure.pk],
        "days": over,
        "activities": list(querysets.activities(failure)[:10]),
        "members": _members(project),
        "eval_sets": evals.sets(project),
        "can_next": _has_versions(failure),
        "prompt": failure.since.rpartition("@")[0],
        "traces_url": links.with_query(
            reverse("traces", args=[project.slug]),
            {"q": f"failure:{failure.key}", "from": f"{over}d"},
        ),
        "recent": sum(querysets.days_of([failure], since).get(failure.pk, {}).values()),
        "users": querysets.users_of(failure),
        "fixes": [(fix, fixes.effect(fix, now)) for fix in fixes.of_failure(failure)],
        "fix_kinds": fixes.KINDS.items(),
        "new_issue": failure_talk.new_issue_url(project, failure, page_of(project, failure)),
        **_comparison(project, failure, start, end),
    }


def page_of(project: Project, failure: Failure) -> str:
    """Return the address of a failure's own page, for links from elsewhere."""
    return settings.BASE_URL + reverse("failure", args=[project.slug, failure.key])


def _has_versions(failure: Failure) -> bool:
    name = failure.since.rpartition("@")[0]
    return bool(name and querysets.prompt_order(failure.project_id, name))


def _members(project: Project) -> list[User]:
    rows = Membership.objects.filter(project=project).select_related("user")
    return [row.user for row in rows.order_by("user__email")[:100]]


def _comparison(
    project: Project, failure: Failure, start: datetime, end: datetime
) -> dict[str, Any]:
    """Return the suspect and where the group happens, with rates over the same time."""
    try:
        with bounded(SECONDS):
            hits = querysets.hits(failure, start, end)
            price = querysets.price(failure, end - timedelta(days=8), end)
    except TooSlow:
        return {"too_many": True}
    counted = rollup.totals(project.pk, list(suspect.DIMENSIONS), start, end)
    totals = {place: traces for place, (traces, _) in counted.items()}
    parts = suspect.parts(hits, totals)
    found = suspect.find(parts)
    of_prompt = found is not None and found.part.dimension == "prompt"
    family = (found.part.value if found and of_prompt else failure.since).rpartition("@")[0]
    parts = [part for part in parts if _tells(part, family, parts)]
    most = max((part.rate for part in parts), default=0.0) or 1.0
    where = [
        [(part, f"{100 * part.rate / most:.1f}%", found is not None and part == found.part)
         for part in parts if part.dimension == dimension][:4]
        for dimension in suspect.DIMENSIONS
    ]  # fmt: skip
    before = _before(failure, found)
    return {
        "price": price,
        "suspect": found,
        "change": _change(found, before),
        "diff": _diff(failure.project_id, found.part.value, before) if found and before else None,
        "where": [values for values in where if values],
    }


def _tells(part: suspect.Part, family: str, parts: Sequence[suspect.Part]) -> bool:
    """Tell whether a value is shown: the versions of one prompt, and those of tools with two."""
    name = part.value.rpartition("@")[0]
    if part.dimension == "prompt":
        return not family or name == family
    if part.dimension == "tool":
        return sum(p.dimension == "tool" and p.value.startswith(f"{name}@") for p in parts) > 1
    return True


def _change(found: suspect.Suspect | None, before: str) -> str:
    """Return what changed, in short: `refund v11 → v12`, `model gpt-4o`."""
    if found is None:
        return ""
    if found.part.dimension != "prompt":
        return f"{found.part.dimension} {found.part.value}"
    name, _, version = found.part.value.rpartition("@")
    return f"{name} {before} → {version}" if before else found.part.value


def _diff(project_id: int, label: str, before: str) -> dict[str, Any] | None:
    """Return the lines that differ between two versions, None while a template is not known."""
    name, _, version = label.rpartition("@")
    both = PromptVersion.objects.filter(
        project_id=project_id, name=name, version__in=[version, before]
    )
    known = {row.version: row for row in both.select_related("project")}
    if len(known) < 2 or not all(row.template for row in known.values()):
        return None
    texts = [visible(known[v].template).splitlines() for v in (before, version)]
    rows = word_diff.unified(*texts, context=1)
    page = reverse("prompt", args=[known[version].project.slug, name])
    return {
        "lines": [row for row in rows if row.kind != "fold"][:DIFF_LINES],
        "changed": sum(row.kind in ("ins", "del") for row in rows),
        "url": links.with_query(page, {"version": version, "against": before}),
        "author": known[version].author,
        "initials": "".join(word[0] for word in known[version].author.split()[:2]).upper(),
        "at": known[version].first_seen_at,
    }


def _before(failure: Failure, found: suspect.Suspect | None) -> str:
    """Return the version before the suspected one, "" without one."""
    if found is None or found.part.dimension != "prompt":
        return ""
    name, _, version = found.part.value.rpartition("@")
    order = querysets.prompt_order(failure.project_id, name)
    at = order.index(version) if version in order else 0
    return order[at - 1] if at else ""


def features(trace: Trace) -> frozenset[str]:
    """Return the cheap features of a trace that make two of them different."""
    said = f"{trace.input_preview or ''} {trace.output_preview or ''}".lower()
    facts = [*trace.prompts, *trace.model_names, trace.cohort or "", trace.name, *trace.tags]
    return frozenset([*facts, *_WORD.findall(said[:600])])


def different(sample: Sequence[Trace]) -> list[Trace]:
    """Return those of the traces that are to be promoted: the newest, and what is least like it."""
    return [sample[i] for i in most_different([features(one) for one in sample], PROMOTED)]


def of_each(failures: Sequence[Failure], now: datetime) -> list[Trace]:
    """Return the examples of several groups, each trace once."""
    end = now + timedelta(days=1)
    start = datetime.combine(since_day(now, DAYS), datetime.min.time(), UTC)
    found = (
        trace
        for failure in failures
        for trace in different(querysets.newest_traces(failure, start, end, SAMPLE))
    )
    return list({trace.trace_id: trace for trace in found}.values())


def spanned(traces: Sequence[Trace]) -> str:
    """Say in how many ways the examples differ: `The five span 2 models and 3 cohorts.`"""
    ways = {
        "prompt version": {label for trace in traces for label in trace.prompts},
        "model": {name for trace in traces for name in trace.model_names},
        "cohort": {trace.cohort for trace in traces if trace.cohort},
        "release": {trace.release for trace in traces if trace.release},
        "user": {trace.user_id for trace in traces if trace.user_id},
    }
    said = [f"{len(values)} {what}s" for what, values in ways.items() if len(values) > 1]
    if len(traces) < 2 or not said:
        return ""
    joined = f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]
    return f"{NUMBERS[len(traces)]} span {joined}."


def _contract(failure: Failure, sample: Sequence[Trace]) -> str:
    """Return the name of the contract that refuses these outputs most often, "" without one."""
    keys = {failure.key, *(one.key for one in failure.merged.all())}
    named = Counter(
        str(signal["contract"]).rpartition("/")[0]
        for trace in sample
        for signal in trace.signals
        if signal.get("failure") in keys and signal.get("contract")
    )
    return named.most_common(1)[0][0] if named else ""


def _arrival(failure: Failure) -> str:
    """Say how long after its prompt version the failure came: `66 min after it reached canary`."""
    name, _, version = failure.since.rpartition("@")
    if not name:
        return ""
    what = f"{name} {version}"
    steps = RolloutStep.objects.filter(
        project=failure.project_id, rollout__candidate=failure.since, at__lte=failure.first_seen
    )
    if step := steps.order_by("-at").first():
        at, how = step.at, f"reached {step.after.replace('_', ' ')}"
    else:
        rows = PromptVersion.objects.filter(project=failure.project_id, name=name, version=version)
        row = rows.first()
        if row is None or row.first_seen_at is None or row.first_seen_at >= failure.first_seen:
            return f"with {what}"
        at, how = row.first_seen_at, "was first seen"
    took = copy.duration((failure.first_seen - at).total_seconds() * 1000)
    return f"{took} after {what} {how}"


def _example(project: Project, failure: Failure, trace: Trace) -> Example:
    keys = {failure.key, *(one.key for one in failure.merged.all())}
    signal = next((s for s in trace.signals if s.get("failure") in keys), None)
    query = {"span": signal["span_id"]} if signal and signal.get("span_id") else {}
    url = links.with_query(reverse("trace", args=[project.slug, trace.hex]), query)
    said = signal["message"] if signal else ""
    got = _GOT.search(said)
    if signal is None or not signal.get("pointer") or got is None:
        return Example(trace, visible(said.replace("`", "")), url)
    return Example(trace, visible(got[1]), url, signal["pointer"].rpartition("/")[2])
