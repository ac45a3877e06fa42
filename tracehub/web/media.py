"""Pictures, sounds and documents of traces: drawn when their type may be, else saved.

The browser gets a type only when the bytes begin as that type does, and runs nothing in any case:
the answer is sandboxed and never sniffed.
"""

from __future__ import annotations

from mimetypes import guess_extension

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from tracehub.traces.media import reading
from tracehub.web import permissions


@require_GET
def medium(request: HttpRequest, slug: str, sha256: str) -> HttpResponse:
    """The bytes of a medium that a trace of the project holds."""
    project = permissions.project_for(request, slug)
    kept = reading.read(project.pk, sha256)
    if kept is None:
        raise Http404("No trace of this project holds this any more.")
    begins = (reading.SHOWN | reading.PLAYED).get(kept.type, ())
    plain = bool(begins) and kept.body.startswith(begins)
    how, ending = ("inline", guess_extension(kept.type) or "") if plain else ("attachment", ".bin")
    return HttpResponse(
        kept.body,
        content_type=kept.type if plain else "application/octet-stream",
        headers={"Content-Disposition": f'{how}; filename="{sha256[:12]}{ending}"'},
    )
