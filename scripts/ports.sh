# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# ports.sh: choosing TCP ports on 127.0.0.1. Sourced; the caller has say().

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port below the range that the kernel uses for outgoing connections.
free_port() {
        local port
        while true; do
                port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
                [[ " $ports_chosen " == *" $port "* ]] && continue
                port_is_taken "$port" || break
        done
        echo "$port"
}

# choose_port VARIABLE WANTED: sets it to the wanted port, or to a free one; never to one chosen
# before.
ports_chosen=""
choose_port() {
        local wanted=$2
        if [[ $wanted == 0 || -z $wanted || " $ports_chosen " == *" $wanted "* ]]; then
                wanted=$(free_port)
        elif port_is_taken "$wanted"; then
                local free
                free=$(free_port)
                say "port $wanted is taken, using $free"
                wanted=$free
        fi
        ports_chosen="$ports_chosen $wanted"
        printf -v "$1" '%s' "$wanted"
}
