#!/usr/bin/perl
# 730_group_lag.t - how far groups are behind, in records, bytes and time, as the node itself tells it
#
# Proves: group_lag of a group equals what was written and not committed: records, bytes (to the batch, which no index entry
# splits here) and the age of the first record that is left; 0 when all is consumed; below the log start and above the end of
# a log it is what is left; a deleted topic has no lag; who has a partition stands beside it. Numbers are kept for ten seconds
# on a connection, and asked anew on another. groups tells totals; 12,000 offsets are told in pages, each once.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $NOW  = int(time * 1000);
my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'offsets.topic.num.partitions' => 5 })->start;
my $c    = Ottla::Test::Api->new($node);

# Rows of a view by a connection that has asked for nothing before; groups that load are waited for.
sub fresh {
    my ($view, $filters, $columns) = @_;
    my $rows;
    $node->wait_until("$view to be told", sub {
        my $page = Ottla::Test::Wire->new($node->connect_unix)->stat_page($view, $columns, $filters) // return;
        die "$view: error $page->{error}: $page->{message}\n" if $page->{error} && $page->{error} !~ /^1[456]$/; # loading, or died
        $rows = $page->{rows};
        return !$page->{error};
    });
    return @$rows;
}

sub lag_of { my ($group, $partition, $topic) = @_; my ($row) = fresh(group_lag => { group_id => $group, topic => $topic // 'orders', partition => $partition // 0 }); return $row }

# Commits in the name of nobody: { partition => offset }.
sub commit {
    my ($group, $topic, $offsets, %o) = @_;
    my $answer;
    $node->wait_until("$group to be served", sub {
        $answer = $c->ask(OffsetCommit => 8, { group_id => $group, generation_id_or_member_epoch => -1, %o, topics => [ { name => $topic,
            partitions => [ map { { partition_index => $_, committed_offset => $offsets->{$_} } } sort { $a <=> $b } keys %$offsets ] } ] });
        return !grep { $_->{error_code} =~ /^(14|15|16)$/ } @{ $answer->{topics}[0]{partitions} };
    });
    my %failed = map { $_->{error_code} => 1 } @{ $answer->{topics}[0]{partitions} };
    return join ' ', sort keys %failed;
}

$node->wait_until('a coordinator', sub { $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['app'] })->{coordinators}[0]{error_code} == 0 });

# ---- a group with a known lag ----------------------------------------------------------------------

$c->make_topic('orders', 3);
my @batch = map { batch(records => [ map { { value => 'x' x 100, timestamp => $NOW - 100_000 + 10_000 * $_ } } $_ * 3 .. $_ * 3 + 2 ]) } 0 .. 2;
$c->produce('orders', $_) for @batch;
is(commit('app', 'orders', { 0 => 0, 1 => 0, 2 => -1 }), '0', 'committed');

my $row  = lag_of('app');
my $size = 0;
$size += length for @batch;
is_deeply([ @$row{qw(group_id topic partition committed start_offset end_offset lag lag_bytes behind_start)} ],
    [ 'app', 'orders', 0, 0, 0, 9, 9, $size, 0 ], 'nothing consumed: all of it');
cmp_ok($row->{lag_ms}, '>=', time * 1000 - $NOW + 100_000 - 5_000, 'as old as the first record');
cmp_ok($row->{lag_ms}, '<=', time * 1000 - $NOW + 100_000 + 5_000, '... and no older');
is_deeply([ @$row{qw(member_id client_id host)} ], [ undef, undef, undef ], 'nobody has it');
is_deeply([ @{ lag_of('app', 1) }{qw(lag lag_bytes lag_ms end_offset)} ], [ 0, 0, 0, 0 ], 'an empty partition: 0');
is_deeply([ @{ lag_of('app', 2) // {} }{qw(committed lag lag_bytes lag_ms)} ], [ -1, undef, undef, undef ], 'nothing committed: not known');

commit('app', 'orders', { 0 => 4 });
$row = lag_of('app');
is_deeply([ @$row{qw(committed lag lag_bytes)} ], [ 4, 5, length($batch[1]) + length $batch[2] ], 'in the middle of a batch: it counts whole');
cmp_ok(abs($row->{lag_ms} - (time * 1000 - $NOW + 60_000)), '<', 5_000, 'the age of the record itself');
commit('app', 'orders', { 0 => 9 });
is_deeply([ @{ lag_of('app') }{qw(lag lag_bytes lag_ms)} ], [ 0, 0, 0 ], 'all consumed: 0');
commit('app', 'orders', { 0 => 90 });
is_deeply([ @{ lag_of('app') }{qw(lag lag_bytes lag_ms committed)} ], [ 0, 0, 0, 90 ], 'above the end: 0');

# ---- what is kept ----------------------------------------------------------------------------------

my $kept = Ottla::Test::Wire->new($node->connect_unix);
my $ask  = sub { $_[0]->stat('group_lag', ['lag'], { group_id => 'app', partition => 0 })->[0]{lag} };
is($ask->($kept), 0, 'a connection asks');
commit('app', 'orders', { 0 => 2 });
is($ask->($kept), 0, 'and is told the same for a while');
is($ask->(Ottla::Test::Wire->new($node->connect_unix)), 7, 'another one is told what is');

# ---- records go ------------------------------------------------------------------------------------

is($c->delete_records('orders', 5), 5, 'DeleteRecords');
$row = lag_of('app');
is_deeply([ @$row{qw(committed start_offset lag behind_start lag_bytes)} ], [ 2, 5, 4, 1, length($batch[1]) + length $batch[2] ],
    'below the log start: what is left, and that some is lost');
cmp_ok(abs($row->{lag_ms} - (time * 1000 - $NOW + 50_000)), '<', 5_000, 'the age of the first that is left');
is($c->delete_records('orders', 9), 9, 'all of them');
is_deeply([ @{ lag_of('app') }{qw(lag lag_bytes lag_ms behind_start)} ], [ 0, 0, 0, 1 ], 'nothing left: 0');

# ---- totals ----------------------------------------------------------------------------------------

$c->make_topic('more', 2);
$c->produce('more', $batch[0], partition => $_) for 0, 1;
commit('app', 'more', { 0 => 1, 1 => 0 });
my ($group) = fresh(groups => { group_id => 'app' });
is_deeply([ @$group{qw(type protocol_type state members topics offsets total_lag is_simple coordinator)} ],
    [ 'classic', '', 'Empty', 0, 2, 5, 5, 1, 1 ], 'the group and its total');
cmp_ok($group->{memory_bytes}, '>', 5 * 64, 'the memory it takes');
is_deeply([ fresh(groups => { group_id => 'nobody' }) ], [], 'no such group');
is($c->delete_topic('more'), 0, 'a topic is deleted');
$node->wait_until('its offsets to go', sub { !fresh(group_lag => { group_id => 'app', topic => 'more' }) });
pass('a deleted topic has no lag');

# ---- members ---------------------------------------------------------------------------------------

my $join = $c->ask(JoinGroup => 3, { group_id => 'team', session_timeout_ms => 30000, rebalance_timeout_ms => 30000, protocol_type => 'consumer',
    protocols => [ { name => 'range', metadata => pack 'n N n/a* N', 0, 1, 'orders', 0xffffffff } ] });
my $sync = $c->ask(SyncGroup => 3, { group_id => 'team', generation_id => $join->{generation_id}, member_id => $join->{member_id},
    assignments => [ { member_id => $join->{member_id}, assignment => pack 'n N n/a* N N N N', 0, 1, 'orders', 2, 0, 2, 0xffffffff } ] });
is($sync->{error_code}, 0, 'a member');
is(commit('team', 'orders', { 0 => 9, 1 => 0 }, generation_id_or_member_epoch => $join->{generation_id}, member_id => $join->{member_id}), '0', 'commits');
is_deeply([ @{ lag_of('team', 0) }{qw(member_id client_id host)} ], [ $join->{member_id}, 'test', '/127.0.0.1' ], 'who has the partition');
is(lag_of('team', 1)->{member_id}, undef, 'and that nobody has another');
($group) = fresh(groups => { group_id => 'team' });
is_deeply([ @$group{qw(protocol_type protocol state members epoch is_simple)} ], [ 'consumer', 'range', 'Stable', 1, $join->{generation_id}, 0 ], 'its group');

# ---- shards, workers -------------------------------------------------------------------------------

my @shards = fresh('coordinator_shards');
is_deeply([ sort map { $_->{partition} } @shards ], [ 0 .. 4 ], 'the shards');
is_deeply([ grep { $_->{state} ne 'active' || !defined $_->{load_ms} } @shards ], [], 'are active, and how long each took to load');
my ($groups, $offsets, $members) = (0, 0, 0);
$groups += $_->{groups}, $offsets += $_->{offsets}, $members += $_->{members} for @shards;
is_deeply([ $groups, $offsets, $members ], [ 2, 5, 1 ], 'what is in them');
my @workers = fresh('coordinators');
is_deeply([ map { $_->{worker} } @workers ], [ 0 .. 3 ], 'the workers');

# ---- many ------------------------------------------------------------------------------------------

$c->make_topic('wide', 1500);
$c->produce('wide', $batch[0], partition => $_) for 0, 1499;
commit("many-$_", 'wide', { map { $_ => 0 } 0 .. 1499 }) for 1 .. 8;
my $wire = Ottla::Test::Wire->new($node->connect_unix);
my %seen;
$seen{"$_->{group_id} $_->{partition}"}++ for grep { $_->{topic} eq 'wide' } @{ $wire->stat('group_lag', [qw(group_id topic partition lag)]) };
is(scalar keys %seen, 12000, 'all of 12,000 offsets');
is_deeply([ grep { $_ > 1 } values %seen ], [], 'each once');
my $first = $wire->stat_page('group_lag', ['lag'], { topic => 'wide' });
is(scalar @{ $first->{rows} }, 1000, 'a page has 1,000 rows');
is($wire->stat_page('group_lag', ['lag_ms'], { topic => 'wide' }, $first->{next})->{error}, 42, 'a cursor belongs to what was asked');
is($wire->stat_page('group_lag', ['lag'], {}, 7)->{error}, 42, 'another one is refused');
my @groups = @{ $wire->stat('groups', undef) };
is(scalar @groups, 10, 'all groups');
is_deeply([ map { $_->{total_lag} } grep { $_->{group_id} =~ /^many/ } @groups ], [ (6) x 8 ], 'totals over pages');
is_deeply([ sort { $a <=> $b } map { $_->{offsets} } @{ $wire->stat('groups', ['offsets']) } ], [ 2, 3, (1500) x 8 ], 'whole ones');

# ---- a coordinator dies ----------------------------------------------------------------------------

kill 'KILL', map { $_->{pid} } $node->children_of_kind('coordinator');
is(scalar(() = fresh(group_lag => { group_id => 'many-1' }, ['lag'])), 1000, 'groups are told again when they are loaded');

is($node->stop, 0, 'stop');
done_testing;
