"""Each export in the hands of the tool it is for, in an environment of that tool's own.

Only `make test-exports` collects these: they install some gigabytes from PyPI and npm into
`.venv/exports`. A tool that does not install is skipped with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.exports import conftest as sample
from tracehub.core.exports import Bundle, Tally, find

HOME = Path(__file__).parents[2] / ".venv" / "exports"
INSTALL_SECONDS, RUN_SECONDS = 1200, 600
UV = Path(sys.executable).with_name("uv")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any("exports_long" in argument for argument in config.invocation_params.args)
    return None if asked else True


@pytest.fixture
def exported(tmp_path):
    """`exported("promptfoo")`: a folder with the export of three cases."""

    def write(name: str) -> Path:
        made = [
            sample.line(content, number)
            for number, content in enumerate((sample.FULL, sample.TEXT, sample.VARIABLES), 1)
        ]
        bundle = Bundle("refund-regressions", 3, made)
        for file, pieces in find(name).write(bundle, Tally()):
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(pieces))
        return tmp_path

    return write


@pytest.fixture
def tool(tmp_path):
    """`tool(script, folder, *packages)`: run Python in a venv that has these packages.

    `alone` is one that comes without what it pins, since that no longer installs.
    """

    def run(script: str, folder: Path, *packages: str, alone: str = "") -> str:
        python = _environment(packages, alone)
        quiet = {
            "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
            "RAGAS_DO_NOT_TRACK": "true", "OPENAI_API_KEY": "none", "MLFLOW_DISABLE_TELEMETRY": "1",
        }  # fmt: skip
        done = subprocess.run(
            [str(python), "-c", script], cwd=folder, check=False, capture_output=True, text=True,
            timeout=RUN_SECONDS, env={"PATH": os.environ["PATH"], **quiet},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return run


def _environment(packages: tuple[str, ...], alone: str) -> Path:
    name = "-".join([alone] if alone else sorted(packages))
    folder = HOME / name.translate(str.maketrans("=<>[], ", "_______"))
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    install = [UV, "pip", "install", "--quiet", "--python", python]
    commands = [
        [UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder],
        [*install, *packages],
    ]
    if alone:
        commands.append([*install, "--no-deps", alone])
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{packages[0]} does not install within {INSTALL_SECONDS} s.")
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            pytest.skip(f"{packages[0]} does not install: {said[-1] if said else error}")
    (folder / "ready").touch()
    return python
