"""Large payloads outside the database: nobody sees a difference, and none stays behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import OperationalError, connection

from tests import trace_factory as factory
from tests.ingest import s3_server
from tests.ingest.test_otlp import post
from tracehub.cli.environment import SettingError, payload_storage
from tracehub.digest.store import driver_cursor, load_payloads
from tracehub.traces import partitions
from tracehub.traces.models import StoredSpan
from tracehub.traces.payloads import moving, objects
from tracehub.traces.payloads import store as payloads
from tracehub.traces.reading import load, received
from tracehub.traces.sampling import store as sampling

LONG = "The refund was promised within five days. " * 4_000


@pytest.fixture
def folder(tmp_path, settings):
    place = payload_storage(f"file://{tmp_path}/objects", tmp_path)
    settings.PAYLOADS_URL = "file:///objects"
    settings.STORAGES = settings.STORAGES | {"payloads": place}
    return tmp_path / "objects"


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def files(folder) -> list:
    return [path for path in folder.rglob("*") if path.is_file()]


def large_trace(project) -> str:
    """A trace with one large span and a small one, put up as ingestion does."""
    trace_id = factory.trace(
        project,
        factory.span(
            "1" * 32, input=factory.chat(("user", LONG)), attributes={"input.value": LONG}
        ),
        factory.span("1" * 32, name="small"),
    )
    large = StoredSpan.objects.get(name="compose-refund")
    with connection.cursor() as cursor:
        spans = [(project.pk, large.day, large.trace_id, large.span_id)]
        cursor.execute(payloads.PUT_UP, payloads.put_up(spans))
    return trace_id


@pytest.fixture
def moved(project, folder):
    """A trace whose large payload was moved, and what was read of it before."""
    trace = UUID(hex=large_trace(project))
    before = load(project, trace), received(project, trace)
    assert moving.work() == 0, "a span may change for ten minutes"
    assert moving.work(now=later(11)) == 1
    return trace, before


def test_ingestion_puts_large_spans_up_and_small_ones_not(folder, url, key):
    digits = "".join(f"{n:x}" for n in range(60_000))
    body = {"name": "x", "spans": [{"name": "large", "input": digits}, {"name": "small"}]}
    assert post(url, key, body, "/api/v1/traces").status_code == 200
    assert moving.work(now=later(11)) == 1
    assert len(files(folder)) == 1
    moved = StoredSpan.objects.get(name="large")
    assert bytes(moved.payload).startswith(objects.MOVED + moved.day.strftime("%Y/").encode())


def test_a_moved_payload_reads_as_before_everywhere(project, folder, moved):
    trace, (loaded, raw) = moved
    assert len(files(folder)) == 1
    assert files(folder)[0].stat().st_mode & 0o777 == 0o600
    again = load(project, trace)
    assert again.as_json() == loaded.as_json()
    assert received(project, trace) == raw
    large = StoredSpan.objects.get(name="compose-refund")
    span = (trace, large.span_id)
    cursor = driver_cursor()
    contents = load_payloads(cursor, project.pk, large.day, [span])
    assert contents[span]["input"]["messages"][0]["content"][0]["text"] == LONG
    assert moving.work(now=later(60 * 25)) == 1
    assert len(files(folder)) == 1, "what a span refers to stays"


def test_an_object_that_cannot_be_read_is_an_error_that_asks_to_come_again(project, folder, moved):
    files(folder)[0].unlink()
    with pytest.raises(OperationalError, match="object storage"):
        load(project, moved[0])


def test_a_storage_that_fails_loses_nothing_and_is_tried_again(project, folder, monkeypatch):
    trace = UUID(hex=large_trace(project))
    before = load(project, trace).as_json()
    with monkeypatch.context() as broken:
        broken.setattr(objects, "save", lambda *_: (_ for _ in ()).throw(OSError("no route")))
        assert moving.work(now=later(11)) == 1
    assert load(project, trace).as_json() == before
    for minutes in (30, 60, 90):
        moving.work(now=later(minutes))
    assert load(project, trace).as_json() == before


def test_a_span_that_changes_while_it_is_moved_keeps_the_change(project, folder, monkeypatch):
    large_trace(project)
    save = objects.save

    def change(key, payload):
        save(key, payload)
        StoredSpan.objects.filter(name="compose-refund").update(payload=b"newer")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(objects, "save", change)
        moving.work(now=later(11))
    assert bytes(StoredSpan.objects.get(name="compose-refund").payload) == b"newer"
    moving.work(now=later(1))
    assert files(folder) == [], "the object of the older version is of no use"
    assert moving.work(now=later(12)) == 1
    assert len(files(folder)) == 1, "it waited again"


def test_sampling_and_erasure_take_the_object_too(project, folder, moved):
    trace, _ = moved
    day = StoredSpan.objects.get(name="compose-refund").day
    sampling.delete_content(driver_cursor(), project.pk, day, [trace])
    assert moving.work() == 1
    assert files(folder) == []


def test_retention_takes_the_objects_of_its_days(project, folder):
    old = datetime.now(UTC).date() - timedelta(days=40)
    item = payloads.Item(project.pk, old, UUID(int=1), 1, "")
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions(%s, %s)", [old, old])
        cursor.execute(payloads.PUT_UP, payloads.put_up([item.span]))
    key = objects.new_key(*item.span)
    assert payloads.begin(item, key)
    payloads.later(item._replace(key=key), later(60))
    objects.save(key, b"payload")
    assert moving.work() == 0
    partitions.drop_before(old + timedelta(days=1))
    assert moving.work() == 1
    assert files(folder) == []


def test_the_s3_api_takes_gives_and_deletes_objects(tmp_path, settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with s3_server.serving() as (address, held):
        wanted = f"s3://payloads/hub?endpoint_url={address}&region_name=eu-central-1"
        settings.STORAGES = settings.STORAGES | {"payloads": payload_storage(wanted, tmp_path)}
        objects.save("2026/11/30/1/a/b", b"payload")
        assert list(held) == ["/payloads/hub/2026/11/30/1/a/b"]
        assert objects.read("2026/11/30/1/a/b") == b"payload"
        objects.delete("2026/11/30/1/a/b")
        assert held == {}
        with pytest.raises(objects.PayloadAway):
            objects.read("2026/11/30/1/a/b")


@pytest.mark.parametrize(
    "address", ["ftp://x/y", "file://host/y", "file:///", "s3:///x", "s3://b?acl=x"]
)
def test_a_wrong_address_is_refused_with_the_form(address, tmp_path):
    with pytest.raises(SettingError, match=r"^TRACEHUB_PAYLOADS_URL (must look like|with)"):
        payload_storage(address, tmp_path)
