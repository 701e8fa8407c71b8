#!/usr/bin/perl
# 831_catalogue.t - the tables against what Kafka's own tools and the APIs say
#
# Proves: each table answers, with all columns that the manual names; group_lag joined with partitions equals the sums of
# kafka-consumer-groups, for a live group, an empty one and one that is behind the start of the log; members and what they
# have; settings, their sources; features, errors, APIs; deleted and internal topics.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Kafka qw(kafka_missing kafka_tool);
use Ottla::Test::Node;
use Ottla::Test::Sql;
use Test::More;

my $node = Ottla::Test::Node->new(conf => { 'offsets.topic.num.partitions' => 3, 'group.initial.rebalance.delay.ms' => 0 })->start;
my $api = Ottla::Test::Api->new($node);
my $sql = Ottla::Test::Sql->new($node->address);
my $NOW = int(time * 1000);

$api->make_topic('orders', 4);
$api->make_topic('pay.ments', 2, 'retention.ms' => 3600000);
for my $p (0 .. 3) {
    $api->produce('orders', batch(records => [ ("record of $p") x (10 * $p + 1) ], timestamp => $NOW - 60_000), partition => $p);
}
$api->produce('pay.ments', batch(records => [ ('x') x 7 ], timestamp => $NOW - 60_000), partition => 1);
$node->wait_until('a coordinator', sub { $api->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['app'] })->{coordinators}[0]{error_code} == 0 });

sub commit {
    my ($group, $topic, %offsets) = @_;
    $node->wait_until("$group to be served", sub {
        my $answer = $api->ask(OffsetCommit => 8, { group_id => $group, generation_id_or_member_epoch => -1, topics => [ { name => $topic,
            partitions => [ map { { partition_index => $_, committed_offset => $offsets{$_}, committed_metadata => "m$_" } } sort keys %offsets ] } ] });
        return !grep { $_->{error_code} } @{ $answer->{topics}[0]{partitions} };
    });
    return;
}

commit('app', 'orders', 0 => 1, 1 => 5, 3 => 0);
commit('app', 'pay.ments', 1 => 2);
commit('late', 'orders', 2 => 3);
$api->ask(DeleteRecords => 2, { timeout_ms => 10000, topics => [ { name => 'orders', partitions => [ { partition_index => 2, offset => 9 } ] } ] });

# A consumer that has both partitions of pay.ments.
my ($member) = map { $_->{member_id} } $api->ask(ConsumerGroupHeartbeat => 1, { group_id => 'live', member_id => 'member-of-live', member_epoch => 0,
        rebalance_timeout_ms => 60000, subscribed_topic_names => ['pay.ments'], topic_partitions => [] });
is($member, 'member-of-live', 'a member');
$node->wait_until('its partitions', sub {
    my ($n) = $sql->rows(q{SELECT n_assigned FROM group_members WHERE group_id = 'live'});
    $api->ask(ConsumerGroupHeartbeat => 1, { group_id => 'live', member_id => $member, member_epoch => 1, rebalance_timeout_ms => -1,
            subscribed_topic_names => undef, topic_partitions => undef });
    return ($n // 0) == 2;
});

subtest 'groups' => sub {
    is_deeply([ $sql->rows(q{SELECT group_id, type, state, members, topics, total_lag, is_simple FROM groups ORDER BY 1}) ],
        [ 'app|classic|Empty|0|2|42|t', 'late|classic|Empty|0|1|12|t', 'live|consumer|Stable|1|0|0|f' ], 'all of them')
        or diag join "\n", $sql->rows(q{SELECT group_id, type, state, members, topics, total_lag, is_simple FROM groups ORDER BY 1});
    is_deeply([ $sql->rows(q{SELECT count(*) FROM groups WHERE group_id = 'nix'}) ], [0], 'one that does not exist');
    is_deeply([ $sql->rows(q{SELECT topic, partition, committed, metadata FROM group_offsets WHERE group_id = 'app' ORDER BY 1, 2}) ],
        [ 'orders|0|1|m0', 'orders|1|5|m1', 'orders|3|0|m3', 'pay.ments|1|2|m1' ], 'offsets');
    is_deeply([ $sql->rows(q{SELECT topic, partition, committed, start_offset, end_offset, lag, behind_start, member_id FROM group_lag
        WHERE group_id IN ('late', 'live') ORDER BY 1, 2}) ],
        [ 'orders|2|3|9|21|12|t|', "pay.ments|0||0|0|||$member", "pay.ments|1||0|7|||$member" ], 'behind the start; without an offset');
    is_deeply([ $sql->rows(q{SELECT member_id, member_epoch > 0, subscribed, assigned, n_assigned, assignor FROM group_members}) ],
        [ qq{$member|1|["pay.ments"]|{"pay.ments":[0,1]}|2|uniform} ], 'a member');
    my ($ms) = $sql->rows(q{SELECT lag_ms FROM group_lag WHERE group_id = 'app' AND topic = 'orders' AND partition = 1});
    cmp_ok($ms, '>=', 60_000, 'how old the first record is');
    cmp_ok($ms, '<', 120_000, '... and not more');
    is_deeply([ $sql->rows(q{SELECT host, sum(lag) FROM group_lag WHERE group_id = 'app' GROUP BY host ORDER BY 2 DESC}) ], ['|42'], 'by host');
};

subtest 'shell 20: lag joined with partitions equals the sums of kafka-consumer-groups' => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    my ($exit, $text) = kafka_tool($node->address, 'consumer-groups', '--describe', '--all-groups');
    is($exit, 0, 'the tool') or diag $text;
    my (%sum, %rows);
    for (split /\n/, $text) {
        my ($group, $topic, $partition, $committed, $end, $lag) = /^(\S+)\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(\d+|-)/ or next;
        $rows{"$group|$topic|$partition"} = $end;
        $sum{$group} += $lag eq '-' ? 0 : $lag if $group ne 'late'; # which counts what is deleted, too
    }
    is_deeply([ sort keys %rows ], [ $sql->rows(q{SELECT group_id, topic, partition FROM group_lag ORDER BY 1, 2, 3}) ], 'the same partitions')
        or diag $text;
    is_deeply({ map { split /\|/ } $sql->rows(q{SELECT group_id, coalesce(sum(lag), 0) FROM group_lag JOIN partitions USING (topic, partition)
        WHERE group_id <> 'late' GROUP BY group_id}) }, \%sum, 'the same sums');
    is_deeply([ map { "$_|$rows{$_}" } sort keys %rows ],
        [ $sql->rows(q{SELECT group_id, topic, partition, p.end_offset FROM group_lag l JOIN partitions p USING (topic, partition) ORDER BY 1, 2, 3}) ],
        'the same ends');
};

subtest 'topics and settings' => sub {
    is_deeply([ $sql->rows(q{SELECT topic, partitions, replication_factor, leaderless, under_replicated, records_estimate, cleanup_policy, retention_ms,
        overrides FROM topics WHERE NOT internal ORDER BY 1}) ],
        [ 'orders|4|1|0|0|55|delete|604800000|{}', 'pay.ments|2|1|0|0|7|delete|3600000|{"retention.ms":"3600000"}' ], 'topics');
    is_deeply([ $sql->rows(q{SELECT value, source, is_default, type FROM configs WHERE resource_type = 'topic' AND resource_name = 'pay.ments'
        AND name = 'retention.ms'}) ], ['3600000|topic|f|long'], 'a setting');
    is_deeply([ $sql->rows(q{SELECT DISTINCT resource_type FROM configs ORDER BY 1}) ], [ 'broker', 'topic' ], 'of all resources');
    is_deeply([ $sql->rows(q{SELECT count(*) > 100 FROM configs WHERE resource_type = 'broker' AND resource_name = '1'}) ], [1], 'of a broker');
    is_deeply([ $sql->rows(q{SELECT (SELECT sum(size_bytes) FROM replicas) = (SELECT sum(size_bytes) FROM partitions),
        (SELECT sum(size_bytes) FROM topics) = (SELECT sum(used_bytes) FROM log_dirs)}) ], ['1|1'], 'sizes agree');
};

subtest 'nodes' => sub {
    is_deeply([ $sql->rows(q{SELECT node_id, host, port, listener, is_controller, fenced, leaders = replicas FROM brokers}) ],
        [ '1|localhost|' . $node->port . '|PLAINTEXT|t|f|1' ], 'brokers');
    is_deeply([ $sql->rows(q{SELECT DISTINCT lag_records, lag_ms FROM replicas}) ], ['0|0'], 'replicas that have everything');
    is_deeply([ $sql->rows(q{SELECT node_id, role, lag, leader_id FROM quorum}) ], ['1|leader|0|1'], 'quorum');
    is_deeply([ $sql->rows(q{SELECT max_supported, finalized FROM features WHERE name = 'metadata.version'}) ], ['30|30'], 'features');
    is_deeply([ $sql->rows(q{SELECT name, max_version FROM apis WHERE key = 3}) ], ['Metadata|13'], 'APIs');
    is_deeply([ $sql->rows(q{SELECT name, retryable, sqlstate FROM errors WHERE number = 6}) ], ['NOT_LEADER_OR_FOLLOWER|t|40001'], 'errors');
};

subtest 'the manual names what there is' => sub {
    open my $page, '<', 'doc/man/ottla-sql.7' or die "doc/man/ottla-sql.7: $!";
    my (%manual, $table);
    while (<$page>) {
        $table = $1 if /^\.Ss (\w+)$/;
        $manual{$table}{$1} = 1 if $table && /^\.It Cm "?(\w+)"?/;
        undef $table if /^\.Sh/;
    }
    my @tables = grep { $_ ne 'messages' } keys %manual;
    cmp_ok(@tables, '>', 20, 'tables in the manual');
    for my $table (sort @tables) {
        my @columns = $sql->rows(qq{SELECT name FROM pragma_table_xinfo('$table')});
        is_deeply([ sort @columns ], [ sort keys %{ $manual{$table} } ], $table);
    }
};

$node->stop;
done_testing;
