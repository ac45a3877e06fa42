"""What people do with destinations: one verb, one transaction, one audit entry."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction
from django.utils import timezone

from tracehub.notify.models import Delivery, DeliveryStatus, Destination, Kind, new_salt
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError, Actor, Conflict, actor_name, audit
from tracehub.projects.models import Event, Project

MOST = 50  # destinations of a project
TEST = "test"


def add_destination(
    project: Project,
    kind: str,
    name: str,
    address: str,
    events: Sequence[str] = (),
    *,
    by: Actor | None,
) -> Destination:
    """Make a destination. Its address never changes, so that its key goes nowhere else.

    Raises ActionError naming the field, Conflict on a taken name.
    """
    name, address = " ".join(name.split()), address.strip()
    if kind not in Kind.values:
        raise ActionError(f"kind must be one of {', '.join(Kind.values)}. Got {kind!r}.", "kind")
    if not 1 <= len(name) <= 80:
        raise ActionError(f"name must have 1 to 80 characters. Got {len(name)}.", "name")
    _check_address(kind, address)
    unknown = sorted(set(events) - set(outbox.KINDS))
    if unknown:
        raise ActionError(
            f"events may name {', '.join(outbox.KINDS)}. Got {unknown[0]!r}.", "events"
        )
    if Destination.objects.filter(project=project).count() >= MOST:
        raise ActionError(f"A project may have {MOST} destinations.", "name")
    try:
        with transaction.atomic():
            made = Destination.objects.create(
                project=project, kind=kind, name=name, address=address,
                events=[kind for kind in outbox.KINDS if kind in events], created_by=actor_name(by),
            )  # fmt: skip
            audit("destination.created", by=by, project=project, object=name, kind=kind,
                  host=made.host, events=made.events)  # fmt: skip
    except IntegrityError:
        raise Conflict(f"name {name!r} is taken.", "name") from None
    return made


def _check_address(kind: str, address: str) -> None:
    if kind == Kind.EMAIL:
        try:
            EmailValidator(allowlist=[address.rpartition("@")[2]])(address)
        except ValidationError:
            raise ActionError(f"address must be an e-mail address. Got {address[:80]!r}.",
                              "address") from None  # fmt: skip
        return
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ActionError("address must be a URL that begins with https://.", "address")
    if parts.username is not None or parts.fragment or len(address) > 1000:
        raise ActionError(
            "address may have no user, no #fragment and 1,000 characters at most.", "address"
        )


@transaction.atomic
def turn(destination: Destination, on: bool, *, by: Actor | None) -> None:
    """Turn a destination on or off. What happens while it is off is not sent later."""
    destination.on = on
    destination.save(update_fields=["on"])
    audit("destination.turned", by=by, project=destination.project, object=destination.name, on=on)


@transaction.atomic
def set_events(destination: Destination, events: Sequence[str], *, by: Actor | None) -> None:
    """Choose which kinds of events go there. Raises ActionError on an unknown kind."""
    chosen = [kind for kind in outbox.KINDS if kind in events]
    before, destination.events = destination.events, chosen
    destination.save(update_fields=["events"])
    audit("destination.events", by=by, project=destination.project, object=destination.name,
          before=before, after=chosen)  # fmt: skip


@transaction.atomic
def rotate(destination: Destination, *, by: Actor | None) -> str:
    """Give a destination another key and return it; the old one signs nothing any more."""
    destination.salt = new_salt()
    destination.save(update_fields=["salt"])
    audit("destination.rotated", by=by, project=destination.project, object=destination.name)
    return destination.secret


@transaction.atomic
def remove(destination: Destination, *, by: Actor | None) -> None:
    """Forget a destination with its log; what waits is not sent."""
    audit("destination.removed", by=by, project=destination.project, object=destination.name,
          host=destination.host)  # fmt: skip
    destination.delete()


@transaction.atomic
def replay(delivery: Delivery) -> None:
    """Send an event once more, under the same id, so that its receiver can tell."""
    Delivery.objects.filter(pk=delivery.pk).update(
        status=DeliveryStatus.WAITING, tries=0, next_at=timezone.now()
    )


@transaction.atomic
def send_test(destination: Destination, *, by: Actor | None) -> Delivery:
    """Send an event that says it is a test."""
    now = timezone.now()
    event = Event.objects.create(
        project=destination.project, kind=TEST, at=now, distributed_at=now,
        body={"message": f"A test of {destination.name}, sent by {actor_name(by)}."},
    )  # fmt: skip
    return Delivery.objects.create(
        project=destination.project, event=event, destination=destination
    )
