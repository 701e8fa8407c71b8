#!/usr/bin/perl
# 031_connections.t - what one connection can do to its backend, and what signals do to it
#
# Proves: a client that sends and never reads is bounded and hurts nobody; answers come in order all
# the same; large requests wait for queued.max.request.bytes and go on when it is given back, by a
# hang-up too; an idle connection is closed; SIGINT ends a wait, SIGTERM answers what was begun and
# ends; titles say who waits; what was sent before a hang-up is carried out (acks=0).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use IO::Select;
use POSIX ();
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $MIB = 1 << 20;
my $correlation = 0;

# One request frame; bodies are given as bytes.
sub frame {
    my ($key, $version, $body) = @_;
    return pack 'N/a*', pack('nnN', $key, $version, ++$correlation) . pack('n/a*', 'test') . $body;
}

sub api_versions { frame(18, 0, '') }
sub metadata_all { frame(3, 1, pack 'N', 0xffffffff) }

# Bytes after the body are not looked at: a request of any size.
sub large { my ($size) = @_; frame(18, 0, "\0" x $size) }

sub fetch {
    my ($topic, $offset, $wait_ms) = @_;
    return frame(1, 4, pack('N N N N C N', 0xffffffff, $wait_ms, 1, $MIB, 0, 1)
        . pack('n/a*', $topic) . pack('N N Q> N', 1, 0, $offset, $MIB));
}

# The next frame, or undef at the end of the connection or after the time given.
sub answer {
    my ($socket, $seconds) = @_;
    my $until = time + ($seconds // 30);
    my $got = '';
    my $want = 4;
    while (length $got < $want) {
        my $left = $until - time;
        return undef if $left <= 0 || !IO::Select->new($socket)->can_read($left);
        sysread($socket, $got, $want - length $got, length $got) or return undef;
        $want = 4 + unpack('N', $got) if length $got == 4;
    }
    return substr $got, 4;
}

sub correlation_of { unpack 'N', $_[0] }

sub create_topic {
    my ($socket, $name) = @_;
    syswrite $socket, frame(19, 2,
        pack('N', 1) . pack('n/a*', $name) . pack('N n N N', 1, 1, 0, 0) . pack('N C', 10000, 0));
    return answer($socket);
}

sub rss_kib {
    my ($pid) = @_;
    open my $status, '<', "/proc/$pid/status" or return 0;
    return (map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$status>)[0] // 0;
}

my $node = Ottla::Test::Node->new(
    conf => { 'queued.max.request.bytes' => 3 * $MIB, 'socket.request.max.bytes' => 3 * $MIB })->start;

# The backend of a connection opened just now.
sub backend_of {
    my ($socket) = @_;
    my $port = $socket->sockport;
    my $found;
    $node->wait_until("backend of port $port", sub {
        ($found) = grep { $_->{title} =~ /:$port\b/ } $node->children_of_kind('backend');
        $found;
    });
    return $found->{pid};
}

sub title_of {
    my ($pid) = @_;
    return (map { $_->{title} } grep { $_->{pid} == $pid } $node->children)[0] // '';
}

subtest 'a client that never reads' => sub {
    my $socket = $node->connect_tcp;
    create_topic($socket, 'many');
    my $pid = backend_of($socket);
    my $first = $correlation + 1;
    my $sent = join '', map { metadata_all() } 1 .. 20000;
    $socket->blocking(0);
    my $done = 0;
    my $stuck_since = time;
    while ($done < length $sent && time - $stuck_since < 1) {
        my $n = syswrite $socket, $sent, 65536, $done;
        ($done, $stuck_since) = ($done + $n, time) if $n;
    }
    cmp_ok(rss_kib($pid), '<', 16 * 1024, 'its backend stays small');
    my $other = $node->connect_tcp;
    syswrite $other, api_versions();
    ok(defined answer($other), 'others are served');
    my $wrong = 0;
    my $whole = int($done / (length($sent) / 20000));
    for my $i (0 .. $whole - 1) {
        my $got = answer($socket);
        $wrong++ if !defined $got || correlation_of($got) != $first + $i;
        last if $wrong;
    }
    is($wrong, 0, 'all answers come in order once it reads');
};

subtest 'large requests share a budget' => sub {
    my ($one, $two) = map { $node->connect_tcp } 1 .. 2;
    my $big = large(2 * $MIB);
    syswrite $one, substr $big, 0, 1000;
    $node->wait_until('the first holds its memory', sub { title_of(backend_of($one)) =~ /idle/ });
    ok(!defined answer($one, 0.2), 'half a request is not answered');
    my $writer = fork() // die "fork: $!";
    if (!$writer) { syswrite $two, large(2 * $MIB); POSIX::_exit(0) }
    ok(!defined answer($two, 0.5), 'the second waits for memory');
    my $alone = $node->connect_tcp;
    syswrite $alone, api_versions();
    ok(defined answer($alone), 'small requests do not');
    close $one;
    ok(defined answer($two), 'it goes on when the first hangs up');
    waitpid $writer, 0;
};

subtest 'signals' => sub {
    my $socket = $node->connect_tcp;
    create_topic($socket, 'waiting');
    my $pid = backend_of($socket);
    for my $signal (qw(INT TERM)) {
        my $begin = time;
        syswrite $socket, fetch('waiting', 0, 30000);
        $node->wait_until('a waiting fetch', sub { title_of($pid) =~ /Fetch waiting/ });
        kill $signal, $pid;
        ok(defined answer($socket, 10), "SIG$signal: the wait is answered");
        cmp_ok(time - $begin, '<', 10, 'at once');
        # The answer leaves before the title changes: the next round must not see this round's title.
        $node->wait_until('the wait to leave the title', sub { title_of($pid) !~ /Fetch waiting/ });
    }
    ok(!defined answer($socket, 10), 'after SIGTERM the connection ends');
    $node->wait_until('its backend to end', sub { title_of($pid) eq '' });
};

# A batch of one record, as a client would send it.
my $batch = pack 'H*', '00000000000000000000003affffffff02fe917cab00000000000000000000000000000000000000000000ffffffffffffffffffffffffffff0000000110000000026b027600';

sub produce_silently {
    my ($topic) = @_;
    return frame(0, 3, pack('n n N N', 0xffff, 0, 1000, 1) . pack('n/a*', $topic)
        . pack('N N', 1, 0) . pack('N/a*', $batch));
}

sub log_end {
    my ($socket, $topic) = @_;
    syswrite $socket, frame(2, 1, pack('N N', 0xffffffff, 1) . pack('n/a*', $topic)
        . pack('N N q>', 1, 0, -1));
    return unpack 'Q>', substr answer($socket), -8;
}

subtest 'what was sent before a hang-up is carried out' => sub {
    my $socket = $node->connect_tcp;
    create_topic($socket, 'silent');
    syswrite $socket, join '', map { produce_silently('silent') } 1 .. 500;
    close $socket;
    my $other = $node->connect_tcp;
    $node->wait_until('the last record', sub { log_end($other, 'silent') == 500 }, 20);
    pass('all records were written');
};

$node->stop('fast');
$node->set('connections.max.idle.ms' => 400)->start;
subtest 'an idle connection' => sub {
    my $socket = $node->connect_tcp;
    for (1 .. 4) {
        syswrite $socket, api_versions();
        ok(defined answer($socket), 'served while it is used');
        select undef, undef, undef, 0.2;
    }
    my $begin = time;
    ok(!defined answer($socket, 10), 'closed when it is not');
    cmp_ok(time - $begin, '<', 5, 'in time');
    $node->wait_for_log(qr/closing connection: idle/);
};
is($node->stop('fast'), 0, 'the node stops');
done_testing;
