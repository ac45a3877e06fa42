"""People, projects, roles and keys: who may see and do what."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class Role(models.TextChoices):
    """What a person may do in a project; each role includes the ones before it."""

    VIEWER = "viewer", "Viewer"
    REVIEWER = "reviewer", "Reviewer"
    ADMIN = "admin", "Admin"


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address; there are no user names."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username or "")


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `preferences` holds theme, keyboard and list choices of this person."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    last_project = models.ForeignKey(
        "Project", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    preferences = models.JSONField(default=dict, blank=True)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = (models.UniqueConstraint(Lower("email"), name="user_email_any_case"),)

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """Two letters for the round mark: of the names, else of the address."""
        words = self.name.split() or self.email.split("@")[0].replace(".", " ").split()
        return ("".join(w[0] for w in words[:2]) or "?").upper()


class Project(models.Model):
    """A tenant. Everything else belongs to one."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)
    default_branch = models.CharField(max_length=120, default="main")
    retention_days = models.PositiveIntegerField(null=True, blank=True)
    # Viewers see structure and numbers; others read texts on demand, which the audit log notes.
    hides_content = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in one project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "user"], name="membership_once"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"


class Scope(models.TextChoices):
    """What a key may do. `ingest` writes and reads nothing; the others act like the role."""

    INGEST = "ingest", "Ingest"
    VIEWER = "viewer", "Viewer"
    REVIEWER = "reviewer", "Reviewer"
    ADMIN = "admin", "Admin"


class ApiKey(models.Model):
    """A key of a project: `th_ing_…` or `th_api_…`. Only its SHA-256 is stored.

    `public_id` is unique over the installation, since a key is looked up before its project is
    known.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="keys")
    public_id = models.CharField(max_length=10, unique=True)
    digest = models.BinaryField(max_length=32)
    prefix = models.CharField(max_length=24)  # shown in lists: th_ing_k7Qm0dzR4s…w2Xe
    scope = models.CharField(max_length=10, choices=Scope)
    name = models.CharField(max_length=120)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "key"

    def __str__(self) -> str:
        return f"{self.name} ({self.scope})"


class Invitation(models.Model):
    """A seat offered to one address: 72 hours, once."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role)
    token_digest = models.BinaryField(max_length=32)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "email"],
                condition=models.Q(accepted_at=None),
                name="invitation_open_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.email} to {self.project}"


class SignInLink(models.Model):
    """A one-time link for one person: 10 minutes, stored hashed, used up by a POST."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Link for {self.user}"


class ModelPrice(models.Model):
    """A project's own price of a model, in US dollars per million tokens, from a day on."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prices")
    model = models.CharField(max_length=200)  # exact name, or a prefix that ends in *
    valid_from = models.DateField()
    input = models.DecimalField(max_digits=14, decimal_places=6)
    output = models.DecimalField(max_digits=14, decimal_places=6)
    cached = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cache_write = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    reasoning = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    audio_input = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    audio_output = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "model", "valid_from"], name="model_price_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} from {self.valid_from}"


class MaskKind(models.TextChoices):
    """What a masking rule looks for: a built-in, an own pattern, or an attribute by its name."""

    EMAIL = "email", "E-mail address"
    PHONE = "phone", "Phone number"
    CARD = "card", "Card number"
    IBAN = "iban", "IBAN"
    IP = "ip", "IP address"
    PATTERN = "pattern", "Pattern"
    PATH = "path", "Attribute"


class MaskRule(models.Model):
    """What a project masks before the first write. `action` is of attributes alone."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="mask_rules")
    name = models.CharField(max_length=40)  # in the placeholder: [masked:booking]
    kind = models.CharField(max_length=10, choices=MaskKind)
    pattern = models.CharField(max_length=500, blank=True)  # RE2, or an attribute's name
    action = models.CharField(
        max_length=4,
        choices=[("mask", "Mask"), ("drop", "Drop"), ("hmac", "Pseudonym")],
        default="mask",
    )
    within = models.CharField(max_length=200, blank=True, default="")  # as `core.mask.Rule` has it
    on = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "name"], name="mask_rule_name_once"),
        )

    def __str__(self) -> str:
        return self.name


class MaskCount(models.Model):
    """How often a rule struck on a day; the secrets that are always masked count as well."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    rule = models.CharField(max_length=40)
    day = models.DateField()
    count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "rule", "day"], name="mask_count_once"),
        )

    def __str__(self) -> str:
        return f"{self.rule} on {self.day}"


class AuditEntry(models.Model):
    """Who did what, when. Rows are added and read, never changed: also not with their project."""

    project = models.ForeignKey(
        Project,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="audit_entries",
    )
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=254)  # e-mail, key prefix or "system"
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=60)  # "key.created"
    object = models.CharField(max_length=254, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = (models.Index(fields=["project", "-at"], name="audit_by_project"),)
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


class Event(models.Model):
    """The outbox: what happened, for those outside who want to know. See `outbox`.

    `distributed_at` is when deliveries were made of it; rows are kept for 30 days.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(default=timezone.now)
    body = models.JSONField()
    distributed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=["id"], name="event_waiting", condition=Q(distributed_at=None)),
            models.Index(fields=["at"], name="event_by_time"),
        )

    def __str__(self) -> str:
        return f"evt_{self.pk}"
