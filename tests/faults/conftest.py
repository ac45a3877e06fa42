"""Fault tests run the real installation and kill its parts. `--seed` repeats a run."""

from __future__ import annotations

from tests.cli.conftest import folder, run_command, start_up

__all__ = ["folder", "run_command", "start_up"]
