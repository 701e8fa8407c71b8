#!/usr/bin/perl
# 700_groups.t - consumer groups from outside: where their coordinator is, what kcat and Kafka's tools do with them, what
# stays over kill -9
#
# Proves of groups-and-transactions.md 12: groups 1 (the topic of offsets is made on demand), groups 2 (a configured
# replication factor is obeyed), groups 20 (a commit that was answered is there after kill -9). Also: every worker has
# groups, and requests that name groups of all of them are answered in order; a member that is parked hangs up; requests
# with very many keys or members cost what they may. Kafka's tools need its jars and Java.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Batch;
use Ottla::Test::Kafka qw(kafka_missing kafka_tool);
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Test::More;

my $PATIENCE = 30;
my %fast = ('group.initial.rebalance.delay.ms' => 0);

sub coordinator {
    my ($c, @groups) = @_;
    return $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => \@groups })->{coordinators};
}

# Until the coordinators of these groups have loaded.
sub serve {
    my ($c, @groups) = @_;
    return comes_true(
        sub {
            return 0 if grep { $_->{error_code} } @{ coordinator($c, @groups) };
            my $answer = $c->ask(DescribeGroups => 5, { groups => \@groups });
            return !grep { $_->{error_code} } @{ $answer->{groups} };
        }, $PATIENCE);
}

sub commit {
    my ($c, $group, $topic, %offsets) = @_;
    my $answer = $c->ask(OffsetCommit => 8, { group_id => $group, topics => [ { name => $topic, partitions => [
        map { { partition_index => $_, committed_offset => $offsets{$_}, committed_metadata => "at $offsets{$_}" } } sort keys %offsets ] } ] });
    return map { $_->{error_code} } @{ $answer->{topics}[0]{partitions} };
}

sub committed {
    my ($c, $topic, $partitions, @groups) = @_;
    my $answer = $c->ask(OffsetFetch => 8, { groups => [ map { { group_id => $_, topics => [ { name => $topic, partition_indexes => $partitions } ] } } @groups ] });
    return map { my $g = $_; [ $g->{group_id}, $g->{error_code}, map { $_->{committed_offset} } @{ $g->{topics}[0]{partitions} } ] } @{ $answer->{groups} };
}

# Memory that a process ever had at once, in KiB.
sub memory_at_most {
    my ($pid) = @_;
    open my $status, '<', "/proc/$pid/status" or die "status of $pid: $!";
    my ($most) = map { /^VmHWM:\s+(\d+)/ } <$status>;
    return $most;
}

my $node = Ottla::Test::Node->new(conf => {%fast})->start;
my $c = Ottla::Test::Api->new($node);

subtest 'scenario groups 1: the topic of offsets is made on demand' => sub {
    is($c->ask(Metadata => 9, { topics => undef })->{topics}[0], undef, 'no topic at first');
    my $first = coordinator($c, 'g')->[0];
    ok($first->{error_code} == 15 || $first->{error_code} == 0, 'asked for the first time');
    ok(serve($c, 'g'), 'served soon');
    my $found = coordinator($c, 'g')->[0];
    is_deeply([ @$found{qw(node_id port)} ], [ 1, $node->port ], 'this node');
    my ($topic) = @{ $c->ask(Metadata => 9, { topics => undef })->{topics} };
    is($topic->{name}, '__consumer_offsets', 'the topic');
    ok($topic->{is_internal}, 'is internal');
    is(scalar @{ $topic->{partitions} }, 50, 'with 50 partitions');
    my $configs = $c->ask(DescribeConfigs => 4, { resources => [ { resource_type => 2, resource_name => '__consumer_offsets', configuration_keys => undef } ] });
    my %set = map { $_->{name} => $_->{value} } @{ $configs->{results}[0]{configs} };
    is($set{'cleanup.policy'}, 'compact', 'compacted');
    is($set{'compression.type'}, 'producer', 'as coordinators write it');
    is($set{'segment.bytes'}, 104857600, 'in segments of 100 MiB');
    my $grown = $c->ask(CreatePartitions => 3, { timeout_ms => 5000, topics => [ { name => '__consumer_offsets', count => 51, assignments => undef } ] });
    is($grown->{results}[0]{error_code}, 42, 'its partitions cannot be changed');
};

subtest 'scenario groups 2: a replication factor that no cluster of one can have' => sub {
    my $other = Ottla::Test::Node->new(conf => { 'offsets.topic.replication.factor' => 3 })->start;
    my $d = Ottla::Test::Api->new($other);
    is($_->{error_code}, 15, 'no coordinator') for map { @{ coordinator($d, 'g') } } 1 .. 3;
    is_deeply($d->ask(Metadata => 9, { topics => undef })->{topics}, [], 'and no topic');
    $other->stop;
};

# Groups of all workers: the first hundred names are spread over all of 50 partitions.
my @groups = map {"group-$_"} 1 .. 100;
subtest 'groups of every worker in one request' => sub {
    $c->make_topic('many', 2);
    ok(serve($c, @groups), 'served');
    is_deeply([ map { commit($c, $groups[$_], 'many', 0 => $_, 1 => 1000 + $_) } 0 .. 99 ], [ (0) x 200 ], 'offsets are committed');
    is_deeply([ committed($c, 'many', [ 0, 1 ], reverse(@groups), 'nobody') ],
        [ (map { [ $groups[$_], 0, $_, 1000 + $_ ] } reverse 0 .. 99), [ 'nobody', 0, -1, -1 ] ], 'and come back in the order of the request');
    my %listed = map { $_->{group_id} => $_->{group_state} } @{ $c->ask(ListGroups => 4, {})->{groups} };
    is_deeply([ sort keys %listed ], [ sort @groups ], 'all are listed');
    my $gone = $c->ask(DeleteGroups => 2, { groups_names => [ @groups[ 0 .. 49 ], $groups[0], 'nobody' ] });
    is_deeply([ map { [ $_->{group_id}, $_->{error_code} ] } @{ $gone->{results} } ], [ (map { [ $_, 0 ] } @groups[ 0 .. 49 ]), [ 'nobody', 69 ] ],
        'half of them deleted, each answered once, in order');
    is(scalar @{ $c->ask(ListGroups => 4, {})->{groups} }, 50, 'half are left');
};

subtest 'a member that waits for others hangs up' => sub {
    ok(serve($c, 'waiting'), 'served');
    my %join = (group_id => 'waiting', session_timeout_ms => 10000, rebalance_timeout_ms => 60000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => "\0\0\0\0\0\0\xff\xff\xff\xff" } ]);
    my ($one, $two) = map { Ottla::Test::Api->new($node) } 1, 2;
    my $a = $one->ask(JoinGroup => 3, {%join});
    is($a->{error_code}, 0, 'the first member is alone');
    is($one->ask(SyncGroup => 3, { group_id => 'waiting', generation_id => 1, member_id => $a->{member_id}, assignments => [] })->{error_code}, 0, 'and synced');
    $two->tell(JoinGroup => 3, {%join});
    ok(comes_true(sub { $one->ask(Heartbeat => 3, { group_id => 'waiting', generation_id => 1, member_id => $a->{member_id} })->{error_code} == 27 }, $PATIENCE),
        'the second waits for the first');
    my $port = $two->port;
    my $parked = sub { grep { $_->{title} =~ /:$port\b/ } $node->children_of_kind('backend') };
    ok(comes_true(sub { ($parked->())[0]{title} =~ /JoinGroup/ }, $PATIENCE), 'and its title says so');
    $two->close;
    ok(comes_true(sub { !$parked->() }, $PATIENCE), 'its process ends with its connection');
    is($one->ask(JoinGroup => 3, { %join, member_id => $a->{member_id} })->{error_code}, 0, 'the group goes on');
};

subtest 'coordinators die' => sub {
    my @names = map {"dying-$_"} 1 .. 8;
    ok(serve($c, @names), 'served');
    my %join = (session_timeout_ms => 10000, rebalance_timeout_ms => 60000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => "\0\0\0\0\0\0\xff\xff\xff\xff" } ]);
    my (@first, @parked);
    for my $name (@names) {
        my $one = Ottla::Test::Api->new($node);
        my $a = $one->ask(JoinGroup => 3, { %join, group_id => $name });
        $one->ask(SyncGroup => 3, { group_id => $name, generation_id => 1, member_id => $a->{member_id}, assignments => [] });
        push @first, [ $name, $a->{member_id} ];
        my $two = Ottla::Test::Api->new($node);
        $two->tell(JoinGroup => 3, { %join, group_id => $name });
        push @parked, $two;
    }
    my $beat = sub { my ($name, $member) = @{ $_[0] }; $c->ask(Heartbeat => 3, { group_id => $name, generation_id => 1, member_id => $member })->{error_code} };
    ok(comes_true(sub { !grep { $beat->($_) != 27 } @first }, $PATIENCE), 'a member is parked in each of eight groups');
    kill KILL => map { $_->{pid} } $node->children_of_kind('coordinator');
    is_deeply([ map { my $a = $_->hear(10); $a && $a->{error_code} } @parked ], [ (15) x 8 ], 'all of them are told to look for the coordinator again');
    my %seen;
    ok(comes_true(sub { $seen{ $beat->($_) }++ for @first; return serve($c, @names) }, $PATIENCE), 'and it is back');
    is_deeply([ grep { $_ != 0 } keys %seen ], [], 'meanwhile no heartbeat told a member to join again');
    is_deeply([ map { $beat->($_) } @first ], [ (0) x 8 ], 'nor later: generation and members are those of the log');
};

subtest 'requests that name very much' => sub {
    my %bulk = (
        DescribeGroups => [ 5, { groups => [ map {"g$_"} 1 .. 20000 ] } ],
        DeleteGroups => [ 2, { groups_names => [ map {"g$_"} 1 .. 20000 ] } ],
        LeaveGroup => [ 5, { group_id => 'g', members => [ map { { member_id => "m$_" } } 1 .. 10000 ] } ],
        OffsetCommit => [ 8, { group_id => 'g', topics => [ map { { name => "t$_", partitions => [ { partition_index => 0, committed_offset => 1, committed_metadata => undef } ] } } 1 .. 10000 ] } ],
        OffsetFetch => [ 8, { groups => [ map { { group_id => "g$_", topics => undef } } 1 .. 10000 ] } ],
        JoinGroup => [ 3, { group_id => 'g', session_timeout_ms => 10000, rebalance_timeout_ms => 10000, protocol_type => 'consumer',
            protocols => [ map { { name => "p$_", metadata => 'x' x 20 } } 1 .. 20000 ] } ],
    );
    for my $api (sort keys %bulk) {
        my $d = Ottla::Test::Api->new($node);
        my $answer = $d->ask($api => @{ $bulk{$api} });
        my $port = $d->port;
        my ($process) = grep { $_->{title} =~ /:$port\b/ } $node->children_of_kind('backend');
        my $most = $answer && memory_at_most($process->{pid});
        ok(!$answer || $most < 64 << 10, "$api: " . ($answer ? "answered with @{[ $most >> 10 ]} MiB at most" : 'closed'));
    }
    my $big = $c->ask(JoinGroup => 3, { group_id => 'big', session_timeout_ms => 10000, rebalance_timeout_ms => 10000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => 'x' x (2 << 20) } ] });
    is($big->{error_code}, 23, 'metadata of 2 MiB is refused');
    is((committed($c, 'many', [0], $groups[99]))[0][2], 99, 'the others are served');
};

subtest 'scenario groups 20: offsets stay over kill -9' => sub {
    is((commit($c, $groups[99], 'many', 0 => 42))[0], 0, 'answered');
    $node->kill9;
    $node->start;
    $c = Ottla::Test::Api->new($node);
    ok(serve($c, @groups), 'served again');
    is_deeply([ committed($c, 'many', [ 0, 1 ], $groups[99], $groups[0]) ], [ [ $groups[99], 0, 42, 1099 ], [ $groups[0], 0, -1, -1 ] ],
        'what was committed is there, what was deleted is not');
};

subtest kcat => sub {
    plan skip_all => 'no kcat' if !grep { -x "$_/kcat" } split /:/, $ENV{PATH};
    my $server = $node->address;
    $c->make_topic('words', 3);
    my $filled = 0;
    my $fill = sub { my ($n) = @_; $c->produce('words', Ottla::Test::Batch::batch(records => [ map { 'w' . $filled++ } 1 .. $n ]), partition => $_) for 0 .. 2 };
    my $read = sub { my $out = qx(timeout 60 kcat -b $server -q -e -X auto.offset.reset=earliest -X session.timeout.ms=6000 -G cats words 2>/dev/null); return scalar(() = $out =~ /^w\d+$/mg) };
    $fill->(50);
    is($read->(), 150, 'the group reads everything');
    is($read->(), 0, 'and once');
    $fill->(5);
    is($read->(), 15, 'and what came later');
    my @members = @{ $c->ask(DescribeGroups => 5, { groups => ['cats'] })->{groups}[0]{members} };
    is(scalar @members, 0, 'it left when it ended');
};

subtest "Kafka's tool for groups" => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    my $tool = sub {
        my ($args, @patterns) = @_;
        my ($exit, $text) = kafka_tool($node->address, 'consumer-groups', split ' ', $args);
        my @missing = grep { $text !~ $_ } @patterns;
        ok($exit == 0 && !@missing, $args) or diag("missing @missing in:\n$text");
    };
    $tool->('--list', qr/^group-100$/m) if $ENV{OTTLA_LONG};
    $tool->('--describe --group group-100', qr/group-100\s+many\s+0\s+42\s+0\s+-42/);
    $tool->('--reset-offsets --group group-100 --topic many:1 --to-offset 0 --execute', qr/many\s+1\s+0/);
    is_deeply([ committed($c, 'many', [ 0, 1 ], 'group-100') ], [ [ 'group-100', 0, 42, 0 ] ], 'reset');
    $tool->('--delete-offsets --group group-100 --topic many:0', qr/many\s+0\s+Successful/);
    is_deeply([ committed($c, 'many', [ 0, 1 ], 'group-100') ], [ [ 'group-100', 0, -1, 0 ] ], 'deleted');
    $tool->('--delete --group group-100', qr/Deletion of requested consumer groups.*successful/);
    is_deeply([ committed($c, 'many', [ 0, 1 ], 'group-100') ], [ [ 'group-100', 0, -1, -1 ] ], 'the group is gone');
};

is($node->stop('fast'), 0, 'the node stops');
done_testing;
