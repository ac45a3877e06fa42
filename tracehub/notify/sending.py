"""Carry events out: deliveries made of the outbox, tried with back-off until they arrive.

Everything stands in tables: a worker that dies between a request and its note sends it again, so
receivers get each event at least once, always under the same `webhook-id`.
"""

from __future__ import annotations

import logging
import smtplib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import requests
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tracehub.core import webhooks
from tracehub.notify import messages
from tracehub.notify.models import Delivery, DeliveryStatus, Destination, Kind
from tracehub.projects import outbound
from tracehub.projects.models import Event, Membership

logger = logging.getLogger(__name__)

# After a try that failed; then the delivery has failed. About a day in all, as Standard Webhooks
# suggests, so that a receiver may be away for a night.
PAUSES = (10, 60, 300, 1800, 7200, 18_000, 36_000)  # seconds
LEASE = timedelta(seconds=60)  # of one try; above it another worker may try
SECONDS = 10.0  # that an answer may take
AT_ONCE = 200  # events or deliveries of one round
KEPT = timedelta(days=30)
FIRED = "alert.fired"


class NotSent(Exception):
    """A try that failed; `code` is the status of the answer when there was one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


@transaction.atomic
def distribute(now: datetime) -> int:
    """Make deliveries of the events that wait; return how many events that were."""
    waiting = Event.objects.filter(distributed_at=None).select_for_update(skip_locked=True)
    events = list(waiting.order_by("id")[:AT_ONCE])
    if not events:
        return 0
    projects = {event.project_id for event in events}
    by_project: dict[int, list[Destination]] = {}
    for one in Destination.objects.filter(project__in=projects, on=True):
        by_project.setdefault(one.project_id, []).append(one)
    for event in events:
        by_project.setdefault(event.project_id, []).extend(_personal(event))
    Delivery.objects.bulk_create(
        [
            Delivery(project_id=event.project_id, event=event, destination=one, next_at=now)
            for event in events
            for one in {each.pk: each for each in by_project.get(event.project_id, [])}.values()
            if one.on and _wants(one, event)
        ],
        ignore_conflicts=True,
    )
    Event.objects.filter(pk__in=[event.pk for event in events]).update(distributed_at=now)
    return len(events)


def _wants(destination: Destination, event: Event) -> bool:
    if event.kind == FIRED:
        return destination.pk in event.body.get("to", [])
    if destination.kind == Kind.EMAIL and destination.address in event.body.get("emails", []):
        return True
    return event.kind in destination.events


def _personal(event: Event) -> list[Destination]:
    """Return destinations of the members whom an event is for, made when they are new.

    None while no mail server is set. They stand in Settings as `@address`, to be turned off there.
    """
    emails = event.body.get("emails") or []
    if not emails or settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        return []
    return of_members(event.project_id, emails)


def of_members(project_id: int, emails: Sequence[str]) -> list[Destination]:
    """Return the destinations of those addresses that are members', made when they are new."""
    seats = Membership.objects.filter(project=project_id, user__email__in=emails)
    return [
        Destination.objects.get_or_create(
            project_id=project_id, name=f"@{email}"[:80],
            defaults={"kind": Kind.EMAIL, "address": email},
        )[0]
        for email in seats.order_by("pk").values_list("user__email", flat=True)
    ]  # fmt: skip


def deliver_due(*, until: float, clock: Callable[[], datetime] = timezone.now) -> int:
    """Try what is due until a moment of the monotonic clock; return how many tries that were."""
    tried = 0
    while time.monotonic() < until and (delivery := _claim(clock())) is not None:
        _try(delivery, clock)
        tried += 1
    return tried


@transaction.atomic
def _claim(now: datetime) -> Delivery | None:
    """Take the delivery that waits longest, for LEASE. No lock is held while sending."""
    due = Delivery.objects.filter(status=DeliveryStatus.WAITING, next_at__lte=now)
    rows = due.select_for_update(skip_locked=True, of=("self",)).order_by("next_at", "id")
    found = rows.select_related("event__project", "destination").first()
    if found is None:
        return None
    found.tries += 1
    found.next_at = now + LEASE
    found.save(update_fields=["tries", "next_at"])
    return found


def _try(delivery: Delivery, clock: Callable[[], datetime]) -> None:
    began = time.monotonic()
    try:
        delivery.code = send(delivery.event, delivery.destination)
        delivery.error = ""
        delivery.status = DeliveryStatus.DELIVERED
    except NotSent as problem:
        delivery.code, delivery.error = problem.code, str(problem)[:300]
        if delivery.tries > len(PAUSES):
            delivery.status = DeliveryStatus.FAILED
        else:
            delivery.next_at = clock() + timedelta(seconds=PAUSES[delivery.tries - 1])
            _cool(delivery)
    delivery.took_ms = int((time.monotonic() - began) * 1000)
    delivery.tried_at = clock()
    delivery.save(update_fields=["code", "error", "status", "next_at", "took_ms", "tried_at"])


def _cool(delivery: Delivery) -> None:
    """Let a destination that does not answer rest, so that it does not hold up the others."""
    others = Delivery.objects.filter(
        destination=delivery.destination_id, status=DeliveryStatus.WAITING
    )
    until = delivery.next_at
    others.exclude(pk=delivery.pk).filter(next_at__lt=until).update(next_at=until)


def send(event: Event, destination: Destination) -> int | None:
    """Send an event and return the status of the answer, None for mail. Raises NotSent."""
    if destination.kind == Kind.EMAIL:
        _mail(event, destination)
        return None
    body = messages.payload(event)
    headers = {"content-type": "application/json", "user-agent": "TraceHub"}
    if destination.kind == Kind.SLACK:
        body = messages.slack_payload(event)
    else:
        stamp = int(time.time())
        headers |= {
            "webhook-id": str(event),
            "webhook-timestamp": str(stamp),
            "webhook-signature": webhooks.sign(destination.key, str(event), stamp, body),
        }
    return _post(destination.address, body, headers)


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Post, and read no more of the answer than its status: it is shown to nobody."""
    try:
        with (
            outbound.session() as link,
            link.post(url, body, headers=headers, timeout=SECONDS, allow_redirects=False,
                      stream=True) as answer,
        ):  # fmt: skip
            code = answer.status_code
    except (requests.RequestException, OSError, UnicodeError) as error:
        raise NotSent(_reason(error)) from error
    if 300 <= code < 400:
        raise NotSent(
            "It redirects elsewhere. Redirects are not followed: set the final URL.", code
        )
    if not 200 <= code < 300:
        raise NotSent(f"It answered {code}.", code)
    return code


def _reason(error: Exception) -> str:
    """Return why a connection failed, without what libraries say of their inside."""
    text = str(error)
    if "TRACEHUB_OUTBOUND_INSIDE" in text:
        return "The address lies inside the network. TRACEHUB_OUTBOUND_INSIDE opens networks."
    if isinstance(error, requests.Timeout):
        return f"No answer within {SECONDS:g} s."
    if isinstance(error, requests.exceptions.SSLError):
        return "Its certificate is not valid."
    return "The connection failed."


def _mail(event: Event, destination: Destination) -> None:
    said = messages.message(event)
    text = "\n\n".join([said.title, *said.lines, said.url]).rstrip()
    mail = EmailMessage(said.title, text, to=[destination.address])
    mail.extra_headers["Message-ID"] = f"<{event}.{destination.pk}@tracehub.invalid>"
    try:
        mail.send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotSent(f"The mail server did not take it ({type(error).__name__}).") from error


def prune(now: datetime) -> None:
    """Forget events that are old, with their deliveries; those that still wait stay."""
    old = Event.objects.filter(at__lt=now - KEPT).exclude(distributed_at=None)
    old.exclude(Q(deliveries__status=DeliveryStatus.WAITING)).delete()
