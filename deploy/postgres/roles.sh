#!/bin/bash
# Runs once, in an empty data folder: the three roles of docs/design/least-privilege.md, and one for
# a standby.
set -euo pipefail
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set owner="$OWNER_PASSWORD" --set app="$APP_PASSWORD" --set standby="$REPLICATION_PASSWORD" <<'SQL'
CREATE ROLE tracehub_owner LOGIN PASSWORD :'owner';
CREATE ROLE tracehub_app LOGIN PASSWORD :'app';
CREATE ROLE tracehub_standby LOGIN REPLICATION PASSWORD :'standby';
ALTER DATABASE tracehub OWNER TO tracehub_owner;
REVOKE ALL ON DATABASE tracehub FROM PUBLIC;
GRANT CONNECT ON DATABASE tracehub TO tracehub_app;
SQL
if [ -n "${PGDATA:-}" ]; then
  echo "host replication tracehub_standby samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
