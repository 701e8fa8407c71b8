#!/bin/sh
# 872_watchdog_lab.sh - runs inside systemd-lab: a worker that does not turn ends the server by the watchdog, one that is slow does not
#
# SPDX-License-Identifier: Apache-2.0
. test/t/870_lab_setup.sh

mkdir -p /etc/systemd/system/ottlad.service.d
printf '[Service]\nWatchdogSec=6\nRestartSec=100ms\n' >/etc/systemd/system/ottlad.service.d/watchdog.conf
systemctl daemon-reload
systemctl start ottlad || fail start
seq 100 | kcat -P -b localhost:9092 -t kept -X acks=all || fail produce

old=$(main_pid)
now_ms() { echo $(($(date +%s%N) / 1000000)); }
began=$(now_ms)
kill -STOP "$(child checkpointer)"
is_another() { new=$(main_pid) && [ "$new" != 0 ] && [ "$new" != "$old" ] && [ "$(state)" = active ]; }
await restart is_another
took=$(($(now_ms) - began))
echo "# restarted after $took ms"
[ $took -lt 12000 ] || fail "restart after $took ms"
echo ok restart
journalctl --no-pager -q -o cat -u ottlad | grep -q 'Watchdog timeout' || fail abort
journalctl --no-pager -q -o cat -u ottlad | grep -q 'Main process exited, code=\(dumped\|killed\), status=6/ABRT' || fail abort signal
log_has 'checkpointer has not turned for' || fail abort reason
[ "$(kcat -b localhost:9092 -C -t kept -o beginning -e -q | cksum)" = "$(seq 100 | cksum)" ] || fail records
log_has 'clean_start=no' || fail recovery
echo ok abort
