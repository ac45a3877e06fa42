"""Running cases side by side, with retries and repeats; what is done is kept, to go on from."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tracehub.cli import config
from tracehub.cli.targets import Target, TargetError, ask
from tracehub.core.assess.checks import Judge
from tracehub.core.assess.tries import PASS, SKIPPED, judge_answer
from tracehub.core.cases import Case

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run: how many cases at once, tries of each, and more tries of one that fails."""

    concurrency: int
    repeats: int
    retries: int


class Journal:
    """The results that a run has so far, one case a line, for the same command to go on from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, list[Result]] = dict(self._read())

    @classmethod
    def of(cls, *identity: Any) -> Journal:
        """Return the journal of a run; `identity` is all that makes it this run and no other."""
        text = json.dumps(identity, sort_keys=True, default=str)
        folder = config.make_data_dir(config.data_dir()) / "runs"
        folder.mkdir(exist_ok=True)
        return cls(folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.jsonl")

    def _read(self) -> Iterator[tuple[str, list[Result]]]:
        if not self.path.exists():
            return
        for line in self.path.read_text("utf-8", errors="replace").splitlines():
            try:
                results = json.loads(line)
                yield results[0]["case"], results
            except (ValueError, LookupError, TypeError):
                continue  # the last line of a run that was killed while it wrote

    def add(self, results: list[Result]) -> None:
        self.done[results[0]["case"]] = results
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(results)}")

    def forget(self) -> None:
        self.done = {}
        self.path.unlink(missing_ok=True)


def run(
    cases: Sequence[Case], target: Target, judge: Judge | None, plan: Plan, journal: Journal
) -> list[Result]:
    """Return the results of all cases in their order; those in the journal are not run again."""
    todo = [case for case in cases if case["id"] not in journal.done]
    with tqdm(
        total=len(cases), initial=len(cases) - len(todo), unit="case", file=sys.stderr, disable=None
    ) as bar:
        for results in _finished(todo, target, judge, plan):
            journal.add(results)
            bar.update()
    return [result for case in cases for result in journal.done[case["id"]]]


def _finished(
    todo: Iterable[Case], target: Target, judge: Judge | None, plan: Plan
) -> Iterator[list[Result]]:
    """Yield the results of each case as it ends, with `concurrency` of them under way."""
    waiting = iter(todo)
    with ThreadPoolExecutor(plan.concurrency, "run") as pool:
        running: set[Future[list[Result]]] = set()
        try:
            while True:
                while len(running) < plan.concurrency and (case := next(waiting, None)) is not None:
                    running.add(pool.submit(_tries, case, target, judge, plan))
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for one in ended:
                    yield one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            target.stop()
            raise


def _tries(case: Case, target: Target, judge: Judge | None, plan: Plan) -> list[Result]:
    """Try a case `repeats` times; when no try passed, up to `retries` times more until one does."""
    results = [_try(case, target, judge) for _ in range(plan.repeats)]
    for _ in range(plan.retries):
        if any(result["passed"] or result.get("skipped") for result in results):
            break
        results.append(_try(case, target, judge))
    return results


def _try(case: Mapping[str, Any], target: Target, judge: Judge | None) -> Result:
    try:
        answer, trace_id = ask(target, case)
    except TargetError as error:
        return {"case": case["id"], "passed": None, "error": str(error)}
    status, said = judge_answer(case, answer, judge)
    result: Result = {
        "case": case["id"],
        "passed": status == PASS,
        "output": answer.output,
        "tool_calls": list(answer.tool_calls),
        "cost": None if answer.cost is None else f"{round(answer.cost, 12):f}",
        "latency_ms": round(answer.latency_ms or 0.0, 3),
        "assertions": said,
    }
    if len(trace_id) == 32:
        result["trace_id"] = trace_id
    if status == SKIPPED:
        return result | {"passed": None, "skipped": True}
    if status == "error":
        unknown = next(line["message"] for line in said if line["status"] == "error")
        return result | {"passed": None, "error": unknown}
    return result
