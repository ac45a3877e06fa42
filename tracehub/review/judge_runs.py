"""Runs of the built-in judge: started by people, worked off beside the worker, resumable.

A run holds one row a trace. Four are asked at a time; what was answered is kept at once, as
feedback that is marked as a machine's. A run whose holder died goes on when its hold is over.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import close_old_connections, transaction
from django.db.models import F
from django.utils import timezone

from tracehub.core.cost import price
from tracehub.core.judging import Judged, NoVerdict, messages, read, split_of
from tracehub.core.query import FilterError, parse
from tracehub.core.sampling import drawn
from tracehub.projects import judge_endpoint
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.judge_endpoint import CannotAsk, Declined, Endpoint, NotSetUp, Reply
from tracehub.projects.masking import masked
from tracehub.projects.models import Project, User
from tracehub.projects.prices import overrides
from tracehub.review.judging import BUILT_IN
from tracehub.review.models import FailureMode, JudgeRun, JudgeTask, Rubric
from tracehub.review.querysets import counted
from tracehub.traces import reading, store
from tracehub.traces.models import Feedback, Trace
from tracehub.traces.reading import LoadedTrace
from tracehub.traces.wake import wake_on_commit

MOST = 2000  # traces of one run
MIN_CAP, MAX_CAP = Decimal("0.01"), Decimal(1000)  # US dollars of one run
AT_ONCE = 4
HOLD = timedelta(minutes=5)
PAUSE = timedelta(seconds=20)  # after no answer
TRIES = 5  # without an answer in a row, then the run has failed
LOOKS_BACK = timedelta(days=14)
_working = threading.Lock()


@transaction.atomic
def save_rubric(mode: FailureMode, text: str, *, by: User) -> Rubric:
    """Keep what the judge looks for; another text is the next version. Raises ActionError."""
    text = text.strip()
    if not 1 <= len(text) <= 4000:
        raise ActionError(f"text must have 1 to 4,000 characters. Got {len(text)}.", "text")
    rubric, new = Rubric.objects.select_for_update().get_or_create(
        project_id=mode.project_id, mode=mode, defaults={"text": text}
    )
    if not new and rubric.text != text:
        rubric.text, rubric.version, rubric.edited_at = text, rubric.version + 1, timezone.now()
        rubric.save()
    audit("judge.rubric", by=by, project=mode.project, object=mode.slug, version=rubric.version)
    return rubric


@transaction.atomic
def start(
    mode: FailureMode, scope: str, *, by: User, cap: Decimal, most: int, q: str = "",
    share: int = 100,
) -> JudgeRun:  # fmt: skip
    """Begin a run over up to `most` traces. Raises ActionError naming the field."""
    endpoint = judge_endpoint.configured()
    if endpoint is None:
        raise ActionError(
            "No judge is set up. Set TRACEHUB_JUDGE_URL and TRACEHUB_JUDGE_MODEL, and start again.",
            "scope",
        )
    rubric = Rubric.objects.filter(mode=mode).first()
    if rubric is None:
        raise ActionError("Write a rubric first.", "scope")
    _check("cap", cap, MIN_CAP, MAX_CAP, "US dollars")
    _check("most", most, 1, MOST, "traces")
    _check("share", share, 1, 100, "percent")
    traces = _chosen(mode.project, scope, q, share)[:most]
    if not traces:
        raise ActionError("No trace is there to judge.", "scope")
    run = JudgeRun.objects.create(
        project=mode.project, mode=mode, rubric=rubric.text, version=rubric.version, scope=scope,
        q=q, share=share, cap=cap, model=endpoint.model, by=by,
    )  # fmt: skip
    JudgeTask.objects.bulk_create(JudgeTask(run=run, trace_id=trace) for trace in traces)
    audit(
        "judge.started", by=by, project=mode.project, object=mode.slug, to=endpoint.host,
        traces=len(traces), cap=str(cap),
    )  # fmt: skip
    return run


def _check(
    field: str, value: Decimal | int, least: Decimal | int, most: Decimal | int, unit: str
) -> None:
    if not least <= value <= most:
        raise ActionError(
            f"{field} must be {least} to {most:,} {unit}. Got {value}. Give a number between.",
            field,
        )


def stop(run: JudgeRun, *, by: User) -> None:
    """Ask no more; what was answered stays."""
    rows = JudgeRun.objects.filter(pk=run.pk, state=JudgeRun.State.RUNNING)
    if rows.update(state=JudgeRun.State.STOPPED):
        audit("judge.stopped", by=by, project=run.project, object=run.mode.slug)


def work_beside() -> None:
    """Work off what waits in a thread, so that the worker goes on with other things meanwhile."""
    if JudgeRun.objects.filter(state=JudgeRun.State.RUNNING).exists() and _working.acquire(False):
        threading.Thread(target=_until_done, name="judge", daemon=True).start()


def work() -> None:
    """Work off all runs that wait. Safe to run twice, and to be killed."""
    while (run := _claim()) is not None:
        while run.state == JudgeRun.State.RUNNING and run.held_until > timezone.now():
            run = _step(run)


def _until_done() -> None:
    try:
        work()
    finally:
        close_old_connections()
        _working.release()


def _chosen(project: Project, scope: str, q: str, share: int) -> list[UUID]:
    """Return the traces of a scope: the newest reviewed of a half, or a share of a filter's."""
    if scope in (JudgeRun.Scope.DEV, JudgeRun.Scope.TEST):
        rows = counted(project.pk).exclude(verdict="unsure").order_by("-id")
        reviewed = dict.fromkeys(rows.values_list("trace_id", flat=True)[: 5 * MOST])
        return [trace for trace in reviewed if split_of(trace.hex) == scope]
    if scope != JudgeRun.Scope.FILTER:
        scopes = ", ".join(JudgeRun.Scope.values)
        raise ActionError(f"scope must be one of {scopes}. Got {scope!r}.", "scope")
    try:
        wanted = parse(q)
    except FilterError as error:
        raise ActionError(f"{error.message} (at {error.start})", "q") from error
    now = timezone.now()
    found = Trace.objects.in_project(project).in_range(now - LOOKS_BACK, now).matching(wanted)
    newest = found.filter(finished=True).newest_first().values_list("trace_id", flat=True)
    return [trace for trace in newest[: 50 * MOST] if drawn(f"judge/{trace.hex}") < share / 100]


@transaction.atomic
def _claim() -> JudgeRun | None:
    now = timezone.now()
    waiting = JudgeRun.objects.filter(state=JudgeRun.State.RUNNING, held_until__lte=now)
    run = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("held_until").first()
    if run is not None:
        run.held_until = now + HOLD
        run.save(update_fields=["held_until"])
    return run


def _step(run: JudgeRun) -> JudgeRun:
    """Ask about the next few traces, keep what comes, and return the run as it stands."""
    tasks = list(run.tasks.filter(done_at=None)[:AT_ONCE])
    endpoint = judge_endpoint.configured()
    if not tasks:
        return _update(run, state=JudgeRun.State.DONE)
    if run.cost >= run.cap:
        return _update(run, state=JudgeRun.State.CAPPED)
    if endpoint is None:
        return _update(run, state=JudgeRun.State.FAILED, error="No judge is set up any more.")
    loaded = {task.trace_id: reading.load(run.project, task.trace_id) for task in tasks}
    asked = [trace for trace in loaded.values() if trace is not None]
    questions = [messages(run.mode.name, run.rubric, trace.spans) for trace in asked]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = list(pool.map(partial(_ask, endpoint), questions))
    by_trace = {UUID(hex=t.summary.trace_id): r for t, r in zip(asked, replies, strict=True)}
    for task in tasks:
        reply = by_trace.get(task.trace_id, NoVerdict("The trace is gone."))
        if isinstance(reply, Declined):
            reply = NoVerdict(str(reply))
        if not isinstance(reply, CannotAsk):
            _keep(run, task, reply, loaded[task.trace_id])
    away = [r for r in replies if isinstance(r, CannotAsk) and not isinstance(r, Declined)]
    for reply in away:
        if isinstance(reply, NotSetUp):
            return _update(run, state=JudgeRun.State.FAILED, error=str(reply))
    if away:
        return _put_off(run, away, nobody=len(away) == len(replies))
    return _update(run, held_until=timezone.now() + HOLD, tries=0, error="")


def _ask(endpoint: Endpoint, question: list[dict[str, str]]) -> Reply | CannotAsk:
    try:
        return judge_endpoint.ask(endpoint, question)
    except CannotAsk as error:
        return error


@transaction.atomic
def _keep(
    run: JudgeRun, task: JudgeTask, reply: Reply | NoVerdict, trace: LoadedTrace | None
) -> None:
    """Store what a trace's reply says, once: the verdict, its cost, and feedback for everybody."""
    task.done_at = timezone.now()
    try:
        if isinstance(reply, NoVerdict) or trace is None:
            raise NoVerdict(str(reply))
        judged = read(reply.text, trace.spans)
    except NoVerdict as error:
        task.error = str(error)[:200]
    else:
        task.fails = judged.fails
        _tell(run, task.trace_id, judged)
    task.save(update_fields=["done_at", "fails", "error"])
    if isinstance(reply, Reply):
        own = overrides(run.project_id)
        cost = price(run.model, None, reply.tokens, task.done_at, own) or Decimal(0)
        JudgeRun.objects.filter(pk=run.pk).update(cost=F("cost") + cost)


def _tell(run: JudgeRun, trace_id: UUID, judged: Judged) -> None:
    (reason,) = masked(run.project_id, [judged.reason])
    Feedback.objects.update_or_create(
        project=run.project, key=f"judge/{run.mode.slug}/{trace_id.hex}",
        defaults={
            "trace_id": trace_id, "span_id": judged.span_id, "name": run.mode.slug,
            "value": not judged.fails, "label": "fail" if judged.fails else "pass",
            "comment": reason.replace("\0", "\N{REPLACEMENT CHARACTER}"), "source": BUILT_IN,
        },
    )  # fmt: skip
    store.mark_dirty(run.project_id, [trace_id])
    wake_on_commit()


def _put_off(run: JudgeRun, away: Sequence[CannotAsk], *, nobody: bool) -> JudgeRun:
    """Let a judge that does not answer be for a while, and for good after some tries.

    `nobody` says that no trace was answered; else it is only busy.
    """
    tries, problem = run.tries + 1 if nobody else 0, str(away[-1])
    if tries >= TRIES:
        return _update(run, state=JudgeRun.State.FAILED, error=problem, tries=tries)
    wait = max(PAUSE * max(tries, 1), timedelta(seconds=max(one.wait for one in away)))
    _update(run, error=problem, tries=tries, held_until=timezone.now() + wait)
    run.held_until = timezone.now()  # this worker lets go
    return run


def _update(run: JudgeRun, **changes: object) -> JudgeRun:
    """Change a run that nobody stopped meanwhile; return it as it is now."""
    JudgeRun.objects.filter(pk=run.pk, state=JudgeRun.State.RUNNING).update(**changes)
    run.refresh_from_db()
    return run
