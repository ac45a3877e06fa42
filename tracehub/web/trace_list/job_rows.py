"""Jobs on all matching traces, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.template.defaultfilters import filesizeformat
from django.utils.text import capfirst

from tracehub.core.query import parse
from tracehub.digest.models import BulkJob
from tracehub.digest.trace_files import FORMATS
from tracehub.web.links import with_query


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job with what the person may do with it."""

    job: BulkJob
    mine: bool  # may be cancelled, undone and tried again
    list_url: str  # the traces it is about

    @property
    def file(self) -> str:
        job = self.job
        return f"traces-{job.project.slug}-{job.pk}.{job.choice.get('format', '')}"

    @property
    def icon(self) -> str:
        states = BulkJob.State
        if self.job.state == states.STOPPED:
            return "fail"
        return {states.DONE: "pass", states.UNDONE: "undo"}.get(states(self.job.state), "none")

    @property
    def tone(self) -> str:
        return {"fail": "fail", "pass": "pass"}.get(self.icon, "neutral")

    @property
    def title(self) -> str:
        """Say what goes on: 'Marking ~12,480 traces fail'."""
        job, choice = self.job, self.job.choice
        if job.state == BulkJob.State.UNDOING:
            return f"Taking back {job.changed:,}: {_short(job)}"
        traces = f"{'~' if job.estimated else ''}{job.expected:,} trace{_s(job.expected)}"
        match job.kind:
            case BulkJob.Kind.REVIEW:
                return f"Marking {traces} {choice['verdict']}"
            case BulkJob.Kind.QUEUE:
                return f"Adding {traces} to the queue {choice['queue']}"
            case BulkJob.Kind.PROMOTE:
                return f"Promoting {traces} to {choice['set']}"
            case BulkJob.Kind.DELETE:
                return f"Deleting {traces}"
            case BulkJob.Kind.SEARCH:
                return f"Searching {traces}, {job.changed:,} found so far"
        return f"Exporting {traces} to {FORMATS[choice['format']].label}"

    @property
    def outcome(self) -> str:
        """Say how it ended: '12,480 traces marked fail'."""
        job = self.job
        part = f"{job.traces:,} of {'~' if job.estimated else ''}{job.expected:,}"
        if (
            job.kind == BulkJob.Kind.DELETE
            and job.state == BulkJob.State.CANCELLED
            and not job.traces
        ):
            return "Nothing was deleted."
        match job.state:
            case BulkJob.State.STOPPED if job.undo_stopped:
                return f"Taking back {job.changed:,} of {_short(job)} stopped. {job.error}"
            case BulkJob.State.STOPPED:
                return f"{capfirst(_short(job))} stopped at {part}. {job.error}"
            case BulkJob.State.CANCELLED:
                return f"{capfirst(_short(job))} was cancelled at {part}."
            case BulkJob.State.UNDONE:
                return f"{capfirst(_short(job))} was undone."
        if job.kind == BulkJob.Kind.EXPORT:
            days = f"{job.KEPT.days} days"
            if not job.has_file:
                return f"{self.file} was deleted after {days}. Export again."
            return f"{self.file} is ready, {filesizeformat(job.size)}. Kept for {days}."
        if job.kind == BulkJob.Kind.DELETE:
            return f"{job.changed:,} trace{_s(job.changed)} deleted"
        if job.kind == BulkJob.Kind.SEARCH:
            more = f", the newest {job.NOTED} can be shown" if job.changed > job.NOTED else ""
            return f"The search found {job.changed:,} trace{_s(job.changed)}{more}"
        if job.kind == BulkJob.Kind.REVIEW:
            return f"{job.changed:,} trace{_s(job.changed)} marked {job.choice['verdict']}"
        if job.kind == BulkJob.Kind.QUEUE:
            return (
                f"{job.changed:,} trace{_s(job.changed)} added to the queue {job.choice['queue']}"
            )
        made = f"{job.changed:,} case{_s(job.changed)} added to the draft of {job.choice['set']}"
        others = max(job.traces - job.changed, 0)
        return f"{made}; {others:,} left out, like another or there already" if others else made


def row(job: BulkJob, page: str, *, mine: bool) -> JobRow:
    """Return a job for drawing; `page` is the address of the list of traces."""
    moments = {"from": job.since, "to": job.until + timedelta(seconds=1)}  # whole seconds
    ends = {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in moments.items()}
    found = job.choice.get("found")
    query = f"trace:{','.join(found)}" if found else str(parse(job.q))
    return JobRow(job, mine, with_query(page, ({"q": query} if query else {}) | ends))


def _short(job: BulkJob) -> str:
    match job.kind:
        case BulkJob.Kind.REVIEW:
            return f"marking traces {job.choice['verdict']}"
        case BulkJob.Kind.QUEUE:
            return f"adding traces to {job.choice['queue']}"
        case BulkJob.Kind.PROMOTE:
            return f"promoting traces to {job.choice['set']}"
        case BulkJob.Kind.DELETE:
            return "deleting traces"
        case BulkJob.Kind.SEARCH:
            return "the search"
    return f"the export as {FORMATS[job.choice['format']].label}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
