#!/bin/bash
# A hot standby: a copy of the primary at the first start, then what the primary writes.
# PGPASSWORD is that of tracehub_standby. `SELECT pg_promote()` makes it the primary.
set -euo pipefail
data=${PGDATA:-/var/lib/postgresql/18/docker}
primary=${PRIMARY_HOST:-postgres}
if [ ! -s "$data/PG_VERSION" ]; then
  mkdir -p "$data"
  chmod 0700 "$data"
  pg_basebackup --host "$primary" --port "${PRIMARY_PORT:-5432}" --username tracehub_standby \
    --pgdata "$data" --wal-method stream --create-slot --slot tracehub_standby --write-recovery-conf \
    --checkpoint fast
fi
exec postgres -D "$data" -c hot_standby_feedback=on "$@"
