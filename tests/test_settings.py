"""Every setting that is wrong is named in one line: the name, the rule, what came."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import tracehub
from tracehub.cli.environment import SettingError

FILE = str(Path(tracehub.__file__).with_name("settings.py"))
WRONG = {
    "DATABASE_URL": "mysql://x",
    "DATABASE_REPLICA_URL": "x",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "x",
    "SENTRY_DSN": "x",
    "TRACEHUB_ALLOWED_HOSTS": "hub.example.com,https://b.example.com",
    "TRACEHUB_BASE_URL": "ftp://x",
    "TRACEHUB_BROKER_URL": "http://x",
    "TRACEHUB_EMAIL_URL": "foo://x",
    "TRACEHUB_JUDGE_URL": "x",
    "TRACEHUB_LOG": "xml",
    "TRACEHUB_MAX_BODY_MB": "16MB",
    "TRACEHUB_OIDC_URL": "https://id.example.com",
    "TRACEHUB_OUTBOUND_INSIDE": "10.0.0.0/99",
    "TRACEHUB_RETENTION_DAYS": "-1",
    "TRACEHUB_WEB_WORKERS": "0",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_told_in_one_line(name, monkeypatch):
    monkeypatch.setenv(name, WRONG[name])
    with pytest.raises(SettingError, match=rf"^{name} must [^\n]*\. Got [^\n]+\Z") as refused:
        runpy.run_path(FILE)
    assert refused.value.code != 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRACEHUB_ALLOWED_HOSTS", "hub.example.com, .example.org,[::1],*"),
        ("TRACEHUB_BROKER_URL", "amqp://user:password@rabbit:5672//"),
        ("TRACEHUB_BROKER_URL", "redis://redis:6379/0"),
        ("TRACEHUB_BROKER_URL", "rediss://:secret@redis:6379/0"),
    ],
)
def test_right_values_are_taken(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    found = runpy.run_path(FILE)
    if name == "TRACEHUB_BROKER_URL":
        assert found["CELERY_BROKER_URL"] == value
    else:
        assert {"hub.example.com", ".example.org", "[::1]", "*"} < set(found["ALLOWED_HOSTS"])
