#!/bin/sh
# 870_service_lab.sh - runs inside systemd-lab: readiness, reload, journal, sockets, instances, hardening of the service
#
# SPDX-License-Identifier: Apache-2.0
. test/t/870_lab_setup.sh

# A unit that is ordered after the server may produce at once.
cat >/etc/systemd/system/first.service <<'UNIT'
[Unit]
Requires=ottlad.service
After=ottlad.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo first | kcat -P -b localhost:9092 -t first -X message.timeout.ms=5000 -X request.timeout.ms=2000'
UNIT
systemctl daemon-reload
systemctl start first || fail ready
[ "$(kcat -b localhost:9092 -C -t first -o beginning -e -q)" = first ] || fail ready record
echo ok ready

# The check of its files, while it runs; damage makes the unit fail.
systemctl start ottla-verify@main || fail verify
echo second | kcat -P -b localhost:9092 -t first
cp -a /var/lib/ottla/main /var/lib/ottla/damaged
printf 'X' | dd of=/var/lib/ottla/damaged/log/first-0/00000000000000000000.log bs=1 seek=70 conv=notrunc 2>/dev/null
systemctl start ottla-verify@damaged 2>/dev/null && fail verify damage
[ "$(systemctl show -P ExecMainStatus ottla-verify@damaged)" = 1 ] || fail verify code
rm -r /var/lib/ottla/damaged
systemd-analyze verify --man=no /etc/systemd/system/ottla*.timer /etc/systemd/system/ottlad*.service 2>&1 | grep '/etc/systemd/system/ottla' && fail verify units
echo ok verify

# Hardening: the score, and that it holds while the server does its work (produce and consume above).
score=$(systemd-analyze security --offline=true --no-pager /etc/systemd/system/ottlad.service | sed -n 's/.*exposure level for.*: \([0-9.]*\) .*/\1/p')
echo "# exposure $score"
awk -v s="$score" 'BEGIN { exit !(s != "" && s <= 2.0) }' || fail "security $score"
[ "$(sed -n 's/^NoNewPrivs:\t//p; ' /proc/"$(main_pid)"/status)" = 1 ] || fail security privileges
[ "$(sed -n 's/^CapEff:\t//p' /proc/"$(main_pid)"/status)" = 0000000000000000 ] || fail security capabilities
[ "$(sed -n 's/^Seccomp:\t//p' /proc/"$(main_pid)"/status)" = 2 ] || fail security calls
echo ok security

# A typo in one value, then a syntax error.
printf "num.partitions = 4\nlog.retention.ms = 7days\ninclude_dir 'conf.d'\n" >$conf
systemctl reload ottlad || fail reload
await 'reload typo' status_is '^Reloaded, but for 1 bad values'
await 'reload typo line' log_has "$conf:2: log.retention.ms = \"7days\""
await 'reload change' log_has "num.partitions: 1 -> 4 ($conf:1)"
state_is active || fail reload state
printf "num.partitions = 5\nlog.retention.ms = '7d\n" >$conf
systemctl reload ottlad || fail reload
await 'reload syntax' status_is '^Reload failed, nothing applied'
await 'reload syntax line' log_has "$conf:2: log.retention.ms: the closing quote is missing"
log_has 'num.partitions: 4 -> 5' && fail reload applied
printf "num.partitions = 1\ninclude_dir 'conf.d'\n" >$conf
systemctl reload ottlad || fail reload
await 'reload mended' status_is '^Reloaded$'
echo ok reload

# The journal: by topic, by priority, by message; and the catalogue. A torn segment makes the first two.
systemctl stop ottlad || fail journal stop
printf 'torn' >>/var/lib/ottla/main/log/first-0/00000000000000000000.log
rm /var/lib/ottla/main/log/.kafka_cleanshutdown
echo 'log.min.messages = debug5' >>$conf
printf "delegation.token.secret.key = 'hidden-one'\nlistener.name.plaintext.ssl.keystore.password = 'hidden-two'\n" >>$conf
systemctl start ottlad || fail journal start
await 'journal topic' in_journal OTTLA_TOPIC=first OTTLA_PARTITION=0
journalctl --no-pager -q -o cat -p err -u ottlad | grep -q 'Reload failed' || fail journal priority
journalctl --no-pager -q -o cat -p err -u ottlad | grep -q 'supervisor: ready' && fail journal priority of others
for event in STARTED READY STOPPING CONTROLLER; do
    await "journal $event" in_journal MESSAGE_ID="$(id_of $event)"
    journalctl --no-pager -x -o short MESSAGE_ID="$(id_of $event)" | grep -q 'Subject: .*' || fail "journal catalogue $event"
done
echo x | kcat -P -b localhost:9092 -t first
journalctl --no-pager -q -o cat -u ottlad | grep -q DEBUG || journalctl --no-pager -q -p debug..debug -u ottlad -o cat | grep -q . || fail journal debug
journalctl --no-pager -q -o export | grep -q 'hidden-one\|hidden-two' && fail journal secret
sed -i '/debug5/d; /hidden/d' $conf
echo ok journal

# Two instances; one is stopped, the other's socket stays.
ottla-createinstance -p 9192 --start test >/dev/null || fail instances create
[ -S /run/ottla/.s.ottla.9092 ] && [ -S /run/ottla/.s.ottla.9192 ] || fail instances sockets
ottla-lsinstances -h >/run/list
grep -q '^main  *9092  *online .*ottlad.service' /run/list && grep -q '^test  *9192  *online .*ottlad@test.service' /run/list || { cat /run/list; fail instances list; }

# Log lines of one of them in files, which the unit lets it write: by size, by order, and with the package's rules of logrotate.
logs=/var/log/ottla/test
printf "log.destination = file\nlog.connections = on\nlog.rotation.size = 2000\n" >/etc/ottla/test/conf.d/files.conf
systemctl restart ottlad@test || fail files start
[ "$(stat -c '%U %G %a' $logs)" = 'ottla adm 750' ] || fail files owner
in_files() { grep -q "$1" $logs/*.log; }
in_files 'supervisor: ready;' || fail files ready
connect() { perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => 9192) or exit 1'; }
files() { ls $logs/*.log | wc -l; }
more_than() { connect || return 1; [ "$(files)" -gt "$1" ]; }
await 'files by size' more_than 1
printf "log.destination = file\nlog.connections = on\nlog.rotation.age = 0\nlog.filename = node.log\n" >/etc/ottla/test/conf.d/files.conf
systemctl reload ottlad@test || fail files reload
await 'files by another name' test -e $logs/node.log
rotated() { connect; [ -s $logs/node.log ]; }
mv $logs/node.log $logs/moved
ottlactl logrotate -s -D /var/lib/ottla/test || fail files ottlactl
await 'files by order' rotated
logrotate -f contrib/debian/ottla-server.logrotate || fail files logrotate
[ -e $logs/node.log.1 ] || fail files moved
await 'files of logrotate' rotated
[ "$(stat -c '%U %a' $logs/node.log)" = 'ottla 640' ] || fail files mode
in_files ERROR && { cat $logs/*; fail files errors; }
rm /etc/ottla/test/conf.d/files.conf
systemctl restart ottlad@test || fail files end
echo ok files

systemctl stop ottlad@test || fail instances stop
[ -S /run/ottla/.s.ottla.9092 ] || fail instances socket of the other
[ ! -e /run/ottla/.s.ottla.9192 ] || fail instances own socket
ottla-lsinstances -h | grep -q '^test  *9192  *down' || fail instances down
systemctl start ottlad@test ottla.target || fail instances target
systemctl stop ottla.target || fail instances target
await 'instances all stopped' sh -c '! pgrep -u ottla >/dev/null'
ottla-dropinstance test || fail instances drop
[ ! -e /etc/ottla/test ] && [ ! -e /var/lib/ottla/test ] && [ ! -e $logs ] || fail instances dropped
echo ok instances

# The local socket held by systemd: a client's connection starts the server, and outlives its restart.
ask() {
    perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => "/run/ottla/.s.ottla.9092") or exit 1; $s->syswrite(pack "N n n N n a*", 14, 18, 0, 9, 4, "test");
        alarm 20; my $b; exit !($s->sysread($b, 8) == 8 && unpack("x4 N", $b) == 9)'
}
systemctl start ottlad.socket || fail activation socket
state_is inactive || fail activation early
inode=$(stat -c %i /run/ottla/.s.ottla.9092)
ask || fail activation request
state_is active || fail activation active
systemctl restart ottlad || fail activation restart
[ "$(stat -c %i /run/ottla/.s.ottla.9092)" = "$inode" ] || fail activation socket kept
ask || fail activation again
systemctl stop ottlad.socket ottlad || fail activation stop
[ ! -e /run/ottla/.s.ottla.9092 ] || fail activation removed
echo ok activation
