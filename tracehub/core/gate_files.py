"""A gate as files for CI: JUnit XML for the list of tests, Markdown for the step summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from tracehub.core.assess.tries import ERROR, FAIL, SKIPPED
from tracehub.core.cases import KINDS
from tracehub.core.gating import NAMES, Gate

ROWS = 50  # of one Markdown table; GitHub shows 1 MiB per step
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case of a run as the files show it. `detail` says what went wrong, over lines."""

    id: str
    title: str
    kind: str
    status: str
    trace_url: str = ""
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """Which run of which set, against which baseline."""

    set: str
    version: int
    run: int
    baseline: int | None

    @property
    def label(self) -> str:
        return f"{self.set}@{self.version}"


def junit(gate: Gate, about: About, cases: Sequence[CaseLine]) -> str:
    """Return the gate as JUnit XML: a suite per kind, and one with a test case per rule."""
    body = list(_suites(gate, about, cases))
    tests, failures = len(cases) + len(gate.reasons), 0
    failures += sum(one.status == FAIL for one in cases)
    failures += sum(reason.ok is False for reason in gate.reasons)
    errors = sum(one.status == ERROR for one in cases)
    skipped = sum(one.status == SKIPPED for one in cases)
    skipped += sum(reason.ok is None for reason in gate.reasons)
    total = sum(one.seconds for one in cases)
    head = (
        f'<testsuites name="tracehub" tests="{tests}" failures="{failures}" errors="{errors}" '
        f'skipped="{skipped}" time="{total:.3f}">'
    )
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *body, "</testsuites>", ""])


def _suites(gate: Gate, about: About, cases: Sequence[CaseLine]) -> Iterator[str]:
    for kind in KINDS:
        mine = [one for one in cases if one.kind == kind]
        if mine:
            yield _suite_head(f"{about.label} {kind}", mine)
            for one in mine:
                yield from _test_case(gate, about, one)
            yield "</testsuite>"
    failures = sum(reason.ok is False for reason in gate.reasons)
    skipped = sum(reason.ok is None for reason in gate.reasons)
    yield (
        f'<testsuite name="gate" tests="{len(gate.reasons)}" failures="{failures}" errors="0" '
        f'skipped="{skipped}" time="0">'
    )
    for reason in gate.reasons:
        name = _attribute(f"{reason.rule}: {reason.title}" if reason.title else reason.rule)
        yield f'<testcase classname={_attribute(f"{about.set}.gate")} name={name} time="0">'
        if reason.ok is False:
            yield f'<failure type="gate" message={_attribute(reason.message)}></failure>'
        elif reason.ok is None:
            yield f"<skipped message={_attribute(reason.message)}/>"
        yield "</testcase>"
    yield "</testsuite>"


def _suite_head(name: str, cases: Sequence[CaseLine]) -> str:
    counts = [sum(one.status == status for one in cases) for status in (FAIL, ERROR, SKIPPED)]
    return (
        f'<testsuite name={_attribute(name)} tests="{len(cases)}" failures="{counts[0]}" '
        f'errors="{counts[1]}" skipped="{counts[2]}" '
        f'time="{sum(one.seconds for one in cases):.3f}">'
    )


def _test_case(gate: Gate, about: About, one: CaseLine) -> Iterator[str]:
    name = _attribute(f"{one.id} {one.title}".strip())
    yield (
        f"<testcase classname={_attribute(f'{about.set}.{one.kind}')} name={name} "
        f'time="{one.seconds:.3f}">'
    )
    yield (
        f'<properties><property name="tracehub_case" value={_attribute(one.id)}/>'
        f'<property name="trace_url" value={_attribute(one.trace_url)}/></properties>'
    )
    text = f"{one.detail}\n{one.trace_url}".strip()
    first = _attribute(one.detail.partition("\n")[0] or one.status)
    if one.status == FAIL:
        change = gate.changes.get(one.id, "")
        kind = {"regressed": "regression", "both_fail": "still_failing"}.get(change, "assertion")
        yield f'<failure type="{kind}" message={first}>{_text(text)}</failure>'
    elif one.status == ERROR:
        yield f'<error type="error" message={first}>{_text(text)}</error>'
    elif one.status == SKIPPED:
        yield f"<skipped message={first}/>"
    yield "</testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _text(text: str) -> str:
    clean = _FORBIDDEN.sub("", text)
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown(gate: Gate, about: About, cases: Sequence[CaseLine]) -> str:
    """Return the gate as Markdown, the verdict and its reason in the first line."""
    against = f"against run {about.baseline}" if about.baseline else "without a baseline"
    lines = [
        f"**{_safe(gate.headline)}** ({_safe(about.label)}, run {about.run} {against})",
        "",
        "| kind | cases | baseline | now | fixed | regressed | 95 % interval |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for kind, part in gate.by_kind.items():
        before = "none" if part.before is None else str(part.before)
        lines.append(
            f"| {NAMES[kind]} | {part.cases} | {before} | {part.now} | {part.fixed} | "
            f"{part.regressed} | {part.low:.0%} to {part.high:.0%} |"
        )
    lines.append("")
    lines += [f"- {_MARKS[reason.ok]} {_safe(reason.message)}" for reason in gate.reasons]
    by_id = {one.id: one for one in cases}
    for change, heading in (
        ("regressed", "Regressed"), ("error", "Errors"), ("fixed", "Fixed"), ("flaky", "Flaky"),
        ("only_run", "New"), ("only_baseline", "Only in the baseline"),
    ):  # fmt: skip
        ids = sorted(case for case, found in gate.changes.items() if found == change)
        if ids and not (change == "only_run" and about.baseline is None):
            lines += ["", f"### {heading}", "", *_rows(ids, by_id)]
    return "\n".join([*lines, ""])


_MARKS = {True: "✅", False: "❌", None: "❔"}


def _rows(ids: Sequence[str], cases: Mapping[str, CaseLine]) -> Iterable[str]:
    yield "| case | what | trace |"
    yield "|---|---|---|"
    for case in ids[:ROWS]:
        one = cases.get(case)
        title = _safe(one.title[:120]) if one else ""
        detail = _safe(one.detail.partition("\n")[0][:200]) if one and one.detail else ""
        what = f"{title}: {detail}" if title and detail else title or detail
        link = f"[trace](<{_address(one.trace_url)}>)" if one and one.trace_url else ""
        yield f"| {case} | {what} | {link} |"
    if len(ids) > ROWS:
        yield f"\nand {len(ids) - ROWS} more"


def _address(url: str) -> str:
    """Return a link's address without what would end it in Markdown."""
    return re.sub(r"[<>|`\s\\]", "", url)


def _safe(text: str) -> str:
    """Return text of a trace so that Markdown shows it and mentions nobody."""
    flat = " ".join(_FORBIDDEN.sub("", text).split())
    escaped = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", escaped).replace("@", "&#64;")
