"""What a start needs from the application: migrations, the first project, its people and keys.

A process of its own, so that the supervisor never loads Django: `python -m tracehub.cli.bootstrap
RESULT_FILE`. It writes a JSON object to that file (mode 0600: there is a secret in it). Without
the argument it prepares tables and static files and makes nobody and no key. Exit code 75 means
that the database could not be reached, and that another try may help.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from psycopg.errors import LockNotAvailable

from tracehub.cli import config, pgroles

ADMIN = "admin@localhost"
DEFAULT_PROJECT = "default"
LOCK_TIMEOUT = "800ms"
LOCK_TRIES = 60
LOCK_PAUSE = 2.0  # seconds, in which those who waited go on
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


def main() -> int:
    import django
    from django.db import OperationalError

    app_url = config.database_url()
    os.environ["DATABASE_URL"] = config.owner_url()
    django.setup()
    try:
        prepare()
        pgroles.grant(config.database_url(), app_url)
        for result_file in sys.argv[1:]:
            config.write_private(Path(result_file), config.to_json(welcome()))
    except OperationalError as error:
        print(f"The database cannot be reached: {str(error).strip().splitlines()[0]}")
        return TRY_AGAIN
    except config.ConfigError as error:
        print(error)
        return 1
    return 0


def prepare() -> None:
    """Bring tables and static files to this version. Safe to repeat."""
    from django.core.management import call_command

    from tracehub.traces.texts.store import ensure_trigrams

    with _static_collected():
        migrate()
        ensure_trigrams()
        call_command("createcachetable", verbosity=0)


def migrate() -> None:
    """Bring the tables to this version while others go on reading and writing them.

    A statement that must wait for a lock has everybody else wait behind it. So it gives up after
    LOCK_TIMEOUT, and the migration, which is undone as a whole, is tried again.
    """
    from django.core.management import call_command
    from django.db import OperationalError

    from tracehub.projects.store import wait_for_locks

    wait_for_locks(LOCK_TIMEOUT)
    try:
        for _ in range(LOCK_TRIES):
            try:
                call_command("migrate", interactive=False, verbosity=0)
                return
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable):
                    raise
                time.sleep(LOCK_PAUSE)
        raise config.ConfigError(
            "The tables cannot be brought to this version: something holds them for minutes. End "
            "long transactions (an export, a psql left open) and start again."
        )
    finally:
        wait_for_locks("0")


@contextlib.contextmanager
def _static_collected() -> Iterator[None]:
    """Have the static files stand in STATIC_ROOT under hashed names after the block.

    A process of its own does it beside the block, with the storage that settings choose for the
    command `collectstatic`. Skipped when no file changed since the last time.
    """
    from django.conf import settings

    root = Path(settings.STATIC_ROOT)
    marker = root.with_name("static.fingerprint")
    now = _fingerprint()
    manifest = root / "staticfiles.json"
    if manifest.exists() and marker.exists() and marker.read_text() == now:
        yield
        return
    # What was there stays: an older version may still serve pages that name it.
    command = [sys.executable, "-P", "-m", "django", "collectstatic"]
    command += ["--noinput", "--verbosity=0"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as collecting:
        yield
    if collecting.returncode:
        raise SystemExit("The static files could not be collected; the reason stands above.")
    config.write_private(marker, now)


def _fingerprint() -> str:
    """Return a digest of name, size and time of every static file, and of our version."""
    from importlib.metadata import version

    from django.contrib.staticfiles.finders import get_finders

    seen = hashlib.sha256(version("tracehub").encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            about = Path(storage.path(name)).stat()
            seen.update(f"{name} {about.st_size} {about.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def welcome() -> dict[str, str]:
    """Return the one-time sign-in path for the first admin and what to say about ingest keys.

    The first start makes the default project, its admin and an ingest key (`ingest_key`); later
    ones find them and name the newest key by its prefix (`key_prefix`).
    """
    from django.urls import reverse

    from tracehub.projects import actions
    from tracehub.projects.models import ApiKey, Project, Role, Scope

    admin = actions.add_user(ADMIN, superuser=True)
    project = Project.objects.filter(slug=DEFAULT_PROJECT).first()
    if project is None:
        project = actions.create_project(DEFAULT_PROJECT, "Default", by=admin)
    if not project.memberships.filter(user=admin).exists():
        actions.set_role(project, admin, Role.ADMIN)
    token = actions.make_sign_in_link(admin)
    result = {"sign_in_path": reverse("sign_in_link", args=[token])}
    newest = ApiKey.objects.filter(project=project, scope=Scope.INGEST, revoked_at=None)
    if key := newest.order_by("-created_at").first():
        return result | {"key_prefix": key.prefix}
    _key, text = actions.create_key(project, Scope.INGEST, "First key, made by tracehub up")
    return result | {"ingest_key": text}


if __name__ == "__main__":
    sys.exit(main())
