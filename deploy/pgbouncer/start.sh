#!/bin/sh
# Write the passwords of the environment into a file that PgBouncer alone reads, then run it.
set -eu
umask 077
users=${USERLIST:-/tmp/userlist.txt}
printf '"tracehub_owner" "%s"\n"tracehub_app" "%s"\n' "$OWNER_PASSWORD" "$APP_PASSWORD" > "$users"
unset OWNER_PASSWORD APP_PASSWORD
exec pgbouncer "${1:-/etc/tracehub/pgbouncer.ini}"
