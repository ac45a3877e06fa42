"""A data folder with every table and static file, made once a run: tests begin with copies of it.

To migrate from nothing takes 15 s of a core, to copy the result 0.2 s. A process of its own makes
it (`python -m tests.seed FOLDER`) while the tests are collected.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tracehub.cli import pgroles
from tracehub.cli.postgres import Cluster

# Only these throw-away servers may lose data: it makes every commit and clone cheaper.
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
VARIABLE = "TESTS_SEED"  # names the folder to the other processes of the run
SECONDS = 300.0


def begin() -> subprocess.Popen[bytes]:
    """Start to make the folder of this run; workers started later know it by the environment."""
    folder = Path(tempfile.mkdtemp(prefix="tracehub-seed-"))
    os.environ[VARIABLE] = str(folder)
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "tests.seed", str(folder)]
        return subprocess.Popen(command, stdout=log, stderr=log)


def of_run() -> Path:
    """Return the data folder, as soon as it is there. Raises RuntimeError with the log if not."""
    folder = Path(os.environ[VARIABLE])
    end = time.monotonic() + SECONDS
    while not (folder / "data").exists():
        if (folder / "failed").exists() or time.monotonic() > end:
            raise RuntimeError(f"No tables for the tests:\n{(folder / 'log').read_text()}")
        threading.Event().wait(0.1)
    return folder / "data"


def copy_to(folder: Path, *names: str) -> None:
    """Make `folder` a data folder of its own, which nobody has started yet; or parts of it."""
    folder.mkdir(exist_ok=True)
    parts = [str(of_run() / name) for name in names] or [f"{of_run()}/."]
    subprocess.run(["cp", "-a", *parts, str(folder)], check=True)


def forget(making: subprocess.Popen[bytes]) -> None:
    making.terminate()
    making.wait()
    shutil.rmtree(os.environ.pop(VARIABLE), ignore_errors=True)


def make(folder: Path) -> None:
    draft = folder / "draft"
    draft.mkdir(mode=0o700)
    folder.chmod(0o755)
    cluster = Cluster.of(draft)
    server = cluster.start(settings=QUICK)
    try:
        pgroles.ensure_database(cluster)
        env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
            "DATABASE_URL": cluster.app_url(),
            "DATABASE_OWNER_URL": cluster.url(),
            "TRACEHUB_DATA_DIR": str(draft),
        }
        subprocess.run([sys.executable, "-m", "tracehub.cli.bootstrap"], check=True, env=env)
    finally:
        server.stop()
    draft.rename(folder / "data")


if __name__ == "__main__":
    try:
        make(Path(sys.argv[1]))
    except BaseException:
        Path(sys.argv[1], "failed").touch()
        raise
