"""The keys of every page, as the help shows them: groups of a label and its keys."""

from __future__ import annotations

SHORTCUTS = (
    (
        "Go to",
        (
            ("Traces", "g t"),
            ("Failures", "g f"),
            ("Review", "g r"),
            ("Eval sets", "g e"),
            ("Metrics", "g m"),
            ("Prompts", "g p"),
            ("Sessions", "g o"),
            ("Saved view", "g 1 … 9"),
            ("Settings", "g s"),
        ),
    ),
    (
        "Anywhere",
        (
            ("Search and filter", "/"),
            ("Time range", "t"),
            ("Undo", "z"),
            ("Copy link", "c"),
            ("Close, clear selection", "esc"),
            ("This help", "?"),
        ),
    ),
    (
        "Lists",
        (
            ("Next, previous", "j k"),
            ("Open", "↵"),
            ("Preview", "space"),
            ("Select", "x"),
            ("Select to here", "⇧ x"),
            ("Select all that match", "a"),
            ("Saved views", "b"),
            ("Label", "l"),
            ("Add to queue", "q"),
            ("Promote to eval set", "e"),
            ("Fail, pass, unsure", "f p u"),
        ),
    ),
    (
        "Failures",
        (
            ("Resolve in the next version", "r"),
            ("Assign", "a"),
            ("Ignore", "i"),
            ("Merge", "m"),
            ("Promote examples", "e"),
        ),
    ),
    (
        "Review",
        (
            ("Fail, pass, unsure", "f p u"),
            ("Failure mode", "1 … 9"),
            ("Severity", "[ ]"),
            ("Note", "n"),
            ("Promote to eval case", "e"),
            ("Find or name a mode", "m"),
            ("Pin the failing step", "x"),
            ("Skip", "s"),
            ("Submit and open next", "⌘ ↵"),
            ("Quickly: submit pass, unsure", "p u"),
            ("Quickly: fail with a mode", "f 1 … 9"),
            ("Quickly: fail with a note", "f text ↵"),
            ("Quickly: add a mode", "⇧ 1 … 9"),
        ),
    ),
    (
        "Session",
        (
            ("Next, previous turn", "j k"),
            ("Where it went wrong", "o"),
            ("Fail, pass, unsure", "f p u"),
            ("Pin the turn", "x"),
            ("Keep the turn as a case", "e"),
            ("Open the trace", "↵"),
        ),
    ),
    (
        "Coding board",
        (
            ("Next, previous note", "j k"),
            ("Choose", "x"),
            ("Into a mode", "1 … 9"),
            ("New mode", "n"),
            ("Accept the suggestion", "."),
            ("To the modes, over them", "tab ← ↑ → ↓"),
            ("Later", "d"),
            ("Rename, merge, split", "r m s"),
            ("Open the trace", "space"),
            ("Publish", "⌘ ↵"),
        ),
    ),
    (
        "Where it breaks",
        (
            ("Move between cells", "↑ ↓ ← →"),
            ("Next, previous hot cell", "j k"),
            ("Choose the cell, open its traces", "↵"),
            ("Queue the cell", "q"),
        ),
    ),
    (
        "Run",
        (
            ("Next, previous case", "j k"),
            ("Open the source trace", "o"),
        ),
    ),
    (
        "Trace",
        (
            ("Next, previous trace", "j k"),
            ("Move between spans", "↑ ↓"),
            ("Fold, unfold", "← →"),
            ("Jump to the error", "o"),
            ("Raw view", "v"),
            ("Search its text", "/"),
            ("Note on the selected passage", "a"),
        ),
    ),
)
