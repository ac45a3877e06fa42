"""What changes people, projects and keys: one verb, one transaction, one audit entry."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, validate_slug
from django.db import IntegrityError, transaction
from django.utils import timezone

from tracehub.projects import keys
from tracehub.projects.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Membership,
    Project,
    Role,
    Scope,
    SignInLink,
    User,
)

Actor = User | ApiKey  # who changes something; None is the command line

LINK_LIFE = timedelta(minutes=10)
INVITATION_LIFE = timedelta(hours=72)
USE_NOTED_EVERY = timedelta(minutes=1)
# First path segments that routes use; a project of that name could never be reached.
RESERVED_SLUGS = frozenset(
    "static accounts admin langsmith api v1 otlp otel runs info healthz readyz metrics feedback "
    "traces facets failures failure-modes queues eval-sets".split()
)


class ActionError(ValueError):
    """A refusal that the person can mend; `field` names what it is about."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Conflict(ActionError):
    """A refusal because something else is there already, such as a taken slug."""


def audit(
    action: str,
    *,
    by: Actor | None = None,
    project: Project | None = None,
    object: str = "",
    address: str | None = None,
    **detail: Any,
) -> None:
    """Add one line to the audit log. `detail` holds before and after, never secrets or content."""
    AuditEntry.objects.create(
        project=project,
        actor=actor_name(by),
        address=address,
        action=action,
        object=object,
        detail=detail,
    )


def actor_name(by: Actor | None) -> str:
    """Return who did something, as the audit log names them."""
    if isinstance(by, ApiKey):
        return by.prefix
    return by.email if by else "system"


def create_project(slug: str, name: str = "", *, by: Actor | None = None) -> Project:
    """Make a project; its maker becomes admin. Raises ActionError on a bad or taken slug."""
    try:
        validate_slug(slug)
    except ValidationError:
        raise ActionError(
            f"slug may hold letters, digits, - and _. Got {slug!r}.", "slug"
        ) from None
    if slug.lower() in RESERVED_SLUGS:
        raise ActionError(f"slug {slug!r} is reserved. Choose another.", "slug")
    try:
        with transaction.atomic():
            project = Project.objects.create(slug=slug, name=name or slug)
            if isinstance(by, User):
                Membership.objects.create(project=project, user=by, role=Role.ADMIN)
            audit("project.created", by=by, project=project, object=slug)
    except IntegrityError:
        raise Conflict(f"slug {slug!r} is taken.", "slug") from None
    return project


@transaction.atomic
def rename_project(project: Project, name: str, *, by: Actor | None = None) -> None:
    """Give a project another name; its slug, and so its links, stay."""
    before, project.name = project.name, " ".join(name.split())
    project.save(update_fields=["name"])
    audit(
        "project.renamed",
        by=by,
        project=project,
        object=project.slug,
        before=before,
        after=project.name,
    )


@transaction.atomic
def hide_content(project: Project, on: bool, *, by: Actor | None = None) -> None:
    """Hide what traces say from viewers, and log who else reads it; or stop doing so."""
    project.hides_content = on
    project.save(update_fields=["hides_content"])
    audit("content.hidden" if on else "content.shown", by=by, project=project, object=project.slug)


@transaction.atomic
def create_key(
    project: Project, scope: str, name: str, *, by: Actor | None = None
) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which is shown once and never stored."""
    if scope not in Scope.values:
        choices = ", ".join(Scope.values)
        raise ActionError(f"scope must be one of {choices}. Got {scope!r}.", "scope")
    key = keys.generate("ing" if scope == Scope.INGEST else "api")
    row = ApiKey.objects.create(
        project=project,
        public_id=key.public_id,
        digest=key.digest,
        prefix=key.prefix,
        scope=scope,
        name=name,
        created_by=by if isinstance(by, User) else None,
    )
    audit("key.created", by=by, project=project, object=row.prefix, scope=scope, name=name)
    return row, key.text


@transaction.atomic
def revoke_key(key: ApiKey, *, by: Actor | None = None) -> None:
    """Turn a key off; requests with it are refused within 5 s."""
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    audit("key.revoked", by=by, project=key.project, object=key.prefix)


@transaction.atomic
def restore_key(key: ApiKey, *, by: User | None = None) -> None:
    """Take a revocation back (undo)."""
    key.revoked_at = None
    key.save(update_fields=["revoked_at"])
    audit("key.restored", by=by, project=key.project, object=key.prefix)


def find_key(text: str) -> ApiKey | None:
    """Return the live key with this text, else None, in equal time for known and unknown ids."""
    key = keys.parse(text)
    if key is None:
        return None
    row = ApiKey.objects.select_related("project").filter(public_id=key.public_id).first()
    stored = bytes(row.digest) if row else bytes(32)
    if not hmac.compare_digest(stored, key.digest) or row is None or row.revoked_at:
        return None
    if row.expires_at and row.expires_at <= timezone.now():
        return None
    return row


def note_use(key: ApiKey) -> None:
    """Remember that a key was used, at most once a minute, so that reads stay reads."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _token() -> tuple[str, bytes]:
    text = secrets.token_urlsafe(32)
    return text, hashlib.sha256(text.encode()).digest()


def make_sign_in_link(user: User) -> str:
    """Return the token of a new one-time link for this person, good for 10 minutes."""
    text, digest = _token()
    SignInLink.objects.create(user=user, token_digest=digest, expires_at=timezone.now() + LINK_LIFE)
    audit("link.created", object=user.email)
    return text


def find_sign_in_link(token: str) -> SignInLink | None:
    """Return the link if it can still be used."""
    digest = hashlib.sha256(token.encode()).digest()
    return (
        SignInLink.objects.select_related("user")
        .filter(
            token_digest=digest,
            used_at=None,
            expires_at__gt=timezone.now(),
            user__is_active=True,
        )
        .first()
    )


def use_sign_in_link(token: str) -> User | None:
    """Use the link up and return its person; None when it is unknown, used or too old.

    The update is the check, so that two requests at once cannot both use it.
    """
    link = find_sign_in_link(token)
    if link is None:
        return None
    taken = SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now())
    return link.user if taken else None


@transaction.atomic
def sign_out(user: User, *, by: Actor | None = None) -> int:
    """End every session of a person and their open links; return how many sessions those were."""
    mine = [
        session.session_key
        for session in Session.objects.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(session_key__in=mine).delete()
    SignInLink.objects.filter(user=user, used_at=None).delete()
    audit("user.signed_out", by=by, object=user.email, sessions=len(mine))
    return len(mine)


@transaction.atomic
def invite(project: Project, email: str, role: str, *, by: User | None = None) -> str:
    """Offer a seat and return the token for the link. A second offer replaces the first."""
    email = email.strip().lower()
    if role not in Role.values:
        raise ActionError(f"role must be one of {', '.join(Role.values)}. Got {role!r}.", "role")
    if Membership.objects.filter(project=project, user__email__iexact=email).exists():
        raise ActionError(f"{email} is a member already.", "email")
    text, digest = _token()
    Invitation.objects.filter(project=project, email=email, accepted_at=None).delete()
    Invitation.objects.create(
        project=project,
        email=email,
        role=role,
        token_digest=digest,
        invited_by=by,
        expires_at=timezone.now() + INVITATION_LIFE,
    )
    audit("member.invited", by=by, project=project, object=email, role=role)
    return text


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, by: User | None = None) -> None:
    """Take an open invitation back; its link is dead at once."""
    audit("member.uninvited", by=by, project=invitation.project, object=invitation.email)
    invitation.delete()


def find_invitation(token: str) -> Invitation | None:
    """Return the invitation if it can still be accepted."""
    digest = hashlib.sha256(token.encode()).digest()
    return (
        Invitation.objects.select_related("project", "invited_by")
        .filter(token_digest=digest, accepted_at=None, expires_at__gt=timezone.now())
        .first()
    )


@transaction.atomic
def accept_invitation(
    token: str, *, user: User | None = None, name: str = "", password: str | None = None
) -> User | None:
    """Take the seat, making the person when new. None when the invitation is no longer good.

    Raises ActionError when a signed-in person has another address than the one invited.
    """
    invitation = find_invitation(token)
    if invitation is None:
        return None
    if user is not None and user.email.lower() != invitation.email:
        raise ActionError(f"This invitation is for {invitation.email}. You are {user.email}.")
    taken = Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(
        accepted_at=timezone.now()
    )
    if not taken:
        return None
    if user is None:
        if User.objects.filter(email__iexact=invitation.email).exists():
            raise ActionError("This address has an account. Sign in first, then open the link.")
        user = User.objects.create_user(invitation.email, password, name=name)
    set_role(invitation.project, user, invitation.role, by=user)
    return user


@transaction.atomic
def join_invited(email: str) -> User | None:
    """Make the person whom open invitations wait for and give the seats; None without any."""
    waiting = Invitation.objects.select_for_update().filter(
        email__iexact=email, accepted_at=None, expires_at__gt=timezone.now()
    )
    offers = list(waiting)
    if not offers:
        return None
    user = User.objects.create_user(email)
    for offer in offers:
        set_role(offer.project, user, offer.role, by=user)
    waiting.update(accepted_at=timezone.now())
    return user


@transaction.atomic
def set_role(project: Project, user: User, role: str | None, *, by: Actor | None = None) -> None:
    """Give a person a role in a project; None takes the seat away. The last admin stays."""
    seats = Membership.objects.select_for_update().filter(project=project)
    current = {seat.user_id: seat.role for seat in seats}
    admins = [person for person, held in current.items() if held == Role.ADMIN]
    if admins == [user.pk] and role != Role.ADMIN:
        raise ActionError("A project needs an admin. Make someone else admin first.", "role")
    if role is None:
        seats.filter(user=user).delete()
    else:
        Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    audit(
        "member.role",
        by=by,
        project=project,
        object=user.email,
        before=current.get(user.pk),
        after=role,
    )


def had_role(project: Project, email: str, role: str) -> bool:
    """Tell whether the last change of a person's seat took this role from them (for undo)."""
    changes = AuditEntry.objects.filter(project=project, action="member.role", object=email)
    last = changes.order_by("-at", "-id").first()
    return last is not None and last.detail.get("before") == role


@transaction.atomic
def add_user(email: str, *, superuser: bool = False, by: Actor | None = None) -> User:
    """Return the person with this address, made (without a password) when new.

    `superuser` is only ever given, never taken. Raises ActionError on a malformed address.
    """
    email = email.strip().lower()
    try:
        # Without a dot, for admin@localhost and addresses inside a company.
        EmailValidator(allowlist=[email.rpartition("@")[2]])(email)
    except ValidationError:
        raise ActionError(f"email must be an address. Got {email!r}.", "email") from None
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email)
        audit("user.created", by=by, object=email)
    if superuser and not user.is_superuser:
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
        audit("user.superuser", by=by, object=email)
    return user
