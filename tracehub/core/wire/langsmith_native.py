"""LangSmith's own API: `POST /runs/batch` (JSON) and `POST /runs/multipart` -> raw spans.

A run becomes a span with the attributes of LangSmith's OTel mode, so that one convention reads
both. The trace id is the UUID without dashes, the span id the last 16 digits of the run's UUID
(the first ones of a UUIDv7 are the time and would clash).

The SDK posts a run when it starts and patches it when it ends, often in a later request. Runs of
one request are merged here. A patch whose post came earlier lacks the inputs: it is listed in
`partial`, and storage must join it to the stored span with `merge` before the upsert rule, else
the finished half would replace the half that has the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import Message
from typing import Any

from tracehub.core.trace import Json, RawSpan, Rejected, SpanKey
from tracehub.core.wire.decoded import Decoded, SpanError, WireError, check_count, shown
from tracehub.core.wire.json_text import load
from tracehub.core.wire.values import cleaned, object_of, shallow, text_of

PARTS = ("inputs", "outputs", "events", "extra", "error", "serialized")
MAX_PARTS = 400_000
SCOPE: dict[str, Json] = {"name": "langsmith", "version": ""}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Runs:
    """What a request held. `partial` names spans that came as a patch without their post."""

    decoded: Decoded = field(default_factory=Decoded)
    partial: list[SpanKey] = field(default_factory=list)
    feedback: list[dict[str, Json]] = field(default_factory=list)


def decode_batch(body: bytes) -> Runs:
    """Read `{"post": [run], "patch": [run]}`. Raises WireError when it is not that."""
    decoded = Decoded()
    value = _clean(body, load(body, decoded))
    if not isinstance(value, dict):
        raise WireError(f"The body must be an object. Got {shown(value)}.", "body")
    found = Runs(decoded)
    posts, patches = (_runs_of(value, name) for name in ("post", "patch"))
    _finish(posts, patches, found)
    return found


def decode_multipart(body: bytes, content_type: str) -> Runs:
    """Read parts named `post.<run id>`, `patch.<run id>.outputs` and so on.

    Raises WireError without a boundary. Attachments are not kept.
    """
    found = Runs()
    runs: dict[str, dict[str, dict[str, Json]]] = {"post": {}, "patch": {}}
    for name, value in _parts(body, _boundary(content_type)):
        verb, _, rest = name.partition(".")
        run_id, _, part = rest.partition(".")
        if verb == "feedback":
            found.feedback.append(object_of(_loaded(name, value, found.decoded)))
        elif verb in runs and (not part or part in PARTS):
            run = runs[verb].setdefault(run_id, {"id": run_id})
            content = _loaded(name, value, found.decoded)
            if part:
                run[part] = content
            elif isinstance(content, dict):
                run.update(content)
    _finish(list(runs["post"].values()), list(runs["patch"].values()), found)
    return found


def merge(stored: RawSpan, patch: RawSpan) -> RawSpan:
    """The stored half of a run joined with a patch that came later; what the patch has wins."""
    return replace(
        patch,
        parent_id=patch.parent_id or stored.parent_id,
        name=patch.name or stored.name,
        start_ns=patch.start_ns or stored.start_ns,
        end_ns=patch.end_ns or stored.end_ns,
        attributes={**stored.attributes, **patch.attributes},
        events=patch.events or stored.events,
    )


def _clean(text: bytes, value: Json) -> Json:
    if not shallow(value, 64):
        raise WireError("Lists and objects may nest 64 deep. These go deeper.", "body")
    return cleaned(value) if b"\\u0000" in text else value


def _runs_of(value: dict[str, Json], name: str) -> list[dict[str, Json]]:
    runs = value.get(name) or []
    if not isinstance(runs, list):
        raise WireError(f"{name} must be a list of runs. Got {shown(runs)}.", name)
    return [run for run in runs if isinstance(run, dict)]


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise WireError("multipart/form-data needs a boundary. Got none.", "Content-Type")
    return b"--" + boundary.encode("latin-1", "replace")


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each part."""
    position = body.find(boundary)
    count = 0
    while position >= 0:
        start = position + len(boundary)
        position = body.find(b"\r\n" + boundary, start)
        if position < 0 or body.startswith(b"--", start):
            return
        head, _, content = body[start:position].partition(b"\r\n\r\n")
        position += 2
        count += 1
        if count > MAX_PARTS:
            raise WireError(f"A request may hold {MAX_PARTS:,} parts. Send smaller ones.", "body")
        marker = head.find(b'name="')
        if marker >= 0:
            name = head[marker + 6 :].partition(b'"')[0]
            yield name.decode("utf-8", "replace"), content


def _loaded(name: str, content: bytes, decoded: Decoded) -> Json:
    try:
        return _clean(content, load(content, decoded))
    except WireError as error:
        raise WireError(f"The part {shown(name)} is not JSON: {error.message}", name) from error


def _finish(posts: list[dict[str, Json]], patches: list[dict[str, Json]], found: Runs) -> None:
    check_count(len(posts) + len(patches))
    runs: dict[str, dict[str, Json]] = {}
    posted: set[str] = set()
    for run in posts:
        key = str(run.get("id"))
        posted.add(key)
        runs[key] = run
    for run in patches:
        key = str(run.get("id"))
        runs[key] = _patched(runs.get(key, {}), run)
    for index, (key, run) in enumerate(runs.items()):
        try:
            raw = _span(run)
        except SpanError as error:
            found.decoded.rejected.append(Rejected(index, error.field, error.message))
            continue
        found.decoded.spans.append(raw)
        if key not in posted:
            found.partial.append(SpanKey(raw.trace_id, raw.span_id))


def _patched(run: dict[str, Json], patch: dict[str, Json]) -> dict[str, Json]:
    """A run with what the patch says; an empty value of the patch takes nothing away."""
    return {**run, **{key: value for key, value in patch.items() if value not in (None, {}, [])}}


def _span(run: dict[str, Json]) -> RawSpan:
    order = text_of(run.get("dotted_order")) or ""
    steps = order.split(".") if order else []
    run_id = _uuid(run.get("id"), "id")
    trace_id = run.get("trace_id") or (steps[0][-36:] if steps else run.get("id"))
    parent = run.get("parent_run_id") or (steps[-2][-36:] if len(steps) > 1 else None)
    error = text_of(run.get("error"))
    start_ns = _time(run.get("start_time")) or (_compact_time(steps[-1]) if steps else 0)
    return RawSpan(
        _uuid(trace_id, "trace_id"),
        run_id[16:],
        _uuid(parent, "parent_run_id")[16:] if parent else None,
        text_of(run.get("name")) or "",
        start_ns,
        _time(run.get("end_time")),
        _attributes(run),
        _events(run, error),
        status_code=2 if error else 0,
        scope=SCOPE,
    )


def _uuid(value: Json, name: str) -> str:
    digits = value.replace("-", "").lower() if isinstance(value, str) else ""
    if (
        len(digits) != 32
        or not set(digits) <= set("0123456789abcdef")
        or not digits[16:].strip("0")
    ):
        raise SpanError(name, f"must be a UUID. Got {shown(value)}")
    return digits


def _time(value: Json) -> int:
    """An ISO time (UTC without a zone) or epoch milliseconds as nanoseconds; 0 for none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1_000_000 if 0 < value < 2**53 // 1000 else 0
    if not isinstance(value, str):
        return 0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0
    return _ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _compact_time(step: str) -> int:
    """The start in a step of `dotted_order`: `20261124T215140905827Z<uuid>`."""
    stamp = step.partition("Z")[0]
    try:
        return _ns(datetime.strptime(stamp, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC))
    except ValueError:
        return 0


def _ns(moment: datetime) -> int:
    delta = moment - EPOCH
    micros = (delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds
    return max(micros, 0) * 1000


def _attributes(run: dict[str, Json]) -> dict[str, Json]:
    result: dict[str, Json] = {"langsmith.span.kind": text_of(run.get("run_type")) or "chain"}
    inputs, outputs = run.get("inputs"), run.get("outputs")
    if inputs:
        result["gen_ai.prompt"] = inputs
    if outputs:
        result["gen_ai.completion"] = _unwrapped(outputs, result["langsmith.span.kind"])
    if project := text_of(run.get("session_name")):
        result["langsmith.trace.session_name"] = project
    if isinstance(tags := run.get("tags"), list) and tags:
        result["langsmith.span.tags"] = ",".join(tag for tag in tags if isinstance(tag, str))
    extra = object_of(run.get("extra"))
    metadata = dict(object_of(extra.get("metadata")))
    usage = object_of(outputs).get("usage_metadata")
    if usage and not metadata.get("usage_metadata"):
        metadata["usage_metadata"] = usage
    for key, value in metadata.items():
        result[f"langsmith.metadata.{key}"] = value
    if parameters := object_of(extra.get("invocation_params")):
        result["langsmith.invocation_params"] = parameters
    if name := text_of(object_of(run.get("serialized")).get("name")):
        result["gen_ai.serialized.name"] = name
    return result


def _unwrapped(outputs: Json, kind: Json) -> Json:
    """`{"output": x}`, which `traceable` puts around any value, as x; calls stay as they are.

    In JavaScript it is `outputs`.
    """
    if not isinstance(outputs, dict) or len(outputs) != 1 or kind == "llm":
        return outputs
    inner: Any = outputs.get("output", outputs.get("outputs"))
    return outputs if inner is None else inner


def _events(run: dict[str, Json], error: str | None) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = []
    events = run.get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            rest = {key: value for key, value in event.items() if key not in ("name", "time")}
            found.append(
                {
                    "name": text_of(event.get("name")) or "",
                    "time_ns": _time(event.get("time")),
                    "attributes": rest,
                }
            )
    if error:
        told = {"exception.type": "Exception", "exception.message": error}
        end_ns = _time(run.get("end_time"))
        found.append({"name": "exception", "time_ns": end_ns, "attributes": told})
    return found
