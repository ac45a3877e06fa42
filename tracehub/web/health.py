"""Is it alive, and does the whole way from ingestion to the list work?"""

from __future__ import annotations

from datetime import timedelta

from django.db import DatabaseError, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from psycopg_pool import PoolTimeout

from tracehub.digest import store as digest_store
from tracehub.digest.models import Heartbeat

WORKER_SILENT = timedelta(seconds=30)  # the sweep comes every 5 s
LAG = timedelta(seconds=60)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when a trace sent now would soon stand in the list, else 503 with the reason."""
    wrong = problems()
    if wrong:
        answer = JsonResponse({"status": "not ready", "wrong": wrong}, status=503)
        # Asked many times while starting, and by monitors: the answer says it, the log need not.
        answer._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
        return answer
    return JsonResponse({"status": "ready"})


def problems() -> list[str]:
    """Return what keeps traces from reaching the list, as sentences."""
    try:
        with transaction.atomic():
            return _database_problems()
    except (DatabaseError, PoolTimeout) as error:
        return [f"The database does not answer ({type(error).__name__})."]


def _database_problems() -> list[str]:
    if pending := digest_store.pending_migrations():
        return [f"{pending} migrations are not applied. Run `tracehub up` or `migrate`."]
    wrong = []
    now = timezone.now()
    beat = Heartbeat.objects.filter(name="digest").first()
    if beat is None or now - beat.at > WORKER_SILENT:
        since = beat.at.isoformat(timespec="seconds") if beat else "never"
        wrong.append(f"The worker is silent (last sign of life: {since}).")
    waiting, oldest = digest_store.lag(digest_store.driver_cursor())
    if oldest is not None and now - oldest > LAG:
        seconds = int((now - oldest).total_seconds())
        wrong.append(f"The worker is {seconds} s behind; {waiting} traces wait.")
    return wrong
