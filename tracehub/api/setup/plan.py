"""What lies between a project and its set-up: a list of changes, each of which can be made.

What a document does not name stays as it is: a set-up adds and changes, and takes nothing away. So
applying it twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.utils.text import slugify

from tracehub.failures import actions as contracts
from tracehub.failures.querysets import versions_of
from tracehub.notify import actions as destinations
from tracehub.notify import alert_actions as alerts
from tracehub.notify.models import Alert, Destination
from tracehub.projects import actions as projects
from tracehub.projects.actions import ActionError, Actor
from tracehub.projects.models import ApiKey, Membership, Project, User
from tracehub.review import actions as reviews
from tracehub.review import queueing
from tracehub.review.models import FailureMode, Queue

SHARES = ("overlap", "random_share", "repeats")  # 0 to 1 outside, percent inside


@dataclass(frozen=True, slots=True)
class Change:
    """One step. `make` does it; for a key it returns the text, which is shown this once."""

    verb: str  # "add" or "change"
    kind: str
    name: str
    detail: str
    make: Callable[[Actor | None], object]
    place: str = ""

    def as_json(self) -> dict[str, str]:
        return {"verb": self.verb, "kind": self.kind, "name": self.name, "detail": self.detail}


def changes(project: Project, wanted: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what brings the project to `wanted`, in the order in which it can be made.

    Each is worked out when it is asked for: make one before asking for the next, or make none.
    Raises ActionError, whose field leads to the place: `alerts[0].to`.
    """
    for part in _PARTS:
        _check_named_once(part, wanted.get(part, ()))
    yield from _project(project, wanted)
    for part, compare in _PARTS.items():
        for index, item in enumerate(wanted.get(part, ())):
            place = f"{part}[{index}]"
            with at(place):
                found = list(compare(project, item, wanted))
            yield from (replace(change, place=place) for change in found)


def _check_named_once(part: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Raise ActionError for what stands twice in a part: which of the two is meant?"""
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        known_by = next(key for key in ("email", "slug", "name") if key in item)
        name = item[known_by].strip().casefold()
        if (first := seen.setdefault(name, index)) != index:
            raise ActionError(
                f"{item[known_by]!r} is {part}[{first}] already. Name it once.",
                f"{part}[{index}].{known_by}",
            )


@contextmanager
def at(place: str) -> Iterator[None]:
    """Let refusals of the block lead to the place in the document."""
    try:
        yield
    except ActionError as error:
        error.field = ".".join(filter(None, (place, error.field)))
        raise


def _project(project: Project, wanted: Mapping[str, Any]) -> Iterator[Change]:
    name, hides = wanted.get("name", project.name), wanted.get("hides_content")
    if name != project.name:
        yield Change(
            "change", "project", project.slug, f"name: {project.name} → {name}",
            lambda by: projects.rename_project(project, name, by=by),
        )  # fmt: skip
    if hides is not None and hides != project.hides_content:
        yield Change(
            "change", "project", project.slug, f"hides_content: {project.hides_content} → {hides}",
            lambda by: projects.hide_content(project, hides, by=by),
        )  # fmt: skip


def _member(project: Project, item: Mapping[str, Any], _all: Mapping[str, Any]) -> Iterator[Change]:
    email, role = item["email"].strip().lower(), item["role"]
    seat = Membership.objects.filter(project=project, user__email__iexact=email).first()
    if seat is not None and seat.role == role:
        return

    def make(by: Actor | None) -> None:
        projects.set_role(project, projects.add_user(email, by=by), role, by=by)

    if seat is None:
        yield Change("add", "member", email, role, make)
    else:
        yield Change("change", "member", email, f"{seat.role} → {role}", make)


def _key(project: Project, item: Mapping[str, Any], _all: Mapping[str, Any]) -> Iterator[Change]:
    name, scope = item["name"], item["scope"]
    there = ApiKey.objects.filter(project=project, name=name, revoked_at=None)
    if there.filter(scope=scope).exists():
        return
    if other := there.first():
        raise ActionError(
            f"{name!r} is the name of a key of scope {other.scope}, which no key changes. "
            "Revoke it first, or choose another name.", "scope",
        )  # fmt: skip
    yield Change(
        "add", "key", name, scope,
        lambda by: projects.create_key(project, scope, name, by=by)[1],
    )  # fmt: skip


def _mode(project: Project, item: Mapping[str, Any], _all: Mapping[str, Any]) -> Iterator[Change]:
    name, definition = item["name"], item.get("definition") or ""
    slug = item.get("slug") or slugify(name)[:60]
    there = FailureMode.objects.filter(project=project, slug=slug).first()
    if there is None:
        yield Change(
            "add", "failure mode", slug, name,
            lambda by: reviews.create_mode(
                project, name, by=by, slug=slug, definition=definition
            ),
        )  # fmt: skip
    elif (there.name, there.definition) != (name, definition):
        what = "name" if there.name != name else "definition"
        yield Change(
            "change", "failure mode", slug, what,
            lambda by: reviews.edit_mode(there, name, definition, by=by),
        )  # fmt: skip


def _contract(
    project: Project, item: Mapping[str, Any], _all: Mapping[str, Any]
) -> Iterator[Change]:
    target = {key: item["applies_to"].get(key) or "" for key in ("prompt", "span")}
    newest = next(iter(versions_of(project, item["name"])[:1]), None)
    if newest is not None and _same_contract(newest, item, target):
        return
    number = newest.version + 1 if newest else 1

    def make(by: Actor | None) -> None:
        contracts.save_contract(
            project, item["name"], item["schema"], by=by, labels=item.get("labels"),
            nulls=item.get("nulls"), escalations=item.get("escalations"),
            note=item.get("note") or "", **target,
        )  # fmt: skip

    yield Change("change" if newest else "add", "contract", f"{item['name']}/{number}", "", make)


def _same_contract(newest: Any, item: Mapping[str, Any], target: Mapping[str, str]) -> bool:
    if any(getattr(newest, rules) != (item.get(rules) or {}) for rules in contracts.VALUE_RULES):
        return False
    held = (newest.schema, newest.prompt, newest.span)
    return held == (item["schema"], target["prompt"], target["span"])


def _queue(
    project: Project, item: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[Change]:
    name, slug = item["name"], slugify(item["name"])[:60]
    rules = {
        key: round(100 * value) if key in SHARES else value
        for key, value in item.items()
        if key not in {"name", "reviewers"}
    }
    emails = {one.strip().lower() for one in item.get("reviewers", ())}
    there = Queue.objects.filter(project=project, slug=slug).first()
    _check_reviewers(project, emails, wanted)

    def people() -> list[User]:
        return list(User.objects.filter(memberships__project=project, email__in=emails))

    if there is None:
        yield Change(
            "add", "queue", slug, item["q"],
            lambda by: queueing.create_queue(project, name, reviewers=people(), by=by, **rules),
        )  # fmt: skip
        return
    differs = [key for key, value in rules.items() if getattr(there, key) != value]
    if "reviewers" in item and emails != {one.email for one in there.reviewers.all()}:
        differs.append("reviewers")
    if there.name != name:
        differs.append("name")
    if differs:
        kept = list(there.reviewers.all())
        yield Change(
            "change", "queue", slug, ", ".join(differs),
            lambda by: queueing.edit_queue(
                there, name, reviewers=people() if "reviewers" in item else kept, by=by, **rules
            ),
        )  # fmt: skip


def _check_reviewers(project: Project, emails: set[str], wanted: Mapping[str, Any]) -> None:
    """Reviewers are members who may review: now, or by the same document."""
    held = dict(Membership.objects.filter(project=project).values_list("user__email", "role"))
    held |= {one["email"].strip().lower(): one["role"] for one in wanted.get("members", ())}
    for email in sorted(emails):
        if held.get(email) not in {"reviewer", "admin"}:
            raise ActionError(
                f"reviewers must be members who may review. Got {email[:100]!r}.", "reviewers"
            )


def _destination(
    project: Project, item: Mapping[str, Any], _all: Mapping[str, Any]
) -> Iterator[Change]:
    name, kind, address = item["name"], item["kind"], item["address"]
    events = item.get("events", [])
    there = Destination.objects.filter(project=project, name=name).first()
    if there is None:
        yield Change(
            "add", "destination", name, kind,
            lambda by: destinations.add_destination(
                project, kind, name, address, events, by=by
            ),
        )  # fmt: skip
        return
    if (there.kind, there.address) != (kind, address):
        raise ActionError(
            "An address never changes, so that its secret goes nowhere else. Remove the "
            f"destination {name!r} first, or choose another name.", "address",
        )  # fmt: skip
    if "events" in item and set(events) != set(there.events):
        yield Change(
            "change", "destination", name, f"events: {', '.join(events) or 'none'}",
            lambda by: destinations.set_events(there, events, by=by),
        )  # fmt: skip


def _alert(
    project: Project, item: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[Change]:
    there = Alert.objects.filter(project=project, name=item["name"]).first()
    known = dict(Destination.objects.filter(project=project).values_list("name", "pk"))
    planned = {one["name"] for one in wanted.get("destinations", ())}
    for name in item["to"]:
        if name not in known and name not in planned:
            raise ActionError(f"to must name destinations. Got {name[:80]!r}.", "to")

    def draft() -> Alert:
        ids = dict(Destination.objects.filter(project=project).values_list("name", "pk"))
        chosen = [ids[name] for name in item["to"] if name in ids]
        return alerts.draft(project, item["kind"], item["name"], item, chosen, item.get("quiet", 1))

    asked = draft()
    if there is None:
        yield Change(
            "add", "alert", asked.name, asked.kind, lambda by: alerts.add(draft(), by=by)
        )  # fmt: skip
        return
    fields = [f for f in ("kind", "rule", "to", "quiet") if getattr(there, f) != getattr(asked, f)]
    if fields:
        yield Change(
            "change", "alert", asked.name, ", ".join(fields),
            lambda by: alerts.change(there, draft(), by=by),
        )  # fmt: skip


Compare = Callable[[Project, Mapping[str, Any], Mapping[str, Any]], Iterator[Change]]
_PARTS: dict[str, Compare] = {
    "members": _member,
    "keys": _key,
    "failure_modes": _mode,
    "contracts": _contract,
    "queues": _queue,
    "destinations": _destination,
    "alerts": _alert,
}


def make(found: Sequence[Change], by: Actor | None) -> dict[str, str]:
    """Make the changes in order; return the texts of new keys by name, which nothing stores."""
    shown = {}
    for change in found:
        with at(change.place):
            made = change.make(by)
        if change.kind == "key":
            shown[change.name] = str(made)
    return shown
