#!/bin/sh
# The first process of a test's container: makes a cluster in $PGDATA where there is none, and runs its server. The
# arguments are the server's. `respool` owns everything, from the socket without a password, else with $POSTGRES_PASSWORD.
# $PGWAL, when it is given, is where the log lies, apart from the data.
set -eu
PGDATA=${PGDATA:-/var/lib/postgresql/data}
bin=$(echo /usr/lib/postgresql/*/bin)
install -d -o postgres -g postgres -m 700 "$PGDATA"
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  [ -z "${PGWAL:-}" ] || install -d -o postgres -g postgres -m 700 "$PGWAL"
  words=$(mktemp)
  printf '%s\n' "${POSTGRES_PASSWORD:-respool}" >"$words"
  chown postgres "$words"
  # shellcheck disable=SC2086
  setpriv --reuid postgres --regid postgres --init-groups -- "$bin/initdb" -D "$PGDATA" ${PGWAL:+--waldir=$PGWAL} \
    -U respool --pwfile="$words" --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C --data-checksums \
    --no-sync >/dev/null
  rm "$words"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
# It may be a folder of the host's, whose owner is to keep it.
[ -d /run/postgresql ] || install -d -o postgres -g postgres /run/postgresql
setpriv --reuid postgres --regid postgres --init-groups -- "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' \
  -c unix_socket_directories=/run/postgresql -c jit=off "$@" &
server=$!
# A container is asked to stop by SIGTERM, at which a server waits for its clients; at SIGINT it does not.
trap 'kill -INT $server 2>/dev/null || true' TERM INT
code=0
wait $server || code=$?
# A wait that a signal ended is no end of the server.
while kill -0 $server 2>/dev/null; do
  code=0
  wait $server || code=$?
done
exit $code
