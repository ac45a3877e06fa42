"""`pytest`: a test file that runs the user's program on every case; ids are case ids."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.exports import python_helper
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import line

_FILES = ("test_tracehub_cases.py", "cases.jsonl", "pytest.ini", "tracehub_checks.py")


def _lines(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    for case in bundle.cases:
        tally.cases += 1
        tally.helper += len(case["assertions"])
        yield line(case)


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    yield _FILES[0], [python_helper.PYTEST.encode()]
    yield _FILES[1], _lines(bundle, tally)
    yield _FILES[2], [python_helper.PYTEST_INI.encode()]
    yield _FILES[3], [python_helper.CHECKS.encode()]


FORMAT = Format(
    name="pytest",
    label="pytest",
    help="A test file that runs your program on every case.",
    files=_FILES,
    media_type="application/zip",
    write=_write,
    helper=_FILES[0],
)
