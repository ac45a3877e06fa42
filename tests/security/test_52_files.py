"""52: files that people load are read in bounded memory and lead nowhere outside their folder."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zipfile

import click
import pytest
from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from tracehub.cli import export_remote
from tracehub.core.exports import FORMATS
from tracehub.core.results import inspect_ai
from tracehub.core.results.base import ResultsError

MB = 1024 * 1024
# In a process of its own, which may have 2 GB: a size that is believed would end it.
READ = """
import resource, sys
from tracehub.core import parquet
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for path in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = 0
    try:
        with open(path, "rb") as file:
            for row in parquet.read(file):
                rows += 1
        said = "read"
    except ValueError:
        said = "refused"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(said, rows, grown)
"""


def read(*paths) -> list[tuple[str, int, int]]:
    """What became of each file: the word, its rows, and the KB that reading took."""
    run = [sys.executable, "-c", READ, *map(str, paths)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=100, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(paths), done.stderr[-2000:]
    return [(said, int(rows), int(grown)) for said, rows, grown in lines]


def one_text(path, rows: int, size: int) -> None:
    """Write the same text in every row: the file holds it once, in its dictionary."""
    schema = Schema([Field("name", DataType.string())])
    batch = RecordBatch.from_arrays([Array(["x" * size] * 500, DataType.string())], schema=schema)
    batches = (batch for _ in range(rows // 500))
    reader = RecordBatchReader.from_batches(schema, batches)
    write_parquet(reader, path, max_row_group_size=rows)


def test_52_a_file_of_20_kb_that_unfolds_to_400_mb_is_read_in_batches(tmp_path):
    bomb = tmp_path / "bomb.parquet"
    one_text(bomb, 20_000, 20_000)
    assert bomb.stat().st_size < 100_000
    [(said, rows, grown)] = read(bomb)
    assert (said, rows) == ("read", 20_000)
    assert grown < 80 * 1024


def test_52_a_damaged_file_is_refused_or_read_and_ends_no_process(tmp_path):
    whole = tmp_path / "whole.parquet"
    one_text(whole, 500, 50)
    data = whole.read_bytes()
    chance = random.Random(52)
    paths = []
    for number in range(60):
        body = bytearray(data)
        for _ in range(1 + number % 3):  # the footer, where counts and sizes stand
            body[chance.randrange(len(body) // 2, len(body) - 8)] = chance.randrange(256)
        paths.append(tmp_path / f"{number}.parquet")
        paths[-1].write_bytes(body)
    told = read(*paths)
    assert {said for said, _, _ in told} <= {"read", "refused"}
    assert max(grown for _, _, grown in told) < 200 * 1024


def zipped(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


@pytest.mark.parametrize("name", ["../outside.yaml", "/tmp/outside.yaml", "a/../../outside.yaml"])
def test_52_an_export_of_a_server_writes_nothing_outside_of_its_folder(tmp_path, name):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(click.ClickException, match="odd name"):
        export_remote.unpack(zipped(**{name: "x"}), FORMATS["promptfoo"], str(folder))
    assert list(tmp_path.rglob("*.yaml")) == []


def test_52_a_log_that_unfolds_without_end_is_refused_by_its_size(monkeypatch):
    monkeypatch.setattr(inspect_ai, "MAX_BYTES", MB)
    body = zipped(**{"samples/1.json": json.dumps({"id": "c_0001", "x": "0" * 2 * MB})})
    assert len(body) < MB
    with pytest.raises(ResultsError, match="larger than"):
        inspect_ai.read(body, {"c_0001"})


def test_52_a_log_that_nests_without_end_is_refused():
    body = zipped(**{"samples/1.json": "[" * 100_000})
    with pytest.raises(ResultsError, match="no log of Inspect"):
        inspect_ai.read(body, {"c_0001"})
