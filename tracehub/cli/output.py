"""Lines of many processes on one terminal, each with its name before it."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

# Terminal control characters in a log line may come from a trace; they are shown, not obeyed.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)
_NAME_WIDTH = 8


def visible(text: str) -> str:
    r"""Return `text` with every control character but the tab spelled out.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class Output:
    """Writes log lines to standard error and results to standard output."""

    def __init__(self, logs: TextIO | None = None, results: TextIO | None = None) -> None:
        self.logs = logs or sys.stderr
        self.results = results or sys.stdout
        self.coloured = self.logs.isatty() and "NO_COLOR" not in os.environ
        self._colour_of: dict[str, int] = {}

    def line(self, name: str, text: str) -> None:
        """Write one log line of the process `name`."""
        prefix = f"{name:<{_NAME_WIDTH}} |"
        if self.coloured:
            index = self._colour_of.setdefault(name, len(self._colour_of) % len(_COLOURS))
            prefix = f"\x1b[{_COLOURS[index]}m{prefix}\x1b[0m"
        self._write(self.logs, f"{prefix} {visible(text)}")

    def say(self, text: str) -> None:
        """Write one log line of the supervisor itself."""
        self.line("tracehub", text)

    def result(self, text: str) -> None:
        """Write a result, which a script may read, to standard output."""
        self._write(self.results, text)

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        """Write a line; a reader that went away (`| head`, a closed terminal) stops nothing."""
        try:
            stream.write(text + "\n")
            stream.flush()
        except (BrokenPipeError, OSError):
            # The interpreter flushes at exit: give it somewhere to flush to.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
