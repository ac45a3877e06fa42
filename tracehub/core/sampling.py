"""How a queue chose its traces, and what rates over them say of all traces.

Draws by chance keep a bottom-k sample: every trace has a fixed random number in [0, 1), and a draw
takes those with the smallest. Given the number of the first trace left out, each trace of the same
frame was taken with just that probability: Cohen, Kaplan 2007, "Summarizing data using bottom-k
sketches", https://doi.org/10.1145/1281100.1281133.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Literal, NamedTuple, get_args

from tracehub.core.stats import wilson_interval

Way = Literal["stratified", "different", "uncertain", "judge", "release"]
WAYS: tuple[Way, ...] = get_args(Way)
STRATA = ("prompt", "model", "release", "cohort", "env", "name", "outcome")
MOST = 5000  # traces that one rule may add
_DIGITS = 13  # of a hash in hex: 52 bits, what a float holds exactly


class RuleError(ValueError):
    """A rule that cannot be; `field` names which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Rule(NamedTuple):
    """One way of choosing: up to `daily` traces a day and `most` in all, 0 for no such cap.

    `by` names what a stratified draw is spread over, else it is empty.
    """

    way: Way
    daily: int = 0
    most: int = 0
    by: str = ""

    def words(self) -> str:
        """Return the rule as a sentence.

        >>> Rule("stratified", 10, 50, "prompt").words()
        'Up to 10 a day spread evenly over each prompt, 50 in all'
        """
        how = {
            "stratified": f"spread evenly over each {self.by}",
            "different": "that differ most from each other",
            "uncertain": "that judges or people were unsure of",
            "judge": "where a judge says otherwise than people or signals",
            "release": "of the newest release",
        }[self.way]
        whole = " of each release" if self.way == "release" else " in all"
        daily = f"Up to {self.daily} a day" if self.daily else f"Up to {self.most}"
        most = f", {self.most}{whole}" if self.daily and self.most else ""
        return f"{daily} {how}{most or ('' if self.daily else whole)}"


def rules_of(stored: Iterable[Mapping[str, object]]) -> list[Rule]:
    """Return rules from JSON, without those that take nothing. Raises RuleError."""
    found = []
    for one in stored:
        unknown = set(one) - set(Rule._fields)
        way = next((known for known in WAYS if known == one.get("way")), None)
        if unknown or way is None:
            got = min(unknown) if unknown else one.get("way")
            raise RuleError("draws", f"draws need a way of {', '.join(WAYS)}. Got {got!r}.")
        daily, most = (_cap(way, field, one.get(field, 0)) for field in ("daily", "most"))
        by = str(one.get("by") or "")
        if (way == "stratified") != bool(by) or (by and by not in STRATA):
            raise RuleError(way, f"by must be one of {', '.join(STRATA)}. Got {by!r}.")
        if daily or most:
            found.append(Rule(way, daily, most, by))
    if len({rule.way for rule in found}) < len(found):
        raise RuleError("draws", "draws may name each way once.")
    return found


def _cap(way: Way, field: str, cap: object) -> int:
    if not isinstance(cap, int) or isinstance(cap, bool) or not 0 <= cap <= MOST:
        raise RuleError(way, f"{field} must lie in 0 to {MOST}. Got {cap!r}.")
    return cap


def fraction(digest: str) -> float:
    """Return a hash in hex as a number in [0, 1).

    >>> fraction("80000000000000ff")
    0.5
    """
    return int(digest[:_DIGITS], 16) / 16.0**_DIGITS


def drawn(text: str) -> float:
    """Return the fixed random number in [0, 1) of a text."""
    return fraction(md5(text.encode(), usedforsecurity=False).hexdigest())


def shares(sizes: Mapping[str, int], room: int) -> dict[str, int]:
    """Deal `room` places evenly over strata that hold so many; small ones leave theirs to others.

    With more strata than places the largest get one each.

    >>> shares({"a": 100, "b": 1, "c": 50}, 9)
    {'b': 1, 'c': 4, 'a': 4}
    """
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[: max(room, 0)]
    dealt = {}
    for left, name in zip(range(len(largest), 0, -1), reversed(largest), strict=True):
        dealt[name] = min(sizes[name], room // left)
        room -= dealt[name]
    return dealt


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of all traces as estimated from `number` reviewed ones, with its 95% interval.

    `effective` is how many traces drawn with equal chance would say as much.
    """

    share: float
    interval: tuple[float, float]
    number: int
    effective: float


def weighted_rate(hits: Sequence[bool], chances: Sequence[float]) -> Rate | None:
    """Return the share of hits among all traces; `chances` are the probabilities of being taken.

    Each trace counts for 1 / chance (Horvitz, Thompson 1952, doi 10.1080/01621459.1952.10483446),
    over the sum of these weights (Hájek 1971; Särndal, Swensson, Wretman 1992, 5.7). The interval
    is Wilson's at Kish's effective number (Kish 1965; Korn, Graubard 1998, Survey Methodology 24).
    None without a trace. Raises ValueError when a chance lies outside (0, 1].

    >>> found = weighted_rate([True, True, False], [1.0, 1.0, 0.1])
    >>> round(found.share, 4), round(found.effective, 2)
    (0.1667, 1.41)
    """
    if any(not 0 < chance <= 1 for chance in chances):
        raise ValueError("a chance must lie in (0, 1].")
    weights = [1 / chance for chance in chances]
    whole = sum(weights)
    if not whole:
        return None
    share = sum(w for w, hit in zip(weights, hits, strict=True) if hit) / whole
    effective = whole**2 / sum(w * w for w in weights)
    interval = wilson_interval(min(1.0, share) * effective, effective)
    return Rate(share, interval, len(weights), effective)
