#!/bin/bash
set -e
export PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
if [ ! -s $PGDATA/PG_VERSION ]; then
    initdb -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 --auth-local=trust -E UTF8 --locale=C.UTF-8 >/dev/null
    echo "host all all all scram-sha-256" >>$PGDATA/pg_hba.conf
    pg_ctl -w -o "-c listen_addresses= -k /var/run/postgresql" start >/dev/null
    [ "$POSTGRES_DB" = postgres ] || createdb -h /var/run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
    for f in /docker-entrypoint-initdb.d/*.sql; do
        psql -v ON_ERROR_STOP=1 -h /var/run/postgresql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$f" >/dev/null
    done
    pg_ctl -w stop >/dev/null
fi
exec postgres -c listen_addresses='*' -k /var/run/postgresql
