"""Asking for an erasure: a look first, then a job. Ids are kept in clear until it is done."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tracehub.core.query import Filter, parse
from tracehub.core.query.tree import quote
from tracehub.digest.erasure import elsewhere
from tracehub.digest.models import Erasure
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, User
from tracehub.traces import listing
from tracehub.traces.extent import Range
from tracehub.traces.facets import matching
from tracehub.traces.models import Arrival

EVER = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=2)  # no stored start is later than a day after its arrival
MOST_TRACES = 1_000  # ids in one request
LONGEST = 1_000  # characters of an id
LOOKED_AT = 5_000  # traces whose notes, cases and feedback a preview counts


class Wanted(NamedTuple):
    """Whose data: one user or session id, or trace ids as 32 hex digits."""

    kind: str
    ids: tuple[str, ...]

    @property
    def filter(self) -> Filter:
        return parse(f"{self.kind}:{quote(self.ids[0])}")


class Found(NamedTuple):
    """What an erasure would delete; `more` says that `counts` cover the first traces alone."""

    traces: int
    counts: Counter[str]
    more: bool


def read(kind: str, text: str) -> Wanted:
    """Return what was asked for. Raises ActionError that names the rule."""
    if kind not in Erasure.Kind.values:
        raise ActionError(
            f"kind must be one of {', '.join(Erasure.Kind.values)}. Got {kind!r}.", "kind"
        )
    if kind != Erasure.Kind.TRACES:
        if not 1 <= len(text.strip()) <= LONGEST:
            raise ActionError(
                f"The id must have 1 to {LONGEST:,} characters. Got {len(text.strip()):,}.", "ids"
            )
        return Wanted(kind, (text.strip(),))
    words = text.replace(",", " ").split()
    if not 1 <= len(words) <= MOST_TRACES:
        raise ActionError(f"Give 1 to {MOST_TRACES:,} trace ids. Got {len(words):,}.", "ids")
    try:
        return Wanted(kind, tuple(dict.fromkeys(UUID(hex=word).hex for word in words)))
    except ValueError:
        bad = next(word for word in words if not _is_id(word))
        raise ActionError(f"A trace id has 32 hex digits. Got {bad[:80]!r}.", "ids") from None


def _is_id(word: str) -> bool:
    try:
        return bool(UUID(hex=word))
    except ValueError:
        return False


def everything(project: Project) -> Range:
    return Range(project, EVER, timezone.now() + AHEAD)


def preview(project: Project, wanted: Wanted) -> Found:
    """Count what would be deleted. Notes, cases and feedback of the newest LOOKED_AT traces."""
    if wanted.kind == Erasure.Kind.TRACES:
        ids = [UUID(hex=one) for one in wanted.ids]
        kept = Arrival.objects.filter(project_id=project.pk, trace_id__in=ids, dropped=False)
        return Found(kept.count(), elsewhere.preview(project, ids, ()), more=False)
    within = everything(project)
    total, _ = matching(within, wanted.filter)
    page = listing.read(within, wanted.filter, limit=LOOKED_AT)
    traces = [row.trace_id for row in page.traces]
    counts = elsewhere.preview(project, traces, wanted.ids)
    return Found(total, counts, more=len(traces) < total)


@transaction.atomic
def start(project: Project, wanted: Wanted, *, by: User | None) -> Erasure:
    """Ask for it: the worker does it, however often it is stopped. The audit log gets no id."""
    job = Erasure.objects.create(
        project=project,
        kind=wanted.kind,
        wanted=list(wanted.ids),
        marks=[mark(project, one) for one in wanted.ids],
        by=by.email if by else "system",
        expected=preview(project, wanted).traces,
    )
    audit(
        "data.erasure_asked", by=by, project=project, object=str(job),
        kind=job.kind, ids=len(job.marks), traces=job.expected,
    )  # fmt: skip
    return job


def mark(project: Project, wanted: str) -> str:
    """Return what a receipt says of an id: HMAC-SHA-256 under the installation's secret key."""
    key = f"tracehub erasure {settings.SECRET_KEY}".encode()
    return hmac.new(key, f"{project.pk} {wanted}".encode(), hashlib.sha256).hexdigest()


def receipt(job: Erasure) -> dict[str, Any]:
    """Return what is handed out about a finished erasure: no id, and nothing that was erased."""
    return {
        "erasure": job.pk,
        "project": job.project.slug,
        "asked_by": job.by,
        "asked_at": job.created_at.isoformat(),
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "kind": job.kind,
        "ids_hmac_sha256": job.marks,
        "deleted": job.counts,
        "kept": KEPT,
        "not_covered": NOT_COVERED,
    }


KEPT: Sequence[str] = (
    "numbers of charts, failures and runs, which name nobody",
    "verdicts, failure modes and severities of reviews, without their notes",
    "numbers and kinds of eval cases, without their content",
)
NOT_COVERED: Sequence[str] = (
    "backups made before finished_at: erase again after restoring one",
    "files that were downloaded, and messages that webhooks and e-mail carried, before finished_at",
)
