#!/bin/sh
# Write the passwords of the environment into a file that PgBouncer alone reads, point it to the
# primary (PRIMARY_HOST, PRIMARY_PORT), then run it.
set -eu
umask 077
users=${USERLIST:-/tmp/userlist.txt}
printf '"tracehub_owner" "%s"\n"tracehub_app" "%s"\n' "$OWNER_PASSWORD" "$APP_PASSWORD" > "$users"
unset OWNER_PASSWORD APP_PASSWORD
config=${CONFIG:-/tmp/pgbouncer.ini}
sed "s/host=postgres port=5432/host=${PRIMARY_HOST:-postgres} port=${PRIMARY_PORT:-5432}/" \
  "${1:-/etc/tracehub/pgbouncer.ini}" > "$config"
exec pgbouncer "$config"
