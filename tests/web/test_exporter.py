"""/metrics: who may read it, that its format holds, and that it tells nothing of traces."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.digest.models import Heartbeat
from tracehub.projects.actions import create_key
from tracehub.traces.models import Refusal

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]*"\})? -?[0-9.e+]+')


@pytest.fixture
def project(db):
    return stories.project()


def value(text: str, name: str) -> float:
    return float(re.search(rf"^{re.escape(name)} (.+)$", text, re.M)[1])


def test_it_says_how_ingestion_and_worker_are(client, project):
    now = datetime.now(UTC)
    factory.trace(project, name="secret-agent", digested=False)
    Heartbeat.objects.create(name="digest", at=now - timedelta(seconds=7))
    Refusal.objects.create(path="/v1/traces", status=401, reason="secret reason")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    assert value(text, "tracehub_up") == 1
    assert value(text, "tracehub_queue_traces") == 1
    assert value(text, 'tracehub_refused_requests{status="401"}') == 1
    assert 6 < value(text, 'tracehub_worker_heartbeat_seconds{part="digest"}') < 60
    assert value(text, "tracehub_database_bytes") > 1_000_000
    assert value(text, 'tracehub_partitions{table="spans"}') >= 1
    assert "secret" not in text
    assert "skylane" not in text


def test_every_line_is_of_the_text_format(client, project):
    text = client.get("/metrics").text
    assert text.endswith("\n")
    names = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("gauge", "counter")
            assert name not in names
            names.add(name)
        elif not line.startswith("# HELP "):
            assert LINE.fullmatch(line), line
            assert re.split(r"[{ ]", line)[0] in names


@pytest.mark.parametrize(
    "elsewhere", [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}]
)
def test_other_machines_need_an_admin_key(client, project, elsewhere):
    assert client.get("/metrics", **elsewhere).status_code == 401
    for scope, status in (("admin", 200), ("viewer", 401), ("ingest", 401)):
        _, secret = create_key(
            project,
            scope=scope,
            name=scope,
            by=stories.member(project, "admin", f"{scope}@x.example"),
        )
        answer = client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {secret}", **elsewhere)
        assert answer.status_code == status
    forged = client.get("/metrics", HTTP_AUTHORIZATION="Bearer th_api_x", **elsewhere)
    assert forged.status_code == 401
