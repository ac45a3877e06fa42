"""Every call of the API in one table: the routes, the scopes and the OpenAPI document are this."""

from __future__ import annotations

from tracehub.api import (
    admin,
    contracts,
    eval_sets,
    failures,
    ingestion,
    measures,
    prompts,
    queues,
    reviews,
    rollouts,
    runs,
    traces,
)
from tracehub.api.numbered import CURSOR, LIMIT
from tracehub.api.requests import Param
from tracehub.api.router import Call
from tracehub.api.setup.shape import SETUP
from tracehub.core.exports import ALIASES, FORMATS

Q = Param("q", "A filter, as in the list of traces.", example="is:failing model:gpt-4o*")
FROM = Param("from", "Start of the range: ISO 8601, a date, or an age such as 24h.", example="24h")
TO = Param("to", "End of the range, itself not in it. The same forms.")
SORT = Param(
    "sort", "started_at, latency, cost or tokens; - in front falls. -started_at unless said."
)
FORMAT = Param("format", f"One of {', '.join([*ALIASES, *FORMATS])}. native unless said.")

CALLS: tuple[Call, ...] = (
    Call(
        "GET", "/traces", "read", traces.list_traces,
        "List traces", "Trace summaries, newest first unless sort says otherwise.",
        params=(Q, FROM, TO, SORT, CURSOR, LIMIT),
    ),
    Call(
        "POST", "/traces", "ingest", None,
        "Send traces", "What was accepted, once it is on disk.",
        body=ingestion.TRACES,
    ),
    Call(
        "GET", "/traces/{trace_id}", "read", traces.get_trace,
        "Get a trace", "The whole trace, computed from its spans at the time of asking.",
    ),
    Call(
        "GET", "/traces/{trace_id}/raw", "read", traces.get_raw,
        "Get what was received", "Every span attribute for attribute, after masking.",
    ),
    Call(
        "POST", "/traces/{trace_id}/reviews", "review", reviews.add_review,
        "Review a trace", "The review. The same again, before anyone says otherwise, is one.",
        body=reviews.REVIEW, creates=True,
    ),
    Call(
        "GET", "/facets", "read", traces.get_facets,
        "Count values", "How often each value of each key occurs in the range.",
        params=(Q, FROM, TO),
    ),
    Call(
        "POST", "/feedback", "ingest", None,
        "Send feedback", "What was accepted, once it is on disk. Idempotent on id.",
        body=ingestion.FEEDBACK,
    ),
    Call(
        "GET", "/failure-modes", "read", reviews.list_modes,
        "List failure modes", "The taxonomy of the project.",
        params=(CURSOR, LIMIT),
    ),
    Call(
        "POST", "/failure-modes", "admin", reviews.add_mode,
        "Add a failure mode", "The failure mode.",
        body=reviews.MODE, creates=True,
    ),
    Call(
        "GET", "/queues", "read", queues.list_queues,
        "List review queues", "The queues with their rules.",
        params=(CURSOR, LIMIT),
    ),
    Call(
        "POST", "/queues", "review", queues.add_queue,
        "Make a review queue", "The queue, filled with what its rules find.",
        body=queues.QUEUE, creates=True,
    ),
    Call(
        "GET", "/queues/{id}/next", "read", queues.next_item,
        "Get the next trace of a queue", "The next item that waits and is nobody's, or null.",
    ),
    Call(
        "GET", "/queues/{id}/stats", "read", queues.stats,
        "See how a queue stands", "Progress, and how far its reviewers agree.",
    ),
    Call(
        "GET", "/eval-sets", "read", eval_sets.list_sets,
        "List eval sets", "The sets with their versions and draft.",
        params=(CURSOR, LIMIT),
    ),
    Call(
        "POST", "/eval-sets", "review", eval_sets.add_set,
        "Make an eval set", "The set. Without a slug it comes from the name.",
        body=eval_sets.SET, creates=True,
    ),
    Call(
        "GET", "/eval-sets/{slug}", "read", eval_sets.get_set,
        "Get an eval set", "The set with its versions and draft.",
    ),
    Call(
        "PATCH", "/eval-sets/{slug}", "review", eval_sets.change_set,
        "Rename or describe an eval set, or change its gate rules",
        "The set. Its slug stays. Rules that gate does not name get their defaults.",
        body=eval_sets.SET_CHANGE,
    ),
    Call(
        "GET", "/eval-sets/{slug}/cases", "read", eval_sets.list_cases,
        "List cases", "The cases of a version, or of the draft, in the native form.",
        params=(Param("version", "A version number, or draft. draft unless said."), CURSOR, LIMIT),
    ),
    Call(
        "POST", "/eval-sets/{slug}/cases", "review", eval_sets.add_cases,
        "Add cases to the draft",
        "The case in the native form; for an array, items in its order. All or none are added.",
        body=eval_sets.ADD, outline={"type": ["object", "array"]}, creates=True,
    ),
    Call(
        "POST", "/eval-sets/{slug}/fix", "review", eval_sets.fix,
        "Fix the draft", "The new version, which never changes.",
        body=eval_sets.FIX, creates=True,
    ),
    Call(
        "GET", "/eval-sets/{slug}/versions/{version}/export", "read", eval_sets.export,
        "Export a version", "The file, or a zip when the format has several.",
        params=(
            FORMAT,
            Param("draft", "true exports the draft before it is fixed."),
            Param("raw", "true leaves cells of csv as they are, for programs."),
        ),
    ),
    Call(
        "GET", "/eval-sets/{slug}/runs", "read", runs.list_runs,
        "List runs", "The runs of a set, newest first.",
        params=(
            Param("version", "Only runs of this version.", "whole", maximum=999_999_999),
            CURSOR, LIMIT,
        ),
    ),
    Call(
        "POST", "/eval-sets/{slug}/runs", "review", runs.add_run,
        "Store a run", "The run with the verdict of its gate.",
        body=runs.RUN, outline=runs.RUN_OUTLINE, creates=True,
    ),
    Call(
        "GET", "/rollouts", "read", rollouts.list_rollouts,
        "List rollouts", "The rollouts of the project, newest first.",
        params=(CURSOR, LIMIT),
    ),
    Call(
        "GET", "/rollouts/flags", "read", rollouts.get_flags,
        "Read the flags", "Which prompt version each cohort gets, in the form of flagd.",
    ),
    Call(
        "GET", "/runs/{id}", "read", runs.get_run,
        "Get a run", "The run with the tries of each case.",
    ),
    Call(
        "GET", "/runs/{id}/gate", "read", runs.get_gate,
        "Decide a gate", "Verdict, reasons and cases, against the baseline.",
        params=(
            Param("baseline", "The id of a run of the same set, or auto. auto unless said."),
            Param("format", "json, junit or markdown. json unless said."),
        ),
    ),
    Call(
        "GET", "/metrics", "read", measures.get_metrics,
        "Read a metric", "The metric over time, by group, the busiest group first.",
        params=(
            Param("metric", "Its name, such as latency_p95.", required=True, example="cost"),
            Param("group", "What to tell apart, such as model or prompt."),
            Q, FROM, TO,
            Param("step", "Width of a step, such as 5m, 1h or 1d."),
        ),
    ),
    Call(
        "GET", "/failures", "read", failures.list_failures,
        "List failures", "Groups by impact: events of the last 14 days x severity.",
        params=(
            Param("status", "all, triage, new, regressed, ongoing, resolved or ignored."),
            Param("q", "Words in title, span, kind or key.", example="refund"), CURSOR, LIMIT,
        ),
    ),
    Call(
        "GET", "/failures/{key}", "read", failures.get_failure,
        "Get a failure", "The group with its reason, days and history.",
    ),
    Call(
        "PATCH", "/failures/{key}", "review", failures.change_failure,
        "Resolve, ignore, assign or merge a failure", "The group. All of it is done or nothing.",
        body=failures.CHANGE,
    ),
    Call(
        "GET", "/contracts", "read", contracts.list_contracts,
        "List contracts", "The newest version of each.",
        params=(CURSOR, LIMIT),
    ),
    Call(
        "POST", "/contracts", "admin", contracts.add_contract,
        "Publish a contract", "The version. What is in force already makes none.",
        body=contracts.CONTRACT, creates=True,
    ),
    Call(
        "GET", "/setup", "admin", admin.get_setup,
        "Read the set-up", "Members, keys, modes, contracts, queues and alerts as they are.",
    ),
    Call(
        "POST", "/setup", "admin", admin.post_setup,
        "Set the project up", "The changes, and the text of each new key, this once.",
        body=SETUP,
        params=(Param("dry_run", "true tells the changes and makes none."),),
    ),
    Call(
        "DELETE", "/keys/{id}", "admin", admin.revoke_key,
        "Revoke a key", "The key, which is refused from now on.",
    ),
    Call(
        "DELETE", "/members/{email}", "admin", admin.remove_member,
        "Take a seat away", "The member who was removed. The last admin stays.",
    ),
    Call(
        "POST", "/prompts", "ingest", prompts.add_prompt,
        "Register a prompt version", "The version with its template.",
        body=prompts.PROMPT, creates=True,
    ),
)  # fmt: skip
