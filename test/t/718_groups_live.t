#!/usr/bin/perl
# 718_groups_live.t - what happens to groups and their offsets while a node lives: time, topics, settings, disks
#
# Proves: offsets expire by the time of their commit, by the time at which the last member left, by what the commit asked for, and
# not while somebody subscribes, and then the group goes (groups 23); offsets of a topic that is deleted are gone with it, also when it is made anew under its name (groups 24);
# settings of groups count while members live; the topic of offsets can be deleted, and comes back empty when it is asked for;
# a node with another number of coordinators finds all offsets; on a full disk commits are refused with 15 and are taken again
# by themselves, members live on; commits wait for the disk where acks.durability says so, and for nothing where it does not.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Test::More;
use Ottla::Test::Disk;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);

my $PATIENCE     = 30;
my $SUBSCRIPTION = "\0\0\0\0\0\1\0\4kept\xff\xff\xff\xff";
my %fast         = ('group.initial.rebalance.delay.ms' => 0, 'offsets.topic.num.partitions' => 6);
my ($node, $c);

sub start_node {
    my (%o) = @_;
    my $prepare = delete $o{prepare};
    $node = Ottla::Test::Node->new(%o, conf => { %fast, %{ $o{conf} // {} } });
    $prepare->() if $prepare;
    $node->start;
    $c = Ottla::Test::Api->new($node);
    return;
}

# Until the groups' coordinators have loaded.
sub serve {
    my (@groups) = @_;
    return comes_true(sub {
        return 0 if grep { $_->{error_code} } @{ $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => \@groups })->{coordinators} };
        return !grep { $_->{error_code} } @{ $c->ask(DescribeGroups => 5, { groups => \@groups })->{groups} };
    }, $PATIENCE);
}

sub commit {
    my ($group, $topic, $offset, %o) = @_;
    my $version = delete $o{version} // 8;
    my $api = delete $o{api} // $c;
    my $answer = $api->ask(OffsetCommit => $version, { group_id => $group, %o,
        topics => [ { name => $topic, partitions => [ { partition_index => 0, committed_offset => $offset, committed_metadata => '' } ] } ] });
    return $answer->{topics}[0]{partitions}[0]{error_code};
}

sub committed {
    my ($group, @topics) = @_;
    my $answer = $c->ask(OffsetFetch => 8, { groups => [ { group_id => $group, topics => [ map { { name => $_, partition_indexes => [0] } } @topics ] } ] });
    return join ' ', map { $_->{partitions}[0]{committed_offset} } @{ $answer->{groups}[0]{topics} };
}

sub groups { return join ' ', sort map { $_->{group_id} } @{ $c->ask(ListGroups => 4, {})->{groups} } }

# A member of a classic group that subscribes to "kept", with its connection; what it says in later requests.
sub member {
    my ($group, %o) = @_;
    my $api = Ottla::Test::Api->new($node);
    my $joined = $api->ask(JoinGroup => 3, { group_id => $group, session_timeout_ms => 30000, rebalance_timeout_ms => 30000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => $SUBSCRIPTION } ], %o });
    my %me = (group_id => $group, generation_id => $joined->{generation_id}, member_id => $joined->{member_id});
    $api->ask(SyncGroup => 3, { %me, assignments => [] }) if !$joined->{error_code};
    return ($joined->{error_code}, $api, \%me);
}

# Sets (undef: takes back) settings of a resource; the error code.
sub alter {
    my ($type, $name, %settings) = @_;
    my $answer = $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => $type, resource_name => $name, configs => [
        map { { name => $_, config_operation => defined $settings{$_} ? 0 : 1, value => $settings{$_} } } sort keys %settings ] } ] });
    return $answer->{responses}[0]{error_code};
}

sub delete_topic { my ($name) = @_; return $c->ask(DeleteTopics => 6, { timeout_ms => 10000, topics => [ { name => $name } ] })->{responses}[0]{error_code} }

subtest 'scenario groups 23: offsets expire' => sub {
    my $clock;
    my $set_clock = sub {
        my ($days) = @_;
        open my $fh, '+>>', $clock or die $!;
        close $fh;
        open $fh, '+<', $clock or die $!;
        syswrite $fh, pack 'q', $days * 86_400_000_000_000 or die $!;
        close $fh;
    };
    start_node(env => { LD_PRELOAD => "$ENV{OTTLA_BUILD}/release/fault/libclock.so" }, conf => { 'offsets.retention.check.interval.ms' => 100, 'log.retention.ms' => -1 },
        prepare => sub { $clock = $node->{env}{CLOCK_SHIFT} = "$node->{base}/shift"; $set_clock->(0) });
    ok(serve(qw(plain asked held later left)), 'served');
    $c->make_topic($_) for qw(kept left);
    is(commit(plain => 'kept', 1), 0, 'a group without members');
    is(commit(asked => 'kept', 2, version => 4, retention_time_ms => 500), 0, 'an offset that is to be kept for half a second');
    my ($code, $api, $me) = member('held');
    is($code, 0, 'a group with a member');
    is(commit(held => $_, 3, api => $api, generation_id_or_member_epoch => $me->{generation_id}, member_id => $me->{member_id}), 0, 'with an offset') for qw(kept left);
    my (undef, $leaver, $him) = member('left');
    is(commit(left => 'kept', 5, api => $leaver, generation_id_or_member_epoch => $him->{generation_id}, member_id => $him->{member_id}), 0, 'a group whose member will leave');
    ok(comes_true(sub { committed('asked', 'kept') == -1 }, $PATIENCE), 'is kept for no longer');
    ok(comes_true(sub { groups() eq 'held left plain' }, $PATIENCE), 'and its group goes with it: ' . groups());
    $set_clock->(6.9);
    is(commit(later => 'kept', 4), 0, 'a commit almost seven days later');
    is($leaver->ask(LeaveGroup => 3, { group_id => 'left', members => [ { member_id => $him->{member_id} } ] })->{error_code}, 0, 'a member leaves then');
    is(committed('plain', 'kept'), 1, 'does not find others gone');
    $set_clock->(7.1);
    ok(comes_true(sub { groups() eq 'held later left' }, $PATIENCE), 'after seven days the first is gone: ' . groups());
    ok(comes_true(sub { committed('held', 'kept', 'left') eq '3 -1' }, $PATIENCE), 'what nobody subscribes to goes, what somebody does stays');
    is($api->ask(Heartbeat => 3, $me)->{error_code}, 0, 'its member lives on');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    ok(serve(qw(plain held later left)), 'served again');
    is(groups(), 'held later left', 'what has expired does not come back');
    is(committed('held', 'kept', 'left'), '3 -1', 'nor single offsets');
    is(committed('left', 'kept'), 5, 'what a member has committed is kept, long after that');
    $set_clock->(14.1);
    ok(comes_true(sub { groups() eq 'held' }, $PATIENCE), 'seven days after the last one left it goes: ' . groups());
    is($c->ask(DescribeGroups => 5, { groups => ['left'] })->{groups}[0]{group_state}, 'Dead', 'and its group with it');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    ok(serve(qw(plain held later left)), 'served again');
    is(groups(), 'held', 'for good');
    $node->stop;
};

start_node();
ok(serve(map {"g$_"} 1 .. 20), 'served');
$c->make_topic($_) for qw(kept left);

subtest 'scenario groups 24: a topic is deleted and made anew' => sub {
    is(commit(g1 => $_, 10), 0, "an offset of $_") for qw(kept left);
    my ($code, $api, $me) = member('g2');
    is(commit(g2 => 'left', 11, api => $api, generation_id_or_member_epoch => $me->{generation_id}, member_id => $me->{member_id}), 0, 'a member commits');
    my $old = $c->ask(Metadata => 12, { topics => [ { name => 'left' } ] })->{topics}[0]{topic_id};
    is(delete_topic('left'), 0, 'deleted');
    ok(comes_true(sub { committed('g1', 'kept', 'left') eq '10 -1' }, $PATIENCE), 'its offsets go, others stay');
    ok(comes_true(sub { committed('g2', 'left') == -1 }, $PATIENCE), 'those of members, too');
    is(commit(g1 => 'left', 12), 3, 'nobody can commit to it');
    my $new = $c->make_topic('left');
    isnt($new, $old, 'made anew, with another id');
    is(committed('g1', 'kept', 'left'), '10 -1', 'it has no offsets');
    my $by_id = sub {
        my ($id) = @_;
        return $c->ask(OffsetFetch => 10, { groups => [ { group_id => 'g1', topics => [ { topic_id => $id, partition_indexes => [0] } ] } ] })->{groups}[0]{topics}[0]{partitions}[0];
    };
    is($by_id->($old)->{error_code}, 100, 'the old id is unknown');
    is(commit(g1 => 'left', 13), 0, 'and gets new ones');
    is($by_id->($new)->{committed_offset}, 13, 'which are those of its id');
    is($c->ask(OffsetCommit => 10, { group_id => 'g1', topics => [ { topic_id => $old, partitions => [ { partition_index => 0, committed_offset => 99, committed_metadata => '' } ] } ] })
        ->{topics}[0]{partitions}[0]{error_code}, 100, 'a commit to the old id is refused');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    ok(serve(map {"g$_"} 1 .. 20), 'served again');
    is(committed('g1', 'kept', 'left'), '10 13', 'and so it is after kill -9');
    is(committed('g2', 'left'), -1, 'for all');
};

subtest 'settings of groups while they live' => sub {
    my $beat = sub { my (%o) = @_; return $c->ask(ConsumerGroupHeartbeat => 1, { group_id => 'g3', member_id => 'm', %o }) };
    my $joined = $beat->(member_epoch => 0, rebalance_timeout_ms => 10000, subscribed_topic_names => ['kept'], topic_partitions => []);
    is($joined->{heartbeat_interval_ms}, 5000, 'an interval');
    is(alter(32, 'g3', 'consumer.heartbeat.interval.ms' => 7000), 0, 'set for the group');
    ok(comes_true(sub { $beat->(member_epoch => $joined->{member_epoch})->{heartbeat_interval_ms} == 7000 }, $PATIENCE), 'counts at the next heartbeat');
    is(alter(32, 'g3', 'consumer.heartbeat.interval.ms' => undef), 0, 'taken back');
    ok(comes_true(sub { $beat->(member_epoch => $joined->{member_epoch})->{heartbeat_interval_ms} == 5000 }, $PATIENCE), 'as before');
    my $conf = sub {
        open my $file, '>', $node->dir . '/ottla.conf' or die $!;
        print $file @_;
        close $file;
        $node->reload->wait_for_log(qr/Reloaded/);
    };
    $conf->("group.max.size = 1\ngroup.min.session.timeout.ms = 100\ngroup.consumer.max.size = 1\n");
    my ($code, $api, $me) = member('g4', session_timeout_ms => 6000);
    ok(comes_true(sub { (member('g5', session_timeout_ms => 200))[0] == 0 }, $PATIENCE), 'shorter sessions, by the file');
    $api->tell(JoinGroup => 3, { group_id => 'g4', session_timeout_ms => 6000, rebalance_timeout_ms => 6000, protocol_type => 'consumer', member_id => '',
        protocols => [ { name => 'range', metadata => $SUBSCRIPTION } ] });
    is($api->hear($PATIENCE)->{error_code}, 81, 'a second member is too much');
    my $other = sub { $c->ask(ConsumerGroupHeartbeat => 1, { group_id => 'g3', member_id => 'n', member_epoch => 0, rebalance_timeout_ms => 10000, subscribed_topic_names => [], topic_partitions => [] })->{error_code} };
    is($other->(), 81, 'so is another consumer');
    $conf->("\n");
    ok(comes_true(sub { $other->() == 0 }, $PATIENCE), 'until the file says nothing of it');
    is($api->ask(Heartbeat => 3, $me)->{error_code}, 0, 'whoever was there stays');
};

subtest 'another number of coordinators' => sub {
    is(commit("g$_" => 'kept', 100 + $_), 0, "g$_") for 11 .. 20;
    for my $workers (1, 7) {
        $node->stop;
        $node->set('group.coordinator.threads' => $workers)->start;
        $c = Ottla::Test::Api->new($node);
        ok(serve(map {"g$_"} 1 .. 20), "$workers: served");
        is(scalar(my @found = $node->children_of_kind('coordinator')), $workers, 'by so many');
        is_deeply([ map { committed("g$_", 'kept') } 11 .. 20 ], [ 111 .. 120 ], 'all offsets are there');
    }
};

subtest 'the topic of offsets is deleted' => sub {
    my ($code, $api, $me) = member('g7');
    is($code, 0, 'a member');
    is(delete_topic('__consumer_offsets'), 0, 'deleted');
    my $gone;
    ok(comes_true(sub { $gone = $api->ask(Heartbeat => 3, $me)->{error_code} }, $PATIENCE), 'its coordinator is gone');
    like($gone, qr/^(14|15|16|25)$/, "so it is told: $gone");
    ok(serve(map {"g$_"} 1 .. 20), 'made anew when it is asked for');
    is(groups(), '', 'empty');
    is($api->ask(Heartbeat => 3, $me)->{error_code}, 25, 'the member has to join again');
    is((member('g7'))[0], 0, 'and does');
    is(commit(g8 => 'kept', 5), 0, 'offsets are committed');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    ok(serve('g7', 'g8'), 'served again');
    is(groups() . ' ' . committed('g8', 'kept'), 'g7 g8 5', 'and stay');
};
$node->stop;

subtest 'commits and the disk' => sub {
    my $rule = sub {
        my $file = "$node->{base}/faults";
        open my $fh, '>', "$file.new" or die $!;
        print $fh map {"$_\n"} @_;
        close $fh;
        rename "$file.new", $file or die $!;
    };
    start_node(env => { LD_PRELOAD => "$ENV{OTTLA_BUILD}/release/fault/libfault.so" }, conf => { 'checkpoint.interval.ms' => 3600000, 'acks.durability' => 'disk', 'offsets.commit.timeout.ms' => 1000 },
        prepare => sub { $node->{env}{FAULT_RULES} = "$node->{base}/faults"; $rule->() });
    ok(serve('g', 'h'), 'served');
    $c->make_topic('kept');
    my $held = Ottla::Test::Api->new($node);
    is(commit(g => 'kept', 1), 0, 'a commit');
    $rule->('fsync ' . $node->dir . '/log* wait');
    is(commit(g => 'kept', 2, api => $held), 15, 'waits for the disk, and no longer than it may');
    is(committed('g', 'kept'), 2, 'a fetch does not wait');
    is($c->ask(DescribeGroups => 5, { groups => ['g'] })->{groups}[0]{error_code}, 0, 'nor who looks');
    $rule->();
    ok(comes_true(sub { commit(g => 'kept', 3) == 0 }, $PATIENCE), 'and goes on with the disk');
    is(alter(2, '__consumer_offsets', 'acks.durability' => 'memory'), 0, 'the topic of offsets in memory');
    $rule->('fsync ' . $node->dir . '/log* wait');
    ok(comes_true(sub { commit(g => 'kept', 4) == 0 }, $PATIENCE), 'waits for no disk');
    is(commit(h => 'kept', 5), 0, 'nobody does');
    $rule->();
    $node->stop;
};

subtest 'the disk is full' => sub {
    my $why = Ottla::Test::Disk::missing();
    plan skip_all => $why if $why;
    my $disk = Ottla::Test::Disk->new(size_mb => 40);
    mkdir $disk->dir . '/log' or die $!;
    start_node(conf => { 'log.dirs' => $disk->dir . '/log', 'checkpoint.interval.ms' => 200, 'log.retention.ms' => -1 }, prepare => sub { $node->set('metadata.log.dir' => $node->dir . '/meta') });
    ok(serve(map {"g$_"} 1 .. 6), 'served');
    $c->make_topic('kept');
    is(commit("g$_" => 'kept', $_), 0, "g$_") for 1 .. 6;
    my ($code, $api, $me) = member('g7');
    is($code, 0, 'a member');
    $disk->fill(0);
    my %seen;
    my $refused = 0;
    for (1 .. 2000) {
        my $code = commit(g1 => 'kept', 1000 + $_);
        $seen{$code}++;
        last if $code && ++$refused == 20;
        $disk->fill(0) if !$code && !$refused && $_ % 100 == 0;
    }
    ok($seen{15}, 'refused with 15: ' . join ' ', map {"$_ x $seen{$_}"} sort keys %seen);
    is_deeply([ grep { !/^(0|14|15|16)$/ } keys %seen ], [], 'or, while the shard is read again, with what says so');
    $disk->make_room;
    ok(comes_true(sub { commit(g1 => 'kept', 7) == 0 }, $PATIENCE), 'taken again when there is room');
    ok(serve(map {"g$_"} 1 .. 7), 'all are served');
    is_deeply([ map { committed("g$_", 'kept') } 1 .. 6 ], [ 7, 2 .. 6 ], 'nothing is lost');
    is($api->ask(Heartbeat => 3, $me)->{error_code}, 0, 'the member is one still');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    ok(serve(map {"g$_"} 1 .. 7), 'served after kill -9');
    is_deeply([ map { committed("g$_", 'kept') } 1 .. 6 ], [ 7, 2 .. 6 ], 'and then');
    unlike($node->log_text, qr/PANIC|FATAL/, 'no process failed');
    $node->stop;
};

done_testing;
