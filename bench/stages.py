"""Where the time of the web process goes: microseconds a span for each stage, in one process.

  python bench/stages.py [--traces 200] [--rounds 5]

The stages of `ingest.pipeline` one after another over the same spans, without network or database;
the least of the rounds counts, so other programs disturb little. A stage's share is of the sum.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import orjson  # noqa: E402
import tracegen  # noqa: E402

from tracehub.core import span_facts, stored  # noqa: E402
from tracehub.core.cost import set_cost  # noqa: E402
from tracehub.core.digest import digest  # noqa: E402
from tracehub.core.mask import Masker  # noqa: E402
from tracehub.core.packing import pack  # noqa: E402
from tracehub.core.wire.normalise import normalise  # noqa: E402
from tracehub.core.wire.otlp import decode_protobuf  # noqa: E402

PER_REQUEST = 20  # traces


def stages(traces: int) -> list[tuple[str, int, Callable[[], Any]]]:
    """Return (name, spans, what to time), each stage fed with what the one before made."""
    first = range(0, traces, PER_REQUEST)
    made = [[tracegen.make_trace(i) for i in range(lo, lo + PER_REQUEST)] for lo in first]
    bodies = [tracegen.encode_request(each) for each in made]
    masker, arrived = Masker(), time.time_ns()
    raws = [raw for body in bodies for raw in decode_protobuf(body).spans]
    texts = [stored.received_json(raw) for raw in raws]
    spans = [normalise(raw, arrived_ns=arrived) for raw in raws]
    digests = [digest(span) for span in spans]
    contents = [orjson.dumps(stored.content_of(span)) for span in spans]
    count = len(raws)
    return [
        ("decode protobuf", count, lambda: [decode_protobuf(body) for body in bodies]),
        ("received as JSON", count, lambda: [stored.received_json(raw) for raw in raws]),
        ("scan for what to mask", count, lambda: [masker.touches(text) for text in texts]),
        ("normalise", count, lambda: [normalise(raw, arrived_ns=arrived) for raw in raws]),
        ("price", count, lambda: [set_cost(span, ()) for span in spans]),
        ("digest", count, lambda: [digest(span) for span in spans]),
        ("facts", count, lambda: [orjson.dumps(span_facts.write(each)) for each in digests]),
        ("content", count, lambda: [orjson.dumps(stored.content_of(span)) for span in spans]),
        ("pack", count, lambda: list(map(pack, contents, texts))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = []
    for name, count, work in stages(options.traces):
        best = min(timed(work) for _ in range(options.rounds))
        found.append((name, 1e6 * best / count))
    total = sum(us for _, us in found)
    print("| stage | us a span | share |\n|---|---|---|")
    for name, us in found:
        print(f"| {name} | {us:.1f} | {us / total:.0%} |")
    print(f"| all | {total:.1f} | |")


def timed(work: Callable[[], Any]) -> float:
    """Return seconds of CPU."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
