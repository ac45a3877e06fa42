"""Recorded tool results, served back to the program under test while its case runs."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tracehub.core.assess.checks import equal
from tracehub.core.cases import Case

MAX_BODY = 1024 * 1024


def recorded(case: Case, name: str, arguments: Any) -> dict[str, Any] | None:
    """Return the recorded call with this name and these arguments, else the only one of the name.

    >>> call = {"name": "get_booking", "arguments": {"pnr": "X"}, "result": 1}
    >>> case = {"tool_calls": {"recorded": [call]}}
    >>> recorded(case, "get_booking", {"pnr": "Y"})["result"], recorded(case, "pay", {})
    (1, None)
    """
    named: list[dict[str, Any]] = [
        call for call in case["tool_calls"]["recorded"] if call["name"] == name
    ]
    for call in named:
        if equal(call.get("arguments"), arguments):
            return call
    return named[0] if len(named) == 1 else None


@contextlib.contextmanager
def serving(cases: Sequence[Case]) -> Iterator[str]:
    """Serve the recorded calls of all cases during the block; gives the address, "" for none.

    A program adds its case: `POST ADDRESS/c_0001` with `{"name", "arguments"}` answers
    `{"result"}`, or 404 when nothing like it was recorded. Only this machine can reach it.
    """
    known = {case["id"]: case for case in cases if case["tool_calls"]["recorded"]}
    if not known:
        yield ""
        return
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(known)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _handler(known: dict[str, Case]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, answer = self._answer()
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self) -> tuple[int, dict[str, Any]]:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > MAX_BODY:
                return 400, {"error": f"Content-Length must be a number up to {MAX_BODY}."}
            case = known.get(self.path.strip("/"))
            if case is None:
                return 404, {"error": f"{self.path[:60]} is no case with recorded tool calls."}
            try:
                asked = json.loads(self.rfile.read(int(length)))
                name, arguments = asked["name"], asked.get("arguments", {})
            except (ValueError, KeyError, TypeError, AttributeError):
                return 400, {"error": 'Send {"name", "arguments"} as JSON.'}
            call = recorded(case, name, arguments)
            if call is None:
                return 404, {"error": f"{str(name)[:60]} was not recorded with these arguments."}
            return 200, {"result": call.get("result")}

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: the terminal belongs to the progress bar."""

    return Handler
