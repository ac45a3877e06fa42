"""18: the table of docs/security.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "security.md"


def test_every_test_of_the_table_exists():
    named = re.findall(r"`(test_[a-z0-9_]+)(\.py)?`", PAGE.read_text(encoding="utf-8"))
    files = {file.name: file.read_text(encoding="utf-8") for file in HERE.glob("test_*.py")}
    code = "\n".join(files.values())
    missing = [name for name, file in named
               if (f"{name}.py" not in files if file else f"def {name}(" not in code)]  # fmt: skip
    assert named
    assert missing == []
