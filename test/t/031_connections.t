#!/usr/bin/perl
# 031_connections.t - what one connection can do to its backend, and what signals do to it
#
# Proves: a client that sends and never reads is bounded and hurts nobody; answers come in order all
# the same; large requests wait for queued.max.request.bytes and go on when it is given back, by a
# hang-up too; an idle connection is closed; a backend that moves many bytes is no longer in a hurry for a core; SIGINT ends a wait, SIGTERM answers what was begun and
# ends; titles say who waits; what was sent before a hang-up is carried out (acks=0).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use POSIX ();
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $MIB = 1 << 20;
my $node = Ottla::Test::Node->new(
    conf => { 'queued.max.request.bytes' => 3 * $MIB, 'socket.request.max.bytes' => 3 * $MIB })->start;

sub client { return Ottla::Test::Wire->new($node) }
sub api_versions { my ($c) = @_; return $c->call(18, 0, '') }

# Bytes after the body are not looked at: a request of any size.
sub large { my ($c, $size) = @_; return $c->frame(18, 0, "\0" x $size) }

sub rss_kib {
    my ($pid) = @_;
    open my $status, '<', "/proc/$pid/status" or return 0;
    return (map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$status>)[0] // 0;
}

# The backend of a connection opened just now.
sub backend_of {
    my ($c) = @_;
    my $port = $c->port;
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
    my $c = client();
    $c->create_topic('many');
    my $pid = backend_of($c);
    my @requests = map { $c->frame(3, 1, pack 'N', 0xffffffff) } 1 .. 20000;
    my ($first) = unpack 'x8 N', $requests[0];
    my $sent = join '', @requests;
    $c->socket->blocking(0);
    my $done = 0;
    my $stuck_since = time;
    while ($done < length $sent && time - $stuck_since < 1) {
        my $n = syswrite $c->socket, $sent, 65536, $done;
        ($done, $stuck_since) = ($done + $n, time) if $n;
    }
    cmp_ok(rss_kib($pid), '<', 16 * 1024, 'its backend stays small');
    ok(defined api_versions(client()), 'others are served');
    my $wrong = 0;
    my $whole = int($done / length $requests[0]);
    for my $i (0 .. $whole - 1) {
        my $got = $c->receive_frame;
        $wrong++ if !defined $got || unpack('N', $got) != $first + $i;
        last if $wrong;
    }
    is($wrong, 0, 'all answers come in order once it reads');
};

subtest 'large requests share a budget' => sub {
    my ($one, $two) = map { client() } 1 .. 2;
    $one->send_bytes(substr large($one, 2 * $MIB), 0, 1000);
    $node->wait_until('the first holds its memory', sub { title_of(backend_of($one)) =~ /idle/ });
    ok(!defined $one->receive(0.2), 'half a request is not answered');
    my $writer = fork() // die "fork: $!";
    if (!$writer) { $two->send_bytes(large($two, 2 * $MIB)); POSIX::_exit(0) }
    ok(!defined $two->receive(0.5), 'the second waits for memory');
    ok(defined api_versions(client()), 'small requests do not');
    $one->close;
    ok(defined $two->receive, 'it goes on when the first hangs up');
    waitpid $writer, 0;
};

subtest 'signals' => sub {
    my $c = client();
    $c->create_topic('waiting');
    my $pid = backend_of($c);
    for my $signal (qw(INT TERM)) {
        my $begin = time;
        $c->send(1, 4, Ottla::Test::Wire::fetch_body('waiting', 0, 30000));
        $node->wait_until('a waiting fetch', sub { title_of($pid) =~ /Fetch waiting/ });
        kill $signal, $pid;
        ok(defined $c->receive(10), "SIG$signal: the wait is answered");
        cmp_ok(time - $begin, '<', 10, 'at once');
        # The answer leaves before the title changes: the next round must not see this round's title.
        $node->wait_until('the wait to leave the title', sub { title_of($pid) !~ /Fetch waiting/ });
    }
    ok(!defined $c->receive(10), 'after SIGTERM the connection ends');
    $node->wait_until('its backend to end', sub { title_of($pid) eq '' });
};

subtest 'what was sent before a hang-up is carried out' => sub {
    my $c = client();
    $c->create_topic('silent');
    my $body = Ottla::Test::Wire::produce_body('silent', Ottla::Test::Wire::batch(1), 0);
    $c->send_bytes(join '', map { $c->frame(0, 7, $body) } 1 .. 500);
    $c->close;
    my $other = client();
    $node->wait_until('the last record', sub { $other->list_offset('silent', 0, -1) == 500 }, 20);
    pass('all records were written');
};

# What the process asked of the scheduler, ns; 0: this kernel keeps no such wish, undef: not known how to ask.
sub slice_of {
    my ($pid) = @_;
    my $number = { x86_64 => 315, aarch64 => 275 }->{ (POSIX::uname())[4] } // return undef; # sched_getattr
    my $attr = pack 'L L x48', 56, 0;
    syscall($number, $pid, $attr, 56, 0) == 0 or return undef;
    return unpack 'x24 Q', $attr;
}

subtest 'who moves many bytes lets the others go first' => sub {
    plan skip_all => 'this kernel has no slices to ask for' if !slice_of($$);
    my ($SHORT, $HEAVY, $LIGHT) = (100_000, 64 << 10, 64);
    my $c = client();
    api_versions($c);
    my $pid = backend_of($c);
    is(slice_of($pid), $SHORT, 'a backend asks for a core soon');
    $c->send_bytes(large($c, $HEAVY));
    $c->receive_frame;
    $node->wait_until('the slice of others', sub { slice_of($pid) == slice_of($$) }, 5);
    api_versions($c) for 1 .. $LIGHT - 1;
    isnt(slice_of($pid), $SHORT, 'and not for one moment');
    api_versions($c);
    $node->wait_until('its own again', sub { slice_of($pid) == $SHORT }, 5);
    my %slices = map { $_->{kind} => slice_of($_->{pid}) } $node->children;
    is($slices{$_}, $SHORT, "a $_ asks, too") for qw(controller checkpointer coordinator);
    is($slices{retention}, slice_of($$), 'who has time does not');
};

$node->stop('fast');
my $IDLE_S = 0.6;
$node->set('connections.max.idle.ms' => 1000 * $IDLE_S)->start;
subtest 'an idle connection' => sub {
    my $c = client();
    for (1 .. 4) {    # four half limits
        ok(defined api_versions($c), 'served while it is used');
        select undef, undef, undef, $IDLE_S / 2;
    }
    my $begin = time;
    ok(!defined $c->receive(10), 'closed when it is not');
    cmp_ok(time - $begin, '<', 5, 'in time');
    $node->wait_for_log(qr/closing connection: idle/);
};
is($node->stop('fast'), 0, 'the node stops');
done_testing;
