"""Settings, Sampling: the share is tried, set and refused; lists say what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.share import in_share
from tracehub.digest import actions, sampling
from tracehub.projects.actions import create_key
from tracehub.projects.models import AuditEntry
from tracehub.traces.models import Sampling

pytestmark = pytest.mark.django_db
PATH = "/skylane/settings/sampling"
OUTSIDE = [f"{n:032x}" for n in range(1, 40) if not in_share(UUID(int=n), 1000)]


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def admin(client, project):
    user = stories.member(project, "admin")
    client.force_login(user)
    return user


def test_a_share_is_tried_then_set_and_the_list_says_what_is_kept(client, admin, project):
    factory.trace(project, trace_id=OUTSIDE[0], error=True)
    for trace_id in OUTSIDE[1:5]:
        factory.trace(project, trace_id=trace_id)
    page = client.post(PATH, {"one_in": "1000", "try": "1"}).text
    assert "about 4</span>" in page.partition("Preview, 1 in 1000")[2].partition("</li>")[0]
    assert not Sampling.objects.exists()
    client.post(PATH, {"one_in": "1000"})
    assert Sampling.objects.get().one_in == 1000
    assert AuditEntry.objects.get(action="sampling.set").object == "1 in 1000"
    for trace_id in OUTSIDE[5:9]:
        factory.trace(project, trace_id=trace_id)
    actions.digest_all(seconds=20)
    assert "kept</a>" not in client.get("/skylane/traces").text
    sampling.drop_due(now=datetime.now(UTC) + timedelta(minutes=11))
    page = client.get("/skylane/traces").text
    assert page.count("1 in 1.8 kept</a>") == 2
    assert "1 failing of 5 kept traces" in " ".join(page.split())
    assert client.get(f"/skylane/traces/{OUTSIDE[5]}").status_code == 404
    settings = client.get("/skylane/settings").text
    assert "4 traces, 4 spans" in settings
    _, key = create_key(project, "viewer", "ci")
    answer = client.get("/api/v1/traces", headers={"authorization": f"Bearer {key}"})
    assert answer["X-TraceHub-Kept"] == "1 in 1.8 kept"
    assert len(answer.json()["items"]) == 5
    file = client.post("/skylane/traces/export", {"all": "1", "format": "csv"})
    assert "traces-skylane-1-in-1.8-kept.csv" in file["Content-Disposition"]
    said = " ".join(client.get("/skylane/metrics").text.split())
    assert 'Sampling dropped <span class="num">4</span> traces of this range' in said
    assert "1 in 1.8 kept</a>. The charts count all of them" in said


@pytest.mark.parametrize("sent", ["", "0", "1001", "2.5", "many"])
@pytest.mark.parametrize("button", [{}, {"try": "1"}], ids=["set", "try"])
def test_a_share_that_cannot_be_is_refused_with_the_rule(client, admin, project, sent, button):
    answer = client.post(PATH, {"one_in": sent, **button})
    assert answer.status_code == 422
    assert "whole number" in answer.text
    assert not Sampling.objects.exists()
