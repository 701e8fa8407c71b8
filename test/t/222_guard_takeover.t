#!/usr/bin/perl
# 222_guard_takeover.t - the checkpointer that says what of a log is durable stops, or dies, at the worst instant
#
# Two checkpointers meet at the durable mark of a log that moves between their directories (storage/README.md). Proves: one
# that was stopped with the mark's guard in its hand is killed by the other, which goes on with what it had flushed; one that is
# killed there takes the node's cycle with it, which the other, waiting, does not hold up. Either way the node is back by
# itself, what was acknowledged is there, once and in order, the log lies in its new directory alone, and takes appends.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);
use Ottla::Test::Crashpoints;
use Ottla::Test::Node;
use POSIX qw(SIGSTOP);
use Test::More;
use Time::HiRes qw(time);

my $base = tempdir(CLEANUP => 1);
chmod 0755, $base;
my @dirs = map { "$base/$_" } qw(a b);
mkdir $_ or die "$_: $!" for @dirs;
my $points = Ottla::Test::Crashpoints->new("$base/crashpoints");
my $node   = Ottla::Test::Node->new($points->node,
    conf => { 'log.dirs' => join(',', @dirs), 'checkpoint.interval.ms' => 3_600_000, 'log.segment.delete.delay.ms' => 100 })->start;
my $c;    # broken by a cycle

sub ask { my (@request) = @_; $c //= Ottla::Test::Api->new($node); return $c->ask(@request) // do { undef $c } }

sub place {
    my ($topic) = @_;
    my $answer = ask(DescribeLogDirs => 4, { topics => undef }) // return '';
    for my $d (@{ $answer->{results} }) {
        return $d->{log_dir} if grep { my $t = $_; grep { !$_->{is_future_key} } $t->{name} eq $topic ? @{ $t->{partitions} } : () } @{ $d->{topics} };
    }
    return '';
}

sub is_stopped { my ($pid) = @_; open my $f, '<', "/proc/$pid/stat" or return 0; return readline($f) =~ /\) T / }

# Values of all records, in order.
sub values_of {
    my ($topic) = @_;
    my ($at, @values) = 0;
    while (1) {
        my $answer = Ottla::Test::Api->new($node)->fetch($topic, $at);
        return "error $answer->{error_code}" if $answer->{error_code};
        my @batches = batches($answer->{records} // '') or return @values;
        push @values, map { $_->{value} } map { @{ $_->{records} } } @batches;
        $at = $batches[-1]{last_offset} + 1;
    }
}

# A record on its way; who waits for its answer.
sub send_one {
    my ($topic, $value) = @_;
    my $api = Ottla::Test::Api->new($node);
    $api->tell(Produce => 9, { acks => -1, timeout_ms => 60000, topic_data => [ { name => $topic, partition_data => [ { index => 0, records => batch(records => [$value]) } ] } ] });
    return $api;
}

# The error code; none: the connection ended, or nothing came.
sub code_of {
    my ($api, $seconds) = @_;
    my $answer = $api->hear($seconds);
    return $answer ? $answer->{responses}[0]{partition_responses}[0]{error_code} : 'none';
}

# One topic's log: acknowledged records, then one whose commit stops at the mark, a move to the other directory, and a record
# that waits for a commit there.
sub stop_at_the_mark {
    my ($topic) = @_;
    ask(CreateTopics => 7, { timeout_ms => 10000, topics => [ { name => $topic, num_partitions => 1, replication_factor => 1 } ] });
    my @acked = map { "$topic $_" } 1 .. 5;
    is($c->produce($topic, batch(records => [$_]))->{error_code}, 0, "$_ acknowledged") for @acked;
    my ($from) = place($topic);
    my ($to) = grep { $_ ne $from } @dirs;

    $points->arm(0, 'pslot.durable', 1, SIGSTOP);
    my $late = send_one($topic, "$topic late");
    $node->wait_until('a checkpointer to stop', sub { $points->died(0) && is_stopped($points->died(0)) });
    my $pid = $points->died(0);
    ok((grep { $_->{pid} == $pid } $node->children_of_kind('checkpointer')), "$topic: a checkpointer stopped, $pid");
    is(code_of($late, 0.2), 'none', 'a record waits for it');
    push @{ $late->{asked} }, [ Produce => 9 ];
    is(ask(AlterReplicaLogDirs => 2, { dirs => [ { path => $to, topics => [ { name => $topic, partitions => [0] } ] } ] })->{results}[0]{partitions}[0]{error_code}, 0, 'its log is to move');
    is(code_of($late, 30), 0, 'which makes the record durable');
    push @acked, "$topic late";
    is(place($topic), $to, 'and is done without it');
    $points->arm(1, 'plog.commit.flushed', 1000);    # to be counted
    return { topic => $topic, acked => \@acked, last => send_one($topic, "$topic last"), pid => $pid, to => $to };
}

# After the cycle.
sub goes_on {
    my ($s) = @_;
    my $code = code_of($s->{last}, 30);
    push @{ $s->{acked} }, "$s->{topic} last" if $code eq '0';
    $node->wait_until('the node to be back', sub { eval { (place($s->{topic}) // '') eq $s->{to} } });
    ok(!kill(0, $s->{pid}), 'who stopped is gone');
    my @there = values_of($s->{topic});
    pop @there if @there == @{ $s->{acked} } + 1 && $there[-1] eq "$s->{topic} last";    # not acknowledged, and there: allowed
    is_deeply(\@there, $s->{acked}, 'what was acknowledged is there, once');
    $node->wait_until('the old folder to go', sub { 1 == grep { -d } map { glob "$_/$s->{topic}-0*" } @dirs });
    ok(-d "$s->{to}/$s->{topic}-0", 'the log is in its new directory alone');
    my $begin = time;
    $node->wait_until('appends', sub { $c //= Ottla::Test::Api->new($node); my $p = $c->produce($s->{topic}, batch(records => ['more'])) // do { undef $c; return 0 }; $p->{error_code} == 0 });
    cmp_ok(time - $begin, '<', 10, 'and takes appends');
    return $code;
}

# ---- stopped: the other one takes over -------------------------------------------------------------------

my $s = stop_at_the_mark('stopped');
$node->wait_for_log(qr/killed a stopped checkpointer that kept another from its work; pid=$s->{pid}\b/);
pass('the other one killed it');
$node->wait_for_log(qr/recovered after a crash/);
goes_on($s);

# ---- killed: the cycle takes the other one with it ----------------------------------------------------------

my $k = stop_at_the_mark('killed');
$node->wait_until('the other one to have flushed', sub { $points->passages(1) < 1000 });    # and next it wants the guard
my $began = time;
kill 'KILL', $k->{pid};
$node->wait_for_log(qr/recovered after a crash/);
cmp_ok(time - $began, '<', 10, 'who waits for the guard of a dead one ends with the others');
goes_on($k);

is($node->stop, 0, 'stop');
done_testing;
