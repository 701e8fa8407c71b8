#!/bin/sh
# 875_service_scale_lab.sh - runs inside systemd-lab: five thousand connections to the service
#
# SPDX-License-Identifier: Apache-2.0
. test/t/870_lab_setup.sh

systemctl start ottlad || fail start
# The lab's machine may forbid what the unit asks for; then there is nothing to find out about it.
limit=$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$(main_pid)/limits")
[ "$limit" -ge 16000 ] || { echo "# open files: $limit"; echo ok skipped; exit 0; }

cat >/run/clients.pl <<'PERL'
use strict;
use IO::Socket::INET;
$| = 1;
my @pids;
for my $child (1 .. 10) {    # a process may have a thousand files
    my $pid = fork // die;
    if (!$pid) {
        my @sockets;
        for (1 .. 500) {
            my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:9092', Timeout => 30) or die "connect: $@";
            $s->syswrite(pack 'N n n N n a*', 14, 18, 0, 9, 4, 'test');
            push @sockets, $s;
        }
        alarm 60;
        for my $s (@sockets) {
            $s->sysread(my $b, 65536) or die 'no answer';
        }
        open my $done, '>', "/run/clients.$child" or die;
        alarm 0;
        sleep 300;
        exit;
    }
    push @pids, $pid;
}
$SIG{TERM} = sub { kill KILL => @pids; exit };
sleep 300;
PERL
perl /run/clients.pl 2>/run/clients.err &
clients=$!
all_there() { [ "$(ls /run/clients.[0-9]* 2>/dev/null | wc -l)" = 10 ]; }
patience_s=90
(await connections all_there) || { cat /run/clients.err; exit 1; }
connected() { pgrep -f '^ottlad: main: backend PLAINTEXT' -c; }
[ "$(connected)" = 5000 ] || fail "connections $(connected)"
echo ok connections

# Private memory of an idle backend, and how gladly the kernel may end it.
worst=0
for p in $(pgrep -f '^ottlad: main: backend PLAINTEXT' | awk 'NR % 100 == 0'); do
    kib=$(awk '/^Private/ { s += $2 } END { print s }' "/proc/$p/smaps_rollup")
    [ "$kib" -le "$worst" ] || worst=$kib
    [ "$(cat "/proc/$p/oom_score_adj")" = 100 ] || fail "oom $(cat "/proc/$p/oom_score_adj")"
done
echo "# private memory at worst: $worst KiB"
[ "$worst" -gt 0 ] && [ "$worst" -le 2048 ] || fail memory
[ "$(cat "/proc/$(child controller)/oom_score_adj")" = 0 ] || fail oom of a worker
# -900 may only be given by one who may: then it is.
systemctl show -P OOMScoreAdjust ottlad | grep -q -- '^-900$' || fail oom unit
echo ok memory
journalctl -u ottlad --no-pager -q -o cat | grep -i 'fork of a\|too many\|no slot' && fail lines
kill $clients
gone() { [ "$(connected)" = 0 ]; }
await 'clients to be gone' gone
systemctl stop ottlad || fail stop
echo ok stop
