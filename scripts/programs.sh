# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# programs.sh: starts, awaits and stops Warren's programs. Sourced; the caller has say(), fail(),
# $bin and $var, and must not change the umask before.

: "${bin:?set by the script that sources this}" "${var:?}"

readonly programs=(status-store dlx-monitor consumer gateway)
readonly ready_seconds=60
callers_umask=$(umask)

# lives FILE WORDS: prints the pid in a pid file, if the process lives and its command line has
# these words at the end of an argument: another process, or this script, may have the number by
# now. A zombie has no command line. Forks nothing: it is called often, and Ctrl-C would end a child.
lives() {
        local pid="" words=()
        { read -r pid _ <"$1" || [[ -n $pid ]]; } 2>/dev/null && [[ $pid =~ ^[0-9]+$ && $pid != "$$" ]] || return 1
        { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
        [[ "${words[*]} " == *"$2 "* ]] || return 1
        echo "$pid"
}

program_pid() { lives "$var/run/$1.pid" "$var/etc/$1.conf"; }

# --- starting ---------------------------------------------------------------------------------

# In its own session, so that Ctrl-C reaches only the caller, which then stops the programs in
# order. The umask is for handlers: a program sets its own.
start_program() { # NAME
        (umask "$callers_umask" && exec setsid "$bin/warren-$1" --config "$var/etc/$1.conf") \
                </dev/null >>"$var/log/$1.log" 2>&1 9>&- &
        echo $! >"$var/run/$1.pid"
}

# Starts the programs that do not run, then awaits all. The health port comes from the settings in
# force, because the environment may set it.
start_programs() {
        local name
        for name in "${programs[@]}"; do
                ! program_pid "$name" >/dev/null || continue
                "$bin/warren-$name" --config "$var/etc/$name.conf" --print-config \
                        >"$var/run/$name.settings" || fail "the settings of $name are wrong"
                start_program "$name"
        done
        for name in "${programs[@]}"; do
                await_program "$name"
        done
        say "ready: ${programs[*]}"
}

setting() { # NAME KEY: the value in force; nothing when the program has no such key
        sed -n "s/^$2 = //p" "$var/run/$1.settings" 2>/dev/null || true
}

await_program() {
        local started=$SECONDS shown=0 url
        url="http://127.0.0.1:$(setting "$1" health_port)/readyz"
        until curl -fs -o /dev/null --max-time 2 "$url"; do
                if ! kill -0 "$(<"$var/run/$1.pid")" 2>/dev/null; then
                        tail -n 5 "$var/log/$1.log" >&2
                        fail "$1 ended, see $var/log/$1.log"
                fi
                ((SECONDS - started < ready_seconds)) ||
                        fail "$1 is not ready after $ready_seconds s, see $var/log/$1.log"
                if ((SECONDS - started >= shown + 5)); then
                        shown=$((SECONDS - started))
                        say "waiting for $1, $shown s"
                fi
                sleep 0.1
        done
}

# --- stopping ---------------------------------------------------------------------------------

# A program's settings limit how long it takes to end, so none is killed unless the user asks for
# it, by Ctrl-C or SIGTERM while this stops them. Later signals must not be ignored by a trap: bash 5.2
# aborts at the next one ("bad signal 2").
stop_signal=TERM
kill_from_now_on() {
        [[ $stop_signal == TERM ]] || return 0
        stop_signal=KILL
        say "killing the programs; jobs that run stay in the broker"
}

declare -rA last_work=(
        [gateway]="open requests to be answered"
        [consumer]="running jobs to end and the broker to confirm their results"
        [dlx-monitor]="the broker to confirm archived and replayed letters"
        [status-store]="events that were read to be written"
)

stop_programs() { # NAME…
        local name pid
        for name in "$@"; do
                pid=$(program_pid "$name") && kill -TERM "$pid" 2>/dev/null
        done
        for name in "$@"; do
                await_end "$name"
                rm -f "$var/run/$name.pid"
        done
}

await_end() { # NAME
        local started=$SECONDS shown=0
        while program_pid "$1" >/dev/null; do
                if [[ $stop_signal == KILL ]]; then
                        kill_with_groups "$(<"$var/run/$1.pid")"
                elif ((SECONDS - started >= shown + 5)); then
                        shown=$((SECONDS - started))
                        say "$1 waits for ${last_work[$1]}: $shown s;" \
                                "Ctrl-C kills it, jobs that run stay in the broker"
                fi
                sleep 0.05 || true # Ctrl-C ends sleep
        done
}

# Kills the consumer first: it would report a killed handler as a failure. Each handler has its own
# process group. Reads with no other program: the next Ctrl-C would end that one.
kill_with_groups() { # PID
        local handlers=() of_thread file
        for file in "/proc/$1/task/"*/children; do
                read -ra of_thread 2>/dev/null <"$file" || true
                handlers+=("${of_thread[@]}")
        done
        kill -KILL -- "$1" "${handlers[@]/#/-}" 2>/dev/null || true
}
