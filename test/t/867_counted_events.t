#!/usr/bin/perl
# 867_counted_events.t - metrics of what goes wrong or ends early: each is made to happen, and counted as often as it did
#
# Proves: fetch sessions and their partitions are counted while they live, and those that made room for others; what producers
# sent wrong is counted by its fault, records without a key one by one, what was right not at all; waits that ended by their
# timeout, of fetches and of produces, are counted, those that got something are not; so are connections that were idle for too
# long. What a process counted that was killed -9 stays.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;

my $node = Ottla::Test::Node->new(conf => { 'max.incremental.fetch.session.cache.slots' => 2 })->start;
my $c = Ottla::Test::Api->new($node);

# The value of a metric, or of all its samples by their only label.
sub metric {
    my ($name, $of) = @_;
    my @rows = @{ Ottla::Test::Wire->new(($of // $node)->connect_unix)->stat('metrics', undef, { name => "ottla_$name" }) };
    return $rows[0]{value} if @rows == 1 && $rows[0]{labels} eq '{}';
    return { map { $_->{labels} =~ /:"(\w+)"/ ? ($1 => $_->{value}) : () } @rows };
}

$c->make_topic('parts', 3);
$c->make_topic('compacted', 1, 'cleanup.policy' => 'compact');
my $idle = Ottla::Test::Node->new(conf => { 'connections.max.idle.ms' => 1000 })->start;
my @sleepers = map { Ottla::Test::Api->new($idle) } 1 .. 3;
$_->ask(ApiVersions => 3, {}) for @sleepers;    # one that never said anything is handed over after half a minute

# One that waits for a disk which does not come: looked at in the end.
my $late = Ottla::Test::Api->new($node);
is($late->produce('parts', batch(records => ['x']))->{error_code}, 0, 'a flush that comes');
is(metric('delayed_expired_total')->{produce}, 0, '... is no append that expired');
my $flusher = $node->kill_child(STOP => 'checkpointer');
$late->tell(Produce => 9, { acks => -1, timeout_ms => 100, topic_data => [ { name => 'parts',
    partition_data => [ { index => 0, records => batch(records => ['x']) } ] } ] });

subtest 'fetch sessions' => sub {
    my $ask = sub {
        my ($id, $epoch, $replica, @partitions) = @_;
        return Ottla::Test::Api->new($node)->ask(Fetch => 12, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1 << 20, session_id => $id,
            session_epoch => $epoch, replica_id => $replica, topics => @partitions ? [ { topic => 'parts', partitions =>
                [ map { { partition => $_, fetch_offset => 0, partition_max_bytes => 1 << 20 } } @partitions ] } ] : [] })->{session_id};
    };
    my $tell = sub { return join ' ', map { metric($_) } qw(fetch_sessions fetch_session_partitions fetch_session_evictions_total) };
    is($tell->(), '0 0 0', 'none');
    my $first = $ask->(0, 0, -1, 0, 1, 2);
    is($tell->(), '1 3 0', 'one of three partitions');
    my $second = $ask->(0, 0, -1, 0);
    is($tell->(), '2 4 0', 'another');
    is($ask->(0, 0, -1, 1), 0, 'there is no room for a third');
    is($tell->(), '2 4 0', '... which is no eviction');
    $ask->($second, 1, -1, 1);
    is($tell->(), '2 5 0', 'a partition more');
    isnt($ask->(0, 0, 2, 2), 0, 'a follower needs room');
    is($tell->(), '2 4 1', '... and the smaller one went');
    $ask->($first, -1, -1);
    is($tell->(), '1 1 1', 'one has ended');
};

subtest 'what producers send wrong' => sub {
    my $send = sub {
        my ($topic, $records, $code) = @_;
        is($c->produce($topic, $records, acks => 1)->{error_code}, $code, "refused with $code");
    };
    is_deeply(metric('rejected_records_total'),
        { invalid_magic => 0, invalid_crc => 0, invalid_offset_or_sequence => 0, no_key_compacted_topic => 0 }, 'nothing');
    my $crc = batch(records => ['x']);
    substr($crc, -1, 1) = "\x7e";
    $send->(parts => $crc, 2) for 1 .. 2;
    $send->(parts => batch(records => ['x'], magic => 9), 2);
    $send->(parts => batch(records => ['x'], base_offset => 5), 87);
    $send->(parts => batch(records => ['x'], count => 2), 87);
    $send->(parts => batch(records => ['x'], producer_id => 7, epoch => 0, sequence => -1), 87);
    $send->(compacted => batch(records => [ 'x', { key => 'k', value => 'v' }, 'z' ]), 87);
    is($c->produce('parts', batch(records => [ 'x', 'y' ]), acks => 1)->{error_code}, 0, 'a right one');
    is_deeply(metric('rejected_records_total'),
        { invalid_magic => 1, invalid_crc => 2, invalid_offset_or_sequence => 3, no_key_compacted_topic => 2 }, 'each by its fault');
};

subtest 'fetches that find nothing' => sub {
    my $end = sub { $c->offset_at('parts', -1, partition => 1)->{offset} };
    my $before = metric('delayed_expired_total');
    is_deeply([ sort keys %$before ], [qw(fetch produce)], 'two kinds');
    $c->fetch('parts', $end->(), partition => 1, max_wait_ms => 50) for 1 .. 3;
    $c->fetch('parts', 0, max_wait_ms => 5000);
    $c->fetch('parts', $end->(), partition => 1, max_wait_ms => 0);
    is(metric('delayed_expired_total')->{fetch}, 3, 'three have waited for nothing');
    my $waits = Ottla::Test::Api->new($node);
    $waits->tell(Fetch => 12, { max_wait_ms => 20000, min_bytes => 1, max_bytes => 1 << 20, topics => [ { topic => 'parts',
        partitions => [ { partition => 1, fetch_offset => $end->(), partition_max_bytes => 1 << 20 } ] } ] });
    $node->wait_until('it waits', sub { metric('delayed_operations')->{fetch} });
    $c->produce('parts', batch(records => ['x']), partition => 1, acks => 1);
    ok($waits->hear, 'one that got something');
    my $counted = metric('delayed_expired_total');
    is($counted->{fetch}, 3, '... has not expired');
    my $admin = Ottla::Test::Wire->new($node->connect_unix);
    my ($row) = @{ $admin->stat('activity', ['pid'], { client_port => $c->port }) };
    kill KILL => $row->{pid};
    $node->wait_until('it to be gone', sub { !grep { $_->{pid} == $row->{pid} } $node->children });
    is(metric('delayed_expired_total')->{fetch}, 3, 'what it counted stays');
    is(metric('rejected_records_total')->{invalid_crc}, 2, '... all of it');
};

subtest 'idle connections' => sub {
    $idle->wait_until('three to be closed', sub { metric('connections_expired_total', $idle) >= 3 });
    is(metric('connections_expired_total', $idle), 3, 'three');
    is(metric('connections_expired_total'), 0, 'none of the other node');
    is($sleepers[0]->receive(5), undef, 'they are');
};

subtest 'an append that no flush follows' => sub {
    is($late->hear->{responses}[0]{partition_responses}[0]{error_code}, 7, 'it gives up');
    is(metric('delayed_expired_total')->{produce}, 1, 'counted');
    kill CONT => $flusher;
};

is($_->stop, 0, 'stop') for $idle, $node;
done_testing;
