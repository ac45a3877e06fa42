"""Two web processes, two workers, a pool, a broker, a primary and its standby under load."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.faults.ledger import check_stored, stored_spans
from tests.topology.compose import Topology
from tracehub.traces.replica.store import MAX_LAG

pytestmark = pytest.mark.processes

READ_OF_LISTS = """
    SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)
    FROM pg_stat_user_tables WHERE relname LIKE 'traces\\_2%'
"""


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def topology(request, start) -> Topology:
    return start(request.param)


def answered(senders, number: int) -> bool:
    return all(len(sender.acknowledged) >= number for sender in senders)


def ledger(senders) -> set[tuple[str, str]]:
    return set().union(*(sender.acknowledged for sender in senders))


def check(topology: Topology, senders, server=None, seconds: float = 60) -> None:
    """All that was ever acknowledged is stored once, and every trace is listed."""
    url = (server or topology.primary).owner_url
    check_stored(url, ledger(senders), topology.wait_for, seconds=seconds)


def test_what_two_web_processes_and_grpc_take_is_listed_by_two_workers(topology, wait_for):
    senders = [topology.send(url, total=1_000) for url in topology.urls]
    exporter = OTLPSpanExporter(
        endpoint=f"http://127.0.0.1:{topology.grpc_port}",
        insecure=True,
        headers=(("authorization", f"Bearer {topology.ingest_key}"),),
    )
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    with tracing.get_tracer("test").start_as_current_span("over gRPC") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
    tracing.shutdown()
    assert all(sender.join(60) for sender in senders)
    check(topology, senders)
    for url in topology.urls:
        assert topology.api(f"traces/{trace_id}", url).json()["spans"][0]["name"] == "over gRPC"
    ping = ["celery", "-A", "tracehub.celery", "-q", "inspect", "ping", "-t", "3"]
    wait_for(
        lambda: set(re.findall(r"(\d)@\S+: OK", topology.program(ping, fails=True))) == {"0", "1"},
        seconds=60,
        why="both workers, which answer between two tasks",
    )
    topology.command("doctor")  # finds nothing wrong


def test_lists_and_charts_are_read_from_the_standby_and_ones_own_writes_seen(topology, wait_for):
    sender = topology.send(topology.urls[0], total=200)
    assert sender.join(60)
    check(topology, [sender])
    before = topology.standby.sql(READ_OF_LISTS)[0][0]

    def read_there() -> bool:
        start = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        for path in ("traces", "metrics?metric=requests"):
            answer = topology.api(path, params={"from": start})
            assert answer.status_code == 200, answer.text
        return topology.standby.sql(READ_OF_LISTS)[0][0] > before

    wait_for(read_there, seconds=30, why="a list that was read from the standby")
    writer, other = signed_in(topology, "ann@example.com"), signed_in(topology, "ben@example.com")
    where = f"{topology.urls[0]}/sky/traces"
    topology.standby.sql("SELECT pg_wal_replay_pause()")
    try:
        made = writer.post(
            f"{where}/views",
            {"name": "Slow ones", "q": "is:passing", "next": "/sky/traces", "shared": "on"},
            headers={"X-CSRFToken": writer.cookies["csrf"], "Referer": where},
            allow_redirects=False,
        )
        assert made.status_code == 302, made.text[:500]
        assert "Slow ones" in writer.get(where).text
        views = "SELECT count(*) FROM saved_views WHERE name = 'Slow ones'"
        assert topology.standby.sql(views) == [(0,)]
        again = time.monotonic() + MAX_LAG
        wait_for(
            lambda: time.monotonic() > again and "Slow ones" in topology_page(other, where),
            seconds=20,
            why="the primary to be read, since the standby lags",
        )
        assert topology.standby.sql(views) == [(0,)]
    finally:
        topology.standby.sql("SELECT pg_wal_replay_resume()")
    wait_for(lambda: topology.standby.sql(views) == [(1,)], why="the standby to follow")


def topology_page(session: requests.Session, where: str) -> str:
    session.cookies.pop("tracehub_wrote", None)
    return session.get(where, timeout=20).text


def signed_in(topology: Topology, address: str) -> requests.Session:
    """A browser in which somebody signed in by a link."""
    link = topology.command("createuser", address, "--project", "sky", "--role", "admin")
    session = requests.Session()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(link).text)[1]
    done = session.post(link, {"csrfmiddlewaretoken": token}, headers={"Referer": link})
    assert done.status_code == 200, done.status_code
    return session


def test_nothing_is_lost_while_the_broker_is_gone(topology, wait_for, away_seconds):
    senders = [topology.send(url, pause=0.5, connections=2) for url in topology.urls]
    wait_for(lambda: answered(senders, 200), seconds=30)
    topology.broker.kill()
    gone = time.monotonic()
    wait_for(
        lambda: time.monotonic() > gone + away_seconds,
        seconds=away_seconds + 30,
        why="the broker's absence",
    )
    during = [answer for sender in senders for answer in sender.since(gone + 1.0)]
    assert during
    assert {answer.status for answer in during} <= {200, 503}
    refused = sum(answer.status == 503 for answer in during)
    print(f"{refused} of {len(during)} requests were told to come again")
    assert refused <= len(during) / 100  # a machine that others use stands still for 2 s at times
    assert all(topology.api("traces", url).status_code == 200 for url in topology.urls)
    topology.broker.start()
    topology.await_broker()
    for sender in senders:
        sender.finish()
    check(topology, senders, seconds=90 + away_seconds / 2)  # all that came meanwhile waits
    for program in (*topology.workers, topology.beat):
        assert program.alive, program.log[-2000:]
    late = topology.send(topology.urls[1], total=100)
    assert late.join(30)
    check(topology, [late], seconds=15)  # awake again, and not by their restart


def test_a_web_process_that_is_killed_costs_nothing_that_was_acknowledged(topology, wait_for):
    senders = [topology.send(url) for url in topology.urls]
    wait_for(lambda: answered(senders, 400), seconds=30)
    topology.webs[0].kill()
    killed = time.monotonic()
    wait_for(lambda: len(senders[1].since(killed, 200)) > 20, why="the other to go on")
    topology.webs[0].start()
    wait_for(lambda: senders[0].since(killed, 200), seconds=60, why="the first to be back")
    for sender in senders:
        sender.finish()
    check(topology, senders)


def test_a_killed_worker_and_a_killed_pool_cost_nothing(topology, wait_for):
    senders = [topology.send(url) for url in topology.urls]
    wait_for(lambda: answered(senders, 400), seconds=30)
    topology.workers[0].kill()
    topology.pool.program.kill()
    gone = time.monotonic()
    wait_for(lambda: all(s.since(gone, 503) for s in senders), why="503 without a database")
    topology.pool.program.start()
    back = time.monotonic()
    wait_for(lambda: all(s.since(back, 200) for s in senders), seconds=30, why="answers")
    for sender in senders:
        sender.finish()
    check(topology, senders)
    topology.workers[0].start()
    answers = {a.status for sender in senders for a in sender.since(0.0)}
    assert answers <= {0, 200, 503}, answers


def test_a_failover_loses_nothing_that_was_acknowledged(start, wait_for):
    topology = start("redis")
    topology.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    topology.primary.sql("SELECT pg_reload_conf()")
    followed = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    wait_for(lambda: topology.primary.sql(followed) == [(1,)], why="a synchronous standby")
    senders = [topology.send(url) for url in topology.urls]
    wait_for(lambda: answered(senders, 1_000), seconds=60)
    topology.primary.program.kill()
    before = ledger(senders)
    topology.standby.sql("SELECT pg_promote()")
    kept = set(stored_spans(topology.standby.owner_url))
    assert before <= kept, f"{len(before - kept)} acknowledged spans are not on the standby"
    topology.pool.point_to(topology.standby)
    back = time.monotonic()
    wait_for(lambda: all(s.since(back, 200) for s in senders), seconds=60, why="answers again")
    for sender in senders:
        sender.finish()
    check(topology, senders, topology.standby)
    for url in topology.urls:
        assert topology.api("traces", url).status_code == 200, topology.programs.logs()
