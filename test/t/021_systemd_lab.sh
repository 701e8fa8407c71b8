#!/bin/sh
# 021_systemd_lab.sh - runs inside systemd-lab: the units of contrib/systemd with the ottlad of the folder $1
#
# Prints "ok NAME" per proof; 021_systemd.t counts them.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
. test/t/lab_await.sh
binary=$1/ottlad
u=contrib/systemd

mkdir -p /usr/lib/ottla/bin /etc/ottla/main /usr/lib/sysusers.d /usr/lib/tmpfiles.d
cp "$binary" /usr/lib/ottla/bin/ottlad
mkdir -p /usr/lib/systemd/catalog
cp $u/ottla.catalog /usr/lib/systemd/catalog/
journalctl --update-catalog
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

# The journal has the messages natively, with their fields; systemd's own pid field is of the sender.
id_of() { sed -n "s/.*X($1, \"\([0-9a-f]*\)\").*/\1/p" include/ottla/common/log_events.h; }
# found FIELD=VALUE...: does the journal have such a message? It comes through another process.
in_journal() { journalctl --no-pager -q -n 1 -o cat "$@" | grep -q .; }
found() { await "journal: $*" in_journal "$@"; }
found MESSAGE_ID="$(id_of READY)" _TRANSPORT=journal _PID="$(systemctl show -P MainPID ottlad)" PRIORITY=5 \
    SYSLOG_IDENTIFIER=ottlad OTTLA_INSTANCE=main OTTLA_KIND=supervisor OTTLA_CATEGORY=supervisor CODE_FUNC=announce_ready
found MESSAGE_ID="$(id_of CONTROLLER)" _TRANSPORT=journal OTTLA_KIND=controller OTTLA_NODE_ID=1
journalctl --no-pager -x MESSAGE_ID="$(id_of READY)" | grep -q 'ottlad serves clients' || fail journal catalogue
journalctl --no-pager -u ottlad _TRANSPORT=stdout -o cat | grep -q supervisor && fail journal twice
echo ok journal

systemctl reload ottlad || fail reload
is_reloaded() { systemctl show -P StatusText ottlad | grep -q '^Reloaded'; }
await 'reload status' is_reloaded # with Type=notify nobody waits for the answer to SIGHUP
echo ok reload

old=$(systemctl show -P MainPID ottlad)
kill -9 "$old"
is_another() {
    new=$(systemctl show -P MainPID ottlad)
    [ "$new" != 0 ] && [ "$new" != "$old" ] && [ "$(systemctl show -P ActiveState ottlad)" = active ]
}
await kill is_another
echo ok kill

systemctl stop ottlad || fail stop
[ "$(systemctl show -P ExecMainStatus ottlad)" = 0 ] || fail stop code
[ -e /var/lib/ottla/main/log/.kafka_cleanshutdown ] || fail stop marker
echo ok stop

echo 'log.destination = syslog' >>/etc/ottla/main/ottla.conf
systemctl start ottlad || fail syslog start
found _TRANSPORT=syslog SYSLOG_IDENTIFIER=ottlad SYSLOG_FACILITY=3 _PID="$(systemctl show -P MainPID ottlad)"
systemctl stop ottlad || fail syslog stop
echo ok syslog

echo 'num.partitons = 3' >>/etc/ottla/main/ottla.conf
systemctl start ottlad && fail check
[ "$(systemctl show -P ExecMainStatus ottlad)" = 78 ] || fail check code
has_failed() { [ "$(systemctl show -P ActiveState ottlad)" = failed ]; }
await 'check state' has_failed # 78 is final: no restart is under way
[ "$(systemctl show -P NRestarts ottlad)" -le 1 ] || fail check restarts
echo ok check
