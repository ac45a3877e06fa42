"""Fault tests run the real installation and harm it.

`--seed N` repeats a run, `--minutes M` makes it long: as many rounds as fit, 50 at most. Without,
two rounds. The seed is printed, and pytest shows it when a test fails.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

MOST_ROUNDS = 50


@pytest.fixture
def rounds(request) -> Iterator[random.Random]:
    """Give a random generator for each round, seeded so that the seed repeats the round."""
    seed = request.config.getoption("--seed")
    seed = random.randrange(10**6) if seed is None else seed
    minutes = request.config.getoption("--minutes")

    def each() -> Iterator[random.Random]:
        end = time.monotonic() + 60.0 * (minutes or 0)
        for number in range(MOST_ROUNDS if minutes else 2):
            if minutes and number >= 2 and time.monotonic() > end:
                return
            print(f"round {number + 1}: --seed {seed + number}")
            yield random.Random(seed + number)

    return each()


@pytest.fixture
def long_run(request) -> None:
    """Leave a test to `make test-faults`: what it measures needs a machine to itself."""
    if not request.config.getoption("--minutes"):
        pytest.skip("needs the machine to itself: run it with --minutes, as make test-faults does")
