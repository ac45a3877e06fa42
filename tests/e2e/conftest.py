"""The installation as a person meets it: `tracehub up` as a process, Chromium in front of it."""

from __future__ import annotations

from tests.cli.conftest import folder, run_command, start_up

__all__ = ["folder", "run_command", "start_up"]
