# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# setup.sh: what run.sh and test.sh share: installing Debian packages, and a build that shows its
# progress. Sourced; the caller has say(), fail() and $root.

: "${root:?set by the script that sources this}"

as_root() {
        if ((EUID == 0)); then
                "$@"
        elif command -v sudo >/dev/null; then
                sudo "$@"
        else
                fail "installing Debian packages needs root or sudo; missing:$missing"
        fi
}

# missing_packages FILE: the listed packages that are not installed.
missing_packages() {
        local package
        while read -r package; do
                [[ $(dpkg-query -Wf '${Status}' "$package" 2>/dev/null) == *" installed" ]] ||
                        printf ' %s' "$package"
        done < <(grep -v '^#' "$1" | tr -s ' ' '\n')
}

# While packages are installed, no service may start: RabbitMQ's package would start the system's
# broker, and Prometheus' a server. An existing policy is put back afterwards.
policy=/usr/sbin/policy-rc.d
forbid_services() {
        if [[ -e $policy ]]; then
                as_root mv "$policy" "$policy.before-warren"
        fi
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 0755 "$policy"
}
allow_services() {
        as_root rm -f "$policy"
        if [[ -e $policy.before-warren ]]; then
                as_root mv "$policy.before-warren" "$policy"
        fi
}

# A shell's background job ignores Ctrl-C; apt-get gets it, and decides when it can stop.
apt() {
        (umask 022 && as_root env --default-signal=INT DEBIAN_FRONTEND=noninteractive \
                apt-get -q -y "$@") </dev/null >>"$apt_log" 2>&1
}

# Waits for apt-get: until it ends, services must stay forbidden.
end_interrupted() {
        trap '' INT TERM
        if [[ -n $apt_pid ]]; then
                ! kill -0 "$apt_pid" 2>/dev/null || say "waiting for apt-get to end"
                wait "$apt_pid" || true
        fi
        allow_services
}

# Services must not start at the machine's next start either.
disable_services() {
        local service
        command -v systemctl >/dev/null || return 0
        for service in rabbitmq-server prometheus; do
                [[ "$missing " != *" $service "* ]] ||
                        as_root systemctl --quiet disable "$service" >/dev/null 2>&1 || true
        done
}

# install_packages LOG FILE…
install_packages() {
        apt_log=$1
        shift
        local file status=0 started=$SECONDS
        missing="" apt_pid=""
        for file in "$@"; do
                missing+=$(missing_packages "$file")
        done
        [[ -n $missing ]] || return 0
        command -v apt-get >/dev/null || fail "apt-get is missing, this is not Debian; install yourself:$missing"
        say "installing Debian packages:$missing"
        trap end_interrupted EXIT
        trap 'exit 130' INT TERM
        forbid_services
        : >"$apt_log"
        # shellcheck disable=SC2086 # a list
        { apt update && apt install --no-install-recommends $missing; } &
        apt_pid=$!
        watch_process $apt_pid "installing" || status=$?
        allow_services
        trap - EXIT INT TERM
        if ((status != 0)); then
                tail -n 15 "$apt_log" >&2
                fail "the packages could not be installed, see $apt_log"
        fi
        disable_services
        say "installed after $((SECONDS - started)) s"
}

# watch_process PID WORD: waits for it, showing the time passed. Returns its exit status.
watch_process() {
        local started=$SECONDS shown=0
        while kill -0 "$1" 2>/dev/null; do
                sleep 0.2
                if ((SECONDS - started >= shown + 10)); then
                        shown=$((SECONDS - started))
                        say "$2, $shown s"
                fi
        done
        wait "$1"
}

# Turns ninja's lines "[12/340] …" into a line for every 10 %, or on a terminal into one that changes.
show_build() {
        local line tenth=0 done_ total
        while IFS= read -r line; do
                printf '%s\n' "$line" >&3
                [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
                done_=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
                if [[ -t 2 ]]; then
                        printf '\r%s: building %d of %d ' "${0##*/}" "$done_" "$total" >&2
                elif ((total >= 10 && done_ * 10 / total > tenth)); then
                        tenth=$((done_ * 10 / total))
                        say "building, ${tenth}0 %"
                fi
        done
        if [[ -t 2 && -n ${total:-} ]]; then
                printf '\n' >&2
        fi
}

# Everybody may read what is built, but not the log.
open_cmake() { (umask 022 && cmake "$@"); }

# build PRESET LOG [CMAKE-ARGUMENT…]
build() {
        local preset=$1 log=$2
        shift 2
        if ! open_cmake --preset "$preset" -S "$root" "$@" >"$log" 2>&1; then
                tail -n 20 "$log" >&2
                fail "the build could not be configured, see $log"
        fi
        if ! open_cmake --build "$root/build/$preset" 2>&1 | show_build 3>>"$log"; then
                grep -E 'error|FAILED|warning' "$log" | head -n 20 >&2 || true
                fail "the build failed, see $log"
        fi
}
