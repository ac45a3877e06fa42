"""Text inside words on a server that has pg_trgm: Debian's, as the embedded one has no contrib."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracehub.cli import pgbinaries
from tracehub.cli.processes import as_user

pytestmark = pytest.mark.processes
SCRIPT = """
    import django
    django.setup()
    from datetime import UTC, datetime, timedelta
    from django.db import connection
    from tests import trace_factory as factory
    from tests.web import stories
    from tracehub.cli import bootstrap
    from tracehub.core.query import parse
    from tracehub.traces import listing
    from tracehub.traces.extent import Range
    from tracehub.traces.texts import store

    def found(q):
        end = datetime.now(UTC) + timedelta(minutes=1)
        within = Range(project, end - timedelta(days=1), end)
        return len(listing.read(within, parse(q), limit=9, seconds=9).traces)

    bootstrap.migrate()
    store.ensure_trigrams()
    assert not store.has_trigrams(), "nobody asked for it yet"
    project = stories.project()
    for n, said in enumerate(["Zebrafinch and X7K2QD", "Nothing of it"], 1):
        factory.trace(project, trace_id=f"{n:032x}", input=factory.chat(("user", said)))
    before = [found(q) for q in ('input:*brafin*', 'input:*7K2*', 'input:*wxyz*')]
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION pg_trgm")
    store.ensure_trigrams()
    store.ensure_trigrams()  # safe to repeat
    assert store.has_trigrams()
    after = [found(q) for q in ('input:*brafin*', 'input:*7K2*', 'input:*wxyz*')]
    assert before == after == [1, 1, 0], (before, after)
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT FROM trace_texts WHERE input ILIKE '%brafin%'")
        plan = str(cursor.fetchall())
    assert "trigrams" in plan, plan
"""


@pytest.fixture
def server() -> Iterator[str]:
    """A new cluster of Debian's newest PostgreSQL with contrib, in a folder of its own."""
    control = sorted(Path("/usr/share/postgresql").glob("*/extension/pg_trgm.control"))
    assert control, "apt-get install postgresql"
    tools = Path("/usr/lib/postgresql", control[-1].parts[-3], "bin")
    folder = Path(tempfile.mkdtemp(prefix="tracehub-trigrams-"))  # where its account may go
    user = pgbinaries.system_user(folder)
    if user is not None:
        os.chown(folder, user.uid, user.gid)

    def run(tool: str, *arguments: str) -> None:
        command = [str(tools / tool), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", **as_user(user)
        )
        assert done.returncode == 0, done.stderr

    run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -h '' -F", "start")
    yield f"postgresql://postgres@/postgres?host={folder}"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def test_text_inside_words_is_found_by_trigrams_where_the_server_has_them(server):
    env = {**os.environ, "DATABASE_URL": server, "DJANGO_SETTINGS_MODULE": "tracehub.settings"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        cwd=root, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
