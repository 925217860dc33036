# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# demo.sh: runs a few real jobs and shows a table of their states. Sourced; the caller has say(),
# fail(), warren(), which uses the key of tenant demo, and $var.

: "${var:?set by the script that sources this}"

readonly demo_seconds=60

demo_ids=() demo_wants=() demo_notes=()

demo_job() { # WANTED NOTE TYPE PAYLOAD [OPTION…]
        local want=$1 note=$2 id
        shift 2
        id=$(warren submit "$@" --json |
                grep -oE '"id": *"[0-9a-f-]{36}"' | head -n 1 | cut -d'"' -f4)
        [[ -n $id ]] || fail "a demo job was not accepted: $*"
        demo_ids+=("$id") demo_wants+=("$want") demo_notes+=("$note")
}

submit_demo_jobs() {
        demo_job completed "a plugin's handler" echo '{"hello": "warren"}'
        demo_job completed "urgent, takes a second" sleep '{"ms": 1000}' --priority critical
        demo_job completed "a program in Python" word_count '{"text": "from the warren to the field"}'
        demo_job completed "delayed by 3 s" echo '{"late": true}' --delay 3s
        demo_job completed "fails twice, is retried" fail '{"times": 2}' --max-retries 3
        demo_job dead "fails for good, is buried" fail '{"permanent": true}'
}

# A line per demo job, from GET /jobs.
demo_table() {
        local list i row status
        list=$(warren list --limit 200 2>/dev/null) || return 0
        printf '  %-10s  %-10s  %-3s  %-25s  %s\n' TYPE STATUS TRY WHAT ID
        for i in "${!demo_ids[@]}"; do
                row=$(grep "^${demo_ids[i]} " <<<"$list" || true)
                read -r _ _ type _ status try _ <<<"$row" || true
                printf '  %-10s  %-10s  %-3s  %-25s  %s\n' "${type:--}" "${status:-submitted}" \
                        "${try:--}" "${demo_notes[i]}" "${demo_ids[i]}"
        done
}

demo_open() { # TABLE: how many have not reached the state they should
        local i open=0
        for i in "${!demo_ids[@]}"; do
                grep -qE "^  [^ ]+ +${demo_wants[i]} .*${demo_ids[i]}$" <<<"$1" || open=$((open + 1))
        done
        echo "$open"
}

# Redraws the table on a terminal; elsewhere prints only the LAST one.
show_table() { # TABLE [LAST]
        if [[ $1 == "$table_shown" || (! -t 1 && -z ${2:-}) ]]; then
                return
        fi
        if [[ -n $table_shown ]]; then
                printf '\033[%dA\033[J' "$(wc -l <<<"$table_shown")"
        fi
        printf '%s\n' "$1"
        table_shown=$1
}

demo_types=(echo fail sleep word_count)

# The user may have removed handlers.
missing_demo_types() {
        /usr/bin/python3 - "$var/handlers/handlers.json" "${demo_types[@]}" <<'TEXT'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    types = json.load(file)["types"]
print(*(name for name in sys.argv[2:] if name not in types))
TEXT
}

demo() {
        local missing
        missing=$(missing_demo_types)
        if [[ -n $missing ]]; then
                say "no demo jobs: var/handlers/handlers.json has no type ${missing// /, }"
                return
        fi
        run_demo
}

run_demo() {
        local started=$SECONDS table=""
        table_shown=""
        submit_demo_jobs
        say "submitted ${#demo_ids[@]} demo jobs"
        while true; do
                table=$(demo_table)
                [[ -z $table ]] || show_table "$table"
                if [[ -n $table && $(demo_open "$table") == 0 ]]; then
                        show_table "$table" last
                        return 0
                fi
                if ((SECONDS - started > demo_seconds)); then
                        show_table "$table" last
                        say "a demo job is not where it should be after $demo_seconds s," \
                                "see $var/log/consumer.log"
                        return 1
                fi
                sleep 0.25
        done
}
