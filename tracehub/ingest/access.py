"""Who may write: the key of a request, remembered for a few seconds."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg_pool import AsyncConnectionPool

from tracehub.core.cost import Override
from tracehub.core.mask import Masker
from tracehub.ingest.errors import AWAY, Refused, busy
from tracehub.ingest.patience import within
from tracehub.projects import keys, masking
from tracehub.projects import store as project_store
from tracehub.projects.models import Scope

REMEMBER_SECONDS = 5.0
REMEMBER_KEYS = 10_000
FIND_SECONDS = 2.0  # a server that hangs costs its senders this long, then 503
USED_EVERY = 60.0  # seconds between two writes of a key's last use

_FIND = """
    SELECT k.id, k.digest, k.scope, k.prefix, k.project_id, p.slug, k.expires_at, k.revoked_at
    FROM projects_apikey k JOIN projects_project p ON p.id = k.project_id
    WHERE k.public_id = %s
"""
_PRICES = """
    SELECT model, valid_from, input, output, cached, cache_write, reasoning, audio_input,
        audio_output
    FROM projects_modelprice WHERE project_id = %s
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key allows: its project, scope, and the project's own prices and masking."""

    key_id: int
    project_id: int
    project_slug: str
    scope: str
    digest: bytes
    prefix: str
    prices: tuple[Override, ...] = ()
    refused: str | None = None
    masker: Masker = field(default_factory=Masker)


class Keyring:
    """Looks keys up in the database and remembers the answer for `REMEMBER_SECONDS`.

    Only found keys are remembered, so a new key works at once and a revoked one stops in time.
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self.pool = pool
        self._known: OrderedDict[str, tuple[float, Grant]] = OrderedDict()
        self._used: dict[int, float] = {}

    async def grant(self, headers: Mapping[str, str]) -> Grant:
        """Return what the request's key allows. Raises Refused (401, 403, 503)."""
        text = keys.presented(headers)
        if text is None:
            raise _unauthorised("A key is missing. Send it as 'Authorization: Bearer th_ing_…'.")
        key = keys.parse(text)
        if key is None:
            raise _unauthorised("The key is not a TraceHub key. Check that it was copied whole.")
        found = await self._find(key)
        stored = found.digest if found else bytes(32)
        if not hmac.compare_digest(stored, key.digest) or found is None:
            raise _unauthorised("The key is unknown. Make one in Settings, Keys.")
        if found.refused:
            raise _unauthorised(found.refused)
        if found.scope not in {Scope.INGEST, Scope.ADMIN}:
            raise Refused(403, f"A key of scope {found.scope} cannot write traces.")
        return found

    async def _find(self, key: keys.Key) -> Grant | None:
        now = time.monotonic()
        known = self._known.get(key.public_id)
        if known is not None and now - known[0] < REMEMBER_SECONDS:
            return known[1]
        try:
            found = await within(FIND_SECONDS, self._query(key.public_id, now))
        except AWAY:
            raise busy("The database is away. Send again.") from None
        if found is None:
            return None
        grant = _grant(*found)
        self._known[key.public_id] = (now, grant)
        while len(self._known) > REMEMBER_KEYS:
            self._known.popitem(last=False)
        return grant

    async def _query(
        self, public_id: str, now: float
    ) -> tuple[tuple[Any, ...], list[tuple[Any, ...]], list[tuple[Any, ...]]] | None:
        async with self.pool.connection(timeout=1) as conn:
            row = await (await conn.execute(_FIND, (public_id,))).fetchone()
            if row is None:
                return None
            prices = await (await conn.execute(_PRICES, (row[4],))).fetchall()
            rules = await (await conn.execute(project_store.MASK_RULES, (row[4],))).fetchall()
            if now - self._used.get(row[0], -USED_EVERY) >= USED_EVERY:
                self._used[row[0]] = now
                await conn.execute(
                    "UPDATE projects_apikey SET last_used_at = now() WHERE id = %s", (row[0],)
                )
        return row, prices, rules


def _grant(
    row: tuple[Any, ...], prices: list[tuple[Any, ...]], rules: list[tuple[Any, ...]]
) -> Grant:
    key_id, digest, scope, prefix, project_id, slug, expires_at, revoked_at = row
    refused = None
    if revoked_at is not None:
        refused = "The key was revoked. Make a new one in Settings, Keys."
    elif expires_at is not None and expires_at <= datetime.now(UTC):
        refused = "The key has expired. Make a new one in Settings, Keys."
    overrides = tuple(Override(*price) for price in prices)
    masker = masking.masker(project_id, tuple(masking.Chosen(*rule) for rule in rules))
    return Grant(key_id, project_id, slug, scope, bytes(digest), prefix, overrides, refused, masker)


def _unauthorised(message: str) -> Refused:
    return Refused(401, message, "Authorization", headers=((b"www-authenticate", b"Bearer"),))
