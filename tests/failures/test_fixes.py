"""The ledger: a fix says later what it brought; the pane says what a failure costs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tests import trace_factory as factory
from tests.web import stories
from tracehub.failures import actions, fixes
from tracehub.failures.models import Failure, FailureDay
from tracehub.projects.actions import ActionError
from tracehub.traces import rollup
from tracehub.traces.models import TermCount


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def failure(project):
    factory.trace(project, trace_id=f"{1:032x}", finish_reasons=["length"], cost=Decimal("1.25"))
    return Failure.objects.get()


def days(project, failure, start, count, *, hits):
    """100 traces a day for some days, `hits` of which fail this way."""
    for n in range(count):
        day = start + timedelta(days=n)
        at = rollup.floor(day, timedelta(days=1)) + timedelta(hours=9)
        TermCount.objects.create(project_id=project.pk, key=rollup.ALL, value="", bucket=at,
                                 day=at.date(), traces=100, failing=hits)  # fmt: skip
        FailureDay.objects.update_or_create(
            failure=failure, day=at.date(), defaults={"events": hits}
        )


@pytest.mark.parametrize(
    ("after", "reading", "words"),
    [(3, "better", "18.0% → 3.0%"), (18, "unclear", "no clear change"), (40, "worse", "worse")],
)
def test_a_fix_says_what_it_brought(client, project, failure, after, reading, words):
    by = stories.member(project, "reviewer")
    now = timezone.now()
    FailureDay.objects.all().delete()
    TermCount.objects.all().delete()
    at = now - timedelta(days=8)
    days(project, failure, at - timedelta(days=10), 10, hits=18)
    days(project, failure, at + timedelta(days=1), 7, hits=after)
    fix = fixes.add([failure], "prompt", "Ask for a number", "refund@v13", by=by, at=at)
    found = fixes.effect(fix, now)
    assert (found.reading, found.before, found.after) == (reading, (180, 1000), (7 * after, 700))
    client.force_login(by)
    text = client.get("/skylane/failures/fixes").text
    assert words in text and "refund@v13" in text and failure.key in text
    assert words in client.get(f"/skylane/failures/{failure.key}").text


def test_what_was_merged_into_a_failure_counts_for_its_fixes(project, failure):
    by, now = stories.member(project, "reviewer"), timezone.now()
    FailureDay.objects.all().delete()
    factory.trace(project, trace_id=f"{2:032x}", finish_reasons=["content_filter"])
    other = Failure.objects.exclude(pk=failure.pk).first()
    at = now - timedelta(days=8)
    fix = fixes.add([failure], "prompt", "Ask for a number", by=by, at=at)
    days(project, other, at - timedelta(days=10), 10, hits=18)
    assert fixes.effect(fix, now).before == (0, 1000)
    actions.merge(other, failure, by=by)
    assert fixes.effect(fix, now).before == (180, 1000)


def test_on_its_first_day_a_fix_cannot_tell(client, project, failure):
    by = stories.member(project, "reviewer")
    client.force_login(by)
    said = {"fix": "Longer limit", "kind": "other", "next": f"/skylane/failures/{failure.key}"}
    page = client.post(f"/skylane/failures/{failure.key}/say", said, follow=True)
    assert "Too early to tell" in page.text and "fixed by Longer limit" in page.text
    assert "In 7 days $1.25 and 1.0 s went into 1 trace that failed this way." in page.text
    with pytest.raises(ActionError, match="kind must be one of"):
        fixes.add([failure], "magic", "x", by=by, at=timezone.now())
