"""The demo as a person runs it, against the real server, the real worker loop and real commits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from django.db import connections
from django.utils import timezone

from tests.server import running
from tracehub.cli.demo import send
from tracehub.cli.demo.command import demo
from tracehub.digest.actions import digest_all
from tracehub.evals.models import Case, EvalSet
from tracehub.projects.models import ApiKey, Membership, Project, User
from tracehub.review import alignment, judging, measuring, progress, repeats
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode, Queue, QueueItem, Review, Rubric, Seat
from tracehub.traces.models import Feedback, StoredSpan, Trace


@pytest.fixture
def server(committed_db) -> Iterator[str]:
    """The address of a server whose worker runs in a thread beside it."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            try:
                digest_all(seconds=5)
            except Exception:  # as under Celery, where the next message begins anew
                logging.getLogger(__name__).exception("A run of the worker failed.")
        connections.close_all()

    with running() as address:
        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        yield address
        stop.set()
        worker.join(20)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(demo, arguments)
    return result.exit_code, result.output


def test_a_demo_fills_a_project_once_and_is_completed_when_it_was_cut_short(server):
    code, said = run("--url", server, "--traces", "150", "--days", "14")
    assert code == 0, said
    assert "Sent 150 traces and " in said
    project = Project.objects.get(slug="demo")
    assert project.name == "Skylane support"
    traces = Trace.objects.filter(project_id=project.pk)
    assert traces.count() == 150
    assert {t.name for t in traces} == {"airline-support", "ticket-summary"}
    newest = traces.order_by("-started_at").first()
    assert newest.session_id == "s-91"
    first = {t.trace_id: (t.started_at, t.verdict, t.failing) for t in traces}
    assert any(failing for _, _, failing in first.values())
    reviews = Review.objects.filter(project=project).count()
    assert reviews > 50
    counted = Review.objects.filter(project=project, sealed=False, is_repeat=False)
    assert traces.exclude(verdict=None).count() == counted.values("trace_id").distinct().count()

    code, said = run("--url", server, "--traces", "150", "--days", "14")
    assert (code, said.strip()) == (0, "The demo is there already: 150 traces in project demo.")
    assert {t.trace_id: (t.started_at, t.verdict, t.failing) for t in traces.all()} == first
    assert Review.objects.filter(project=project).count() == reviews

    spans = StoredSpan.objects.filter(project_id=project.pk).count()
    code, said = run("--url", server, "--traces", "162", "--days", "14")
    assert code == 0, said
    assert "Sent 12 traces and " in said
    assert traces.all().count() == 162
    assert StoredSpan.objects.filter(project_id=project.pk).count() > spans


def test_reviews_modes_scores_and_the_eval_set_tell_one_story(server):
    admin = User.objects.create_superuser("admin@localhost")
    code, said = run("--url", server, "--traces", "240")
    assert code == 0, said
    project = Project.objects.get(slug="demo")
    assert Membership.objects.get(project=project, user=admin).role == "admin"
    people = User.objects.filter(memberships__project=project).exclude(pk=admin.pk)
    assert {person.name for person in people} == {"Maja Berg", "Tor Olsen", "Anna Nilsson"}
    assert not any(person.has_usable_password() for person in people)
    modes = FailureMode.objects.filter(project=project)
    assert {"wrong-amount", "wrong-scope", "tool-loop"} <= {mode.slug for mode in modes}
    assert all(mode.definition for mode in modes)
    assert Feedback.objects.filter(project=project, name="thumbs", value=0).exists()
    blind = QueueItem.objects.filter(queue__blind=True)
    for review in Review.objects.filter(project=project, verdict="fail", adjudicates=False):
        assert review.modes.exists() or blind.filter(trace_id=review.trace_id).exists()
        assert review.severity
        assert review.note
    eval_set = EvalSet.objects.get(project=project, slug="refund-regressions")
    version = eval_set.versions.get()
    assert version.number == 1
    assert version.case_count + 2 == Case.objects.filter(eval_set=eval_set).count()
    titles = set(Case.objects.filter(eval_set=eval_set).values_list("title", flat=True))
    notes = set(Review.objects.filter(project=project).values_list("note", flat=True))
    assert not titles & notes
    runs = list(eval_set.runs.order_by("number"))
    assert [run.verdict for run in runs[-3:]] == ["passed", "passed", "failed"]
    assert runs[-1].gate["headline"].startswith("GATE FAILED: 2 known failures regressed")
    assert Trace.objects.filter(project_id=project.pk, promoted=True).exists()
    _has_a_blind_queue(project, admin)
    again = Trace.objects.get(project_id=project.pk, session_id="s-91-again")
    same = Trace.objects.filter(input_preview=again.input_preview)
    assert {prompt for trace in same for prompt in trace.prompts} > {"refund@v11", "refund@v12"}


def _has_a_blind_queue(project, admin):
    queue = Queue.objects.get(project=project, blind=True)
    stands = progress.progress(queue, now=timezone.now())
    assert stands.closed == round(stands.items * 3 / 4)
    assert stands.doubles > 10
    assert stands.median_ms > 1000
    assert len(progress.disagreements(queue)[1]) == 3
    assert len(progress.agreement_of(queue).pairs) > 3  # three people, and who looks at the demo
    assert repeats.consistency(queue, admin) is not None
    assert measuring.medians(queue) is not None
    assert [mode.slug for mode, _ in reviews.modes_to_check(project)] == ["format"]
    assert not Review.objects.filter(sealed=True).exists()
    assert [judge.name for judge in judging.judges(project)] == ["reply-quality"]
    rubric = Rubric.objects.get(project=project)
    found = alignment.alignment(rubric.mode, rubric)
    assert min(half.cleared.number for half in (found.dev, found.test)) > 20
    assert found.judged.number > 50
    assert Seat.objects.filter(item__queue=queue, reviewer=admin, review=None).exists()


def test_the_key_of_a_demo_is_of_no_use_afterwards(server):
    code, said = run("--url", server, "--traces", "12", "--days", "1", "--project", "try-out")
    assert code == 0, said
    key = ApiKey.objects.get(project__slug="try-out")
    assert key.scope == "ingest"
    assert key.revoked_at is not None


def test_a_taxonomy_of_the_projects_own_is_left_as_it_is(server):
    project = Project.objects.create(slug="demo", name="Ours")
    FailureMode.objects.create(project=project, slug="format", name="Layout", definition="Ours")
    code, said = run("--url", server, "--traces", "120")
    assert code == 0, said
    assert FailureMode.objects.get(project=project, slug="format").name == "Layout"
    assert Project.objects.get(slug="demo").name == "Ours"


def test_without_a_server_the_demo_says_how_to_start_one(committed_db):
    code, said = run()
    assert code == 1
    assert "TraceHub does not run on" in said
    assert "tracehub up --demo" in said


def test_a_server_that_does_not_answer_ends_the_demo_with_the_reason(committed_db, monkeypatch):
    monkeypatch.setattr(send, "PATIENCE_SECONDS", 0.0)
    code, said = run("--url", "http://127.0.0.1:9", "--traces", "24")
    assert code == 1
    assert "The demo is not complete." in said
    assert "http://127.0.0.1:9" in said
    assert ApiKey.objects.get(project__slug="demo").revoked_at is not None
