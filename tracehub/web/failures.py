"""The failures pages: groups by impact with one open beside them, and what decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from tracehub.core.whole import whole_number
from tracehub.failures import actions, querysets
from tracehub.failures.models import Activity, Failure
from tracehub.failures.store import first_day
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.web import failure_view, links, permissions, shell

PAGE = 50
MAX_SELECTED = 200
UNDO_SALT = "tracehub.failures.undo"
UNDO_SECONDS = 24 * 3600
TABS = (
    ("all", "All"),
    ("triage", "Needs triage"),
    ("new", "New"),
    ("regressed", "Regressed"),
    ("ongoing", "Ongoing"),
    ("resolved", "Resolved"),
    ("ignored", "Ignored"),
)


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def group_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The groups of a tab, and the chosen one beside them; or only what is inside `main`."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    get = request.GET
    tab = get.get("status", "all")
    tab = tab if tab in querysets.TABS else "all"
    words = get.get("q", "").replace("\x00", "").strip()[:200]
    order = "last_seen" if get.get("sort") == "last_seen" else "impact"
    first = _offset(get.get("after", ""))
    rows = querysets.page(
        project, now=now, since=first_day(now), status=tab, words=words, order=order,
        limit=PAGE + 1, offset=first,
    )  # fmt: skip
    keep = {"status": tab if tab != "all" else "", "q": words}
    keep |= {"sort": order if order != "impact" else "", "after": str(first) if first else ""}
    keep = {name: value for name, value in keep.items() if value}
    chosen = _chosen(project, get.get("group", ""), rows)
    counts = querysets.tab_counts(project, now)
    base = reverse("failures", args=[slug])
    context: dict[str, Any] = {
        "tabs": [(_tab_url(base, name, keep), name, word, counts[name]) for name, word in TABS],
        "tab": tab, "words": words, "order": order, "counts": counts,
        "shown_from": first + 1, "shown_to": first + len(rows[:PAGE]),
        "lines": failure_view.lines(
            project, rows[:PAGE], now=now, keep=keep, chosen=chosen.key if chosen else ""
        ),
        "sorts": _sorts(base, keep),
        "next_url": links.with_query(base, {**keep, "after": str(first + PAGE)})
        if len(rows) > PAGE else "",
        "back_url": base if first else "",
    }  # fmt: skip
    if chosen is not None:
        context |= failure_view.pane(project, chosen, now)
    inside = request.headers.get("HX-Target", "").endswith("#main")
    part = "content" if inside and request.headers.get("HX-Request") == "true" else "list"
    return render(request, f"failures/{part}.html", context)


@require_GET
def group_page(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """One group on a page of its own."""
    project = permissions.project_for(request, slug)
    failure = querysets.by_key(project, key)
    if failure is None:
        raise Http404("There is no such failure in this project.")
    context = failure_view.pane(project, failure, timezone.now())
    return render(request, "failures/page.html", context)


@require_POST
def act(request: HttpRequest, slug: str) -> HttpResponse:
    """Do to the chosen groups what `act` says; the toast takes all of it back."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    keys = dict.fromkeys(request.POST.getlist("key")[:MAX_SELECTED])
    failures = [found for key in keys if (found := querysets.by_key(project, key)) is not None]
    if not failures:
        shell.toast(request, "No failures were selected", icon="none")
        return shell.back(request)
    verb, _, value = request.POST.get("act", "").partition(":")
    value = value or request.POST.get("value", "").strip()
    try:
        with transaction.atomic():
            done = _do(request, project, failures, verb, value)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return shell.back(request)
    words = f"{done[0].failure.key} {done[0].verb} {done[0].detail}".strip()
    if len(done) > 1:
        words = f"{len(done)} failures {done[0].verb}"
    shell.toast(request, words, undo=_undo_url(request, project, done))
    return shell.back(request)


def _do(
    request: HttpRequest, project: Project, failures: Sequence[Failure], verb: str, value: str
) -> list[Activity]:
    """Return one line of history per group. Raises ActionError on what cannot be done."""
    by = request.user if isinstance(request.user, User) else None
    if verb == "merge":
        return _merge(project, failures, value, by)
    if verb == "resolve":
        return [actions.resolve(one, by=by, where=value) for one in failures]
    if verb == "assign":
        user = User.objects.filter(pk=whole_number(value) or 0).first()
        if value and user is None:
            raise ActionError(f"There is no such person. Got {value[:20]!r}.", "assignee")
        return [actions.assign(one, user, by=by) for one in failures]
    if verb == "ignore":
        days = {"7d": 7, "30d": 30}.get(value)
        until = timezone.now() + timedelta(days=days) if days else None
        events = whole_number(value, most=1_000_000) or None
        doubled = value == "doubled"
        return [
            actions.ignore(one, by=by, until=until, events=events, doubled=doubled)
            for one in failures
        ]
    if verb == "split":
        return [actions.split(one, by=by) for one in failures]
    if verb == "reopen":
        return [actions.reopen(one, by=by) for one in failures]
    raise ActionError("Say what to do: resolve, assign, ignore, merge or reopen.", "act")


def _merge(
    project: Project, failures: Sequence[Failure], key: str, by: User | None
) -> list[Activity]:
    """Merge the groups into the one named, else into the first of them."""
    into = querysets.by_key(project, key.upper()) if key else failures[0]
    if into is None:
        raise ActionError(f"There is no failure {key[:40]!r} in this project.", "merge_into")
    rest = [one for one in failures if one.pk != into.pk]
    if not rest:
        raise ActionError("Choose two failures or more, or name the one to merge into.", "key")
    return [actions.merge(one, into, by=by) for one in rest]


@require_POST
def undo(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """Take back what one request did, as its signed token says."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    try:
        done = signing.loads(token, salt=UNDO_SALT, max_age=UNDO_SECONDS)
    except signing.BadSignature:
        raise Http404("This can no longer be undone.") from None
    if done["project"] != project.pk or done["user"] != request.user.pk:
        raise Http404("This can no longer be undone.")
    by = request.user if isinstance(request.user, User) else None
    with transaction.atomic():
        lines = Activity.objects.filter(failure__project=project, pk__in=done["lines"])
        count = sum(actions.undo(line, by=by) for line in lines.order_by("-pk"))
    shell.toast(request, "Undone" if count else "That was undone before", icon="undo")
    return shell.back(request)


def _undo_url(request: HttpRequest, project: Project, done: Sequence[Activity]) -> str:
    about = {"project": project.pk, "user": request.user.pk, "lines": [line.pk for line in done]}
    token = signing.dumps(about, salt=UNDO_SALT, compress=True)
    return reverse("failures_undo", args=[project.slug, token])


def _chosen(project: Project, key: str, rows: Sequence[querysets.Row]) -> Failure | None:
    """Return the group that the URL names, else the first of the list."""
    named = querysets.by_key(project, key)
    return named or (rows[0].failure if rows else None)


def _offset(text: str) -> int:
    return whole_number(text, most=10**6) or 0


def _tab_url(base: str, name: str, keep: dict[str, str]) -> str:
    kept = {k: v for k, v in keep.items() if k not in {"status", "after"}}
    return links.with_query(base, kept if name == "all" else {**kept, "status": name})


def _sorts(base: str, keep: dict[str, str]) -> list[tuple[str, str, str]]:
    kept = {k: v for k, v in keep.items() if k not in {"sort", "after"}}
    return [
        ("impact", "Impact", links.with_query(base, kept)),
        ("last_seen", "Last seen", links.with_query(base, {**kept, "sort": "last_seen"})),
    ]
