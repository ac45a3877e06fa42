"""Mask stored traces by the rules of today: a job in batches that can be killed.

A batch masks spans, what came apart from them, scores and reviews, marks the traces for the worker,
which writes lists, search and metrics anew, and moves the job on, all in one transaction. What is
masked has nothing left for a rule to find, so a batch that is done twice changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from hashlib import blake2b
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone

from tracehub.core.mask import Masker
from tracehub.core.packing import compress, decompress
from tracehub.core.remask import remask, touches
from tracehub.digest import life
from tracehub.digest.models import Remasking
from tracehub.digest.remasking import store
from tracehub.failures.models import Activity
from tracehub.failures.rules import store as second_pass
from tracehub.projects import masking
from tracehub.projects.actions import audit
from tracehub.projects.models import Project, User
from tracehub.projects.store import add_mask_counts
from tracehub.review.models import Review, TraceComment
from tracehub.traces.models import Feedback, PromptVersion, Supplement
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.store import mark_dirty
from tracehub.traces.wake import wake_on_commit

BATCH = 100  # traces in one transaction
WAIT = timedelta(seconds=10)  # until no ingestion remembers the old rules (5 s)
# Fields of people's words, and the characters that each holds.
SCORE = {"name": 200, "value": 10_000, "label": 200, "comment": 10_000, "source": 60}
REVIEW = {"note": 10_000, "corrected_output": 1_000_000}
COMMENT = {"text": 4000, "quote": 1000, "prefix": 64}
ACTIVITY = {"text": 4000, "detail": 400}
COUNTED = 2.0  # seconds that counting the traces may take


def start(project: Project, *, by: User) -> Remasking:
    """Ask for all stored traces to be masked; an open job of the project begins anew."""
    try:
        with bounded(COUNTED):
            total = store.count(project.pk)
    except TooSlow:
        total = None
    with transaction.atomic():
        open_jobs = Remasking.objects.select_for_update().filter(project=project, finished_at=None)
        for job in open_jobs:
            job.finished_at = timezone.now()
            job.save(update_fields=["finished_at"])
        job = Remasking.objects.create(project=project, by=by, total=total)
        audit("masking.stored", by=by, project=project, object="stored traces", traces=total)
    return job


def newest(project: Project) -> Remasking | None:
    """Return the job that the page tells of."""
    return Remasking.objects.filter(project=project).order_by("-pk").first()


def work(*, seconds: float) -> bool:
    """Go on with open jobs until they are done or the time is up; tell whether some are left."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        life.sign()
        with transaction.atomic():
            ready = Remasking.objects.select_for_update(skip_locked=True).filter(
                finished_at=None, created_at__lte=timezone.now() - WAIT
            )
            job = ready.order_by("pk").first()
            if job is None:
                return False
            _step(job)
    return True


def _step(job: Remasking) -> None:
    """Mask one batch of traces and move the job on."""
    last, days = store.next_traces(job.project_id, job.after, BATCH)
    masker = masking.masker_of(job.project_id)
    counts: Counter[str] = Counter()
    for day, traces in sorted(days.items()):
        changed = _mask_day(job.project_id, day, traces, masker, counts)
        job.traces += len(traces)
        job.changed += len(changed)
    if last is None:
        _mask_prompts(job.project_id, masker, counts)
        for line in Activity.objects.filter(failure__project_id=job.project_id).order_by("pk"):
            _mask_fields(line, ACTIVITY, masker, counts)
        job.finished_at = timezone.now()
    else:
        job.after = last
    job.values += counts.total()
    job.save()
    if counts:
        add_mask_counts(masking.columns({job.project_id: counts}))
        wake_on_commit()


def _mask_day(
    project_id: int, day: date, traces: Sequence[UUID], masker: Masker, counts: Counter[str]
) -> set[UUID]:
    """Mask all that is kept of traces of one day; return those that changed.

    The traces are marked before their spans are held, in the order in which ingestion takes both.
    """
    hits = [
        (row["trace_id"], row["span_id"])
        for row in store.scan(project_id, day, traces)
        if touches(row, masker) and remask(project_id, row, masker) is not None
    ]
    changed = _mask_apart(project_id, traces, masker, counts)
    touched = {trace for trace, _ in hits} | changed
    second_pass.ask(project_id, day, sorted(touched))  # attributes are of its making
    mark_dirty(project_id, touched)
    for at in range(0, len(hits), store.CHUNK):
        masked = []
        for row in store.lock(project_id, day, hits[at : at + store.CHUNK]):
            result = remask(project_id, row, masker)
            if result is not None:
                masked.append(result.row)
                counts.update(result.counts)
        if masked:
            store.rewrite(day, masked)
            changed |= {row.trace_id for row in masked}
    return changed


def _mask_apart(
    project_id: int, traces: Sequence[UUID], masker: Masker, counts: Counter[str]
) -> set[UUID]:
    """Mask supplements, scores, reviews and comments; return the traces to write anew."""
    changed: set[UUID] = set()
    own = {"project_id": project_id, "trace_id__in": traces}
    for supplement in Supplement.objects.filter(**own).order_by("pk"):
        found = masker.mask(orjson.loads(decompress(bytes(supplement.body))))
        if found.counts:
            _replace(supplement, found.value)
            changed.add(supplement.trace_id)
            counts.update(found.counts)
    for score in Feedback.objects.filter(**own).order_by("pk"):
        if masker.mask(score.key).counts:  # an id of the sender's
            score.key = f"masked:{score.pk}"
            score.save(update_fields=["key"])
        changed |= _mask_fields(score, SCORE, masker, counts)
    for review in Review.objects.filter(**own).order_by("pk"):
        changed |= _mask_fields(review, REVIEW, masker, counts)
    for comment in TraceComment.objects.filter(**own).order_by("pk"):
        _mask_fields(comment, COMMENT, masker, counts)  # no list shows it
    return changed


def _mask_fields(
    row: Feedback | Review | TraceComment | Activity,
    fields: Mapping[str, int],
    masker: Masker,
    counts: Counter[str],
) -> set[UUID]:
    """Mask fields of a row, cut to their lengths; return its trace when something was masked."""
    found = masker.mask({name: getattr(row, name) for name in fields})
    if not found.counts:
        return set()
    for name, value in found.value.items():
        setattr(row, name, value[: fields[name]] if isinstance(value, str) else value)
    row.save(update_fields=list(found.value))
    counts.update(found.counts)
    return set() if isinstance(row, Activity) else {row.trace_id}


def _replace(supplement: Supplement, body: object) -> None:
    """Store a masked supplement under the hash of its text, unless that is there already."""
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    supplement.digest, supplement.body = blake2b(text, digest_size=16).digest(), compress(text)
    same = Supplement.objects.filter(
        project_id=supplement.project_id,
        trace_id=supplement.trace_id,
        span_id=supplement.span_id,
        digest=supplement.digest,
    ).exclude(pk=supplement.pk)
    if same.exists():
        supplement.delete()
    else:
        supplement.save(update_fields=["digest", "body"])


def _mask_prompts(project_id: int, masker: Masker, counts: Counter[str]) -> None:
    """Mask the templates and messages of prompt versions, a few hundred texts at most."""
    for prompt in PromptVersion.objects.filter(project_id=project_id).order_by("pk"):
        found = masker.mask([prompt.template, prompt.message])
        if found.counts:
            prompt.template, prompt.message = found.value[0], found.value[1][:2000]
            prompt.save(update_fields=["template", "message"])
            counts.update(found.counts)
