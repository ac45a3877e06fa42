"""What TraceHub tells of itself: errors to Sentry, spans of its work over OpenTelemetry.

Off unless SENTRY_DSN or OTEL_EXPORTER_OTLP_ENDPOINT is set. Both get an allow-list: names of code,
routes and tasks, times and states. Never a value, a message, an address with ids, a header, a body:
those may hold what a trace says, or a key. Ingestion has no spans; /metrics counts it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from celery import signals
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

logger = logging.getLogger(__name__)

_KEPT = ("event_id", "timestamp", "level", "platform", "release", "environment", "logger", "sdk")
_FRAME = ("filename", "function", "module", "lineno", "in_app")
_SPAN = "_telemetry_span"
_tracer: Any = None  # of OpenTelemetry, once started


def start(part: str, version: str) -> None:
    """Begin what the settings ask for in this process; `part` is web or worker.

    A setting whose package is not there is said, and stops nothing: shells of people who develop
    applications often have the one of OpenTelemetry.
    """
    wanted: tuple[tuple[bool, str, Callable[[str, str], None]], ...] = (
        (bool(settings.SENTRY_DSN), "sentry", start_sentry),
        (settings.OTEL, "otel", start_spans),
    )
    for on, extra, begin in wanted:
        if not on:
            continue
        try:
            begin(part, version)
        except ModuleNotFoundError as missing:
            logger.warning(
                "Nothing is told of TraceHub itself: %s is not installed. Install tracehub[%s].",
                missing.name,
                extra,
            )


def start_sentry(part: str, version: str, **more: Any) -> None:
    """Send errors. `more` goes to the SDK: tests take events from a transport of their own."""
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=f"tracehub@{version}",
        environment=part,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        server_name="",
        before_send=lambda event, _hint: clean(event),  # type: ignore[arg-type,return-value]
        **more,
    )


def clean(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an event of Sentry may go out: which error, and where in the code.

    >>> clean({"level": "error", "request": {"url": "x"}, "message": "of Ida", "exception": {
    ...     "values": [{"type": "KeyError", "value": "'Ida'", "module": "builtins"}]}})
    {'level': 'error', 'exception': {'values': [{'type': 'KeyError', 'module': 'builtins'}]}}
    """
    kept: dict[str, Any] = {name: event[name] for name in _KEPT if name in event}
    errors = (event.get("exception") or {}).get("values") or []
    kept["exception"] = {"values": [_error(one) for one in errors]}
    return kept


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: error[name] for name in ("type", "module") if name in error}
    if frames := (error.get("stacktrace") or {}).get("frames"):
        kept["stacktrace"] = {
            "frames": [{name: one[name] for name in _FRAME if name in one} for one in frames]
        }
    return kept


def start_spans(part: str, version: str, processor: SpanProcessor | None = None) -> None:
    """Send a span for each request to a page or the API, and for each task of the worker."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer
    about = {"service.name": f"tracehub-{part}", "service.version": version}
    provider = TracerProvider(resource=Resource(about))
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("tracehub", version)
    signals.task_prerun.connect(_task_began)
    signals.task_postrun.connect(_task_ended)


class RequestSpans(MiddlewareMixin):
    """A span for each request, by the pattern of its route: ids and queries stay here."""

    def process_request(self, request: HttpRequest) -> None:
        if _tracer is not None:
            span = _tracer.start_span(request.method or "", attributes={
                "http.request.method": request.method or "",
            })  # fmt: skip
            setattr(request, _SPAN, span)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        span = getattr(request, _SPAN, None)
        if span is not None:
            route = request.resolver_match.route if request.resolver_match else ""
            span.update_name(f"{request.method} {route or 'no route'}")
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", response.status_code)
            span.end()
        return response


def _task_began(task: Any = None, **_: Any) -> None:
    if _tracer is not None:
        span = _tracer.start_span(task.name, attributes={"celery.task": task.name})
        setattr(task.request, _SPAN, span)


def _task_ended(task: Any = None, state: str | None = None, **_: Any) -> None:
    span = getattr(task.request, _SPAN, None)
    if span is not None:
        span.set_attribute("celery.state", state or "")
        span.end()
