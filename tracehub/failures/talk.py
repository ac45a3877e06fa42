"""What people say about a failure, who is named in it, and the issue elsewhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.db import transaction

from tracehub.core import trackers
from tracehub.core.grouping.v1 import masked
from tracehub.failures.models import Activity, Failure, OwnerRule, Tracker
from tracehub.projects import masking, outbox
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Membership, Project, User

MOST = 4000  # characters of a comment
MOST_RULES = 100
_MENTION = re.compile(r"(?<![\w@])@([\w.+-]+(?:@[\w.-]+\w)?)")


@transaction.atomic
def comment(failure: Failure, text: str, *, by: User) -> Activity:
    """Add a comment, masked; members named by `@name` or `@address` get a mail.

    Raises ActionError.
    """
    text = text.replace("\x00", "").strip()
    if not 1 <= len(text) <= MOST:
        raise ActionError(f"comment must have 1 to {MOST:,} characters. Got {len(text)}.", "text")
    named = [user.email for user in mentioned(failure.project, text) if user != by]
    text = masking.masked(failure.project_id, text)[:MOST]
    made = Activity.objects.create(failure=failure, actor=by.email, verb="commented", text=text)
    if named:
        told = {"key": failure.key, "title": masked(failure.title), "by": by.email, "emails": named}
        outbox.emit(failure.project_id, "failure.mentioned", told)
    return made


def mentioned(project: Project, text: str) -> list[User]:
    """Return the members whom a text names, by address, by its part before the @, or by first name.

    A short form that fits two members names nobody.
    """
    wanted = {word.rstrip(".").lower() for word in _MENTION.findall(text)}
    if not wanted:
        return []
    seats = Membership.objects.filter(project=project).select_related("user")
    users = [seat.user for seat in seats.order_by("user__email")]
    found: dict[int, User] = {}
    for word in wanted:
        fits = [user for user in users if word in _names(user)]
        exact = [user for user in fits if user.email.lower() == word]
        for user in exact or (fits if len(fits) == 1 else []):
            found[user.pk] = user
    return sorted(found.values(), key=lambda user: user.email)


def _names(user: User) -> set[str]:
    email = user.email.lower()
    first = user.name.split()[:1]
    return {email, email.partition("@")[0], *(name.lower() for name in first)}


@transaction.atomic
def link_issue(failure: Failure, url: str, *, by: User) -> Activity:
    """Keep the address of the issue elsewhere; "" takes it away. Raises ActionError."""
    url = url.strip()
    parts = urlsplit(url) if url else None
    if parts is not None and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ActionError("issue must be a URL that begins with https://.", "issue")
    if len(url) > 500:
        raise ActionError("issue may have 500 characters at most.", "issue")
    before, failure.issue = failure.issue, url
    failure.save(update_fields=["issue"])
    verb = "linked" if url else "unlinked"
    return Activity.objects.create(
        failure=failure, actor=by.email, verb=verb, detail=(url or before)[:400],
        before={"issue": before},
    )  # fmt: skip


@transaction.atomic
def set_tracker(project: Project, kind: str, base: str, *, by: User) -> None:
    """Say where issues are opened; an empty address says nowhere. Raises ActionError."""
    if not base.strip():
        Tracker.objects.filter(project=project).delete()
    else:
        try:
            address = trackers.check(kind, base)
        except trackers.TrackerError as error:
            raise ActionError(str(error), "base") from error
        Tracker.objects.update_or_create(
            project=project, defaults={"kind": kind, "base": address[:300]}
        )
    audit("tracker.set", by=by, project=project, object=kind if base.strip() else "none")


@transaction.atomic
def add_owner_rule(
    project: Project, key: str, pattern: str, owner: User | None, *, by: User
) -> OwnerRule:
    """Give new failures of a prompt or span to a member. Raises ActionError."""
    pattern = pattern.replace("\x00", "").strip()
    if key not in {"prompt", "span"}:
        raise ActionError(f"key must be prompt or span. Got {key[:40]!r}.", "key")
    if not 1 <= len(pattern) <= 200:
        raise ActionError(f"pattern must have 1 to 200 characters. Got {len(pattern)}.", "pattern")
    if owner is None or not owner.memberships.filter(project=project).exists():
        raise ActionError("owner must be a member of the project.", "owner")
    if OwnerRule.objects.filter(project=project).count() >= MOST_RULES:
        raise ActionError(f"A project may have {MOST_RULES} owner rules.", "pattern")
    rule, _ = OwnerRule.objects.update_or_create(
        project=project, key=key, pattern=pattern, defaults={"owner": owner}
    )
    audit("owner_rule.set", by=by, project=project, object=str(rule), owner=owner.email)
    return rule


@transaction.atomic
def remove_owner_rule(rule: OwnerRule, *, by: User) -> None:
    """Forget an owner rule; who has failures keeps them."""
    audit("owner_rule.removed", by=by, project=rule.project, object=str(rule))
    rule.delete()
