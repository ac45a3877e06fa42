"""The embedded server's `postgresql.conf`: durable, sized for this machine, quiet when idle."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

MB = 1024 * 1024
# What no start may be without: an acknowledged span must survive a power cut.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def memory_bytes() -> int:
    """Return the memory this process may use: the machine's, or its control group's if less."""
    total: int = psutil.virtual_memory().total
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def sized_for(memory: int, disk: int) -> dict[str, str]:
    """Return settings for a machine with `memory` bytes and a disk of `disk` bytes.

    TraceHub shares the machine with what it watches, so it takes an eighth of the memory.

    >>> sized_for(24 * 1024 * MB, 100 * 1024 * MB)["shared_buffers"]
    '2048MB'
    >>> sized_for(1024 * MB, 1024 * MB)["max_wal_size"]
    '128MB'
    """

    def part(whole: int, share: int, least: int, most: int) -> str:
        return f"{max(least, min(most, whole // share // MB))}MB"

    return {
        "shared_buffers": part(memory, 8, 128, 2048),
        "effective_cache_size": part(memory, 2, 256, 65536),
        "maintenance_work_mem": part(memory, 32, 64, 512),
        "work_mem": part(memory, 512, 8, 32),
        # Few checkpoints mean few full-page images; bounded on small disks, as WAL fills them.
        "max_wal_size": part(disk, 8, 64, 4096),
        "min_wal_size": part(disk, 64, 32, 512),
    }


def settings(home: Path, socket_dir: Path, supported: dict[str, str]) -> dict[str, str]:
    """Return all of our settings; `supported` are those that depend on the server's build."""
    return {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "port": "5432",
        "max_connections": "100",
        "password_encryption": "scram-sha-256",
        **DURABLE,
        **sized_for(memory_bytes(), shutil.disk_usage(home).total),
        **supported,
        "jit": "off",
        "wal_buffers": "16MB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "default_statistics_target": "100",
        "autovacuum_naptime": "30s",
        "autovacuum_vacuum_insert_scale_factor": "0.05",
        "max_parallel_workers_per_gather": "1",
        "max_logical_replication_workers": "0",
        # A client that vanished in a transaction must not hold back vacuum for ever.
        "idle_in_transaction_session_timeout": "10min",
        "tcp_keepalives_idle": "60",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "",
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",
        # Details of an error may quote a row, that is, somebody's trace.
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "datestyle": "iso, ymd",
    }


def render(values: dict[str, str]) -> str:
    """Return the text of `postgresql.conf`; operators add their own in `local.conf` beside it."""
    lines = ["# Written by TraceHub at every start. Put your own settings into local.conf."]
    for name, value in values.items():
        quoted = value.replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    lines.append("include = 'local.conf'")
    return "\n".join(lines) + "\n"


HBA = "local all all scram-sha-256\n"
LOCAL = "# Settings of your own, read after TraceHub's. TraceHub never changes this file.\n"
