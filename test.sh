#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# test.sh: builds Warren with sanitizers (and without, where a tool needs that) and runs its suites,
# each on its own private broker.
set -euo pipefail

usage() {
        cat <<'TEXT'
usage: ./test.sh [SUITE…]

Suites, all of them by default, in this order:
  unit         unit tests under AddressSanitizer and UBSan, fuzz harnesses, include layers
  integration  the programs on a real broker, under AddressSanitizer and UBSan
  faults       the same while brokers and programs are killed
  run          ./run.sh: start, use, stop, start again
  bench        a short run of the benchmark, which must complete
  lint         formatting, cppcheck, clang-tidy, shellcheck

Only when named:
  valgrind     unit tests of a plain build under valgrind
  soak         the slowest tests of integration, faults and run: minutes of load, long waits
  upgrade      the version before beside this one, under load; needs the repository's history
  platform     ./run.sh and the suites on Debian 13 and sid, in roots by debootstrap, as root; hours

The last line is `N passed, N failed`; the exit status is 0 when nothing failed. Logs are under
build/test.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly root logs=$root/build/test
readonly suites=(unit integration faults run bench lint)
readonly extra_suites=(valgrind soak upgrade platform)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$*"; exit 1; }

# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"

passed=0 failed=0

built=""
need_build() { # PRESET; 1 when it cannot be built
        [[ " $built " != *" $1 "* ]] || return 0
        say "building $1"
        (build "$1" "$logs/build-$1.log") || return 1
        built+=" $1"
}

# The number before a word in a summary: "3 failed".
count_of() { grep -oE "[0-9]+ $1" <<<"$2" | tail -n 1 | grep -oE '^[0-9]+' || echo 0; }

# add NAME STATUS PASSED FAILED: a suite with a bad exit status but no failed test counts as one
# failure.
add() {
        local failures=$4
        if (($2 != 0 && failures == 0)); then
                failures=1
        fi
        passed=$((passed + $3))
        failed=$((failed + failures))
        printf '%-12s %d passed, %d failed\n' "$1" "$3" "$failures"
}

run_ctest() { # NAME BUILD [ARGUMENT…]
        local name=$1 status=0 summary tests
        ctest --test-dir "$root/build/$2" -j "$(nproc)" --output-on-failure "${@:3}" 2>&1 |
                tee "$logs/$name.log" || status=$?
        # "90% tests passed, 2 tests failed out of 20"
        summary=$(grep -E 'tests passed, .* out of' "$logs/$name.log" || true)
        tests=$(grep -oE '[0-9]+$' <<<"$summary" || echo 0)
        failures=$(count_of 'tests? failed' "$summary")
        add "$name" "$status" $((tests - failures)) "$failures"
}

add_pytest() { # NAME STATUS
        local summary
        summary=$(grep -E '(passed|failed|error).* in [0-9]' "$logs/$1.log" | tail -n 1 || true)
        add "$1" "$2" "$(count_of passed "$summary")" \
                $(($(count_of failed "$summary") + $(count_of 'errors?' "$summary")))
}

run_pytest() { # NAME ARGUMENT…
        local name=$1 status=0
        (cd "$root" && WARREN_BIN="$root/build/asan/bin" \
                /usr/bin/python3 -u -m pytest -v --durations=20 "${@:2}") 2>&1 |
                tee "$logs/$name.log" || status=$?
        add_pytest "$name" "$status"
}

suite_unit() { need_build asan && run_ctest unit asan; }

suite_valgrind() {
        need_build plain || return 1
        run_ctest valgrind plain -LE no_valgrind -E '^(layers|fuzz_.*|handler_header_.*)$' -T memcheck \
                --overwrite MemoryCheckCommandOptions="--quiet --leak-check=full --error-exitcode=99"
}

# These suites mostly wait, so some workers run files in parallel, each with its own broker.
readonly quick=(-m 'not soak' --dist loadfile) slow=(-m soak --dist loadfile)
suite_integration() { need_build asan && run_pytest integration tests/integration -n 4 "${quick[@]}"; }
suite_faults() { need_build asan && run_pytest faults tests/faults -n 3 "${quick[@]}"; }
suite_soak() {
        need_build asan && need_build plain &&
                run_pytest soak tests/integration tests/faults tests/run -n 3 "${slow[@]}"
}

suite_run() { need_build plain && run_pytest run tests/run -m 'not soak'; }

suite_bench() {
        need_build plain || return 1
        local status=0
        "$root/tests/bench/run" --bin "$root/build/plain/bin" --jobs 5000 --delayed 200 --idle 20 \
                --rounds 2 --backlog 2000 --idle-seconds 3 --refused 1000 2>&1 |
                tee "$logs/bench.log" || status=$?
        add bench "$status" $((status == 0 ? 1 : 0)) 0
}

suite_lint() {
        need_build asan || return 1
        local status=0 summary
        "$root/tests/lint/run" "$root/build/asan" 2>&1 | tee "$logs/lint.log" || status=$?
        summary=$(tail -n 1 "$logs/lint.log")
        add lint "$status" "$(count_of passed "$summary")" "$(count_of failed "$summary")"
}

suite_upgrade() {
        need_build plain || return 1
        local status=0
        "$root/tests/upgrade/run" 2>&1 | tee "$logs/upgrade.log" || status=$?
        add_pytest upgrade "$status"
}

suite_platform() {
        local status=0 summary
        "$root/tests/platform/run" 2>&1 | tee "$logs/platform.log" || status=$?
        summary=$(tail -n 1 "$logs/platform.log")
        add platform "$status" "$(count_of passed "$summary")" "$(count_of failed "$summary")"
}

run_suite() {
        local started=$SECONDS
        printf '== %s\n' "$1"
        if ! "suite_$1"; then
                printf '%-12s could not be built\n' "$1"
                failed=$((failed + 1))
        fi
        say "$1 took $((SECONDS - started)) s"
}

main() {
        case ${1:-} in
        -h | --help | help) usage; exit 0 ;;
        esac
        chosen=("$@")
        ((${#chosen[@]} > 0)) || chosen=("${suites[@]}")
        for suite in "${chosen[@]}"; do
                [[ " ${suites[*]} ${extra_suites[*]} " == *" $suite "* ]] || { usage >&2; exit 2; }
        done
        mkdir -p "$logs"
        install_packages "$logs/apt.log" "$root/packages.txt" "$root/packages-test.txt"
        for suite in "${chosen[@]}"; do
                run_suite "$suite"
        done
        echo "$passed passed, $failed failed"
        ((failed == 0))
}

main "$@"
