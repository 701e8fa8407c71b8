#!/usr/bin/perl
# 021_systemd.t - what systemd is told and what it hands over, with a Perl socket in its place
#
# Proves: READY, STATUS, RELOADING with MONOTONIC_USEC, STOPPING and WATCHDOG on NOTIFY_SOCKET, the
# withheld watchdog of a stopped worker, sockets by LISTEN_FDS; and, where the lab runs, the unit files
# of contrib/systemd under a real systemd.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Fcntl qw(F_SETFD);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Socket qw(SOCK_DGRAM SOMAXCONN);
use Time::HiRes qw(time);
use Ottla::Test::Lab;
use Ottla::Test::Node;
use Ottla::Test::Wire;

my $dir = tempdir(CLEANUP => 1);
my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die $!;
my $select = IO::Select->new($notify);
my @messages;

sub gather {    # messages that came, until one matches
    my ($pattern, $patience) = @_;
    my $until = time + ($patience // $Ottla::Test::Node::PATIENCE);
    while (time < $until) {
        next if !$select->can_read(0.1);
        $notify->recv(my $text, 65536);
        push @messages, $text;
        return $text if $text =~ $pattern;
    }
    return undef;
}

subtest 'messages' => sub {
    my $node = Ottla::Test::Node->new(env => { NOTIFY_SOCKET => "$dir/notify" })->start;
    like(gather(qr/^READY=1$/m), qr/^STATUS=Ready; node 1/m, 'READY with a status');
    is(Ottla::Test::Wire->new($node)->create_topic('three', 3), 0, 'a topic');
    is((grep { /READY/ } @messages), 1, 'once');
    $node->reload;
    like(gather(qr/^RELOADING=1$/m), qr/^MONOTONIC_USEC=\d+$/m, 'RELOADING');
    ok(gather(qr/^READY=1$/m), 'READY again');
    $node->kill_child(KILL => 'retention');
    ok(gather(qr/^STATUS=Recovering after a crash/m), 'a crash shows in STATUS');
    ok(gather(qr/^STATUS=Ready; node 1, 3 partitions \(3 leader\), \d+ clients, 0 under-replicated/m), 'and its end');
    ok(!(grep { /STOPPING/ } @messages), 'readiness stays');
    $node->signal('INT');
    ok(gather(qr/^STOPPING=1$/m), 'STOPPING');
    is($node->wait_exit, 0, 'stop');
    $node->clean_up;
    @messages = ();

    my $bad = Ottla::Test::Node->new(env => { NOTIFY_SOCKET => "$dir/notify" }, args => ['--no-auto-format']);
    $bad->launch->wait_exit;
    ok(gather(qr/^STATUS=.*does not exist/m, 5), 'a failed start says why');
    $bad->clean_up;
};

subtest 'watchdog' => sub {
    my $node = Ottla::Test::Node->new(env => { NOTIFY_SOCKET => "$dir/notify", WATCHDOG_USEC => 900_000 });
    $node->start;
    ok(gather(qr/^WATCHDOG=1$/m), 'fed') for 1 .. 3;
    $node->kill_child(STOP => 'checkpointer');
    $node->wait_for_log(qr/checkpointer has not turned for \d+ ms: the watchdog is not fed/);
    while ($select->can_read(0)) { $notify->recv(my $text, 65536) }
    ok(!gather(qr/^WATCHDOG=1$/m, 1), 'a stopped checkpointer starves it');
    $node->kill_child(CONT => 'checkpointer');
    ok(gather(qr/^WATCHDOG=1$/m), 'fed again');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'socket activation' => sub {
    my $tcp = IO::Socket::INET->new(Listen => SOMAXCONN, LocalAddr => '127.0.0.1') or die $@;
    my $local = IO::Socket::UNIX->new(Listen => SOMAXCONN, Local => "$dir/local") or die $!;
    my $early = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tcp->sockport) or die $@;
    my $hand_over = sub {
        my (@names) = @_;
        return sub {
            my @sockets = ($tcp, $local);
            for my $i (0 .. $#sockets) {    # away from 3 and 4 first
                my $fd = POSIX::dup(fileno $sockets[$i]);
                $fd = POSIX::dup2($fd, 30 + $i);
            }
            for my $i (0 .. $#sockets) {
                POSIX::dup2(30 + $i, 3 + $i);
                POSIX::close(30 + $i);
            }
            $ENV{LISTEN_PID}     = $$;
            $ENV{LISTEN_FDS}     = scalar @sockets;
            $ENV{LISTEN_FDNAMES} = join ':', @names;
        };
    };
    my $node = Ottla::Test::Node->new(port => $tcp->sockport);
    $node->start(prepare => $hand_over->('plaintext', 'local'));
    $early->syswrite(pack 'N n n N n a*', 14, 18, 0, 9, 4, 'test');
    ok(IO::Select->new($early)->can_read($Ottla::Test::Node::PATIENCE), 'who came early is served');
    my $peer = IO::Socket::UNIX->new(Peer => "$dir/local");
    ok($peer, 'the Unix socket, too');
    is($node->stop, 0, 'stop');
    ok(-S "$dir/local", 'a socket of systemd is left in place');
    is($node->launch(prepare => $hand_over->('plaintext', 'nonsense'))->wait_exit, 78, 'unknown name');
    like($node->log_new, qr/"nonsense", which is no listener/, 'is named');
    $node->clean_up;
};

subtest 'destinations of log lines' => sub {
    my ($events, $catalog) = map { local (@ARGV, $/) = $_; <> } 'include/ottla/common/log_events.h', 'contrib/systemd/ottla.catalog';
    my @ids = $events =~ /X\(\w+, "([0-9a-f]{32})"\)/g;
    cmp_ok(scalar @ids, '>=', 7, 'events');
    is_deeply([sort $catalog =~ /^-- ([0-9a-f]{32})$/mg], [sort @ids], 'the catalogue explains each once');

    my $named = Ottla::Test::Node->new(conf => { 'log.line.prefix' => '%k [%r|%h|%L|%u|%a] ' })->start;
    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $named->port) or die $@;
    $client->syswrite(pack 'N n n N n a*', 13, 18, 0, 9, 3, 'app');
    ok(IO::Select->new($client)->can_read($Ottla::Test::Node::PATIENCE), 'an answer');
    $client->syswrite(pack 'N', 0xffffffff);
    my $from = '127\.0\.0\.1:' . $client->sockport;
    $named->wait_for_log(qr/^backend \[$from\|127\.0\.0\.1\|PLAINTEXT\|User:ANONYMOUS\|app\] INFO:  backend: closing connection/m);
    is($named->stop, 0, 'lines of a backend name its client');
    $named->clean_up;

    my $unknown = Ottla::Test::Node->new(conf => { 'log.destination' => 'files' });
    is($unknown->launch->wait_exit, 78, 'one that does not exist is refused');
    $unknown->clean_up;

    my $json = Ottla::Test::Node->new(conf => { 'log.destination' => 'json', 'log.connections' => 'true' })->start;
    $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $json->port) or die $@;
    $client->syswrite(pack 'N n n N n a*', 14, 18, 0, 9, 4, "a\"\xff\n");
    ok(IO::Select->new($client)->can_read($Ottla::Test::Node::PATIENCE), 'an answer');
    $client->syswrite(pack 'N', 0xffffffff);
    $json->wait_for_log(qr/closing connection/);
    is($json->stop, 0, 'json');
    my @objects = map { eval { JSON::PP->new->utf8->decode($_) } // { error => "$_: $@" } } split /\n/, $json->log_text;
    is_deeply([grep { defined } map { $_->{error} } @objects], [], 'each line is an object');
    my ($closing) = grep { $_->{MESSAGE} =~ /closing connection/ } @objects;
    is($closing->{$_->[0]}, $_->[1], $_->[0]) for [OTTLA_KIND => 'backend'], [OTTLA_LISTENER => 'PLAINTEXT'], [OTTLA_LEVEL => 'INFO'];
    like($closing->{TIME}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'with a time');
    $json->clean_up;
    return if -e '/run/systemd/journal/socket'; # then lines go there
    my $node = Ottla::Test::Node->new(conf => { 'log.destination' => 'journal' })->start;
    $node->wait_for_log(qr/WARNING:  settings: log.destination is journal, but there is none here/);
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'a real systemd' => sub {
    my $out = Ottla::Test::Lab::run('test/t/021_systemd_lab.sh', 120);
    like($out, qr/^ok $_$/m, $_) for 'start', 'journal', 'reload', 'kill', 'stop', 'syslog', 'check';
};

done_testing;
