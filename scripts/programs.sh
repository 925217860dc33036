# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# programs.sh: Warren's programs as processes: started, awaited, stopped. Sourced; the
# caller has say(), fail(), $bin and $var, and changes the umask afterwards only.

: "${bin:?set by the script that sources this}" "${var:?}"

readonly programs=(status-store dlx-monitor consumer gateway)
readonly ready_seconds=60
callers_umask=$(umask)

# lives FILE WORDS: prints the process in a pid file, when it lives and its command line has these
# words: the number may be another's by now. A zombie has none. Forks nothing: it is asked often.
lives() {
        local pid="" words=()
        { read -r pid <"$1" || [[ -n $pid ]]; } 2>/dev/null && [[ $pid =~ ^[0-9]+$ ]] || return 1
        { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
        [[ " ${words[*]} " == *" $2 "* ]] || return 1
        echo "$pid"
}

program_pid() { lives "$var/run/$1.pid" "$var/etc/$1.conf"; }

# --- starting ---------------------------------------------------------------------------------

# A session of its own, so that Ctrl-C reaches the caller alone, which then stops them in order. The
# umask is for handlers: a program sets its own.
start_program() { # NAME
        (umask "$callers_umask" && exec setsid "$bin/warren-$1" --config "$var/etc/$1.conf") \
                </dev/null >>"$var/log/$1.log" 2>&1 9>&- &
        echo $! >"$var/run/$1.pid"
}

# Those that do not run; then all are awaited. The settings in force, which also come from the
# environment, are kept for the stop.
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

setting() { # NAME KEY: what is in force, nothing when the program has no such key
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

# What a program needs beyond the settings that bound its end: the consumer's last word and its two
# links, with the broker away, come to 25 s.
readonly stop_margin=30
# What a setting is taken for that this script cannot read: nothing is killed because of that.
readonly unreadable_limit=3600

seconds_of() { # DURATION, as settings and handlers.json write it (1h30m): whole seconds, at least
        local left=$1 sum=0 number unit
        [[ -n $left ]] || return 1
        while [[ -n $left ]]; do
                [[ $left =~ ^([0-9]+)(\.[0-9]+)?(ms|s|m|h|d)?(.*)$ ]] || return 1
                number=$((10#${BASH_REMATCH[1]})) unit=${BASH_REMATCH[3]:-s} left=${BASH_REMATCH[4]}
                [[ -z ${BASH_REMATCH[2]} ]] || number=$((number + 1))
                case $unit in
                ms) number=$(((number + 999) / 1000)) ;;
                m) number=$((number * 60)) ;;
                h) number=$((number * 3600)) ;;
                d) number=$((number * 86400)) ;;
                esac
                sum=$((sum + number))
        done
        echo "$sum"
}

# The time that a handler may take to end when told to; 5 s where handlers.json does not say.
longest_grace() {
        local text seconds longest=5
        while read -r text; do
                seconds=$(seconds_of "$text") || seconds=$unreadable_limit
                longest=$((seconds > longest ? seconds : longest))
        done < <(tr -d ' \n\t' 2>/dev/null <"$(setting consumer handlers)" |
                grep -oE '"grace":"?[0-9][^",}]*' | grep -oE '[0-9].*')
        echo "$longest"
}

# How long a program may take to end by its own settings.
stop_limit() {
        local key text seconds=$stop_margin
        for key in body_deadline confirm_timeout drain_limit drain; do
                text=$(setting "$1" "$key")
                [[ -n $text ]] || continue
                seconds=$((seconds + $(seconds_of "$text" || echo "$unreadable_limit")))
        done
        [[ $1 != consumer ]] || seconds=$((seconds + $(longest_grace)))
        echo "$seconds"
}

# … all of them, one after the other, as stop_all() does it, and a broker as rabbitmq/node does.
whole_stop_limit() {
        local name seconds=60
        for name in "${programs[@]}"; do
                seconds=$((seconds + $(stop_limit "$name")))
        done
        echo "$seconds"
}

# hurriable COMMAND…: runs a stop, which Ctrl-C and SIGTERM do not break off but hurry. What it
# starts ignores them: a terminal tells them to all, and a child's death would look like an answer.
hurriable() {
        local stopping
        trap '' INT TERM USR1
        (
                trap hurry USR1
                "$@"
        ) &
        stopping=$!
        # shellcheck disable=SC2064 # this process
        trap "kill -USR1 $stopping 2>/dev/null || true" INT TERM
        while kill -0 "$stopping" 2>/dev/null; do
                wait "$stopping" || true # also ends at a signal
        done
        wait "$stopping"
}

hurried=no
hurry() {
        [[ $hurried == no ]] || return 0
        hurried=yes
        say "ending the programs at once; jobs that run stay in the broker"
}

hurry_hint() {
        [[ $hurried == yes ]] || echo "; Ctrl-C ends it at once, jobs that run stay in the broker"
}

declare -rA last_work=(
        [gateway]="requests under way to be answered"
        [consumer]="running jobs to end and the broker to confirm how they ended"
        [dlx-monitor]="the broker to confirm what was archived and replayed"
        [status-store]="what was read of the events to be written"
)

stop_programs() { # NAME…; 1 when one had to be killed
        local name pid started=$SECONDS status=0
        for name in "$@"; do
                pid=$(program_pid "$name") && kill -TERM "$pid" 2>/dev/null
        done
        for name in "$@"; do
                await_end "$name" "$started" || status=1
                rm -f "$var/run/$name.pid"
        done
        return $status
}

await_end() { # NAME STARTED; 1 when it had to be killed
        local limit pid passed shown=0 status=0 told=no
        limit=$(stop_limit "$1")
        while pid=$(program_pid "$1"); do
                passed=$((SECONDS - $2))
                if [[ $hurried$told == yesno ]]; then
                        told=yes
                        # A second SIGTERM could merge with the first.
                        kill -INT "$pid" 2>/dev/null || true
                fi
                if ((passed > limit)); then
                        ((status != 0)) || say "$1 does not end, killing it"
                        status=1
                        kill -KILL "$pid" 2>/dev/null || true
                elif ((passed >= shown + 5)); then
                        shown=$passed
                        say "$1 waits for ${last_work[$1]}: $passed s," \
                                "at most $limit s$(hurry_hint)"
                fi
                sleep 0.05
        done
        return $status
}
