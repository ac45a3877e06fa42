"""Settings, Signals: switches, thresholds tried on the past, scores, own signals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.query import Filter
from tracehub.core.signals.custom import FIELDS
from tracehub.core.signals.kinds import CUSTOM, KINDS, Kind
from tracehub.core.stats import wilson_interval
from tracehub.core.trace import SEVERITIES
from tracehub.digest import recheck, tryout
from tracehub.failures.models import CustomSignal, ScoreSetting, SignalSetting
from tracehub.failures.rules import actions, store
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.traces import facets
from tracehub.web import marks, permissions
from tracehub.web.settings_pages import person
from tracehub.web.shell import toast

FIRED_DAYS = 14
AGREED_DAYS = 30
LATER = "Settings · Signals"  # why the past is looked at again


@dataclass(frozen=True, slots=True)
class Agreed:
    """How often reviewers said fail on a trace with the signal; percent, with the interval."""

    reviewed: int
    share: float
    low: float
    high: float

    @property
    def width(self) -> float:
        return round(self.high - self.low, 1)

    @property
    def said(self) -> str:
        return f"{self.low:.0f} to {self.high:.0f}%"


@dataclass(slots=True)
class Line:
    """One kind as the page shows it. `typed` is the threshold in its field."""

    kind: Kind
    mark: marks.Mark
    on: bool
    typed: str
    fired: int
    agreed: Agreed | None


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Every kind of signal with what the project made of it; all members may read it."""
    project = permissions.project_for(request, slug)
    return render(request, "settings/signals.html", _context(project))


def _context(project: Project, **more: Any) -> dict[str, Any]:
    now = timezone.now()
    within = facets.Range(project, now - timedelta(days=FIRED_DAYS), now)
    fired = dict(facets.counts(within, Filter(), ["signal"])["signal"])
    agreed = store.agreed(project.pk, now - timedelta(days=AGREED_DAYS), now)
    own = list(CustomSignal.objects.filter(project=project).order_by("id"))
    waiting, since = store.lag(project.pk)
    return {
        "lines": _lines(project, fired, agreed),
        "own": [(row, fired.get(k, 0), _agreed(agreed.get(k))) for row in own
                for k in (f"{CUSTOM}{row.slug}",)],
        "scores": ScoreSetting.objects.filter(project=project).order_by("name"),
        "severities": SEVERITIES,
        "fields": FIELDS,
        "waiting": waiting,
        "since": since,
        "job": recheck.newest(project),
        "tried": None,
        "typed": {},
        "problems": {},
        **more,
    }  # fmt: skip


def _lines(
    project: Project, fired: dict[str, int], agreed: dict[str, tuple[int, int]]
) -> list[Line]:
    kept = {row.kind: row for row in SignalSetting.objects.filter(project=project)}
    lines = []
    for kind in KINDS.values():
        row = kept.get(kind.name)
        limit = row.threshold if row and row.threshold is not None else None
        usual = kind.threshold.usual if kind.threshold else 0
        typed = f"{usual if limit is None else limit:g}" if kind.threshold else ""
        on = row is None or row.on
        mark, n = marks.signal(kind.name), fired.get(kind.name, 0)
        lines.append(Line(kind, mark, on, typed, n, _agreed(agreed.get(kind.name))))
    return lines


def _agreed(counted: tuple[int, int] | None) -> Agreed | None:
    if counted is None:
        return None
    failed, reviewed = counted
    low, high = wilson_interval(failed, reviewed)
    return Agreed(
        reviewed, round(100 * failed / reviewed), round(100 * low, 1), round(100 * high, 1)
    )


@require_POST
def kind(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep a switch and a threshold, or with `try` show on what it would have fired."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    kind = request.POST.get("kind", "")
    typed = request.POST.get("threshold", "")
    if kind not in KINDS:
        unknown = ActionError(f"kind must be a kind of signal. Got {kind[:40]!r}.")
        return _refused(request, project, "kinds", unknown)
    try:
        threshold = actions.check_threshold(kind, typed)
    except ActionError as error:
        return _refused(request, project, "kinds", error, threshold=typed, kind=kind)
    if "try" in request.POST and KINDS[kind].threshold is not None:
        tried = tryout.try_kind(project, kind, threshold)
        shown = _context(project, tried=tried, typed={"kind": kind, "threshold": typed})
        return render(request, "settings/signals.html", shown)
    on = request.POST.get("on") == "1"
    row = actions.set_kind(project, kind, on=on, threshold=threshold, by=person(request))
    toast(request, f"{marks.signal(kind).label} is {'on' if row.on else 'off'}", icon="settings")
    return _back(slug)


def _refused(
    request: HttpRequest, project: Project, section: str, error: ActionError, **typed: Any
) -> HttpResponse:
    shown = _context(project, typed=typed, problems={section: {error.field or "all": str(error)}})
    return render(request, "settings/signals.html", shown, status=422)


def _back(slug: str, section: str = "") -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('settings_signals', args=[slug])}{section}")


@require_POST
def look_again(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the traces of the last 14 days looked at again with the rules as they are now."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    job = recheck.start(project, LATER, second=True)
    traces = "The traces" if job.total is None else f"{job.total:,} traces"
    toast(request, f"{traces} of the last 14 days are looked at again", icon="retry")
    return _back(slug)


@require_POST
def score(request: HttpRequest, slug: str) -> HttpResponse:
    """Say when a score of one name is negative."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    given = {key: request.POST.get(key, "").strip() for key in ("name", "at_most", "labels")}
    try:
        at_most = _number(given["at_most"])
        labels = given["labels"].split(",")
        row = actions.set_score(project, given["name"], at_most, labels, by=person(request))
    except ActionError as error:
        return _refused(request, project, "scores", error, score=given)
    toast(request, f"Scores called {row.name} have a limit", icon="down-vote")
    return _back(slug, "#scores")


def _number(text: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = float("nan")
    if value is not None and not -1e12 < value < 1e12:
        raise ActionError(f"The limit must be a number, such as 2. Got {text[:40]!r}.", "at_most")
    return value


@require_POST
def score_remove(request: HttpRequest, slug: str, score_id: int) -> HttpResponse:
    """Forget the limit of a score."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    row = get_object_or_404(ScoreSetting, project=project, pk=score_id)
    actions.remove_score(row, by=person(request))
    toast(request, f"Scores called {row.name} are negative as usual")
    return _back(slug, "#scores")


@require_POST
def own(request: HttpRequest, slug: str) -> HttpResponse:
    """Make an own signal, or with `try` show on what it would have fired."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    names = ("name", "severity", "q", "field", "pattern")
    given = {key: request.POST.get(key, "").replace("\x00", "").strip()[:2000] for key in names}
    try:
        rule = actions.check_own(**given)
        if "try" in request.POST:
            tried = tryout.try_own(project, rule)
            shown = _context(project, tried=tried, typed={"own": given})
            return render(request, "settings/signals.html", shown)
        row = actions.add_own(project, rule, by=person(request))
    except ActionError as error:
        return _refused(request, project, "own", error, own=given)
    toast(request, f"{row.name} is a signal from now on", icon="flag")
    return _back(slug, "#own")


@require_POST
def own_turn(request: HttpRequest, slug: str, own_id: int) -> HttpResponse:
    """Turn an own signal on or off."""
    row = _own(request, slug, own_id)
    actions.turn_own(row, request.POST.get("on") == "1", by=person(request))
    toast(request, f"{row.name} is {'on' if row.on else 'off'}", icon="flag")
    return _back(slug, "#own")


@require_POST
def own_remove(request: HttpRequest, slug: str, own_id: int) -> HttpResponse:
    """Remove an own signal."""
    row = _own(request, slug, own_id)
    actions.remove_own(row, by=person(request))
    toast(request, f"{row.name} removed", icon="flag")
    return _back(slug, "#own")


def _own(request: HttpRequest, slug: str, own_id: int) -> CustomSignal:
    project = permissions.project_for(request, slug, Role.ADMIN)
    return get_object_or_404(CustomSignal, project=project, pk=own_id)
