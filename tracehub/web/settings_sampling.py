"""Settings: which share of the traces that nothing speaks for is kept, tried on the last day."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.traces import actions
from tracehub.traces.extent import Range
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.sampling import store
from tracehub.web import permissions
from tracehub.web.forms.settings import SamplingForm
from tracehub.web.settings_pages import back_to, context, person, refused
from tracehub.web.shell import toast

DAY = timedelta(days=1)
SECONDS = 3.0


class Preview(NamedTuple):
    """What a share would have dropped of the last 24 hours; `seen` is all that came, nearly."""

    one_in: int
    dropped: int
    total: int
    estimated: bool


@require_POST
def save(request: HttpRequest, slug: str) -> HttpResponse:
    """Set the share, or with `try` show what it would have dropped."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = SamplingForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "sampling", form)
    one_in = form.cleaned_data["one_in"]
    try:
        if "try" in request.POST:
            found = {"preview": _preview(project, one_in), "typed": {"sampling": form.data}}
            return render(request, "settings/page.html", context(request, project, **found))
        actions.set_sampling(project, one_in, by=person(request))
    except ActionError as error:
        return refused(request, project, "sampling", form, str(error))
    except TooSlow:
        slow = f"Counting the last 24 h stopped after {SECONDS:.0f} s. Nothing was changed."
        return refused(request, project, "sampling", form, slow)
    toast(request, f"Keeps 1 in {one_in} of the rest" if one_in > 1 else "Keeps all traces")
    return back_to(project, "sampling")


def _preview(project: Project, one_in: int) -> Preview:
    actions.check_share(one_in)
    now = timezone.now()
    within = Range(project, now - DAY, now)
    with bounded(SECONDS):
        found = store.droppable(within)
    return Preview(one_in, round(found.traces * (1 - 1 / one_in)), found.total, found.estimated)
