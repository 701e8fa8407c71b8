#!/usr/bin/perl
# 733_rebalance_causes.t - who caused a rebalance and who held it up, in both kinds of groups, and what a killed coordinator keeps
#
# Proves: the history names a session that ended, a member that does not come back, one that comes back late, changed subscriptions,
# topics that got partitions, members that join and leave; with the member behind it, who was waited for, and for how
# long. kill -9 of every coordinator leaves each line as it was, and the history goes on.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $SESSION_MS = 3000;    # of members that go silent
my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'offsets.topic.num.partitions' => 4,
    'group.min.session.timeout.ms' => 100, 'group.consumer.min.session.timeout.ms' => 100, 'group.consumer.min.heartbeat.interval.ms' => 50,
    'group.consumer.session.timeout.ms' => $SESSION_MS, 'group.consumer.heartbeat.interval.ms' => 50 })->start;
my $stat = Ottla::Test::Wire->new($node->connect_unix);
my $c    = Ottla::Test::Api->new($node);
my $busy = qr/^(14|15|16)$/;

sub history { my ($group) = @_; return @{ $stat->stat('rebalances', undef, $group ? { group_id => $group } : {}) } }

# The newest line of a group, when it has that many.
sub line_of {
    my ($group, $count, $meanwhile) = @_;
    my @lines;
    $node->wait_until("$count rebalances of $group", sub { $meanwhile->() if $meanwhile; @lines = history($group); return @lines >= $count });
    is(scalar @lines, $count, "$group: $count rebalances");
    return $lines[0];
}

$node->wait_until('a coordinator', sub { $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['g'] })->{coordinators}[0]{error_code} == 0 });

# ---- classic groups ----------------------------------------------------------------------------------------

sub member { my (%o) = @_; return { api => Ottla::Test::Api->new($node), id => '', session_ms => 60000, rebalance_ms => 60000, topic => 't', %o } }

sub tell_join {
    my ($m) = @_;
    $m->{api}->tell(JoinGroup => 3, { group_id => 'classic', session_timeout_ms => $m->{session_ms}, rebalance_timeout_ms => $m->{rebalance_ms},
        member_id => $m->{id}, protocol_type => 'consumer', protocols => [ { name => 'range', metadata => pack 'n N n/a* N', 0, 1, $m->{topic}, 0xffffffff } ] });
    return;
}

sub hear_join {
    my ($m) = @_;
    my $answer = $m->{api}->hear;
    @$m{qw(id generation leader)} = @$answer{qw(member_id generation_id leader)};
    return $answer->{error_code};
}

# All are in, and have what the leader gives them.
sub settle {
    my (@members) = @_;
    is_deeply([ map { hear_join($_) } @members ], [ map { 0 } @members ], 'joined');
    my ($leader) = grep { $_->{id} eq $_->{leader} } @members;
    is_deeply([ map { my $m = $_; $m->{api}->ask(SyncGroup => 3, { group_id => 'classic', generation_id => $m->{generation}, member_id => $m->{id},
        assignments => $m == $leader ? [ map { { member_id => $_->{id}, assignment => "\0" x 10 } } @members ] : [] })->{error_code} }
        $leader, grep { $_ != $leader } @members ], [ map { 0 } @members ], 'and settled');
    return;
}

# True when a rebalance is on its way.
sub is_called { my ($m) = @_; return $m->{api}->ask(Heartbeat => 3, { group_id => 'classic', generation_id => $m->{generation}, member_id => $m->{id} })->{error_code} == 27 }

my ($a, $b, $d) = (member(), member(session_ms => $SESSION_MS), member(rebalance_ms => 1500));
$node->wait_until('the group to be served', sub {
    my $answer = $c->ask(Heartbeat => 3, { group_id => 'classic', generation_id => 1, member_id => 'nobody' });
    return $answer->{error_code} == 25;
});
tell_join($a);
settle($a);
tell_join($b);
$node->wait_until('b to be there', sub { is_called($a) });
tell_join($a);
settle($a, $b);
tell_join($d);
$node->wait_until('d to be there', sub { is_called($a) });
tell_join($_) for $a, $b;
settle($a, $b, $d);
is_deeply([ map { $_->{member_id} } reverse history('classic') ], [ map { $_->{id} } $a, $b, $d ], 'three joined');

# b says nothing any more; a sees it first, d a second later.
$node->wait_until('b to be out', sub { is_called($a) });
tell_join($a);
is($a->{api}->hear(1), undef, 'a waits for d');
push @{ $a->{api}{asked} }, [ JoinGroup => 3 ];
tell_join($d);
settle($a, $d);
my $line = line_of('classic', 4);
is_deeply([ @$line{qw(cause member_id waited_for members generation)} ], [ 'session expired', $b->{id}, $d->{id}, 2, $a->{generation} ], 'b expired, d was waited for');
cmp_ok($line->{duration_ms}, '>=', 1000, 'as long as d took');

# a wants another topic, d does not come: until its rebalance timeout, the longest that a member has.
@$a{qw(topic rebalance_ms)} = ('u', 1500);
tell_join($a);
settle($a);
$line = line_of('classic', 5);
is_deeply([ @$line{qw(cause member_id waited_for members)} ], [ 'subscription changed', $a->{id}, $d->{id}, 1 ], 'a subscribed anew, d never came');
cmp_ok($line->{duration_ms}, '>=', 1400, 'and was waited for as long as it may take');
cmp_ok($line->{duration_ms}, '<', 60000, '... no longer');
is($d->{api}->ask(Heartbeat => 3, { group_id => 'classic', generation_id => $a->{generation}, member_id => $d->{id} })->{error_code}, 25, 'd is out');

tell_join($a);    # as the leader does when its topics change
settle($a);
is_deeply([ @{ line_of('classic', 6) }{qw(cause member_id waited_for members)} ], [ 'leader rejoined', $a->{id}, undef, 1 ], 'alone it waits for nobody');

# ---- consumer groups -----------------------------------------------------------------------------------------

# One heartbeat: what it was given it has, what was taken away it gives up. The error code.
sub beat {
    my ($m, %o) = @_;
    my $answer = $m->{api}->ask(ConsumerGroupHeartbeat => 0, { group_id => 'newer', member_id => $m->{id}, member_epoch => $m->{epoch}, rebalance_timeout_ms => 30000,
        subscribed_topic_names => ['parts'], topic_partitions => $m->{owned}, %o });
    return $answer->{error_code} if $answer->{error_code};
    $m->{epoch} = $answer->{member_epoch};
    $m->{owned} = $answer->{assignment}{topic_partitions} if $answer->{assignment};
    return 0;
}

sub newer { my ($name) = @_; return { api => Ottla::Test::Api->new($node), id => "consumer-$name", epoch => 0, owned => [] } }
sub partitions { my ($m) = @_; return scalar map { @{ $_->{partitions} } } @{ $m->{owned} } }

$c->make_topic('parts', 4);
my ($x, $y) = (newer('x'), newer('y'));
$node->wait_until('the group to be served', sub { my $code = beat($x); die "heartbeat: $code\n" if $code && $code !~ $busy; return !$code });
$line = line_of('newer', 1, sub { beat($x) });
is_deeply([ @$line{qw(cause member_id members generation)} ], [ 'new member', $x->{id}, 1, $x->{epoch} ], 'x joins');
$node->wait_until('x to have all', sub { beat($x) == 0 && partitions($x) == 4 });

is(beat($y), 0, 'y joins');
my $until = time + 1;
$node->wait_until('x to be late', sub { beat($y); return time >= $until });
is(scalar history('newer'), 1, 'which lasts until x gave up partitions');
$line = line_of('newer', 2, sub { beat($x); beat($y) });
is_deeply([ @$line{qw(cause member_id members)} ], [ 'new member', $y->{id}, 2 ], 'y joined');
ok((grep { $line->{waited_for} eq $_->{id} } $x, $y), 'and one of them was last');
cmp_ok($line->{duration_ms}, '>=', 1000, 'as late as it was');
$node->wait_until('both to have two', sub { beat($x); beat($y); return partitions($x) == 2 && partitions($y) == 2 });

is($c->ask(CreatePartitions => 3, { timeout_ms => 10000, topics => [ { name => 'parts', count => 6, assignments => undef } ] })->{results}[0]{error_code}, 0, 'more partitions');
$line = line_of('newer', 3, sub { beat($x); beat($y) });
is_deeply([ @$line{qw(cause member_id members generation)} ], [ 'topics changed', undef, 2, $x->{epoch} ], 'nobody did it but the topic');

my $silent = time;
$line = line_of('newer', 4, sub { beat($x) });
is_deeply([ @$line{qw(cause member_id waited_for members)} ], [ 'session expired', $y->{id}, $x->{id}, 1 ], 'y went silent');
cmp_ok(time - $silent, '>=', $SESSION_MS / 1000 - 0.5, 'for as long as a session lasts');
$node->wait_until('x to have all', sub { beat($x); return partitions($x) == 6 });

$y = newer('z');
line_of('newer', 5, sub { beat($x); beat($y) });
is(beat($y, member_epoch => -1), 0, 'z leaves');
$line = line_of('newer', 6, sub { beat($x) });
is_deeply([ @$line{qw(cause member_id waited_for members)} ], [ 'member left', $y->{id}, $x->{id}, 1 ], 'as the history says');

is(beat($x, member_epoch => -1), 0, 'x leaves');
is_deeply([ @{ line_of('newer', 7) }{qw(cause member_id waited_for members)} ], [ 'member left', $x->{id}, undef, 0 ], 'the last one is waited for by nobody');

# ---- coordinators die ------------------------------------------------------------------------------------------

sub kill_coordinators {
    my %old = map { $_->{pid} => 1 } $node->children_of_kind('coordinator');
    kill 'KILL', keys %old;
    $node->wait_until('others in their place', sub { my @now = $node->children_of_kind('coordinator'); @now == keys %old && !grep { $old{ $_->{pid} } } @now });
    return;
}

my @before = history();
is(scalar @before, 13, 'all lines');
kill_coordinators();
is_deeply([ history() ], \@before, 'are there as they were');
my $code;
$node->wait_until('the group to be loaded', sub { $code = $c->ask(LeaveGroup => 3, { group_id => 'classic', members => [ { member_id => $a->{id} } ] })->{error_code}; $code !~ $busy });
is($code, 0, 'a leaves');
$line = line_of('classic', 7);
is_deeply([ @$line{qw(cause member_id members)} ], [ 'member left', $a->{id}, 0 ], 'the history goes on');

# What is under way when they die ends all the same; who began it, nobody knows any more.
@$_{qw(epoch owned)} = (0, []) for $x, $y;
$node->wait_until('the group to be loaded', sub { beat($x) !~ $busy });
line_of('newer', 8, sub { beat($x) });
$node->wait_until('x to have all', sub { beat($x) == 0 && partitions($x) == 6 });
is(beat($y), 0, 'y joins');
kill_coordinators();
$line = line_of('newer', 9, sub { beat($_) =~ /^(0|1[456])$/ or die "heartbeat of $_->{id} is refused\n" for $x, $y });
is_deeply([ @$line{qw(cause member_id members generation)} ], [ 'coordinator changed', undef, 2, $y->{epoch} ], 'a rebalance that coordinators did not live to end');

is($node->stop, 0, 'stop');
done_testing;
