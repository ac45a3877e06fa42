"""Arguments of tools that break the schema which the request itself gave."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import orjson

from tracehub.core.contracts.bounds import ContractError, check_schema
from tracehub.core.contracts.checking import Contract, check
from tracehub.core.signals.base import Contents
from tracehub.core.signals.offered import calls_of, offered
from tracehub.core.trace import Signal

LIMIT = 5  # signals of one call of a model


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `tool_arguments_invalid` per place that breaks the schema of the called tool."""
    for span in trace.calls:
        calls = calls_of(span)
        schemas = offered(span).schemas if calls else {}
        left = LIMIT
        for call in calls:
            contract = _contract(orjson.dumps(schemas.get(call.name) or {}))
            arguments = {} if call.arguments in (None, "") else call.arguments
            for problem in check(contract, arguments) if contract is not None else ():
                if not left:
                    break
                left -= 1
                yield Signal(
                    "tool_arguments_invalid",
                    f"{call.name}: {problem.message}",
                    "high",
                    span.span_id,
                    evidence={"tool": call.name, "name": problem.pointer, "type": problem.rule},
                )


@lru_cache(maxsize=500)
def _contract(schema: bytes) -> Contract | None:
    """Return a schema ready to check; None for none, or one that may not be used."""
    given = orjson.loads(schema)
    if not given:
        return None
    given.setdefault("type", "object")
    try:
        check_schema(given)
    except ContractError:
        return None
    return Contract("tool", None, None, given)
