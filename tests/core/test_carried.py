"""What later turns of a conversation repeat of earlier ones."""

from __future__ import annotations

from tracehub.core.carried import Carried, Turn, carried


def turn(number: int, asked: str = "", answered: str = "", *kinds: str, failing: bool = False):
    return Turn(number, asked, answered, failing, frozenset(kinds))


def test_facts_of_a_failing_answer_that_are_said_again_and_were_not_known_before():
    found = carried([
        turn(1, "I paid 418.60 for SK 482", "Flight SK 482 is cancelled, code X7K2QD"),
        turn(2, "and now?", "Refunded 460.00 of 418.60, case R-12, code X7K2QD", failing=True),
        turn(3, "where are my 460.00?", "They come."),
        turn(4, "case R-12?", "460.00 is on its way"),
    ])  # fmt: skip
    assert found == [Carried(2, (3, 4), text="460.00"), Carried(2, (4,), text="R-12")]


def test_signals_that_come_again_stand_first_and_once():
    found = carried([
        turn(1, "", "", "slow"), turn(2, "", "9999 x", "slow", "schema_error", failing=True),
        turn(3, "9999", "", "slow"),
    ])  # fmt: skip
    assert found == [Carried(1, (2, 3), signal="slow"), Carried(2, (3,), text="9999")]


def test_a_talk_without_troubles_carries_nothing():
    assert carried([turn(1, "418.60", "418.60"), turn(2, "418.60", "418.60")]) == []
