# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# supervise.sh: starts a program or the broker again when it has ended by itself: at once, and when
# it ends again soon, after 1, 2, 4 … 30 s. Sourced after programs.sh; the caller has say(), fail(),
# start_broker(), broker_lives(), $root, $var and $callers_umask.

: "${root:?set by the script that sources this}" "${var:?}" "${programs:?}"

readonly settled_seconds=60 longest_pause=30

declare -A tries=() since=() due=() logs=([broker]="$var/broker/log")

is_alive() { # broker, or a program's name
        if [[ $1 == broker ]]; then
                broker_lives
        else
                program_pid "$1" >/dev/null
        fi
}

# take_stock: sets there and missing: the parts that run, and those that do not.
there=() missing=()
take_stock() {
        local name
        there=() missing=()
        for name in broker "${programs[@]}"; do
                if is_alive "$name"; then
                        there+=("$name")
                else
                        missing+=("$name")
                fi
        done
}

# --- the loop ---------------------------------------------------------------------------------

note() {
        say "$*"
        printf '%s %s\n' "$(utc_now)" "$*" >>"$var/log/run.log"
}
utc_now() { TZ=UTC printf '%(%Y-%m-%dT%H:%M:%SZ)T' -1; }

# Counts for `run.sh status`.
count_restart() { # NAME; prints the restart's number
        local count=0
        [[ ! -f $var/run/$1.restarts ]] || read -r count _ <"$var/run/$1.restarts" || true
        echo "$((count + 1)) $(utc_now)" >"$var/run/$1.restarts"
        echo "$((count + 1))"
}

start_again() { # NAME
        if [[ $1 == broker ]]; then
                start_broker 9>&- 2>>"$var/log/run.log"
        else
                start_program "$1"
        fi
}

revive() { # NAME: starts it again if it has ended and its pause is over
        local pause
        if is_alive "$1"; then
                ((SECONDS - ${since[$1]:-0} < settled_seconds)) || tries[$1]=0
                return 0
        fi
        ((SECONDS >= ${due[$1]:-0})) || return 0
        pause=$((1 << (${tries[$1]:-0} < 5 ? ${tries[$1]:-0} : 5)))
        pause=$((pause < longest_pause ? pause : longest_pause))
        tries[$1]=$((${tries[$1]:-0} + 1))
        note "$1 has ended by itself, starting it again; its log is in ${logs[$1]:-$var/log/$1.log}"
        if start_again "$1"; then
                note "$1 is started again, restart $(count_restart "$1" || echo "not counted")"
        else
                note "$1 could not be started, next try in $pause s"
        fi
        since[$1]=$SECONDS
        due[$1]=$((SECONDS + pause))
}

# Goes on while the disk is full; ends when its folder has been deleted.
supervise() {
        local name
        while [[ -d $var/run ]]; do
                for name in broker "${programs[@]}"; do
                        revive "$name" || true
                done
                sleep 0.5
        done
        fail "$var was deleted"
}

# --- in the background, for --detach ----------------------------------------------------------

supervisor_pid() { lives "$var/run/supervisor.pid" "supervise $var"; }

start_supervisor() {
        setsid "$root/run.sh" supervise "$var" "${callers_umask:?}" </dev/null >/dev/null 2>&1 9>&- &
        echo $! >"$var/run/supervisor.pid"
}

# Also stops what the supervisor is just starting. Running programs have their own sessions.
stop_supervisor() {
        local signal=TERM started=$SECONDS
        while supervisor_pid >/dev/null; do
                kill -s "$signal" -- "-$(<"$var/run/supervisor.pid")" 2>/dev/null || true
                ((SECONDS - started < 5)) || signal=KILL
                sleep 0.05 || true
        done
        rm -f "$var/run/supervisor.pid"
}
