"""20: what a trace says reaches a terminal as text."""

from __future__ import annotations

import io

from tracehub.cli.output import Output


def test_20_a_terminal_gets_no_escape_sequence():
    logs = io.StringIO()
    said = "\x1b[31mred\x1b]8;;https://x.example\x07link\x9b2J\rover"
    Output(logs=logs).line("worker", said)
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(logs.getvalue())
    assert "red" in logs.getvalue()
