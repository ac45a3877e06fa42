"""Connect: a key, snippets with the real address, and what has arrived."""

from __future__ import annotations

import re
import uuid
from datetime import date, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tracehub.projects import actions
from tracehub.projects.models import ApiKey, Membership, Project, User
from tracehub.traces.models import Refusal, Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def sign_in(client, project):
    def as_role(role):
        user = User.objects.create_user(f"{role}@skylane.example")
        Membership.objects.create(project=project, user=user, role=role)
        client.force_login(user)
        return user

    return as_role


def store_trace(project, name="airline-support"):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions(current_date, current_date)")
        cursor.execute("SELECT current_date")
        (day,) = cursor.fetchone()
    return Trace.objects.create(
        project_id=project.pk, day=day or date.today(), trace_id=uuid.uuid4(), name=name,
        started_at=timezone.now(), provisional=False, status="ok", finished=True, tags=[],
        metadata={}, model_names=[], providers=[], prompts=[], tools=[], agents=[],
        finish_reasons=[], retries=0, fallbacks=0, timeouts=0, streaming=False, span_count=3,
        error_count=0, root_present=True, signals=[], signal_kinds=[], feedback=[],
        failure_modes=[], reviewers=[], failing=False, promoted=False, contribution={},
        digest_hash=0,
    )  # fmt: skip


def test_a_new_key_fills_the_snippets_and_is_shown_once(client, project, sign_in):
    sign_in("admin")
    assert "YOUR_KEY" in client.get("/skylane/connect").text
    assert client.post("/skylane/connect/key")["Location"] == "/skylane/connect"
    page = client.get("/skylane/connect").text
    (text,) = set(re.findall(r"th_ing_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}", page))
    assert actions.find_key(text).project == project
    assert page.count(text) == 7  # the field and six snippets
    assert text not in client.get("/skylane/connect").text


def test_snippets_hold_the_address_of_this_server(client, project, sign_in):
    sign_in("viewer")
    page = client.get("/skylane/connect", headers={"host": "localhost:8123"}).text
    assert 'OTEL_EXPORTER_OTLP_ENDPOINT=<span class="hl">http://localhost:8123/otlp</span>' in page
    assert "http://localhost:8123/langsmith" in page


@pytest.mark.parametrize("role", ["viewer", "reviewer"])
def test_only_an_admin_makes_keys(client, project, sign_in, role):
    sign_in(role)
    assert client.post("/skylane/connect/key").status_code == 403
    assert "New ingest key" not in client.get("/skylane/connect").text
    assert not ApiKey.objects.exists()


def test_the_page_waits_until_a_trace_is_there(client, project, sign_in):
    sign_in("viewer")
    page = client.get("/skylane/connect").text
    address = re.search(r'hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    waiting = client.get(address).text
    assert "Waiting for first trace" in waiting
    assert "not yet" in waiting
    trace = store_trace(project)
    arrived = client.get(address).text
    assert "Receiving traces" in arrived
    assert f"/skylane/traces/{trace.hex}" in arrived
    assert "Received the trace airline-support." in arrived
    address = re.search(r'hx-get="([^"]+)"', arrived)[1].replace("&amp;", "&")
    assert "Received the trace" not in client.get(address).text  # said once


def test_a_refused_request_is_named_with_its_mend(client, project, sign_in):
    sign_in("viewer")
    other = Project.objects.create(slug="other", name="Other")
    Refusal.objects.create(project=other, path="/v1/traces", status=413, reason="not yours")
    Refusal.objects.create(path="/v1/traces", status=401, reason="key missing")
    page = client.get("/skylane/connect/status").text
    assert "POST /v1/traces 401" in page
    assert "Send the key as the header" in page
    assert "not yours" not in page
    Refusal.objects.update(at=timezone.now() - timedelta(hours=1))
    assert "key missing" not in client.get("/skylane/connect/status").text


def test_another_project_is_not_there(client, project, sign_in):
    sign_in("admin")
    Project.objects.create(slug="other", name="Other")
    for path in ("connect", "connect/status"):
        assert client.get(f"/other/{path}").status_code == 404
    assert client.post("/other/connect/key").status_code == 404


@pytest.mark.parametrize("since", ["", "x", "9" * 30, "-1"])
def test_a_strange_start_is_no_error(client, project, sign_in, since):
    sign_in("viewer")
    assert client.get("/skylane/connect/status", {"since": since}).status_code == 200
