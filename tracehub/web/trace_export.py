"""Files of traces: what was selected or all that match, at once when little, else as a job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from tempfile import TemporaryFile

from asgiref.sync import sync_to_async
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.core.share import Kept
from tracehub.digest import trace_files
from tracehub.digest.models import BulkJob
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project
from tracehub.traces import facets, querysets, reading
from tracehub.traces.models import Trace
from tracehub.traces.sampling import store as sampled
from tracehub.web import permissions, shell, trace_bulk, trace_jobs
from tracehub.web.settings_pages import person
from tracehub.web.trace_list.state import ListState

AT_ONCE = 2000  # traces; a larger export is a job
COUNTING = 3  # seconds for the count that decides this


@require_POST
def export(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the selected traces, or with `all` what `q`, `from` and `to` find, as `format`."""
    project = permissions.project_for(request, slug)
    kind = request.POST.get("format") or "jsonl"
    try:
        if kind not in trace_files.FORMATS:
            known = ", ".join(trace_files.FORMATS)
            raise ActionError(f"format must be one of {known}. Got {kind[:20]!r}.", "format")
        if not request.POST.get("all"):
            chosen = reading.rows_of(project, trace_bulk.selected(request, project))
            return _sent(request, project, kind, chosen.newest_first())
        state = ListState.of(project, request.POST, timezone.now())
        if state.error is None and _is_small(state):
            rows = trace_files.matching(state.within, state.wanted)
            return _sent(request, project, kind, rows, sampled.kept(state.within))
        return trace_jobs.ask(request, state, BulkJob.Kind.EXPORT, {"format": kind})
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request)


def _is_small(state: ListState) -> bool:
    try:
        with querysets.bounded(COUNTING):
            return facets.matching(state.within, state.wanted)[0] <= AT_ONCE
    except querysets.TooSlow:
        return False


def _sent(
    request: HttpRequest,
    project: Project,
    kind: str,
    rows: Iterable[Trace],
    kept: Kept | None = None,
) -> HttpResponse | StreamingHttpResponse:
    """Stream the file, a page of traces in memory at a time; Parquet by way of the disk."""
    audit(
        "traces.exported", by=person(request), project=project, format=kind,
        q=request.POST.get("q", ""),
    )  # fmt: skip
    pieces = trace_files.pieces(kind, project, rows, head=True)
    media_type = trace_files.FORMATS[kind].media_type
    name = trace_files.filename(kind, project.slug, kept)
    if kind == "parquet":
        file = TemporaryFile()  # noqa: SIM115 the answer closes it
        trace_files.finish(pieces, file)
        file.seek(0)
        return FileResponse(file, as_attachment=True, filename=name, content_type=media_type)
    answer = StreamingHttpResponse(_streamed(pieces), content_type=media_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


async def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    def following() -> bytes | None:
        return next(pieces, None)

    while (piece := await sync_to_async(following)()) is not None:
        yield piece
