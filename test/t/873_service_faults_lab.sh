#!/bin/sh
# 873_service_faults_lab.sh - runs inside systemd-lab: stops under load, deaths, starts that cannot succeed
#
# SPDX-License-Identifier: Apache-2.0
. test/t/870_lab_setup.sh

mkdir -p /etc/systemd/system/ottlad.service.d
printf '[Service]\nRestartSec=100ms\n' >/etc/systemd/system/ottlad.service.d/quick.conf
systemctl daemon-reload
systemctl start ottlad || fail start
kcat -b localhost:9092 -L -t load >/dev/null
await topic sh -c 'echo begin | kcat -P -b localhost:9092 -t load'

# A producer at work while the server stops and comes back: every record is there, once, and the producer saw no error.
(for i in $(seq 40); do seq $((i * 1000)) $((i * 1000 + 999)); sleep 0.05; done |
    kcat -P -b localhost:9092 -t load -X enable.idempotence=true -X message.timeout.ms=30000 -X retry.backoff.ms=50 2>/run/producer.err
echo $? >/run/producer.code) &
await 'load began' sh -c '[ "$(kcat -b localhost:9092 -C -t load -o beginning -e -q | wc -l)" -gt 1000 ]'
before=$(journalctl -u ottlad --no-pager -q | wc -l)
systemctl stop ottlad || fail load stop
[ "$(systemctl show -P ExecMainStatus ottlad)" = 0 ] || fail load code
systemctl start ottlad || fail load start
journalctl -u ottlad --no-pager -q -o cat | tail -n "+$before" | grep -q 'clean_start=yes' || fail load clean
journalctl -u ottlad --no-pager -q -o cat | tail -n "+$before" | grep -q -i 'recovery cut\|recovering' && fail load recovery
wait
[ "$(cat /run/producer.code)" = 0 ] || { cat /run/producer.err; fail load producer; }
kcat -b localhost:9092 -C -t load -o beginning -e -q >/run/records
[ "$(sed 1d /run/records | cksum)" = "$(seq 1000 40999 | cksum)" ] || { wc -l /run/records; fail load records; }
echo ok load

# Immediate: the next start recovers. systemd takes the exit code 1 for a failure and starts it again by itself.
old=$(main_pid)
kill -QUIT "$old"
is_another() { new=$(main_pid) && [ "$new" != 0 ] && [ "$new" != "$old" ] && [ "$(state)" = active ]; }
await 'quit restart' is_another
[ "$(journalctl -u ottlad --no-pager -q -o cat | grep -o 'clean_start=[a-z]*' | tail -1)" = clean_start=no ] || fail quit recovery
echo ok quit

# Smart: with an idle client it ends after smart.shutdown.timeout, which is 30 s unless it is set.
[ "$(/usr/lib/ottla/bin/ottlad -C smart.shutdown.timeout)" = 30000 ] || fail smart default
echo 'smart.shutdown.timeout = 2s' >/etc/ottla/main/conf.d/quick.conf
systemctl reload ottlad
await 'smart reload' log_has 'smart.shutdown.timeout: 30000 -> 2000'
perl -MIO::Socket::INET -e '$| = 1; my $s = IO::Socket::INET->new("localhost:9092") or die; $s->syswrite(pack "N n n N n a*", 14, 18, 0, 9, 4, "test");
    my $b; $s->sysread($b, 8); print "up\n"; $s->sysread($b, 65536) while 1; ' >/run/idle &
idle=$!
await 'smart client' test -s /run/idle
began=$(date +%s%N)
kill -TERM "$(main_pid)"
await 'smart end' state_is inactive
took=$((($(date +%s%N) - began) / 1000000))
[ $took -ge 1900 ] && [ $took -lt 10000 ] || fail "smart after $took ms"
[ "$(systemctl show -P ExecMainStatus ottlad)" = 0 ] || fail smart code
kill $idle
echo ok smart

# kill -9 of the supervisor: all its children go at once, and the next start is not refused.
systemctl start ottlad || fail orphans start
pids=$(children)
printf '[Service]\nRestart=no\n' >/etc/systemd/system/ottlad.service.d/quick.conf
systemctl daemon-reload
kill -9 "$(main_pid)"
gone() { for p in $pids; do [ ! -d "/proc/$p" ] || return 1; done; }
began=$(date +%s)
await 'orphans to be gone' gone
[ $(($(date +%s) - began)) -le 5 ] || fail orphans late
systemctl start ottlad || fail orphans start again
printf '[Service]\nRestartSec=100ms\n' >/etc/systemd/system/ottlad.service.d/quick.conf
systemctl daemon-reload
echo ok orphans

# Two services on one directory: the second ends with 75 and names the first.
sed 's#-D /var/lib/ottla/%i#-D /var/lib/ottla/main#; s#^Restart=.*#Restart=no#' contrib/systemd/ottlad@.service >/etc/systemd/system/second@.service
systemctl daemon-reload
systemctl start second@main 2>/dev/null && fail locked start
[ "$(systemctl show -P ExecMainStatus second@main)" = 75 ] || fail locked code
journalctl -u second@main --no-pager -q -o cat | grep -q "locked by process $(main_pid) (.*ottlad" || fail locked holder
echo ok locked

# A port in use: exit 1 with the way to the holder; systemd gives up after five attempts.
systemctl stop ottlad
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:9092", ReuseAddr => 1) or die; print "up\n"; close STDOUT; sleep 60' >/run/holder &
holder=$!
await 'port holder' test -s /run/holder
systemctl reset-failed ottlad 2>/dev/null || :
systemctl start ottlad 2>/dev/null && fail port start
await 'port limit' sh -c 'systemctl show -P Result ottlad | grep -q "start-limit-hit\|exit-code" && [ "$(systemctl show -P ActiveState ottlad)" = failed ]'
[ "$(systemctl show -P ExecMainStatus ottlad)" = 1 ] || fail port code
attempts=$(journalctl -u ottlad --no-pager -q -o cat | grep -c 'cannot start: .*9092.*in use')
[ "$attempts" -ge 2 ] && [ "$attempts" -le 6 ] || fail "port attempts $attempts"
journalctl -u ottlad --no-pager -q -o verbose | grep -q 'OTTLA_HINT=ss -ltnp' || fail port hint
kill $holder
echo ok port

# A mistake in the settings: 78, and no second attempt.
systemctl reset-failed ottlad
echo 'num.partitons = 3' >>$conf
mark=$(journalctl -u ottlad --no-pager -q | wc -l)
systemctl start ottlad 2>/dev/null && fail settings start
await 'settings state' state_is failed
[ "$(systemctl show -P ExecMainStatus ottlad)" = 78 ] || fail settings code
[ "$(systemctl show -P NRestarts ottlad)" = 0 ] || fail settings restarts
await "settings message" in_journal MESSAGE_ID="$(id_of CONFIG_ERROR)"
echo ok settings
