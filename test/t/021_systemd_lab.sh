#!/bin/sh
# 021_systemd_lab.sh - runs inside systemd-lab: the units of contrib/systemd with the binary given as $1
#
# Prints "ok NAME" per proof; 021_systemd.t counts them.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
binary=$1
u=contrib/systemd

fail() { echo "not ok $*"; systemctl status ottlad --no-pager || :; journalctl -u ottlad --no-pager | tail -50; exit 1; }

mkdir -p /usr/lib/ottla/bin /etc/ottla/main /usr/lib/sysusers.d /usr/lib/tmpfiles.d
cp "$binary" /usr/lib/ottla/bin/ottlad
cp $u/*.service $u/*.socket $u/*.target /etc/systemd/system/
cp $u/ottla.sysusers /usr/lib/sysusers.d/ottla.conf
cp $u/ottla.tmpfiles /usr/lib/tmpfiles.d/ottla.conf
systemd-sysusers
systemd-tmpfiles --create ottla.conf
echo 'num.partitions = 3' >/etc/ottla/main/ottla.conf
# The lab's kernel and limits are the host's: what it may not raise is dropped here, nothing else.
mkdir -p /etc/systemd/system/ottlad.service.d
printf '[Service]\nLimitNOFILE=\nLimitNPROC=\nLimitCORE=\nLimitMEMLOCK=\nOOMScoreAdjust=\n' \
    >/etc/systemd/system/ottlad.service.d/lab.conf
systemctl daemon-reload

systemctl start ottlad || fail start
[ "$(systemctl show -P ActiveState ottlad)" = active ] || fail start state
systemctl show -P StatusText ottlad | grep -q '^Ready; node 1' || fail start status
[ -S /run/ottla/.s.ottla.9092 ] || fail start socket
[ "$(stat -c %U /var/lib/ottla/main)" = ottla ] || fail start owner
echo ok start

systemctl reload ottlad || fail reload
systemctl show -P StatusText ottlad | grep -q '^Reloaded' || fail reload status
echo ok reload

old=$(systemctl show -P MainPID ottlad)
kill -9 "$old"
i=0
while new=$(systemctl show -P MainPID ottlad); [ "$new" = 0 ] || [ "$new" = "$old" ] || \
    [ "$(systemctl show -P ActiveState ottlad)" != active ]; do
    i=$((i + 1)); [ $i -lt 300 ] || fail kill; sleep 0.1
done
echo ok kill

systemctl stop ottlad || fail stop
[ "$(systemctl show -P ExecMainStatus ottlad)" = 0 ] || fail stop code
[ -e /var/lib/ottla/main/log/.kafka_cleanshutdown ] || fail stop marker
echo ok stop

echo 'num.partitons = 3' >>/etc/ottla/main/ottla.conf
systemctl start ottlad && fail check
[ "$(systemctl show -P ExecMainStatus ottlad)" = 78 ] || fail check code
i=0
while [ "$(systemctl show -P ActiveState ottlad)" != failed ]; do # 78 is final: no restart is under way
    i=$((i + 1)); [ $i -lt 300 ] || fail check state; sleep 0.1
done
[ "$(systemctl show -P NRestarts ottlad)" -le 1 ] || fail check restarts
echo ok check
