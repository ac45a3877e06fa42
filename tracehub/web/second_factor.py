"""Second factors: what codes are made from is sealed in the database.

It is sealed with the secret key, and read with that or a former one that is still named.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from tracehub.projects import actions
from tracehub.projects.models import User

logger = logging.getLogger(__name__)
SEALED = frozenset({"secret", "seed"})  # of codes by an app, and of recovery codes


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Seals what codes are made from with a key of the secret key: a dump alone opens nothing."""

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            logger.error(
                "A second factor was sealed with another secret key, so none of its codes is right."
                " Name that key in TRACEHUB_SECRET_KEY_FALLBACKS."
            )
            return base64.b32encode(secrets.token_bytes(20)).decode()  # nobody knows its codes


@transaction.atomic
def reseal() -> tuple[int, list[str]]:
    """Seal every second factor with the secret key of now.

    Returns how many, and the addresses of people whose factor no named key opens: it is left as
    it is. Passkeys are public keys and not sealed.
    """
    box, anew, lost = _box(), 0, set()
    factors = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN)
    for factor in factors.select_for_update(of=("self",)).select_related("user").order_by("pk"):
        try:
            factor.data |= {
                name: box.rotate(factor.data[name].encode()).decode()
                for name in SEALED & factor.data.keys()
            }
        except InvalidToken:
            lost.add(factor.user.email)
            continue
        factor.save(update_fields=["data"])
        anew += 1
    return anew, sorted(lost)


@transaction.atomic
def remove(user: User) -> int:
    """Take every second factor and passkey from a person who lost them, and end their sessions.

    Returns how many factors those were. The person sets up new ones after the next sign-in.
    """
    kinds = sorted(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    Authenticator.objects.filter(user=user).delete()
    actions.sign_out(user)
    actions.audit("person.factors_removed", object=user.email, kinds=kinds)
    return len(kinds)


def _box() -> MultiFernet:
    return MultiFernet(map(_sealing_with, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)))


def _sealing_with(secret_key: str) -> Fernet:
    key = hashlib.sha256(b"second factor\0" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
