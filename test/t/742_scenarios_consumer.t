#!/usr/bin/perl
# 742_scenarios_consumer.t - acceptance scenarios of consumer groups of the newer protocol, by their numbers, by raw heartbeats
#
# Members here are what a test says they are: each notes what it was given and gives up what it is to give up when the test
# wants it to, and after every answer nobody may own what another one owns. Sessions last long, so that nothing here comes
# of an expired one; targets are computed at once (assignment interval 0), so that epochs are those of the scenarios.
# Real clients do what groups 31 is about in 710_rebalances.t.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $FENCED_INSTANCE = 82;
my $FENCED_EPOCH    = 110;
my $UNRELEASED      = 111;
my $BAD_EXPRESSION  = 128;
my $UNKNOWN_MEMBER  = 25;
my $REBALANCE_MS    = 30000;    # unless a scenario wants it short
my $busy            = qr/^(14|15|16)$/;

my $node = Ottla::Test::Node->new(conf => { 'offsets.topic.num.partitions' => 4, 'group.consumer.assignment.interval.ms' => 0 })->start;
my $c = Ottla::Test::Api->new($node);
my (%name, %id, @members);    # of topics; all members that live

sub topic { my ($name, $count) = @_; my $id = $c->make_topic($name, $count); ($name{$id}, $id{$name}) = ($name, $id); return }

# ---- members -------------------------------------------------------------------------------------------------

# What a member says at its first heartbeat is told beside its group and its name.
sub member {
    my ($group, $id, %says) = @_;
    my $m = { group => $group, id => $id, epoch => 0, owned => {}, given => {}, instance => $says{instance_id},
        says => { rebalance_timeout_ms => $REBALANCE_MS, %says } };
    push @members, $m;
    return $m;
}

sub owns {
    my (@partitions) = @_;
    my %of;
    for (@partitions) { my ($topic, $index) = m{^(.*)/(\d+)$}; push @{ $of{$topic} }, $index }
    return [ map { { topic_id => $id{$_}, partitions => $of{$_} } } sort keys %of ];
}

sub partitions_of { my ($assignment) = @_; return sort map { my $t = $_; map {"$name{ $t->{topic_id} }/$_"} @{ $t->{partitions} } } @{ $assignment->{topic_partitions} } }

my @twice;

# A member goes by an answer; what that says, in words.
sub obey {
    my ($m, $answer) = @_;
    if ($answer->{error_code}) {
        @$m{qw(owned given)} = ({}, {}) if $answer->{error_code} !~ $busy;
        return "error $answer->{error_code}";
    }
    $m->{epoch} = $answer->{member_epoch};
    return "epoch $m->{epoch}, as before" if !$answer->{assignment};
    my @given = partitions_of($answer->{assignment});
    $m->{given} = { map { $_ => 1 } @given };
    $m->{owned}{$_} = 1 for @given;
    for my $other (grep { $_ != $m && $_->{group} eq $m->{group} } @members) {
        push @twice, map {"$m->{group}: $_ of $m->{id} and $other->{id}"} grep { $other->{owned}{$_} } @given;
    }
    return "epoch $m->{epoch}, " . (@given ? "@given" : 'nothing');
}

sub heartbeat {
    my ($m, %o) = @_;
    my %says = $m->{epoch} == 0 ? (topic_partitions => [], %{ $m->{says} }) : ();
    return { group_id => $m->{group}, member_id => $m->{id}, member_epoch => $m->{epoch}, instance_id => $m->{instance}, %says, %o };
}

# What a heartbeat is answered; it says nothing but the epoch, or all when that is 0.
sub beat { my ($m, %o) = @_; return obey($m, $c->ask(ConsumerGroupHeartbeat => 1, heartbeat($m, %o))) }

# The same, of one that says what it owns.
sub report { my ($m, %o) = @_; return beat($m, topic_partitions => owns(keys %{ $m->{owned} }), %o) }

# What is answered as soon as the coordinator is there again.
sub served {
    my ($say) = @_;
    my $said;
    $node->wait_until('the group to be served', sub { $said = $say->(); $said !~ /^error (14|15|16)$/ });
    return $said;
}

# A member gives up what it is to give up, or a part of that.
sub give_up {
    my ($m, @partitions) = @_;
    delete $m->{owned}{$_} for @partitions ? @partitions : grep { !$m->{given}{$_} } keys %{ $m->{owned} };
    return;
}

sub owned { my ($m) = @_; return join ' ', sort keys %{ $m->{owned} } }

sub leave {
    my ($m, $epoch) = @_;
    my $said = beat($m, member_epoch => $epoch // -1);
    @members = grep { $_ != $m } @members;
    return $said;
}

# ---- groups --------------------------------------------------------------------------------------------------

# All that is told of a group, members by their ids.
sub describe {
    my ($group) = @_;
    my $found;
    $node->wait_until("$group to be described", sub {
        $found = $c->ask(ConsumerGroupDescribe => 1, { group_ids => [$group] })->{groups}[0];
        return $found->{error_code} !~ $busy;
    });
    $found->{members} = [ sort { $a->{member_id} cmp $b->{member_id} } @{ $found->{members} } ];
    return $found;
}

sub epochs { my $g = describe(@_); return join ' ', @$g{qw(group_state group_epoch assignment_epoch)}, map {"$_->{member_id}=$_->{member_epoch}"} @{ $g->{members} } }

# Until every member of the group has what it is to have.
sub settle {
    my (@all) = @_;
    $node->wait_until('all to settle', sub {
        for my $m (@all) { my $said = report($m); die "$m->{id}: $said\n" if $said =~ /error/; give_up($m) }
        return !(grep { owned($_) ne join ' ', sort keys %{ $_->{given} } } @all) && describe($all[0]{group})->{group_state} eq 'Stable';
    });
    return;
}

# Two members at epoch 3 that share six partitions.
sub pair {
    my ($group) = @_;
    my ($a, $b) = map { member($group, $_, subscribed_topic_names => ['six']) } qw(a b);
    beat($a);
    beat($b);
    settle($a, $b);
    is(epochs($group), 'Stable 3 3 a=3 b=3', 'two members at the same epoch');
    is_deeply([ owned($a), owned($b) ], [ 'six/0 six/1 six/2', 'six/3 six/4 six/5' ], 'with a half each');
    return ($a, $b);
}

sub nothing_twice { is_deeply(\@twice, [], 'at no time anything was owned twice'); @twice = (); return }

# Kills all of them; returns when there are others.
sub kill_coordinators {
    my %old = map { $_->{pid} => 1 } $node->children_of_kind('coordinator');
    kill 'KILL', keys %old;
    $node->wait_until('others in their place', sub { my @now = $node->children_of_kind('coordinator'); @now == keys %old && !grep { $old{ $_->{pid} } } @now });
    return;
}

my @groups = qw(taken killed killed-late stubborn repeats fenced expression static even);
sub serve_all {
    $node->wait_until('all groups to be served', sub {
        return 0 if grep { $_->{error_code} } @{ $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => \@groups })->{coordinators} };
        return !grep { $_->{error_code} } @{ $c->ask(DescribeGroups => 5, { groups => \@groups })->{groups} };
    });
    return;
}

serve_all();
topic('six', 6);
topic('ten', 10);

# ---- scenarios -----------------------------------------------------------------------------------------------

subtest 'groups 26: what a newcomer gets was given up before' => sub {
    my ($a, $b) = map { member('taken', $_, subscribed_topic_names => ['six']) } qw(a b);
    is(beat($a), 'epoch 2, six/0 six/1 six/2 six/3 six/4 six/5', 'a has all');
    is(beat($b), 'epoch 3, nothing', 'b joins, and has to wait');
    is(report($a), 'epoch 2, six/0 six/1 six/2', 'a is told to give up half, and keeps its epoch');
    is(report($b), 'epoch 3, as before', 'b waits');
    is(report($a), 'epoch 2, as before', 'a still has them');
    is(beat($a), 'epoch 2, as before', 'a says nothing of what it has');
    give_up($a, 'six/3', 'six/4');
    is(report($a), 'epoch 2, as before', 'a gave up two of three');
    is(report($b), 'epoch 3, as before', 'of which b gets none');
    is(epochs('taken'), 'Reconciling 3 3 a=2 b=3', 'so it is described');
    give_up($a);
    is(report($a), 'epoch 3, as before', 'a gave up all three, and goes on to the epoch');
    is(report($b), 'epoch 3, six/3 six/4 six/5', 'b gets them at its next heartbeat');
    is(epochs('taken'), 'Stable 3 3 a=3 b=3', 'all is settled');
    nothing_twice();
};

subtest 'groups 33: coordinators are killed in the middle of groups 26' => sub {
    my $kill = sub {
        my ($what) = @_;
        my $before = describe('killed');
        kill_coordinators();
        is_deeply(describe('killed'), $before, "$what: epochs, target and members are the same");
    };
    my ($a, $b) = map { member('killed', $_, subscribed_topic_names => ['six']) } qw(a b);
    is(beat($a), 'epoch 2, six/0 six/1 six/2 six/3 six/4 six/5', 'a has all');
    is(beat($b), 'epoch 3, nothing', 'b joins');
    $kill->('killed before a knows');
    is(served(sub { report($a) }), 'epoch 2, six/0 six/1 six/2', 'a is told to give up half');
    $kill->('killed while a has yet to');
    is(served(sub { report($b) }), 'epoch 3, as before', 'b waits on');
    give_up($a, 'six/3');
    is(report($a), 'epoch 2, as before', 'one of three is not enough');
    give_up($a);
    $c->tell(ConsumerGroupHeartbeat => 1, heartbeat($a, topic_partitions => owns(keys %{ $a->{owned} })));
    kill_coordinators();
    my $said = obey($a, $c->hear);
    like($said, qr/^(error (14|15|16)|epoch 3, as before)$/, 'killed as a says that it gave them up: a may hear that the coordinator is away');
    is($said =~ /error/ ? served(sub { report($a) }) : $said, 'epoch 3, as before', 'and its report counts, the first or the second');
    $kill->('killed before b hears');
    is(served(sub { report($b) }), 'epoch 3, six/3 six/4 six/5', 'b gets its half');
    my ($late, $waits) = map { member('killed-late', $_, subscribed_topic_names => ['six'], rebalance_timeout_ms => 1500) } qw(a b);
    served(sub { beat($late) });
    is(beat($waits), 'epoch 3, nothing', 'another group has come as far');
    is(report($late), 'epoch 2, six/0 six/1 six/2', 'a is told to give up half there');
    $kill->('killed when all is done');
    is_deeply([ map { served(sub { report($_) }) } $a, $b ], [ ('epoch 3, as before') x 2 ], 'and both go on');
    $node->wait_until('who gave up nothing to be out', sub { ($said = report($late)) !~ /^(epoch 2, as before|error (14|15|16))$/ });
    is($said, "error $UNKNOWN_MEMBER", 'the other one that gives up nothing is put out in time by the new coordinator');
    is(report($waits), 'epoch 4, six/0 six/1 six/2 six/3 six/4 six/5', 'for who waits');
    nothing_twice();
    serve_all();
};

# groups 30 begins here: between two resolutions of a group's expressions there are ten seconds.
my $RESOLVE_S = 10;
my $begin_of_expression = time;
my ($m, $n) = (member('expression', 'm', subscribed_topic_regex => 't-.*'), member('expression', 'n', subscribed_topic_regex => 't-'));
topic('t-1', 2);
is(beat($m), 'epoch 1, nothing', 'groups 30: m joins by an expression, which is resolved afterwards');
$node->wait_until('t-1 to be found', sub { report($m) =~ m{t-1} });
is(owned($m), 't-1/0 t-1/1', 'groups 30: which means t-1');
is(beat($n), 'epoch 2, nothing', 'groups 30: n joins by another one');
topic('t-2', 2);

subtest 'groups 27: who gives up nothing is put out' => sub {
    my $rebalance_s = 0.5;
    my $a = member('stubborn', 'a', subscribed_topic_names => ['six'], rebalance_timeout_ms => $rebalance_s * 1000);
    my $b = member('stubborn', 'b', subscribed_topic_names => ['six']);
    beat($a);
    is(beat($b), 'epoch 3, nothing', 'b joins');
    my $begin = time;
    is(report($a), 'epoch 2, six/0 six/1 six/2', 'a is told to give up half');
    my $said;
    $node->wait_until('a to be out', sub { ($said = report($a)) ne 'epoch 2, as before' });
    my $took = time - $begin;
    is($said, "error $UNKNOWN_MEMBER", 'a says again and again that it has all, and then is no member any more');
    cmp_ok($took, '>=', $rebalance_s, 'after its rebalance timeout');
    cmp_ok($took, '<', 20, 'which is not the session');
    is(report($b), 'epoch 4, six/0 six/1 six/2 six/3 six/4 six/5', 'b gets all');
    is(epochs('stubborn'), 'Stable 4 4 b=4', 'and is alone');
    $a->{epoch} = 0;
    is(beat($a), 'epoch 5, nothing', 'a may join again, as anybody');
    nothing_twice();
};

subtest 'groups 28: the answer with the new epoch is lost' => sub {
    my ($a, $b) = map { member('repeats', $_, subscribed_topic_names => ['six']) } qw(a b);
    beat($_) for $a, $b;
    report($a);
    give_up($a);
    my $lost = Ottla::Test::Api->new($node);
    $lost->tell(ConsumerGroupHeartbeat => 1, heartbeat($a, topic_partitions => owns(keys %{ $a->{owned} })));
    $node->wait_until('the heartbeat to count', sub { epochs('repeats') =~ /a=3/ });
    $lost->close;
    report($b);
    my $before = describe('repeats');
    my $again = sub { my (%o) = @_; return obey({%$a}, $c->ask(ConsumerGroupHeartbeat => 1, heartbeat($a, member_epoch => 2, %o))) };
    is($again->(), "error $FENCED_EPOCH", 'the epoch before, without what a owns');
    is($again->(topic_partitions => owns('six/0', 'six/3')), "error $FENCED_EPOCH", 'with what is not its own');
    is($again->(member_epoch => 1, topic_partitions => owns('six/0')), "error $FENCED_EPOCH", 'two epochs before');
    is($again->(member_epoch => 4, topic_partitions => owns('six/0')), "error $FENCED_EPOCH", 'an epoch to come');
    is_deeply(describe('repeats'), $before, 'nothing of it changes anything');
    # As in Kafka an assignment is told again only to who says everything, which clients do after a lost answer.
    is($again->(topic_partitions => owns('six/0', 'six/1')), 'epoch 3, as before', 'with a part of its own: the epoch of now');
    is(beat($a, %{ $a->{says} }, member_epoch => 2, topic_partitions => owns(keys %{ $a->{owned} })), 'epoch 3, six/0 six/1 six/2',
        'with all that it owns and wants: the assignment, too');
    is(report($a), 'epoch 3, as before', 'and it goes on');
    is_deeply(describe('repeats'), $before, 'as if nothing had been lost');
    nothing_twice();
};

subtest 'groups 29: a member that was fenced is back at once' => sub {
    my ($a, $b) = pair('fenced');
    is(beat($a, member_epoch => 9), "error $FENCED_EPOCH", 'a is fenced');
    is(report($b), 'epoch 3, as before', 'which gives b nothing');
    $a->{epoch} = 0;
    # The epoch is the group's of now, as in Kafka.
    is(beat($a), 'epoch 3, six/0 six/1 six/2', 'a joins again by its id, and has what it had');
    is(epochs('fenced'), 'Stable 3 3 a=3 b=3', 'without a rebalance');
    my $d = member('fenced', 'd', subscribed_topic_names => ['six']);
    is(beat($d), 'epoch 4, nothing', 'd joins');
    like(report($a), qr{^epoch 3, six/\d six/\d$}, 'a is told to give up one');
    is(beat($a, member_epoch => 9), "error $FENCED_EPOCH", 'a is fenced before it did');
    $a->{epoch} = 0;
    like(beat($a), qr{^epoch 4, six/\d six/\d$}, 'back with nothing in hand, it has its share at once');
    like(report($d), qr{^epoch 4, six/\d$}, 'and d what a had to give up');
    settle($a, $b, $d);
    is_deeply([ map { scalar keys %{ $_->{owned} } } $a, $b, $d ], [ 2, 2, 2 ], 'all have their share');
    nothing_twice();
};

subtest 'groups 31: a static member leaves for a while' => sub {
    my %wants = (subscribed_topic_names => ['six']);
    my ($a, $b) = map { member('static', $_, %wants, instance_id => "i$_") } qw(a b);
    is(beat($a), 'epoch 2, six/0 six/1 six/2 six/3 six/4 six/5', 'a has all');
    beat($b);
    settle($a, $b);
    my $before = describe('static');
    my $had = owned($a);
    is(leave($a, -2), 'epoch -2, as before', 'a leaves for a while');
    is(report($b), 'epoch 3, as before', 'b gets nothing of it');
    is(epochs('static'), 'Reconciling 3 3 a=-2 b=3', 'the group waits');
    is(obey({%$a}, $c->ask(ConsumerGroupHeartbeat => 1, heartbeat($a, member_epoch => 3))), "error $FENCED_EPOCH", 'who is away has no epoch');
    my $new = member('static', 'a2', %wants, instance_id => 'ia');
    is(beat($new), "epoch 3, $had", 'back by another id, it has what it had');
    $before->{members}[0]{member_id} = 'a2';
    is_deeply(describe('static'), $before, 'at the same epochs, as if it had always been there');
    is(report($b), 'epoch 3, as before', 'b hears nothing of it');
    is(beat(member('static', 'a3', %wants, instance_id => 'ia')), "error $UNRELEASED", 'another one of that name is not let in while it lives');
    is(beat({ %$new, epoch => 0, owned => {} }), "error $UNRELEASED", 'nor itself once more, as in Kafka');
    is(beat({ %$a, epoch => 3 }), "error $FENCED_INSTANCE", 'the id from before is fenced');
    is(report($new), 'epoch 3, as before', 'who is there goes on');
    nothing_twice();
};

subtest 'groups 34: as few partitions move as may be' => sub {
    my %all = map { $_ => member('even', $_, subscribed_topic_names => ['ten']) } qw(a b d);
    beat($all{$_}) for sort keys %all;
    my $sizes = sub { return join ' ', sort { $b <=> $a } map { scalar keys %{ $_->{owned} } } @_ };
    my $moved = sub { my ($m, $had) = @_; return grep { !$m->{owned}{$_} } split ' ', $had };
    settle(values %all);
    is($sizes->(values %all), '4 3 3', 'three members share ten partitions');
    for my $leaver (sort keys %all) {
        my $gone = delete $all{$leaver};
        my %had = map { $_ => owned($all{$_}) } keys %all;
        is(leave($gone), 'epoch -1, as before', "$leaver leaves");
        settle(values %all);
        is($sizes->(values %all), '5 5', 'two share what it had');
        is_deeply([ map { $moved->($all{$_}, $had{$_}) } keys %all ], [], 'and lose nothing');
        %had = map { $_ => owned($all{$_}) } keys %all;
        $all{$leaver} = member('even', $leaver, subscribed_topic_names => ['ten']);
        beat($all{$leaver});
        settle(values %all);
        is($sizes->(values %all), '4 3 3', "$leaver is back");
        my @moved = map { $moved->($all{$_}, $had{$_}) } keys %had;
        is(scalar @moved, 3, 'three partitions move');
        is(owned($all{$leaver}), join(' ', sort @moved), 'to it');
    }
    nothing_twice();
};

subtest 'groups 30: topics by an expression' => sub {
    for my $bad ('[', 't-(', 'a**', '(?=t)') {
        is(beat(member('expression', 'bad', subscribed_topic_regex => $bad)), "error $BAD_EXPRESSION", "$bad is none");
    }
    is(beat({%$m}, subscribed_topic_regex => '['), "error $BAD_EXPRESSION", 'nor for who is a member');
    my $took;
    $node->wait_until('t-2 to be found', sub { settle($m, $n); $took = time - $begin_of_expression; return owned($m) =~ m{t-2} });
    cmp_ok($took, '>=', $RESOLVE_S, 'between two resolutions there are ten seconds');
    is(owned($m), 't-1/0 t-1/1 t-2/0 t-2/1', 't-.* means both topics then');
    is(owned($n), '', 't- means none of them: the whole name has to match');
    my $epoch = describe('expression')->{group_epoch};
    is(report($n, subscribed_topic_regex => 't-.*'), 'epoch ' . ($epoch + 1) . ', as before', 'n takes the other expression, which counts at once');
    settle($m, $n);
    is_deeply([ map { scalar keys %{ $_->{owned} } } $m, $n ], [ 2, 2 ], 'both share what it means');
    nothing_twice();
};

unlike($node->log_text, qr/PANIC|assert/i, 'no process failed by itself');
is($node->stop, 0, 'the node stops');
done_testing;
