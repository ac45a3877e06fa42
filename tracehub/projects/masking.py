"""A project's masking rules: what the database says, compiled once and shared by all doors."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tracehub.core.mask import (
    PERSONAL,
    SECRETS,
    BadPattern,
    Masker,
    PathRule,
    Rule,
    own_rule,
)
from tracehub.core.mask_places import ATTRIBUTE, PLACES
from tracehub.projects import store
from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.models import MaskCount, MaskKind, MaskRule, Project, User

MAX_RULES = 50  # of a project: every one costs time on every span
COUNTED_DAYS = 14


class Chosen(NamedTuple):
    """A rule as `store.MASK_RULES` gives it."""

    name: str
    kind: str
    pattern: str
    action: str
    within: str = ""


@lru_cache(maxsize=1_000)
def masker(project_id: int, chosen: tuple[Chosen, ...] = ()) -> Masker:
    """Return the compiled rules of a project: its own, after the secrets that are always masked."""
    own = {rule.kind: rule for rule in chosen}
    rules: list[Rule] = list(SECRETS)
    rules += [
        Rule(own[kind].name, built_in.pattern, built_in.check, own[kind].within)
        for kind, built_in in PERSONAL.items()
        if kind in own
    ]
    rules += [own_rule(r.name, r.pattern, r.within) for r in chosen if r.kind == MaskKind.PATTERN]
    paths = [
        PathRule(r.name, r.pattern, r.action, _key(project_id))
        for r in chosen
        if r.kind == MaskKind.PATH
    ]
    return Masker(rules, paths)


def _key(project_id: int) -> bytes:
    """The key of a project's pseudonyms: equal values stay equal within the project alone."""
    text = f"mask {project_id}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).digest()


def masker_of(project_id: int) -> Masker:
    """Return the rules that hold now, for what comes through Django: reviews, prompts."""
    return masker(project_id, tuple(Chosen(*row) for row in store.mask_rules(project_id)))


def masked(project_id: int, value: Any) -> Any:
    """Return a JSON value as the project wants it stored, and count what was masked."""
    result = masker_of(project_id).mask(value)
    if result.counts:
        store.add_mask_counts(columns({project_id: result.counts}))
    return result.value


def columns(counts: dict[int, Counter[str]]) -> store.Counts:
    """Return counts by project and rule as the arrays that `store.ADD_MASK_COUNTS` takes."""
    rows = sorted((p, r, n) for p, each in counts.items() for r, n in each.items())
    return [p for p, _, _ in rows], [r for _, r, _ in rows], [n for _, _, n in rows]


def counted(project: Project) -> dict[str, int]:
    """Return how often each rule struck in the last days."""
    since = timezone.now().date() - timedelta(days=COUNTED_DAYS)
    total: Counter[str] = Counter()
    found = MaskCount.objects.filter(project=project, day__gt=since).values_list("rule", "count")
    for rule, count in found:
        total[rule] += count
    return dict(total)


def check(kind: str, pattern: str, within: str = "") -> None:
    """Raise ActionError for a pattern, an attribute name or a place that cannot be."""
    if kind == MaskKind.PATTERN:
        try:
            own_rule("new", pattern)
        except BadPattern as error:
            raise ActionError(f"The pattern {error}", "pattern") from None
    elif kind == MaskKind.PATH and not _is_path(pattern):
        raise ActionError(
            "The attribute must be a name, such as user.email, or its beginning and *. "
            f"Got {pattern!r}.",
            "pattern",
        )
    name = within.removeprefix(ATTRIBUTE)
    if within and within not in PLACES and (name == within or not _is_path(name)):
        raise ActionError(
            f"A rule looks in {', '.join(PLACES)} or {ATTRIBUTE}NAME, or everywhere when this is "
            f"empty. Got {within!r}.",
            "within",
        )


def _is_path(name: str) -> bool:
    return bool(name.strip("* ")) and "*" not in name[:-1]


@transaction.atomic
def add_rule(
    project: Project,
    name: str,
    kind: str,
    pattern: str = "",
    action: str = "mask",
    within: str = "",
    *,
    by: User,
) -> MaskRule:
    """Add a rule, in effect within 5 seconds. Raises ActionError, Conflict.

    An attribute by name (`path`) is its own place: `within` is of the other kinds.
    """
    within = "" if kind == MaskKind.PATH else within
    rules = MaskRule.objects.select_for_update().filter(project=project)
    if len(rules) >= MAX_RULES:
        raise ActionError(f"A project may have {MAX_RULES} masking rules. Remove one first.")
    built_in = kind not in {MaskKind.PATTERN, MaskKind.PATH}
    if any(rule.name == name or (built_in and rule.kind == kind) for rule in rules):
        raise Conflict(f"There is a rule {name} already.", "name")
    check(kind, pattern, within)
    rule = MaskRule.objects.create(
        project=project,
        name=name,
        kind=kind,
        pattern="" if built_in else pattern,
        action=action if kind == MaskKind.PATH else "mask",
        within=within,
    )
    said = {"kind": kind, "pattern": rule.pattern, "within": within}
    audit("masking.added", by=by, project=project, object=name, **said)
    return rule


@transaction.atomic
def turn(rule: MaskRule, on: bool, *, by: User) -> None:
    """Turn a rule on or off. Stored traces keep their text until `remasking` masks them."""
    rule.on = on
    rule.save(update_fields=["on"])
    audit("masking.on" if on else "masking.off", by=by, project=rule.project, object=rule.name)


@transaction.atomic
def remove(rule: MaskRule, *, by: User) -> None:
    """Remove a rule; its counts stay."""
    audit("masking.removed", by=by, project=rule.project, object=rule.name, pattern=rule.pattern)
    rule.delete()


def chosen(rules: Iterable[MaskRule]) -> tuple[Chosen, ...]:
    """Return rules as `masker` takes them."""
    return tuple(Chosen(r.name, r.kind, r.pattern, r.action, r.within) for r in rules)
