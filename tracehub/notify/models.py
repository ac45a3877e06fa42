"""Where news goes, what was sent there, and the rules that make news of numbers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tracehub.core import webhooks
from tracehub.projects.models import Event, Project, User


class Kind(models.TextChoices):
    """How a destination is reached."""

    WEBHOOK = "webhook", "Webhook"
    SLACK = "slack", "Slack-compatible"
    EMAIL = "email", "E-mail"


def new_salt() -> str:
    return secrets.token_hex(16)


class Destination(models.Model):
    """An address that news goes to. `events` are the kinds that go there without an alert.

    Its signing key is made of `salt` and the installation's secret key, so that the database
    alone does not give it away.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="destinations")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=7, choices=Kind)
    address = models.CharField(max_length=1000)  # URL or e-mail
    salt = models.CharField(max_length=32, default=new_salt)
    events = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    on = models.BooleanField(default=True)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "name"], name="destination_name_once"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> bytes:
        """The key that signs what is sent here."""
        about = f"tracehub webhook {self.project_id} {self.salt}"
        return hmac.new(settings.SECRET_KEY.encode(), about.encode(), hashlib.sha256).digest()

    @property
    def secret(self) -> str:
        """The key as a receiver keeps it; shown once."""
        return webhooks.secret_text(self.key)

    @property
    def host(self) -> str:
        """What may be shown and logged of the address: a path of Slack's is a secret."""
        if self.kind == Kind.EMAIL:
            return self.address
        return urlsplit(self.address).netloc.rpartition("@")[2]


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class Delivery(models.Model):
    """One event on its way to one destination, and how its last try went."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    destination = models.ForeignKey(
        Destination, on_delete=models.CASCADE, related_name="deliveries"
    )
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    tried_at = models.DateTimeField(null=True)
    code = models.PositiveSmallIntegerField(null=True)  # HTTP status of the last answer
    error = models.CharField(max_length=300, blank=True)
    took_ms = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "event", "destination"], name="delivery_once"
            ),
        )
        indexes = (
            models.Index(
                fields=["next_at"], name="delivery_waiting", condition=Q(status="waiting")
            ),
            models.Index(fields=["destination", "-id"], name="delivery_by_destination"),
        )

    def __str__(self) -> str:
        return f"{self.event} to {self.destination_id}"


class AlertKind(models.TextChoices):
    """What an alert watches: events as they come, or counts hour by hour."""

    NEW = "new", "A new failure"
    REGRESSED = "regressed", "A resolved failure is back"
    SPIKE = "spike", "Spike of failing traces"
    RATE = "rate", "Failing rate above a limit"
    BUDGET = "budget", "A budget is used up"


class Alert(models.Model):
    """A rule that sends news to destinations.

    `rule` holds what its kind needs: `severity` of events, or `key`, `value`, `hours`, `percent`,
    `least` and `against` of counts. After a message it is silent for `quiet` hours. `seen` is the
    last event, and `checked_until` the last whole hour that it has looked at.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alerts")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=9, choices=AlertKind)
    rule = models.JSONField(default=dict)
    to = ArrayField(models.BigIntegerField(), default=list, blank=True)  # ids of destinations
    quiet = models.PositiveSmallIntegerField(default=1)
    on = models.BooleanField(default=True)
    snoozed_until = models.DateTimeField(null=True)
    seen = models.BigIntegerField(default=0)
    checked_until = models.DateTimeField(default=timezone.now)
    fired_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "name"], name="alert_name_once"),)

    def __str__(self) -> str:
        return self.name


class WeeklyMail(models.Model):
    """A person wants the weekly mail of a project; `sent_for` is the Monday of the last one."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    sent_for = models.DateField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "user"], name="weekly_mail_once"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} about {self.project_id}"
