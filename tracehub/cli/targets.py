"""The program under test, a command or an HTTP endpoint: a case goes in, its answer comes out."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import urlsplit

import click

from tracehub.core.assess.checks import Answer

ENVELOPE = {"output", "tool_calls", "cost", "latency_ms", "trace_id"}
MAX_ANSWER = 10 * 1024 * 1024
MAX_ERROR = 2000  # characters of a program's last words


class TargetError(Exception):
    """The program gave no answer: it crashed, timed out or answered nonsense."""


class Target(Protocol):
    """Something that answers cases; `ask` may be called from many threads.

    `stop` ends what is under way, for a person who does not want to wait.
    """

    def ask(self, case: Mapping[str, Any]) -> str: ...

    def stop(self) -> None: ...


class Command:
    """A program that reads one case as JSON and writes its answer, JSON or text."""

    def __init__(self, command: str, timeout: float, tools: str = "") -> None:
        self._tools = tools  # address of the recorded tool results
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="--command") from error
        if not self._words:
            raise click.BadParameter("may not be empty.", param_hint="--command")
        self._timeout = timeout
        self._under_way: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def stop(self) -> None:
        """End the programs under way; those that start later are ended at once."""
        self._stopped = True
        for process in list(self._under_way):
            _kill(process)

    def ask(self, case: Mapping[str, Any]) -> str:
        """Return what the program writes to standard output. Raises TargetError."""
        known = {"TRACEHUB_SET": str(case["set"]), "TRACEHUB_CASE": str(case["id"])}
        if self._tools:
            known["TRACEHUB_TOOLS_URL"] = f"{self._tools}/{case['id']}"
        try:
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=os.environ | known,
            )
        except OSError as error:
            raise TargetError(f"The command does not start: {error}.") from error
        self._under_way.add(process)
        try:
            if self._stopped:
                _kill(process)
            out, err = process.communicate(json.dumps(case).encode(), timeout=self._timeout)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            process.communicate()
            raise TargetError(f"No answer within {self._timeout:g} s.") from error
        finally:
            self._under_way.discard(process)
        if process.returncode:
            said = err.decode(errors="replace").strip()[-MAX_ERROR:]
            *before, last = said.splitlines() or [""]  # a traceback says what at its end
            first = f"The command exited with {process.returncode}. {last}".strip()
            raise TargetError("\n".join([first, *before]))
        if len(out) > MAX_ANSWER:
            raise TargetError(f"The answer has more than {MAX_ANSWER} bytes.")
        return out.decode(errors="replace").strip()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


class Endpoint:
    """An address that takes a case by POST. Each thread keeps its connection."""

    def __init__(self, url: str, timeout: float, tools: str = "") -> None:
        self._tools = tools
        self._parts = urlsplit(url)
        if self._parts.scheme not in {"http", "https"} or not self._parts.hostname:
            raise click.BadParameter(
                f"must be an http or https address. Got {url[:80]!r}.", param_hint="--url"
            )
        self._timeout = timeout
        self._threads = threading.local()

    def ask(self, case: Mapping[str, Any]) -> str:
        """Return the body of the answer. Raises TargetError."""
        kept = getattr(self._threads, "connection", None)
        try:
            return self._post(kept or self._connect(), case)
        except (OSError, http.client.HTTPException) as error:
            self._threads.connection = None
            if kept is None or isinstance(error, TimeoutError):
                raise TargetError(f"No answer: {error or type(error).__name__}.") from error
        try:  # a kept connection may have been closed meanwhile
            return self._post(self._connect(), case)
        except (OSError, http.client.HTTPException) as error:
            self._threads.connection = None
            raise TargetError(f"No answer: {error or type(error).__name__}.") from error

    def stop(self) -> None:
        """Let what is under way end by itself: a request cannot be called back."""

    def _connect(self) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        made = kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout)
        self._threads.connection = made
        return made

    def _post(self, connection: http.client.HTTPConnection, case: Mapping[str, Any]) -> str:
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        headers = {"Content-Type": "application/json", "User-Agent": "tracehub-run"}
        if self._tools:
            headers["TraceHub-Tools-URL"] = f"{self._tools}/{case['id']}"
        connection.request("POST", path, json.dumps(case).encode(), headers)
        answer = connection.getresponse()
        body = answer.read(MAX_ANSWER + 1)
        if len(body) > MAX_ANSWER:
            connection.close()
            raise TargetError(f"The answer has more than {MAX_ANSWER} bytes.")
        text = body.decode(errors="replace").strip()
        if answer.status >= 300:
            raise TargetError(f"It answered {answer.status}. {text[:MAX_ERROR]}".strip())
        return text


def ask(target: Target, case: Mapping[str, Any]) -> tuple[Answer, str]:
    """Return a program's answer to a case and the trace id that it names. Raises TargetError.

    JSON that is an object with `output`, and no other keys than those of ENVELOPE, says more than
    its output; anything else is the output itself. Without `latency_ms` the time is taken here.
    """
    begun = time.perf_counter()
    text = target.ask(case)
    took = (time.perf_counter() - begun) * 1000
    try:
        value = json.loads(text)
    except ValueError:
        return Answer(text, latency_ms=took), ""
    if not (isinstance(value, dict) and "output" in value and value.keys() <= ENVELOPE):
        return Answer(value, latency_ms=took), ""
    latency = value.get("latency_ms")
    answer = Answer(
        output=value["output"],
        tool_calls=_calls(value.get("tool_calls")),
        cost=_cost(value.get("cost")),
        latency_ms=float(latency) if isinstance(latency, int | float) else took,
    )
    return answer, str(value.get("trace_id") or "")


def _calls(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [one for one in value if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _cost(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        cost = Decimal(str(value))
    except InvalidOperation:
        cost = Decimal("NaN")
    if not cost.is_finite() or cost < 0:
        raise TargetError(f"cost must be US dollars such as 0.0042. Got {str(value)[:40]!r}.")
    return cost
