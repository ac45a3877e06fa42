"""Case 76: deadlocks and serialization failures are tried again, then 503, and never 500."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from tests.ingest.test_otlp import body, post, span
from tests.server import running
from tests.web import stories
from tracehub.digest import tasks
from tracehub.projects import actions, conflicts
from tracehub.projects.models import User
from tracehub.review.models import Review
from tracehub.traces.models import Arrival, Parked, StoredSpan, Trace

TRIES = conflicts.TRIES
Losing = Callable[..., contextlib.AbstractContextManager[None]]


@pytest.fixture
def losing(committed_db, postgres_server) -> Losing:
    """Have the first so many transactions that write to a table lose, for both reasons in turn."""
    name = psycopg.conninfo.conninfo_to_dict(committed_db)["dbname"]

    @contextlib.contextmanager
    def lose(table: str, times: int, event: str = "INSERT") -> Iterator[None]:
        url = postgres_server.cluster.superuser_url(name)
        with psycopg.connect(url, autocommit=True) as link:
            link.execute(
                f"""
                CREATE SEQUENCE tries;
                CREATE FUNCTION lose() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
                DECLARE
                    number int := nextval('tries');
                    state text := CASE WHEN number % 2 = 1 THEN '40P01' ELSE '40001' END;
                BEGIN
                    IF number <= {times} THEN RAISE EXCEPTION 'lost' USING ERRCODE = state; END IF;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER lose AFTER {event} ON {table} FOR EACH STATEMENT
                    EXECUTE FUNCTION lose()
                """
            )
            yield
            link.execute(f"DROP TRIGGER lose ON {table}; DROP FUNCTION lose; DROP SEQUENCE tries")

    return lose


@pytest.fixture
def project(committed_db):
    return stories.project()


def test_76_ingestion_tries_again_then_says_when_to_come(losing, project):
    key = actions.create_key(project, "ingest", "test")[1]
    feedback = {"trace_id": f"{1:032x}", "name": "helpful", "value": 1}
    with running() as url:

        def sent(number: int):
            return post(url, key, body(span(1, number)))

        def said():
            return post(url, key, feedback, "/api/v1/feedback")

        for table, send in (("spans", lambda: sent(1)), ("traces_feedback", said)):
            with losing(table, TRIES - 1):
                assert send().status_code == 200
            with losing(table, 2 * TRIES):
                for _ in range(2):
                    answer = send()
                    assert answer.status_code == 503
                    assert 1 <= int(answer.headers["retry-after"]) <= 5
                assert send().status_code == 200
        with losing("arrivals", TRIES):
            assert sent(2).status_code == 503
            assert sent(2).status_code == 200
    assert set(StoredSpan.objects.values_list("span_id", flat=True)) == {1, 2}


def test_76_pages_and_api_try_again_then_say_so(losing, project, client):
    trace = stories.refund_trace(project)
    reviewer = stories.member(project, "reviewer")
    key = actions.create_key(project, "reviewer", "test")[1]
    client.raise_request_exception = False
    client.force_login(reviewer)

    def page():
        return client.post(f"/{project.slug}/traces/{trace}/review", {"verdict": "pass"})

    def call():
        return client.post(
            f"/api/v1/traces/{trace}/reviews",
            {"verdict": "pass"},
            content_type="application/json",
            headers={"authorization": f"Bearer {key}"},
        )

    for ask, good in ((page, {200, 302}), (call, {201})):
        Review.objects.all().delete()
        with losing("review_review", TRIES):
            answer = ask()
            assert (answer.status_code, answer.has_header("Retry-After")) == (503, True)
            assert b"database" in answer.content
            assert not Review.objects.exists()
        with losing("review_review", TRIES - 1):
            assert ask().status_code in good
        assert Review.objects.count() == 1


def test_76_the_worker_tries_again_and_blames_no_trace(losing, project):
    stories.refund_trace(project)
    Trace.objects.all().delete()
    Arrival.objects.update(dirty_seq=1, tries=0)
    with losing("traces", 3 * TRIES, "INSERT OR UPDATE"):
        with contextlib.suppress(psycopg.OperationalError):  # the next message or the sweep goes on
            tasks.digest()
        assert not Trace.objects.exists()
    assert list(Arrival.objects.values_list("tries", flat=True)) == [0]
    with losing("traces", TRIES - 1, "INSERT OR UPDATE"):
        tasks.digest()
    assert Trace.objects.count() == 1
    assert not Parked.objects.exists()


def test_76_of_two_that_wait_for_each_other_both_get_done(
    committed_db, postgres_server, project, wait_for
):
    ours, theirs = stories.member(project, "viewer"), stories.member(project, "admin")
    rename = "UPDATE projects_user SET name = name || %s WHERE id = %s"
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    name = psycopg.conninfo.conninfo_to_dict(committed_db)["dbname"]
    tries = []
    with psycopg.connect(postgres_server.cluster.superuser_url(name)) as link:
        link.execute("SET deadlock_timeout = '1h'")  # leaves it to the other to see the deadlock
        link.execute(rename, ["!", theirs.pk])

        def cross() -> None:
            wait_for(lambda: link.execute(waits).fetchone() == (1,), seconds=30)
            link.execute(rename, ["!", ours.pk])
            link.commit()

        @transaction.atomic
        def rename_both() -> None:
            if tries:  # the one that won is done before the one that lost comes again
                crossing.join(30)
            tries.append(1)
            for person in (ours, theirs):
                with connection.cursor() as cursor:
                    cursor.execute(rename, ["?", person.pk])

        crossing = threading.Thread(target=cross)
        crossing.start()
        conflicts.settled(rename_both)
    assert len(tries) == 2
    assert set(User.objects.values_list("name", flat=True)) == {"Viewer!?", "Admin!?"}


def test_what_was_committed_is_not_done_again(project):
    done = []

    def work() -> None:
        done.append(1)
        stories.member(project, "viewer", f"viewer{len(done)}@skylane.example")
        raise OperationalError("lost") from psycopg.errors.DeadlockDetected()

    with pytest.raises(OperationalError):
        conflicts.settled(work)
    assert len(done) == 1
