"""46: what TraceHub tells of itself holds no payload, no id and no secret; and is off by itself."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import sentry_sdk
from django.test import Client
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.transport import Transport

from tests.web import stories
from tracehub.projects import telemetry
from tracehub.projects.actions import create_key

WORD = "zanzibar7731"


@pytest.fixture
def spans(monkeypatch):
    kept = InMemorySpanExporter()
    monkeypatch.setattr(telemetry, "_tracer", None)
    telemetry.start_spans("web", "1.0", SimpleSpanProcessor(kept))
    yield kept
    telemetry.signals.task_prerun.disconnect(telemetry._task_began)
    telemetry.signals.task_postrun.disconnect(telemetry._task_ended)


@pytest.mark.django_db
def test_46_spans_name_routes_and_tasks_and_nothing_of_anybody(spans, settings):
    settings.MIDDLEWARE = ["tracehub.projects.telemetry.RequestSpans", *settings.MIDDLEWARE]
    project = stories.project()
    key = create_key(project, "viewer", WORD)[1]
    client = Client()
    client.force_login(stories.member(project, "viewer", f"{WORD}@skylane.example"))
    client.get(f"/skylane/traces?q=user:{WORD}")
    client.get(f"/{WORD}/traces")
    client.get(f"/api/v1/traces?q={WORD}", headers={"authorization": f"Bearer {key}"})
    task = SimpleNamespace(name="tracehub.digest", request=SimpleNamespace())
    telemetry.signals.task_prerun.send(sender=None, task=task, args=[WORD], kwargs={WORD: WORD})
    telemetry.signals.task_postrun.send(sender=None, task=task, state="SUCCESS", retval=WORD)
    made = spans.get_finished_spans()
    assert [span.name for span in made] == [
        "GET <slug:slug>/traces", "GET <slug:slug>/traces", "GET api/v1/traces", "tracehub.digest",
    ]  # fmt: skip
    assert [span.attributes.get("http.response.status_code") for span in made[:3]] == [
        200,
        404,
        200,
    ]
    told = "".join(span.to_json() for span in made)
    for word in (WORD, key, "user:", "Bearer"):
        assert word not in told


class Kept(Transport):
    """Takes events instead of sending them."""

    def __init__(self, options=None):
        super().__init__(options)
        self.events = []

    def capture_envelope(self, envelope):
        self.events += [item.payload.json for item in envelope.items]


@pytest.mark.django_db
def test_46_errors_tell_where_in_the_code_and_no_value(settings, monkeypatch):
    settings.SENTRY_DSN = "https://public@sentry.example/1"
    kept = Kept()
    telemetry.start_sentry("web", "1.0", transport=kept)
    try:
        project = stories.project()
        client = Client(raise_request_exception=False)
        client.force_login(stories.member(project, "viewer", f"{WORD}@skylane.example"))

        def fail(*_, **__):
            secret = f"th_api_{WORD}"
            raise KeyError(secret)

        monkeypatch.setattr("tracehub.web.traces.permissions.project_for", fail)
        answer = client.get(f"/skylane/traces?q={WORD}", headers={"x-tracehub-key": WORD})
        assert answer.status_code == 500
        logging.getLogger("tracehub").error("Trace of %s is odd", WORD, extra={"who": WORD})
        sentry_sdk.flush()
    finally:
        sentry_sdk.get_global_scope().set_client(None)
    assert kept.events
    assert WORD not in str(kept.events)
    assert "KeyError" in str(kept.events)
    assert "tracehub.web.traces" in str(kept.events)


def test_nothing_is_told_unless_it_is_asked_for(settings, monkeypatch, caplog):
    def never(*_, **__):
        raise AssertionError("begun")

    monkeypatch.setattr(telemetry, "start_sentry", never)
    monkeypatch.setattr(telemetry, "start_spans", never)
    assert (settings.SENTRY_DSN, settings.OTEL) == ("", False)
    telemetry.start("web", "1.0")


def test_a_package_that_is_not_there_is_named_and_stops_nothing(settings, monkeypatch, caplog):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'sentry_sdk'", name="sentry_sdk")

    settings.SENTRY_DSN = "https://public@sentry.example/1"
    monkeypatch.setattr(telemetry, "start_sentry", missing)
    telemetry.start("web", "1.0")
    assert "Install tracehub[sentry]" in caplog.text
