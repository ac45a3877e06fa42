"""The topology of docker-compose.yml as processes of this machine, for `make test-topology` alone.

There is no container engine on the machines where TraceHub is built. So the same programs run with
the same commands, scripts and settings, each on a port of its own on loopback: PostgreSQL and its
standby (the embedded binaries, which are of the version that the compose file names), PgBouncer,
Redis or RabbitMQ (Debian's packages), two web processes, two workers, beat and gRPC.

`--minutes 10` keeps the broker away for as long as the issue asks; without, for seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.topology.compose import Topology
from tests.topology.programs import PLACES

NEEDED = {"pgbouncer": "pgbouncer", "redis-server": "redis-server", "epmd": "rabbitmq-server"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any("topology" in argument for argument in config.invocation_params.args)
    return None if asked else True


@pytest.fixture(scope="session")
def programs() -> None:
    """Fail with the mend when a program of Debian's is not there."""
    missing = [package for name, package in NEEDED.items() if not shutil.which(name, path=PLACES)]
    assert not missing, f"apt-get install {' '.join(missing)}"


@pytest.fixture(scope="module")
def start(programs, wait_for) -> Iterator[Callable[[str], Topology]]:
    """Start the whole topology with a broker: `start("redis")`, `start("rabbitmq")`."""
    made: list[Topology] = []

    def begin(broker: str) -> Topology:
        made.append(Topology(broker, wait_for))
        made[-1].start()
        return made[-1]

    yield begin
    for topology in made:
        topology.close()


@pytest.fixture
def away_seconds(request) -> float:
    """How long a broker is gone: ten minutes with `--minutes 10`."""
    return 60.0 * (request.config.getoption("--minutes") or 0.2)
