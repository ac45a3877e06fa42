"""36 and 50: what a project masks is nowhere: no search finds it, no count or file holds it."""

from __future__ import annotations

from uuid import UUID

import pytest
import requests
from django.utils import timezone

from tests.ingest.test_masking import ADDRESS, dumped
from tests.ingest.test_otlp import post
from tests.web import stories
from tracehub.core.exports import FORMATS
from tracehub.digest.actions import digest_all
from tracehub.failures import fixes
from tracehub.failures import talk as failure_talk
from tracehub.failures.models import Failure
from tracehub.projects import actions, masking
from tracehub.projects.models import Event
from tracehub.review import talk

BOOKING = "X7K2QD"
SECRETS = (ADDRESS, BOOKING, "olsen")
TRACE = "ab" * 16


@pytest.fixture
def ask(url, key, project):
    """A call of the API by an admin's key, on a project whose one trace came masked."""
    maja = actions.add_user("maja@skylane.example")
    masking.add_rule(project, "email", "email", by=maja)
    masking.add_rule(project, "booking", "pattern", r"\bX7K[A-Z0-9]{3}\b", by=maja)
    trace = {
        "trace_id": TRACE,
        "name": f"refund {BOOKING}",
        "user_id": ADDRESS,
        "tags": [BOOKING],
        "metadata": {"booking": BOOKING},
        "input": f"I am {ADDRESS}",
        "output": {"pnr": BOOKING, "nested": f'{{"mail": "{ADDRESS}"}}'},
    }
    assert post(url, key, trace, "/api/v1/traces").status_code == 200
    score = {"trace_id": TRACE, "name": "thumbs", "value": 0, "comment": f"ask {ADDRESS}"}
    assert post(url, key, score, "/api/v1/feedback").status_code == 200
    digest_all(seconds=10)
    admin = {"authorization": f"Bearer {actions.create_key(project, 'admin', 'a')[1]}"}

    def call(path, method="GET", **options):
        address = f"{url}/api/v1/{path}"
        return requests.request(method, address, headers=admin, timeout=30, **options)

    return call


def test_36_and_50_masked_text_is_not_found_counted_or_exported(ask, project, committed_db):
    for q in (ADDRESS, BOOKING, f"user:{ADDRESS}", f"tag:{BOOKING}", f"meta.booking:{BOOKING}",
              f'input:"{ADDRESS}"', f"name:*{BOOKING}*", "olsen"):  # fmt: skip
        assert ask("traces", params={"q": q}).json()["items"] == [], q
        told(ask("facets", params={"q": q}), q)  # a key's own terms do not narrow its values
    assert len(ask("traces").json()["items"]) == 1
    for path in ("traces", "traces?sort=-cost", f"traces/{TRACE}", f"traces/{TRACE}/raw", "facets",
                 "failures", "metrics?metric=traces"):  # fmt: skip
        told(ask(path), path)
    _promote(ask)
    for name in FORMATS:
        file = ask(f"eval-sets/masked/versions/1/export?format={name}")
        assert file.status_code in (200, 400), name  # 400: no case of a form that it takes
        told(file, name)
    prompt = {"name": "refund", "version": "v1", "template": f"Write to {ADDRESS}"}
    told(ask("prompts", "POST", json=prompt), "prompts")
    note = {"verdict": "fail", "note": f"{BOOKING} of {ADDRESS}", "corrected_output": BOOKING}
    told(ask(f"traces/{TRACE}/reviews", "POST", json=note), "reviews")
    _talk(project)
    everything = dumped(committed_db)
    assert [secret for secret in SECRETS if secret in everything] == []


def _talk(project):
    """What people write is masked as well; who is named by an address is told all the same."""
    maja = stories.member(project, "reviewer", "reviewer@skylane.example")
    stories.member(project, "viewer", "nils@skylane.example")
    said = f"@nils@skylane.example {BOOKING} of {ADDRESS}"
    made = talk.comment(
        project, UUID(TRACE), said, by=maja, quote=f"I am {ADDRESS}", prefix=BOOKING
    )
    assert "[masked:booking]" in made.text
    named = Event.objects.get(kind="trace.mentioned").body
    assert named["emails"] == ["nils@skylane.example"]
    now = timezone.now()
    failure = Failure.objects.create(
        project=project, number=99, fingerprint="f" * 32, kind="tool_error", title="x",
        severity="high", first_seen=now, last_seen=now,
    )  # fmt: skip
    failure_talk.comment(failure, said, by=maja)
    fixes.add([failure], "prompt", f"of {ADDRESS}", by=maja, at=now)


def _promote(ask):
    assert ask("eval-sets", "POST", json={"name": "Masked"}).status_code == 201
    case = {"from_trace": TRACE, "kind": "known_failure"}
    assert ask("eval-sets/masked/cases", "POST", json=case).status_code == 201
    typed = {
        "input": {"variables": {"who": ADDRESS}},
        "expected_output": BOOKING,
        "title": f"of {ADDRESS}",
        "assertions": [{"type": "contains", "value": BOOKING}],
    }
    told(ask("eval-sets/masked/cases", "POST", json=typed), "cases")
    assert ask("eval-sets/masked/fix", "POST", json={}).status_code in (200, 201)
    results = [{"case": "c_0001", "error": ADDRESS}, {"case": "c_0002", "output": BOOKING}]
    run = {"version": 1, "candidate": {"name": "x"}, "results": results}
    made = ask("eval-sets/masked/runs", "POST", json=run)
    assert made.status_code == 201, made.text
    told(ask(f"runs/{made.json()['id']}"), "runs")


def told(answer, what):
    """An answer without any secret, in its body and headers, packed or not."""
    assert answer.status_code < 500, (what, answer.text)
    for secret in SECRETS:
        assert secret.encode() not in answer.content, (what, secret)
        assert secret not in str(answer.headers), (what, secret)


def test_46_no_log_line_holds_what_a_trace_says(url, key, project, caplog):
    caplog.set_level("DEBUG")
    said = "zanzibar-4711"
    whole = {"trace_id": TRACE, "name": "refund", "input": said, "output": {"a": said}}
    bad = [{**whole, "trace_id": said}, {**whole, "tokens": said}, said, {"name": [said]}]
    for body in (whole, *bad, [whole, *bad]):
        sent = requests.post(
            f"{url}/api/v1/traces",
            json=body,
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        )
        assert sent.status_code in (200, 400)
    for path in (f"/api/v1/traces?q={said}", f"/skylane/traces/{said}", f"/{said}"):
        requests.get(f"{url}{path}", timeout=30)
    digest_all(seconds=10)
    told = "\n".join(record.getMessage() for record in caplog.records if _ours(record.name))
    assert said not in told


def _ours(name):
    """Lines that an installation writes at its level; urllib3 here is the test's own client."""
    return not name.startswith(("urllib3", "asyncio", "faker"))
