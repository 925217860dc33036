#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh: a whole Warren on this machine: installs packages, builds, starts everything on a private
# RabbitMQ, and runs a few demo jobs.
set -euo pipefail

usage() {
        cat <<'TEXT'
usage: ./run.sh             build, start everything, run demo jobs; Ctrl-C stops it
       ./run.sh --detach    the same, but return when ready and the demo jobs have ended
       ./run.sh --no-demo   without the demo jobs; also with --detach
                            If some parts run already, each of these starts only the missing ones
       ./run.sh stop        stop everything; running jobs get some time to end first
                            (Ctrl-C meanwhile kills the rest; jobs that did not end run again later)
       ./run.sh status      what runs, and how often it was started again; exit status 0: all runs,
                            3: something does not
       ./run.sh --help

A program that ends by itself is started again, the broker too; var/log/run.log tells when.

Everything that run.sh creates is in var/ (data, logs, secrets) and build/release. var/env has the
addresses and keys, for a shell: . var/env
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Tests set WARREN_VAR and WARREN_PRESET: another folder, another build.
var=${WARREN_VAR:-$root/var} build_preset=${WARREN_PRESET:-release}
readonly root var build_preset bin=$root/build/$build_preset/bin

# The variables of var/env, for a shell. The programs do not get them: their files contain only what
# each of them may know.
readonly shell_names=(WARREN_URL WARREN_API_KEY WARREN_ADMIN_KEY WARREN_AMQP_URL
        WARREN_ADMIN_AMQP_URL WARREN_MANAGEMENT_URL WARREN_BIN)
unset "${shell_names[@]}"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$*"; exit 1; }

# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"
# shellcheck source=scripts/ports.sh
. "$root/scripts/ports.sh"
# shellcheck source=scripts/programs.sh
. "$root/scripts/programs.sh"
# shellcheck source=scripts/supervise.sh
. "$root/scripts/supervise.sh"
# shellcheck source=scripts/demo.sh
. "$root/scripts/demo.sh"

# The run.sh in the foreground that supervises the programs, if there is one.
watcher_pid() { lives "$var/run/run.pid" run.sh; }

broker_lives() { lives "$var/broker/pid" "-s rabbit boot" >/dev/null; }

# Runs the warren command with the address and the keys that are known so far.
warren() { "$bin/warren" "$@" --config "$var/etc/warren.conf"; }

write_warren_config() {
        local key name
        for key in url api_key admin_key admin_amqp_url management_url; do
                name=WARREN_${key^^}
                [[ -z ${!name:-} ]] || printf '%s = %s\n' "$key" "${!name}"
        done | write_secret "$var/etc/warren.conf"
}

write_secret() { # FILE, from standard input
        cat >"$1.new" && mv "$1.new" "$1"
}

# --- starting ---------------------------------------------------------------------------------

start_broker() {
        "$root/rabbitmq/node" start "$var/broker" \
                --port 5672 --management-port 15672 --prometheus-port 15692 || return
        # shellcheck source=/dev/null
        . "$var/broker/node.env"
        local password
        password=$(<"$var/broker/warren-admin.password")
        # shellcheck disable=SC2034 # used by name: shell_names
        WARREN_ADMIN_AMQP_URL="amqp://warren-admin:$password@127.0.0.1:$WARREN_AMQP_PORT/warren"
        # shellcheck disable=SC2034
        WARREN_MANAGEMENT_URL="http://warren-admin:$password@127.0.0.1:$WARREN_MANAGEMENT_PORT"
}

apply_topology() {
        write_warren_config
        if ! warren topology apply --accounts "$var/secrets" >"$var/log/topology.log" 2>&1; then
                cat "$var/log/topology.log" >&2
                fail "the topology could not be declared; see $var/broker/log"
        fi
        if [[ ! -s $var/secrets/internal.token ]]; then
                head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' |
                        write_secret "$var/secrets/internal.token"
        fi
}

declare -rA port_owners=(
        [gateway]=gateway [gateway_health]=gateway [status]=status-store
        [status_health]=status-store [dlx]=dlx-monitor [dlx_health]=dlx-monitor
        [consumer_health]=consumer
)

# A running program keeps its port, because the others know it.
choose_own_port() { # NAME OF A PORT
        local name=port_$1 before
        before=${!name}
        if is_alive "${port_owners[$1]}"; then
                ports_chosen="$ports_chosen $before"
                return
        fi
        choose_port "$name" "$before"
        ((${#there[@]} == 0)) || [[ ${!name} == "$before" ]] ||
                fail "running programs need ${port_owners[$1]} on port $before: free it, or ./run.sh stop"
}

# The ports of the last run, else the usual ones; a free one for each that is taken.
choose_ports() {
        local port
        port_gateway=8080 port_gateway_health=8081 port_status=8090 port_status_health=8091
        port_dlx=8092 port_dlx_health=8093 port_consumer_health=8095
        # shellcheck source=/dev/null
        [[ ! -f $var/run/ports ]] || . "$var/run/ports"
        for port in gateway gateway_health status status_health dlx dlx_health consumer_health; do
                local name=port_$port
                choose_own_port "$port"
                printf '%s=%s\n' "$name" "${!name}"
        done >"$var/run/ports.new"
        mv "$var/run/ports.new" "$var/run/ports"
        WARREN_URL="http://127.0.0.1:$port_gateway"
}

# write_config PROGRAM: the program's own lines come from standard input.
write_config() {
        {
                echo "# Written by run.sh at each start. To change a setting, set its variable in the"
                echo "# environment of ./run.sh, see docs/configuration.md."
                echo "amqp_urls = amqp://127.0.0.1:$WARREN_AMQP_PORT/warren"
                echo "amqp_password_file = $var/secrets/warren-$1.password"
                echo "internal_token_file = $var/secrets/internal.token"
                cat
        } >"$var/etc/$1.conf"
}

write_configs() {
        write_config status-store <<TEXT
port = $port_status
health_port = $port_status_health
database = $var/data/status.db
primary = true
registry = $var/data/registry.db
provision_password_file = $var/secrets/warren-provision.password
operator_password_file = $var/secrets/warren-operator.password
management_url = http://127.0.0.1:$WARREN_MANAGEMENT_PORT
management_password_file = $var/broker/warren-admin.password
bootstrap_admin_key_file = $var/secrets/admin.key
TEXT
        write_config dlx-monitor <<TEXT
port = $port_dlx
health_port = $port_dlx_health
archive = $var/data/archive.db
status_store_url = http://127.0.0.1:$port_status
TEXT
        write_config consumer <<TEXT
health_port = $port_consumer_health
handlers = $var/handlers/handlers.json
status_store_url = http://127.0.0.1:$port_status
TEXT
        write_config gateway <<TEXT
port = $port_gateway
health_port = $port_gateway_health
status_store_url = http://127.0.0.1:$port_status
dlx_monitor_url = http://127.0.0.1:$port_dlx
TEXT
}

# The samples are copied once: from then on the folder belongs to the user.
make_handlers() {
        local samples=$root/build/$build_preset/handlers own=$var/handlers
        mkdir -p "$own"
        ln -sf "$samples/basic.so" "$own/basic.so"
        if [[ ! -e $own/handlers.json ]]; then
                cp "$samples/word_count.py" "$own/"
                cp "$samples/handlers.json" "$own/handlers.json.new"
                mv "$own/handlers.json.new" "$own/handlers.json"
        fi
}

# --- keys and the demo tenant -----------------------------------------------------------------

await_key() { # KEY: until the gateway knows it
        local started=$SECONDS
        until curl -fs -o /dev/null --max-time 2 --config - <<TEXT; do
url = "$WARREN_URL/api/v1/jobs?limit=1"
header = "Authorization: Bearer $1"
TEXT
                ((SECONDS - started < ready_seconds)) || fail "the gateway does not accept the key"
                sleep 0.1
        done
}

# The answer is stored unchanged: it is the only copy of the key and the password.
make_demo_tenant() {
        local answer=$var/secrets/demo.json
        WARREN_ADMIN_KEY=$(<"$var/secrets/admin.key")
        write_warren_config
        await_key "$WARREN_ADMIN_KEY"
        if [[ ! -s $answer ]]; then
                warren tenant add demo --rate unlimited --max-running unlimited \
                        --max-pending unlimited --amqp-login --json | write_secret "$answer" ||
                        fail "tenant demo could not be created; for a fresh start: rm -r $var"
        fi
        WARREN_API_KEY=$(grep -oE 'wk_[a-z0-9]{8}_[A-Za-z0-9]{43}' "$answer" | head -n 1)
        local password
        password=$(grep -oE '"password": *"[^"]*"' "$answer" | cut -d'"' -f4)
        # shellcheck disable=SC2034
        WARREN_AMQP_URL="amqp://tenant-demo:$password@127.0.0.1:$WARREN_AMQP_PORT/warren"
        write_warren_config
        await_key "$WARREN_API_KEY"
}

write_env() {
        local name
        # shellcheck disable=SC2034
        WARREN_BIN=$bin
        {
                echo "# Addresses and keys of this Warren; for a shell: . var/env"
                for name in "${shell_names[@]}"; do
                        printf '%s=%q\n' "$name" "${!name}"
                done
                echo "export ${shell_names[*]}"
        } | write_secret "$var/env"
}

print_where() {
        cat <<TEXT

  API        $WARREN_URL/api/v1   (key of tenant demo: WARREN_API_KEY in var/env)
  RabbitMQ   http://127.0.0.1:$WARREN_MANAGEMENT_PORT   login warren-admin, password in var/broker/warren-admin.password
  AMQP       127.0.0.1:$WARREN_AMQP_PORT, vhost warren, exchange jobs.demo   (WARREN_AMQP_URL in var/env)
  handlers   var/handlers/handlers.json; when changed: kill -HUP \$(cat var/run/consumer.pid)
  logs       var/log/, var/broker/log/
  try        . var/env; "\$WARREN_BIN/warren" submit echo '{"hello": "you"}' --wait
TEXT
}

# --- stopping ---------------------------------------------------------------------------------

# The gateway stops first, so that no job is accepted, then the consumer; readers stop last.
stop_all() {
        local status=0
        say "stopping"
        stop_supervisor
        stop_programs gateway
        stop_programs consumer
        stop_programs dlx-monitor status-store
        # Also a broker that is just starting. It may take a minute and is not interrupted: it holds
        # the jobs.
        if [[ -f $var/broker/pid || -f $var/broker/launcher.pid ]]; then
                (trap '' INT TERM && "$root/rabbitmq/node" stop "$var/broker") || status=1
        fi
        rm -f "$var/run/run.pid"
        say "stopped"
        return $status
}

# SIGCONT first: it may be suspended on its terminal. One that is stopping already gets no SIGTERM:
# a second signal makes it kill the programs.
stop_watcher() { # PID
        say "waiting for the run.sh on another terminal, which stops everything"
        kill -CONT "$1" 2>/dev/null || true
        grep -q stops "$var/run/run.pid" || kill -TERM "$1" 2>/dev/null || true
        while watcher_pid >/dev/null; do
                [[ $stop_signal == TERM ]] || kill -KILL "$1" 2>/dev/null || true
                sleep 0.1 || true
        done
}

stop_from_outside() {
        local watcher
        trap kill_from_now_on INT TERM
        if watcher=$(watcher_pid); then
                stop_watcher "$watcher"
        fi
        stop_all
}

restarts() { # NAME
        local count at
        [[ -f $var/run/$1.restarts ]] || return 0
        read -r count at <"$var/run/$1.restarts" || return 0
        printf ', restarts %d, last at %s' "$count" "$at"
}

# Exit status 3: there is no supervisor to start again what ends.
supervision() {
        local pid
        if pid=$(supervisor_pid); then
                echo "by process $pid"
        elif pid=$(watcher_pid); then
                echo "by run.sh on a terminal, process $pid"
        else
                echo "none; ./run.sh starts one"
                return 3
        fi
}

command_status() {
        local name pid said status=0
        for name in "${programs[@]}"; do
                if pid=$(program_pid "$name"); then
                        said="running, process $pid"
                else
                        said="not running"
                        status=3
                fi
                printf '%-13s %s%s\n' "$name" "$said" "$(restarts "$name")"
        done
        said=$("$root/rabbitmq/node" status "$var/broker" 2>/dev/null) || status=3
        printf '%-13s %s%s\n' broker "${said:-not running}" "$(restarts broker)"
        said=$(supervision) || status=3
        printf '%-13s %s\n' supervision "$said"
        exit $status
}

# --- commands ---------------------------------------------------------------------------------

prepare() {
        mkdir -p "$var"/{broker,data,etc,log,run,secrets}
        chmod 0700 "$var"/{broker,data,etc,log,run,secrets}
        exec 9>"$var/run/lock"
        flock -n 9 || fail "another run.sh is running here (./run.sh stop ends it)"
        take_stock
        if ((${#there[@]} == 0)); then
                rm -f "$var"/run/*.restarts
        else
                join_running
        fi
        stop_supervisor
        install_packages "$var/log/apt.log" "$root/packages.txt"
        if [[ $build_preset == release ]]; then
                build release "$var/log/build.log" -DBUILD_TESTING=OFF 9>&-
        else
                build "$build_preset" "$var/log/build.log" 9>&-
        fi
}

# Running parts stay. The supervisor is stopped afterwards, so it does not start the missing ones.
join_running() {
        supervisor_pid >/dev/null || missing+=(supervision)
        ((${#missing[@]} > 0)) || fail "everything is running already: see ./run.sh status, ./run.sh stop"
        say "running already: ${there[*]}; missing, and started now: ${missing[*]}"
}

bring_up() { # DEMO: yes or no
        start_broker 9>&-
        apply_topology
        choose_ports
        write_configs
        make_handlers
        start_programs
        make_demo_tenant
        write_env
        [[ $1 == no || ${#there[@]} -gt 0 ]] || demo
        print_where
}

# After a failed start, the parts that were running before stay.
leave() {
        ((${#there[@]} > 0)) || return 1
        say "what was running before goes on"
        rm -f "$var/run/run.pid"
        start_supervisor
}

stop_at_exit() {
        trap kill_from_now_on INT TERM
        echo "$$ stops" >"$var/run/run.pid"
        stop_all
}

command_run() { # [--detach] [--no-demo]
        local detach=no demo=yes ending=""
        while (($# > 0)); do
                case $1 in
                --detach) detach=yes ;;
                --no-demo) demo=no ;;
                *) refuse "$1" ;;
                esac
                shift
        done
        umask 077
        prepare
        echo $$ >"$var/run/run.pid"
        trap 'leave || stop_at_exit || exit 1; exit "${ending:-1}"' EXIT
        trap 'ending=0; exit' INT TERM
        bring_up "$demo"
        there=()
        if [[ $detach == yes ]]; then
                trap - EXIT
                rm -f "$var/run/run.pid"
                start_supervisor
                say "running; ./run.sh stop ends it"
                return
        fi
        echo "  stop       Ctrl-C"
        supervise
}

# Called by start_supervisor.
command_supervise() { # VAR UMASK
        [[ $# == 2 && $1 == "$var" && -d $var/run && $2 =~ ^[0-7]{1,4}$ ]] || refuse supervise
        callers_umask=$2
        umask 077
        supervise
}

refuse() {
        say "there is no command '$1'"
        usage >&2
        exit 2
}

main() {
        case ${1:-} in
        "" | --detach | --no-demo) command_run "$@" ;;
        stop) stop_from_outside || exit 1 ;;
        status) command_status ;;
        supervise) command_supervise "${@:2}" ;;
        -h | --help | help) usage ;;
        *) refuse "$1" ;;
        esac
}

main "$@"
