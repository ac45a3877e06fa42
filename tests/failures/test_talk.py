"""Owners, comments that name people, issues elsewhere, and silence until it doubles."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from tests import trace_factory as factory
from tests.notify.conftest import carry as carry
from tests.web import stories
from tracehub.failures import actions, talk
from tracehub.failures.models import Activity, Failure
from tracehub.notify.models import Destination
from tracehub.projects.actions import ActionError


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def maja(project):
    return stories.member(project, "reviewer", "maja@x.example")


def truncated(project, number, ago=timedelta(0), name="summarise"):
    began = int((timezone.now() - ago).timestamp() * 1e9)
    factory.trace(project, trace_id=f"{number:032x}", name=name, start_ns=began,
                  finish_reasons=["length"])  # fmt: skip


def test_new_failures_go_to_the_owner_of_the_longest_pattern(project, maja, carry, mailoutbox):
    admin = stories.member(project, "admin")
    talk.add_owner_rule(project, "span", "*", admin, by=admin)
    talk.add_owner_rule(project, "span", "summ*", maja, by=admin)
    truncated(project, 1)
    failure = Failure.objects.get()
    assert failure.assignee == maja
    line = Activity.objects.get(verb="assigned")
    assert line.detail == "to maja@x.example by the rule span:summ*"
    carry()
    assert [mail.to for mail in mailoutbox] == [["maja@x.example"]]
    assert mailoutbox[0].subject.startswith("Skylane support: TH-1 is yours: ")
    actions.assign(failure, None, by=admin)
    truncated(project, 2)  # not new any more
    failure.refresh_from_db()
    assert failure.assignee is None


def test_a_comment_tells_those_whom_it_names(project, maja, carry, mailoutbox):
    admin = stories.member(project, "admin")
    stories.member(project, "viewer", "max@x.example")
    truncated(project, 1)
    failure = Failure.objects.get()
    talk.comment(failure, "See me@elsewhere.example, @maja. @nobody @admin", by=admin)
    carry()
    assert [mail.to for mail in mailoutbox] == [["maja@x.example"]]
    assert "admin@skylane.example named you on TH-1" in mailoutbox[0].subject
    with pytest.raises(ActionError, match="1 to 4,000 characters"):
        talk.comment(failure, "  ", by=admin)


def test_a_person_who_turned_their_mail_off_gets_none(project, maja, carry, mailoutbox):
    admin = stories.member(project, "admin")
    truncated(project, 1)
    for _ in range(2):
        talk.comment(Failure.objects.get(), "@maja", by=admin)
        carry()
        Destination.objects.filter(name="@maja@x.example").update(on=False)
    assert len(mailoutbox) == 1


def test_silence_ends_on_a_day_with_twice_the_usual(project, maja):
    for n in range(1, 15):  # two a day for a week
        truncated(project, n, ago=timedelta(days=(n + 1) // 2))
    failure = Failure.objects.get()
    actions.ignore(failure, by=maja, doubled=True)
    assert failure.ignored_rate == 4.0
    for n in range(20, 23):
        truncated(project, n)
    failure.refresh_from_db()
    assert failure.status == "ignored"
    truncated(project, 23)
    failure.refresh_from_db()
    assert failure.status == "ongoing"
    assert failure.activities.filter(verb="shown again").exists()


@pytest.mark.parametrize(
    ("kind", "base", "start"),
    [("github", "https://github.com/sky/refunds/", "https://github.com/sky/refunds/issues/new?"),
     ("gitlab", "https://git.x.example/a/b/c", "https://git.x.example/a/b/c/-/issues/new?"),
     ("jira", "https://sky.atlassian.net/browse/REF", "https://sky.atlassian.net/secure/Create"),
     ("linear", "https://linear.app/sky", "https://linear.app/sky/new?")],
)  # fmt: skip
def test_the_pane_links_to_a_new_issue_with_its_text(client, project, maja, kind, base, start):
    admin = stories.member(project, "admin")
    talk.set_tracker(project, kind, base, by=admin)
    truncated(project, 1)
    talk.comment(Failure.objects.get(), "Cut off <here>", by=maja)
    client.force_login(maja)
    page = client.get("/skylane/failures/TH-1")
    url = page.context["new_issue"][1]
    assert url.startswith(start) and "Open one in" in page.text
    said = " ".join(v for values in parse_qs(urlsplit(url).query).values() for v in values)
    assert "TH-1" in said and "Cut off <here>" in said and "/skylane/failures/TH-1" in said
    assert "Cut off &lt;here&gt;" in page.text


def test_an_issue_is_kept_by_its_address(client, project, maja):
    truncated(project, 1)
    client.force_login(maja)
    said = {"issue": "https://github.com/sky/refunds/issues/7", "next": "/skylane/failures/TH-1"}
    page = client.post("/skylane/failures/TH-1/say", said, follow=True)
    assert 'href="https://github.com/sky/refunds/issues/7"' in page.text
    said["issue"] = "javascript:alert(1)"
    page = client.post("/skylane/failures/TH-1/say", said, follow=True)
    assert "issue must be a URL" in page.text and 'href="javascript' not in page.text
    client.post("/skylane/failures/TH-1/say", {"text": "Fixed soon"})
    assert "Fixed soon" in client.get("/skylane/failures/TH-1").text


@pytest.mark.parametrize(
    "base", ["ftp://x", "https://github.com/only", "https://u:p@github.com/a/b"]
)
def test_an_address_that_is_no_project_of_a_tracker_is_refused(project, maja, base):
    with pytest.raises(ActionError, match="address must look like"):
        talk.set_tracker(project, "github", base, by=maja)
