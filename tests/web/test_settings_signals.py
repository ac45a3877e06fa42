"""Settings, Signals: thresholds tried on the past, switches, own signals, scores, and precision."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.digest import second
from tracehub.failures.models import CustomSignal, Recheck, ScoreSetting, SignalSetting
from tracehub.projects.models import AuditEntry
from tracehub.review import actions as reviews
from tracehub.traces.models import Trace

URL = "/skylane/settings/signals"
OWN = {"name": "Promises money!", "severity": "high", "q": "model:gpt-4o", "field": "output",
       "pattern": "(?i)refunded"}  # fmt: skip


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def admin(client, project):
    user = stories.member(project, "admin")
    client.force_login(user)
    return user


def loops(project, times):
    trace_id = f"{times:032x}"
    spans = [factory.tool_span(trace_id) for _ in range(times)]
    return factory.trace(project, *spans, trace_id=trace_id)


def test_a_threshold_is_tried_on_the_past_before_it_counts(client, project, admin):
    three = loops(project, 3)
    loops(project, 2)
    page = client.post(
        f"{URL}/kind", {"kind": "tool_loop", "threshold": "3", "try": "1", "on": "1"}
    )
    assert "Would have fired on 1</span> of 2 recent traces" in page.text
    assert f"/skylane/traces/{three}" in page.text
    assert "get_booking was called 3 times" in page.text
    assert not SignalSetting.objects.exists()
    assert (
        client.post(f"{URL}/kind", {"kind": "tool_loop", "threshold": "3", "on": "1"}).status_code
        == 302
    )
    factory.digest_now(project, three)
    assert Trace.objects.get(trace_id=three).signal_kinds == ["tool_loop"]
    assert "usually 4" in client.get(URL).text


def test_payloads_are_tried_too(client, project, admin):
    factory.trace(project, output=factory.chat(("assistant", "word " * 40)))
    page = client.post(f"{URL}/kind", {"kind": "too_long", "threshold": "150", "try": "1"})
    assert "Would have fired on 1</span> of 1 recent trace." in page.text


@pytest.mark.parametrize(("typed", "said"), [
    ("x", "must be a whole number from 2 to 100. Got &#x27;x&#x27;"),
    ("1", "from 2 to 100"), ("2.5", "whole number"), ("nan", "whole number"), ("1e999", "whole"),
])  # fmt: skip
def test_a_threshold_that_cannot_be_is_explained(client, project, admin, typed, said):
    page = client.post(f"{URL}/kind", {"kind": "tool_loop", "threshold": typed, "on": "1"})
    assert page.status_code == 422
    assert said in page.text
    assert not SignalSetting.objects.exists()


def test_a_kind_is_turned_off_and_the_past_looked_at_again(client, project, admin):
    loops(project, 5)
    client.post(f"{URL}/kind", {"kind": "tool_loop", "threshold": "4"})
    assert client.post(f"{URL}/again").status_code == 302
    assert Recheck.objects.get().second
    assert "looking at past traces again, 0 of 1 done" in client.get(URL).text
    factory.digest_now(project, f"{5:032x}")
    assert Trace.objects.get().signal_kinds == []
    assert AuditEntry.objects.filter(action="signal.set").count() == 1
    assert client.post(f"{URL}/kind", {"kind": "no_such"}).status_code == 422


def test_precision_comes_from_reviews_with_its_interval(client, project, admin):
    for times, verdict in ((4, "fail"), (5, "fail"), (6, "pass")):
        trace_id = loops(project, times)
        reviews.submit_review(project, UUID(trace_id), verdict, author=admin)
        factory.digest_now(project, trace_id)
    page = client.get(URL).text
    assert '67% <span class="quiet">of 3</span>' in page
    assert "95% interval 21 to 94%" in page


def test_an_own_signal_is_tried_then_made_then_found(client, project, admin):
    hit = factory.trace(project)
    factory.trace(project, output=factory.chat(("assistant", "No.")))
    page = client.post(f"{URL}/own/new", {**OWN, "try": "1"})
    assert "Would have fired on 1</span> of 2 recent traces" in page.text
    assert 'value="Promises money!"' in page.text
    assert not CustomSignal.objects.exists()
    assert client.post(f"{URL}/own/new", OWN).status_code == 302
    while second.look_some():
        pass
    factory.digest_now(project, hit)
    assert Trace.objects.get(trace_id=hit).signal_kinds == ["custom:promises-money"]
    listed = client.get("/skylane/traces?q=signal:custom:promises-money")
    assert hit in listed.text
    row = CustomSignal.objects.get()
    client.post(f"{URL}/own/{row.pk}/turn", {"on": "0"})
    assert not CustomSignal.objects.get().on
    client.post(f"{URL}/own/{row.pk}/remove")
    assert not CustomSignal.objects.exists()


@pytest.mark.parametrize(("wrong", "said"), [
    ({"name": "!"}, "The name needs a letter"),
    ({"q": "is:failing"}, "cannot ask about is:failing"),
    ({"q": "-(signal:custom:a OR model:x)"}, "cannot ask about signal:custom:a"),
    ({"q": "latncy:>5s"}, "latency"),
    ({"pattern": "(?=a)b"}, "not a pattern that RE2 takes"),
    ({"pattern": "a*"}, "fits an empty text"),
    ({"q": "", "pattern": ""}, "else it fires on all traces"),
    ({"severity": "huge"}, "must be one of low, medium, high, critical"),
    ({"field": "nowhere"}, "Say where the pattern is looked for"),
])  # fmt: skip
def test_what_an_own_signal_cannot_be_is_explained_and_kept(client, project, admin, wrong, said):
    page = client.post(f"{URL}/own/new", OWN | wrong)
    assert page.status_code == 422
    assert said in page.text
    assert not CustomSignal.objects.exists()


def test_scores_get_a_limit(client, project, admin):
    given = {"name": "stars", "at_most": "2", "labels": "Rude, , wrong"}
    assert client.post(f"{URL}/scores/new", given).status_code == 302
    row = ScoreSetting.objects.get()
    assert (row.at_most, row.labels) == (2.0, ["Rude", "wrong"])
    assert "2 or less, or Rude, wrong" in client.get(URL).text
    for wrong in ({"at_most": "low"}, {"at_most": "nan"}, {"at_most": "", "labels": ","}):
        assert client.post(f"{URL}/scores/new", given | wrong).status_code == 422
    client.post(f"{URL}/scores/{row.pk}/remove")
    assert not ScoreSetting.objects.exists()


def test_a_viewer_reads_and_has_no_buttons(client, project):
    client.force_login(stories.member(project, "viewer"))
    page = client.get(URL).text
    assert "Wrong language" in page
    assert 'class="switch"' not in page and "settings__add" not in page


def test_the_page_costs_a_few_queries(client, project, admin, django_assert_max_num_queries):
    client.get(URL)
    with django_assert_max_num_queries(22):
        client.get(URL)
