"""What the editor of a contract holds: the draft as typed, and how it differs from what holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from tracehub.core.contracts import checking, values
from tracehub.core.contracts.bounds import ContractError, check_draft
from tracehub.core.contracts.layout import pretty
from tracehub.core.trace import Json
from tracehub.failures.models import Contract
from tracehub.web import word_diff

FIELDS = ("schema", "labels", "nulls", "escalations")  # written as JSON
TABS = (*FIELDS, "applies")
_SPACE = re.compile(r"\s+")


@dataclass(slots=True)
class Draft:
    """What the editor holds. `problem` is (field, sentence) when it cannot be used."""

    name: str
    schema: str = "{}"
    labels: str = "{}"
    nulls: str = "{}"
    escalations: str = "{}"
    prompt: str = ""
    span: str = ""
    note: str = ""
    tab: str = "schema"
    inferred: bool = False  # made from passing outputs just now
    problem: tuple[str, str] | None = None

    @property
    def lines(self) -> int:
        return min(40, max(12, self.schema.count("\n") + 2))

    @property
    def applies(self) -> int:
        """How many of prompt and span it names."""
        return bool(self.prompt) + bool(self.span)

    @property
    def label_count(self) -> int:
        return sum(len(known) for known in self._held("labels").values() if isinstance(known, list))

    @property
    def null_count(self) -> int:
        return len(self._held("nulls"))

    @property
    def escalation_count(self) -> int:
        held = self._held("escalations").values()
        return sum(len(known) for known in held if isinstance(known, list))

    def _held(self, field: str) -> dict[str, Json]:
        try:
            found = self.read(field)
        except ContractError:
            return {}
        return found if isinstance(found, dict) else {}

    def read(self, field: str) -> Json:
        """Return a field as JSON. Raises ContractError naming the field, line and column."""
        text = getattr(self, field).strip()
        try:
            return json.loads(text or "{}")
        except json.JSONDecodeError as error:
            raise ContractError(
                f"{field} is no JSON at line {error.lineno}, column {error.colno}: {error.msg}.",
                field,
            ) from error
        except RecursionError as error:
            raise ContractError(f"{field} nests too deep.", field) from error

    def compiled(self, label: str) -> checking.Contract:
        """Return the draft ready to check outputs. Raises ContractError."""
        if not self.prompt and not self.span:
            raise ContractError("Name a prompt, a span, or both.", "applies")
        schema = self.read("schema")
        check_draft(schema)
        return checking.Contract(
            label,
            self.prompt or None,
            self.span or None,
            schema,
            values.check_texts(self.read("labels"), "labels"),
            values.check_nulls(self.read("nulls")),
            values.check_texts(self.read("escalations"), "escalations"),
        )

    def lay_out(self) -> None:
        """Write each field, which must be JSON, the way that versions are shown and compared."""
        for field in FIELDS:
            setattr(self, field, pretty(self.read(field)))

    def refuse(self, field: str, said: str) -> None:
        """Note why it cannot be used, and open the tab of the field."""
        self.problem = (field, said)
        self.tab = {"applies_to": "applies"}.get(field, field if field in TABS else "schema")


def posted(request: HttpRequest, name: str) -> Draft:
    """Return what a person sent from the editor."""

    def given(key: str) -> str:
        return request.POST.get(key, "").replace("\x00", "").replace("\r\n", "\n")

    def line(key: str) -> str:
        return _SPACE.sub(" ", given(key)).strip()[:200]

    draft = Draft(name, prompt=line("prompt"), span=line("span"), note=line("note"))
    for field in FIELDS:
        setattr(draft, field, given(field))
    draft.tab = given("tab") if given("tab") in TABS else "schema"
    return draft


def of_version(row: Contract) -> Draft:
    """Return a draft that says what a version does."""
    draft = Draft(row.name, prompt=row.prompt, span=row.span)
    for field, text in texts_of(row).items():
        setattr(draft, field, text)
    return draft


def texts_of(row: Contract | None) -> dict[str, str]:
    """Return the text of each field of a version, for comparison; empty without one."""
    return {field: pretty(getattr(row, field)) if row else "" for field in FIELDS}


def changed_lines(draft: Draft, row: Contract | None) -> int:
    """Return how many lines differ from a version, of what is JSON; 0 without one."""
    if row is None:
        return 0
    count = 0
    for field, text in texts_of(row).items():
        try:
            new = pretty(draft.read(field))
        except ContractError:
            new = getattr(draft, field)
        sides = word_diff.compare(text.splitlines(), new.splitlines())
        count += max(sum(line.differs for line in side) for side in sides)
    return count


def tabs(draft: Draft) -> list[dict[str, Any]]:
    """Return the tabs with their counts, and which one is open."""
    counts = {
        "schema": None,
        "labels": draft.label_count,
        "nulls": draft.null_count,
        "escalations": draft.escalation_count,
        "applies": draft.applies,
    }
    names = ("Schema", "Known labels", "Null rules", "Escalations", "Applies to")
    return [
        {"key": key, "name": name, "count": count, "chosen": key == draft.tab}
        for (key, count), name in zip(counts.items(), names, strict=True)
    ]
