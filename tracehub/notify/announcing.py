"""Failing traces as events: only where somebody wants them, since there may be many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracehub.notify import querysets
from tracehub.projects import outbox

KIND = "trace.failed"


def announce_failed(
    changes: Sequence[tuple[Mapping[str, Any] | None, Mapping[str, Any]]],
) -> None:
    """Note the traces that fail now and did not before, given their rows before and after.

    Call it in the transaction that writes the rows. One query; none without a failing trace.
    """
    failed = [new for old, new in changes if new["failing"] and not (old and old["failing"])]
    if not failed:
        return
    wanted = querysets.wanting(KIND, {row["project_id"] for row in failed})
    outbox.emit_all(
        (row["project_id"], KIND, _told(row)) for row in failed if row["project_id"] in wanted
    )


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": row["trace_id"].hex,
        "name": row["name"],
        "status": row["status"],
        "verdict": row["verdict"],
        "signals": sorted(set(row["signal_kinds"])),
        "failures": sorted({s["failure"] for s in row["signals"] if s.get("failure")}),
        "environment": row["environment"],
        "release": row["release"],
        "cohort": row["cohort"],
        "prompts": list(row["prompts"]),
        "models": list(row["models"]),
    }
