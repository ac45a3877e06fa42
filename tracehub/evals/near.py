"""Contents that ask nearly the same as a case of the draft, or as one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracehub.core import cases
from tracehub.core.similar import NearTexts
from tracehub.evals import querysets
from tracehub.evals.models import Case, EvalSet

LOOKED_AT = 2000  # cases, in some 0.1 s: a person waits for the answer


@dataclass(frozen=True, slots=True)
class Like:
    """What a content is most like, and how much of their words they share, as a fraction.

    That is a case of the draft or, without one, an earlier content by its key.
    """

    share: float
    case: Case | None = None
    earlier: int = 0

    @property
    def of(self) -> str:
        """The id of that case, "" without one."""
        return self.case.case_id if self.case else ""

    @property
    def percent(self) -> int:
        return round(100 * self.share)


def alike(eval_set: EvalSet, contents: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[int, Like]:
    """Return by their keys the contents that are nearly the same as another.

    Each is held against the draft and the contents before it that are not in the answer, so that
    what is left when all of the answer is left out has no near-duplicates.
    """
    draft = querysets.asked_texts(eval_set)
    ids = {-n: key for n, (key, _) in enumerate(contents, 1)}  # of a case: its number, above 0
    asked = {-n: cases.asked(one) for n, (_, one) in enumerate(contents, 1)}
    near, unseen = NearTexts({**draft, **asked}), set(ids)
    hits: dict[int, tuple[int, float]] = {}
    for id, text in asked.items():
        if hit := near.find(text, but=unseen):
            hits[ids[id]] = hit
        else:
            unseen.discard(id)
    known = _rows(eval_set, {number for number, _ in hits.values() if number > 0})
    return {
        key: Like(share, known[id]) if id > 0 else Like(share, earlier=ids[id])
        for key, (id, share) in hits.items()
    }


def like(case: Case) -> Like | None:
    """Return which other case of its draft, of the `LOOKED_AT` newest, is nearly the same."""
    texts = querysets.asked_texts(case.eval_set, newest=LOOKED_AT)
    text = texts.pop(case.number, "")
    hit = NearTexts(texts).find(text)
    return Like(hit[1], _rows(case.eval_set, {hit[0]})[hit[0]]) if hit else None


def _rows(eval_set: EvalSet, numbers: set[int]) -> dict[int, Case]:
    draft = querysets.in_version(eval_set, querysets.draft_number(eval_set))
    rows = draft.filter(number__in=numbers).only("number", "title", "input", "kind")
    return {row.number: row for row in rows}
