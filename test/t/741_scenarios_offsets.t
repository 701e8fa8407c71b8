#!/usr/bin/perl
# 741_scenarios_offsets.t - acceptance scenarios of groups' ids, shards that load, and offsets
#
# Each subtest is one scenario of groups-and-transactions.md 12, on one node. Others: 22 is in 715, 23 and 24 are in 718; how
# long heartbeats take (53) is in 720.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(encode encode_utf8);
use File::Temp;
use IO::Select;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Crashpoints;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use POSIX qw(SIGSTOP);
use Test::More;
use Time::HiRes qw(time);

my $PATIENCE     = 30;
my $SUBSCRIPTION = "\0\0\0\0\0\1\0\1t\xff\xff\xff\xff";    # to topic t
my %fast         = ('group.initial.rebalance.delay.ms' => 0, 'group.coordinator.threads' => 1);
my ($node, $c);

sub begin_node { ($node) = @_; $node->start; return again() }

# A connection, once the coordinators of these groups have loaded.
sub again {
    my (@groups) = @_ ? @_ : ('g');
    $c = Ottla::Test::Api->new($node);
    return $node->wait_until("groups @groups", sub {
        return 0 if grep { $_->{error_code} } @{ $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => \@groups })->{coordinators} };
        return !grep { $_->{error_code} } @{ $c->ask(DescribeGroups => 5, { groups => \@groups })->{groups} };
    });
}

# As Java computes it.
sub partition_of {
    my ($id, $partitions) = @_;
    my $hash = 0;
    $hash = ($hash * 31 + $_) & 0xffffffff for unpack 'n*', encode('UTF-16BE', $id);
    return 0 if $hash == 1 << 31;
    return ($hash > 1 << 31 ? 2**32 - $hash : $hash) % $partitions;
}

# The first groups of so many partitions.
sub group_of_each {
    my ($partitions) = @_;
    my @group;
    for (1 .. 100) { $group[ partition_of("g$_", $partitions) ] //= "g$_" }
    return @group;
}

sub commit_body {
    my ($group, $topic, @offsets) = @_;
    return { group_id => $group, topics => [ { name => $topic, partitions => [ map { { partition_index => 0, committed_offset => $_, committed_metadata => '' } } @offsets ] } ] };
}

sub commit {
    my ($group, $topic, $offset, %o) = @_;
    return $c->ask(OffsetCommit => 8, { %{ commit_body($group, $topic, $offset) }, %o })->{topics}[0]{partitions}[0]{error_code};
}

sub fetch_body { my ($group, @topics) = @_; return { groups => [ { group_id => $group, topics => [ map { { name => $_, partition_indexes => [0] } } @topics ] } ] } }

# Error code and offsets of an answer.
sub fetched { my ($answer) = @_; my $g = $answer->{groups}[0]; return join ' ', $g->{error_code}, map { $_->{partitions}[0]{committed_offset} } @{ $g->{topics} } }
sub committed { return fetched($c->ask(OffsetFetch => 8, fetch_body(@_))) }

# A member, alone in a classic group; what it says in later requests.
sub member {
    my ($group, %o) = @_;
    my $joined = $c->ask(JoinGroup => 3, { group_id => $group, session_timeout_ms => 300000, rebalance_timeout_ms => 300000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => $SUBSCRIPTION } ], %o });
    my %me = (group_id => $group, generation_id => $joined->{generation_id}, member_id => $joined->{member_id});
    my $synced = $c->ask(SyncGroup => 3, { %me, assignments => [] });
    fail("$group: $joined->{error_code} $synced->{error_code}") if $joined->{error_code} || $synced->{error_code};
    return \%me;
}

sub beat { my ($me) = @_; return $c->ask(Heartbeat => 3, $me)->{error_code} }

sub log_of { my ($partition) = @_; return $node->dir . "/log/__consumer_offsets-$partition" }

begin_node(Ottla::Test::Node->new(conf => {%fast}));
$c->make_topic($_) for qw(t u);

subtest 'groups 3: ids beyond the basic plane' => sub {
    my %partition = ('' => 0, a => 47, 'my-group' => 12, 'g😀' => 32, polygenelubricants => 0, "𐀀\x{10fffd}é" => undef, '中文𝒳' => undef);
    is(partition_of($_, 50), $partition{$_}, "'" . encode_utf8($_) . q(': the partition that is known)) for grep { defined $partition{$_} } sort keys %partition;
    my $offset = 40;
    for my $id (sort keys %partition) {
        my $group = encode_utf8($id);
        my $file = log_of(partition_of($id, 50)) . sprintf '/%020d.log', 0;
        again($group);
        my $before = -s $file // 0;
        is(commit($group, 't', ++$offset), 0, "'$group': committed");
        is(committed($group, 't'), "0 $offset", 'fetched');
        cmp_ok(-s $file // 0, '>', $before, 'written where Java looks for it: ' . partition_of($id, 50));
    }
    my $kafka = ($ENV{OTTLA_SHARED} // '../shared') . '/peers/kafka';
    my $cache = $ENV{PEERS_CACHE} // ($ENV{HOME} // '/root') . '/.cache/ottla-peers';
    SKIP: {
        skip 'no client of Kafka\'s', 1 if !-x $kafka || !glob("$cache/kafka-*/.complete") || !grep { -x "$_/java" } split /:/, $ENV{PATH};
        local @ENV{qw(JAVA_TOOL_OPTIONS LC_ALL)} = ('-XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8', 'C.UTF-8');
        my $server = $node->address;
        my $text = qx(timeout 60 $kafka tool consumer-groups --bootstrap-server $server --describe --offsets --group 'g\xf0\x9f\x98\x80' 2>&1);
        my ($at) = committed("g\xf0\x9f\x98\x80", 't') =~ /(\d+)$/;
        like($text, qr/^\S+\s+t\s+0\s+$at\b/m, 'and a Java client finds it');
    }
};

subtest 'groups 25: a consumer group that is in use' => sub {
    my $delete = sub {
        my ($group) = @_;
        my $answer = $c->ask(OffsetDelete => 0, { group_id => $group, topics => [ map { { name => $_, partitions => [ { partition_index => 0 } ] } } qw(t u) ] });
        return join ' ', $answer->{error_code}, map { $_->{partitions}[0]{error_code} } @{ $answer->{topics} };
    };
    my $drop = sub { $c->ask(DeleteGroups => 2, { groups_names => [ $_[0] ] })->{results}[0]{error_code} };
    again(qw(modern classic));
    my $beat = sub { $c->ask(ConsumerGroupHeartbeat => 1, { group_id => 'modern', member_id => 'm', @_ }) };
    my $joined = $beat->(member_epoch => 0, rebalance_timeout_ms => 10000, subscribed_topic_names => ['t'], topic_partitions => []);
    is($joined->{error_code}, 0, 'a member');
    my $own = [ map { { topic_id => $_->{topic_id}, partitions => $_->{partitions} } } @{ $joined->{assignment}{topic_partitions} } ];
    is(scalar @$own, 1, 'has the topic');
    ok(comes_true(sub {
        $beat->(member_epoch => $joined->{member_epoch}, topic_partitions => $own);
        $c->ask(ConsumerGroupDescribe => 0, { group_ids => ['modern'] })->{groups}[0]{group_state} eq 'Stable';
    }, $PATIENCE), 'the group is stable');
    my $me = member('classic');
    my %as = (modern => { generation_id_or_member_epoch => $joined->{member_epoch}, member_id => 'm' },
        classic => { generation_id_or_member_epoch => $me->{generation_id}, member_id => $me->{member_id} });
    for my $group (qw(modern classic)) {
        is($c->ask(OffsetCommit => 9, { %{ commit_body($group, $_, 5) }, %{ $as{$group} } })->{topics}[0]{partitions}[0]{error_code}, 0, "$group: an offset of $_") for qw(t u);
        is($delete->($group), '0 86 0', 'offsets of what it subscribes to cannot be deleted, others can');
        is(committed($group, qw(t u)), '0 5 -1', 'so it is');
        is($drop->($group), 68, 'nor can the group');
        is(committed($group, 't'), '0 5', 'it stays');
    }
    is($beat->(member_epoch => -1)->{error_code}, 0, 'the member leaves');
    is($drop->('modern'), 0, 'then it can');
    is(committed('modern', 't'), '0 -1', 'and its offset is gone');
};
is($node->stop, 0, 'stop');

# A shard that has much to read, and one that has little, of one worker. Whoever asks for a group of the first is told to ask again
# while groups of the other are served; a member's heartbeats say nothing of it.
subtest 'groups 4: a shard is loading' => sub {
    my $RECORDS = $ENV{OTTLA_LONG} ? 1_000_000 : 400_000;
    my $AT_ONCE = 10_000;
    my ($little, $much) = group_of_each(2);
    begin_node(Ottla::Test::Node->new(conf => { %fast, 'offsets.topic.num.partitions' => 2, 'offsets.topic.compression.codec' => 1 }));
    again($little, $much);
    $c->make_topic('t');
    is(commit($little, 't', 3), 0, 'little');
    my $me = member($much);
    my %mine = (generation_id_or_member_epoch => $me->{generation_id}, member_id => $me->{member_id});
    my %bulk = (%{ commit_body($much, 't', 1 .. $AT_ONCE) }, %mine);
    my @refused = map { grep { $_->{error_code} } @{ $c->ask(OffsetCommit => 8, \%bulk)->{topics}[0]{partitions} } } 1 .. $RECORDS / $AT_ONCE;
    is(scalar @refused, 0, 'much');
    my %other = (group_id => $much, session_timeout_ms => 300000, rebalance_timeout_ms => 300000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => $SUBSCRIPTION } ]);
    my @ask = ([ Heartbeat => 3, $me ], [ JoinGroup => 5, \%other ], [ OffsetFetch => 8, fetch_body($much, 't') ], [ OffsetFetch => 8, fetch_body($little, 't') ]);
    my %seen;
    for (1 .. 5) {    # a look may come too late
        my ($worker) = $node->children_of_kind('coordinator');
        kill KILL => $worker->{pid};
        $node->wait_child('coordinator', $worker->{pid});
        my $now;
        $node->wait_until('the shard', sub {
            $c->tell(@$_) for @ask;
            my ($beat, $join, @fetch) = map { $c->hear } @ask;
            $seen{ $now = join ', ', $beat->{error_code}, $join->{error_code}, map { fetched($_) } @fetch }++;
            $join->{error_code} == 79 && $now =~ /, 0 $AT_ONCE, 0 3$/;
        });
        last if $seen{'0, 14, 14, 0 3'};
    }
    note join "\n", map {"$_: $seen{$_} times"} sort keys %seen;
    ok($seen{'0, 14, 14, 0 3'}, 'the coordinator runs and serves another shard meanwhile');
    is_deeply([ grep { !/^0, (0|14|15|79), (0 $AT_ONCE|1[456]), (0 3|1[456])$/ } keys %seen ], [], 'nobody is told anything else');
    is(beat($me), 0, 'the member is one still');
    my ($row) = grep { $_->{partition} == 1 } @{ Ottla::Test::Wire->new($node->connect_unix)->stat('coordinator_shards') };
    cmp_ok($row->{loaded_records}, '>=', $RECORDS, "that many records: $row->{load_ms} ms");
    is($node->stop, 0, 'stop');
};

# What compaction leaves: no last offsets, batches without records, batches whose last records are gone.
subtest 'groups 5: nothing is left at the end of a log' => sub {
    my ($other, $group) = group_of_each(2);
    begin_node(Ottla::Test::Node->new(conf => { %fast, 'offsets.topic.num.partitions' => 2 }));
    again($other, $group);
    $c->make_topic('t');
    is(commit($group, 't', $_), 0, "offset $_") for 1, 2;
    my $end = sub { $c->offset_at('__consumer_offsets', -1, partition => 1)->{offset} };
    is($end->(), 2, 'two records');
    my $change = sub {
        my ($base, $bytes) = @_;
        $node->kill9;
        my ($last) = reverse sort glob log_of(1) . '/*.log';
        $last = log_of(1) . sprintf '/%020d.log', $base if !defined $bytes;
        open my $file, '>>:raw', $last or die "$last: $!";
        print $file $bytes // '';
        close $file or die $!;
        $node->start;
        return again($other, $group);
    };
    $change->(500);
    is($end->(), 500, 'a last segment without records');
    is(committed($group, 't'), '0 2', 'the load ends, with the state');
    is(commit($group, 't', 3), 0, 'and goes on behind it');
    is($end->(), 501, 'there');
    for ([ 'a batch without records' => [] ], [ 'a batch whose last records are gone' => [ { key => "\x7f\xff", value => 'of a type that nobody knows' } ] ]) {
        my ($what, $records) = @$_;
        my $from = $end->();
        $change->($from, batch(records => $records, base_offset => $from, last_offset_delta => 99, leader_epoch => 0));
        is($end->(), $from + 100, $what);
        is(committed($group, 't'), '0 3', 'the load ends, with the state');
    }
    is(commit($group, 't', 4), 0, 'commits go on');
    $node->kill9->start;
    again($other, $group);
    is(committed($group, 't'), '0 4', 'and stay');
    is($node->stop, 0, 'stop');
};

# The high watermark of a single replica is its log's end, so what has not passed it is what was decided and not yet written. A
# coordinator that decided it, and then was asked for the offset, stops before it writes: nobody has learnt of it. (Answers that are
# late are 16, see 716; commits that wait for a disk: 718.)
subtest 'groups 21: a commit that is not in the log yet' => sub {
    my $dir = File::Temp->newdir;
    my $points = Ottla::Test::Crashpoints->new("$dir/crashpoints");
    begin_node(Ottla::Test::Node->new($points->node, conf => {%fast}));
    $c->make_topic('t');
    is(commit('g', 't', 1), 0, 'an offset');
    my @readers = map { Ottla::Test::Api->new($node) } 1 .. 5;
    my $writer = splice @readers, 2, 1;    # some are asked before it, some behind it
    my $hold = sub {
        my ($offset) = @_;
        my ($worker) = $node->children_of_kind('coordinator');
        kill STOP => $worker->{pid};
        $writer->tell(OffsetCommit => 8, commit_body('g', 't', $offset));
        $readers[$_]->tell(OffsetFetch => 8, { %{ fetch_body('g', 't') }, require_stable => $_ & 1 }) for 0 .. $#readers;
        my %port = map { $_->port => 1 } $writer, @readers;
        $node->wait_until('all to wait', sub { 5 == grep { $_->{title} =~ /:(\d+)\b.*Offset(Fetch|Commit)/ && $port{$1} } $node->children_of_kind('backend') });
        $points->arm(0, 'coordinator.before_append', 1, SIGSTOP);
        kill CONT => $worker->{pid};
        $node->wait_until('the coordinator to stop', sub { $points->died(0) == $worker->{pid} });
        is(scalar IO::Select->new(map { $_->socket } $writer, @readers)->can_read(0), undef, "$offset: nobody is answered");
        return $worker->{pid};
    };
    my $code = sub { $writer->hear($PATIENCE)->{topics}[0]{partitions}[0]{error_code} };
    kill CONT => $hold->(2);
    is($code->(), 0, 'once it is written it counts');
    my @read = map { fetched($_->hear($PATIENCE)) } @readers;
    is_deeply([ grep { !/^0 [12]$/ } @read ], [], "and those who waited read it, or what was before: @read");
    is(committed('g', 't'), '0 2', 'everybody from now on');
    kill KILL => $hold->(3);
    is($code->(), 15, 'one that was not written is to be repeated');
    is_deeply([ map { fetched($_->hear($PATIENCE)) } @readers ], [ ('16') x @readers ], 'those who waited are told to look for the coordinator, and nothing of it');
    again();
    is(committed('g', 't'), '0 2', 'nobody is, later');
    is($node->stop, 0, 'stop');
};

# Sessions that end while the worker does not run. A member that waits for others lets it look at the clock each second, so that it
# knows for how long it stood still.
subtest 'groups 53: a worker stands still' => sub {
    my ($SESSION_MS, $STALL_S, $MEMBERS) = (2000, 3, 30);
    begin_node(Ottla::Test::Node->new(conf => { %fast, 'group.min.session.timeout.ms' => 100 }));
    again(map { my $try = $_; map {"still-$try-$_"} 1 .. $MEMBERS } 1 .. 5);
    my ($worker) = $node->children_of_kind('coordinator');
    my (@groups, @members);
    for my $try (1 .. 5) {    # the sessions must not be old
        my $begin = time;
        @groups = map {"still-$try-$_"} 1 .. $MEMBERS;
        @members = map { member($_, session_timeout_ms => $SESSION_MS) } @groups;
        kill STOP => $worker->{pid};
        last if time - $begin < 0.3 * $SESSION_MS / 1000;
        kill CONT => $worker->{pid};
    }
    my $until = time + $STALL_S;
    comes_true(sub { time > $until }, $PATIENCE);
    kill CONT => $worker->{pid};
    $node->wait_for_log(qr/stood still/);
    is_deeply([ map { beat($_) } @members ], [ (0) x $MEMBERS ], 'none has lost its session');
    ok(comes_true(sub { !grep { $_->{group_state} ne 'Empty' } @{ $c->ask(DescribeGroups => 5, { groups => \@groups })->{groups} } }, $PATIENCE), 'who falls silent later does');
    is($node->stop, 0, 'stop');
};

done_testing;
