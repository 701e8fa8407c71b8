# lab_await.sh - inside systemd-lab: how its scripts wait, and how they fail; sourced by them
#
# SPDX-License-Identifier: Apache-2.0
instance=ottlad    # the unit that is looked at
patience_s=30      # of one wait

fail() {
    echo "not ok $*"
    systemctl status "$instance" --no-pager || :
    journalctl --no-pager -o short-precise | grep -v 'systemd\[1\]: .*ConditionPath' | tail -60
    exit 1
}

# await WHAT COMMAND...: until the command succeeds
await() {
    what=$1 looks=0
    shift
    until "$@"; do
        looks=$((looks + 1)); [ $looks -lt $((patience_s * 10)) ] || fail "$what"; sleep 0.1
    done
}
