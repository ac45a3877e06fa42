"""`tracehub doctor`: what is well, what is not, and how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import click

from tracehub.cli import config
from tracehub.cli.connect import application, running
from tracehub.cli.options import data_option
from tracehub.cli.output import visible

LAG = timedelta(seconds=60)
SECRET_LENGTH = 32


class Finding(NamedTuple):
    """One line of the report. Without a `mend` all is well."""

    what: str
    found: str
    mend: str = ""


@click.command()
@data_option
def doctor() -> None:
    """Check settings, database, queue, partitions and disk; exit 1 when something needs mending.

    \b
    Example:
      tracehub doctor --data /srv/tracehub
    """
    sick = 0
    with application(migrate=False):
        for finding in _findings():
            sick += bool(finding.mend)
            word, colour = ("wrong", "red") if finding.mend else ("ok", "green")
            mark = click.style(f"{word:<5}", fg=colour)
            click.echo(f"{mark}  {finding.what:<11} {visible(finding.found)}")
            if finding.mend:
                click.echo(f"       {'':<11} {finding.mend}")
    if sick:
        raise SystemExit(1)


def _findings() -> Iterator[Finding]:
    yield _settings()
    yield _secret()
    yield _supervisor()
    yield _server()
    yield _role()
    yield _broker()
    migrations = _migrations()
    yield migrations
    if not migrations.mend:  # the rest reads tables
        yield from (
            check()
            for check in (_worker, _queue, _parked, _sampling, _rollups, _partitions, _people)
        )
    yield _disk()


def _settings() -> Finding:
    from django.conf import settings

    found = f"{settings.BASE_URL}, data in {settings.DATA_DIR}"
    if not settings.SECURE and not settings.LOOPBACK:
        return Finding(
            "settings",
            found,
            "Passwords and traces cross the network in the clear. Put a proxy with TLS in front "
            "and set TRACEHUB_BASE_URL to its https address.",
        )
    return Finding("settings", found)


def _secret() -> Finding:
    from django.conf import settings

    if len(settings.SECRET_KEY) < SECRET_LENGTH:
        return Finding(
            "secret key",
            f"has {len(settings.SECRET_KEY)} characters",
            f"Set TRACEHUB_SECRET_KEY to {SECRET_LENGTH} random ones or more, or take it away: "
            "one is then made in the data folder. Everybody signs in again.",
        )
    path = settings.DATA_DIR / "secret_key"
    if path.exists() and path.stat().st_mode & 0o077:
        return Finding("secret key", f"others can read {path}", f"Run `chmod 600 {path}`.")
    return Finding("secret key", "long enough, and nobody else can read it")


def _supervisor() -> Finding:
    state = running(config.data_dir())
    if state:
        return Finding("up", f"process {state['pid']} at {state['url']}")
    return Finding("up", "not running on this data folder (nothing wrong, if it runs elsewhere)")


def _server() -> Finding:
    import psycopg

    from tracehub.cli import pgroles

    url = config.database_url()
    with psycopg.connect(url, connect_timeout=10) as link:
        version = link.info.server_version
        encoding = link.info.parameter_status("server_encoding")
    name = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version < 150000:
        return Finding("database", name, "TraceHub needs PostgreSQL 15 or later: upgrade it.")
    if encoding != "UTF8":
        return Finding(
            "database",
            f"{name}, encoding {encoding}",
            "Make the database anew, as `createdb --encoding=UTF8 --template=template0` does, and "
            "restore a backup into it: texts are compared and cut by character.",
        )
    weak = pgroles.undurable(url)
    if weak:
        values = ", ".join(f"{key} = {found}" for key, (_needed, found) in weak.items())
        sums = weak.pop("data_checksums", None)
        mends = [f"Set {', '.join(weak)} to on: an acknowledged trace could be lost."] * bool(weak)
        if sums:
            mends.append(
                "Stop PostgreSQL, run `pg_checksums --enable -D` its data folder, start it."
            )
        return Finding("database", f"{name}, {values}", " ".join(mends))
    return Finding("database", f"{name}, commits are durable, pages have checksums")


def _role() -> Finding:
    from psycopg.conninfo import conninfo_to_dict

    from tracehub.cli import pgroles

    url = config.database_url()
    name = conninfo_to_dict(url).get("user") or "the default role"
    may = pgroles.excess(url)
    if "do anything" in may:
        return Finding(
            "role",
            f"{name} may do more than TraceHub needs",
            "Make a role without SUPERUSER, CREATEROLE and BYPASSRLS that owns the database, and "
            "name it in DATABASE_URL.",
        )
    if may and config.owner_url() != url:
        return Finding(
            "role",
            f"web and worker, as {name}, may {' and '.join(may)}",
            "Give DATABASE_URL a role that owns no table, and run `python -m "
            "tracehub.cli.bootstrap`, which gives it its rights.",
        )
    if may:
        return Finding("role", f"{name} for all parts; DATABASE_OWNER_URL would split them")
    return Finding("role", f"{name} for web and worker, which may change no table")


def _broker() -> Finding:
    from kombu.exceptions import OperationalError

    from tracehub.celery import app

    link = app.connection_for_write(app.conf.broker_url, connect_timeout=5)
    shown = link.as_uri()  # without its password
    if shown.startswith("filesystem:"):
        return Finding("broker", "a folder in the data folder")
    try:
        with link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=5)
    except (OperationalError, OSError) as error:
        return Finding(
            "broker",
            f"{shown} cannot be reached ({type(error).__name__})",
            "Start it, or mend TRACEHUB_BROKER_URL. Nothing is lost: the sweep finds the work.",
        )
    return Finding("broker", shown)


def _migrations() -> Finding:
    import io

    from django.core.management import call_command

    plan = io.StringIO()
    call_command("showmigrations", format="plan", no_color=True, stdout=plan)
    waiting = [line[3:].strip() for line in plan.getvalue().splitlines() if line.startswith("[ ]")]
    if waiting:
        return Finding(
            "migrations",
            f"{len(waiting)} are not applied, first {waiting[0]}",
            "Start `tracehub up`, or run `django-admin migrate --settings tracehub.settings`.",
        )
    return Finding("migrations", "all applied")


def _worker() -> Finding:
    from tracehub.digest.models import Heartbeat

    last = Heartbeat.objects.filter(name="digest").first()
    if last is None:
        return Finding("worker", "has never run", "Start `tracehub up`, or a Celery worker.")
    age = datetime.now(UTC) - last.at
    found = f"last run {_ago(age)}"
    if age > LAG and running(config.data_dir()):
        return Finding(
            "worker", found, "Look at the lines of `worker` and `beat` in the log of up."
        )
    if age > LAG and not config.is_embedded():
        return Finding("worker", found, "Start a Celery worker and beat; none works for now.")
    return Finding("worker", found)


def _queue() -> Finding:
    from tracehub.traces.models import Arrival

    waiting = Arrival.objects.exclude(dirty_seq=None)
    oldest = waiting.order_by("dirty_at").values_list("dirty_at", flat=True).first()
    if oldest is None:
        return Finding("queue", "empty")
    age = datetime.now(UTC) - oldest
    found = f"{waiting.count()} traces to process, the oldest came {_ago(age)}"
    if age > LAG:
        return Finding("queue", found, "Start more workers: `tracehub up --workers 2`.")
    return Finding("queue", found)


def _parked() -> Finding:
    from tracehub.traces.models import Parked

    newest = Parked.objects.order_by("-pk").first()
    if newest is None:
        return Finding("parked", "no trace failed to be processed")
    return Finding(
        "parked",
        f"{Parked.objects.count()} traces, for example {newest.trace_id}: {newest.error[:200]}",
        "Report it with the message above; the traces are kept and show without signals.",
    )


def _sampling() -> Finding:
    from tracehub.traces.sampling import store

    now = datetime.now(UTC)
    late, since = store.overdue(now, LAG)
    found = store.summary(now - timedelta(days=1))
    if since is None:
        return Finding("sampling", found)
    return Finding(
        "sampling",
        f"{late} traces wait to be judged, the first since {_ago(now - since)}",
        "Start more workers: `tracehub up --workers 2`. Until then they are kept.",
    )


def _rollups() -> Finding:
    from tracehub.metrics.checking import store
    from tracehub.projects.models import Project

    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    wrong = [
        project.slug
        for project in Project.objects.order_by("slug")
        if store.sums_differ(project.pk, end - timedelta(hours=1), end)
    ]
    if not wrong:
        return Finding("rollups", "the sums of the last whole hour are those of its traces")
    return Finding(
        "rollups",
        f"the charts of {', '.join(wrong)} differ from the traces",
        f"Run `tracehub rollups --project {wrong[0]} --repair`.",
    )


def _partitions() -> Finding:
    from tracehub.traces import partitions

    days = sorted({part.day for part in partitions.existing()})
    size = sum(part.size for part in partitions.existing()) / 1e6
    today = datetime.now(UTC).date()
    if not days or days[-1] < today + timedelta(days=1):
        found = f"the last is of {days[-1]}" if days else "none"
        return Finding(
            "partitions", found, "Run `tracehub prune`, which makes them, and check beat."
        )
    return Finding("partitions", f"{days[0]} to {days[-1]}, {size:.1f} MB")


def _people() -> Finding:
    from tracehub.projects.models import User

    if not User.objects.filter(is_superuser=True, is_active=True).exists():
        return Finding(
            "people",
            "nobody is a superuser",
            "Run `tracehub createuser you@example.com --superuser`, which prints a link.",
        )
    return Finding("people", f"{User.objects.filter(is_active=True).count()} may sign in")


def _disk() -> Finding:
    from django.conf import settings

    usage = shutil.disk_usage(settings.DATA_DIR)
    free, total = usage.free / 1e9, usage.total / 1e9
    found = f"{free:.1f} of {total:.1f} GB free"
    if usage.free < 2 * settings.MIN_FREE_MB * 1_000_000:
        return Finding(
            "disk",
            found,
            f"Free some, or lower TRACEHUB_RETENTION_DAYS and run `tracehub prune`: below "
            f"{settings.MIN_FREE_MB} MB ingestion answers 503.",
        )
    return Finding("disk", found)


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s ago"
    return f"{seconds} s ago"
