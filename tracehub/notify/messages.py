"""What an event says: as JSON for programs, as a sentence with a link for people."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from django.conf import settings

from tracehub.core.trace_json import iso
from tracehub.projects.models import Event


class Message(NamedTuple):
    """An event for people: one line, more lines, and where to look."""

    title: str
    lines: list[str]
    url: str


def payload(event: Event) -> bytes:
    """Return the body of a webhook; the same bytes at every try."""
    return orjson.dumps(
        {
            "type": event.kind,
            "timestamp": iso(event.at),
            "data": {
                "project": event.project.slug,
                **_public(event.body),
                "url": message(event).url,
            },
        }
    )


def _public(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without what only the delivery needs."""
    return {name: value for name, value in body.items() if name not in {"to", "place", "emails"}}


def slack_payload(event: Event) -> bytes:
    """Return what Slack, Mattermost and their like take; `&`, `<` and `>` are escaped for them."""
    said = message(event)
    lines = [f"*{_escaped(said.title)}*", *map(_escaped, said.lines)]
    if said.url:
        lines.append(f"<{_escaped(said.url)}|Open in TraceHub>")
    return orjson.dumps({"text": "\n".join(lines)})


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message(event: Event) -> Message:
    """Return what an event says to people."""
    title, lines, place = said(event)
    url = f"{settings.BASE_URL}/{event.project.slug}/{place}" if place else ""
    one_line = " ".join(f"{event.project.name}: {title}".split())
    return Message(one_line[:200], [line for line in lines if line], url)


Said = tuple[str, list[str], str]  # title, more lines, path below the project


def said(event: Event) -> Said:
    """Return what an event says, without its project."""
    return _WORDS.get(event.kind, _other)(event.body)


def _failure(body: dict[str, Any], verb: str) -> Said:
    lines = [f"Severity {body.get('severity', 'none')}, {body.get('events', 0)} traces so far."]
    if body.get("where"):
        lines.append(str(body["where"]))
    if body.get("assignee"):
        lines.append(f"Assigned to {body['assignee']}.")
    place = f"failures/{quote(str(body.get('key', '')))}"
    return f"{body.get('key')} {verb}: {body.get('title')}", lines, place


def _new(body: dict[str, Any]) -> Said:
    return _failure(body, "is new")


def _regressed(body: dict[str, Any]) -> Said:
    return _failure(body, "is back")


def _assigned(body: dict[str, Any]) -> Said:
    return f"{body.get('key')} is yours: {body.get('title')}", [f"By {body.get('by')}."], _at(body)


def _mentioned(body: dict[str, Any]) -> Said:
    title = f"{body.get('by')} named you on {body.get('key')}"
    return title, [str(body.get("title"))], _at(body)


def _trace_mentioned(body: dict[str, Any]) -> Said:
    return f"{body.get('by')} named you on a trace", [], f"traces/{body.get('trace_id')}"


def _trace_assigned(body: dict[str, Any]) -> Said:
    return f"{body.get('by')} gave you a trace", [], f"traces/{body.get('trace_id')}"


def _at(body: dict[str, Any]) -> str:
    return f"failures/{quote(str(body.get('key', '')))}"


def _trace(body: dict[str, Any]) -> Said:
    kinds = ", ".join(body.get("signals") or []) or "status error"
    return f"{body.get('name')} failed: {kinds}", [], f"traces/{body.get('trace_id')}"


def _review(body: dict[str, Any]) -> Said:
    modes = ", ".join(body.get("failure_modes") or [])
    title = f"Reviewed as {body.get('verdict')}{f': {modes}' if modes else ''}"
    return title, [f"By {body.get('by')}."], f"traces/{body.get('trace_id')}"


def _case(body: dict[str, Any]) -> Said:
    title = f"{body.get('case')} added to {body.get('set')}: {body.get('title')}"
    return title, [], f"evals/{body.get('set')}/cases/{body.get('case')}"


def _gate(body: dict[str, Any]) -> Said:
    lines = [str(body.get("headline") or "")]
    title = f"Gate of {body.get('set')} run {body.get('run')}: {body.get('verdict')}"
    return title, lines, f"evals/{body.get('set')}/runs/{body.get('run')}"


def _rollout(body: dict[str, Any]) -> Said:
    title = f"{body.get('candidate')} is now {str(body.get('stage')).replace('_', ' ')}"
    lines = [f"Held against {body.get('control')}.", str(body.get("reason") or "")]
    return title, lines, f"rollout?id={body.get('rollout')}"


def _budget(body: dict[str, Any]) -> Said:
    verb = "is passed" if body.get("passed") == "spent" else "will be passed"
    title = f"Budget of {body.get('budget')} {verb} in {body.get('month')}"
    spent = f"${body.get('spent')} spent, ${body.get('forecast')} expected of ${body.get('amount')}"
    return title, [f"{spent}."], "settings/budgets"


def _other(body: dict[str, Any]) -> Said:
    return (
        str(body.get("message", "News")),
        [str(line) for line in body.get("lines", [])],
        str(body.get("place", "")),
    )


_WORDS = {
    "trace.failed": _trace,
    "failure.new": _new,
    "failure.regressed": _regressed,
    "failure.assigned": _assigned,
    "failure.mentioned": _mentioned,
    "trace.mentioned": _trace_mentioned,
    "trace.assigned": _trace_assigned,
    "review.done": _review,
    "case.promoted": _case,
    "gate.decided": _gate,
    "budget.passed": _budget,
    "rollout.moved": _rollout,
}
