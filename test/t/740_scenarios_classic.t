#!/usr/bin/perl
# 740_scenarios_classic.t - the acceptance scenarios of classic groups, by their numbers: who joins, who waits, who is put out
#
# Each subtest is one scenario of the specification (groups 6 to groups 19), with requests as clients send them; on one node,
# with shorter times. Those that real clients show (groups 9, 14, 16, 17, 18) stand in 710 and 713.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $PATIENCE = 30;
my $LONG_MS  = 60000;    # of a time that must not be what ends a wait
my $DELAY_MS = 1000;     # before the first generation, in groups 7
my $SHORT_MS = 600;      # of a time that does
my $META     = "\0\0\0\0\0\0\xff\xff\xff\xff";

my %small = ('offsets.topic.num.partitions' => 1, 'group.coordinator.threads' => 1, 'group.min.session.timeout.ms' => 100);
my %now   = ('group.initial.rebalance.delay.ms' => 0);
my $node  = Ottla::Test::Node->new(env => { LD_PRELOAD => "$ENV{OTTLA_BUILD}/release/fault/libfault.so" }, conf => { %small, %now });
my $rules = $node->{env}{FAULT_RULES} = "$node->{base}/faults";
my $slow  = Ottla::Test::Node->new(conf => { %small, 'group.initial.rebalance.delay.ms' => $DELAY_MS });
my $tight = Ottla::Test::Node->new(conf => { %small, %now, 'group.max.size' => 2 });
set_rules();
$_->launch for $node, $slow, $tight;
$_->wait_ready for $node, $slow, $tight;
my %api = map { $_ => Ottla::Test::Api->new($_) } $node, $slow, $tight;
my %own = map { $_ => Ottla::Test::Wire->new($_->connect_unix) } $node, $slow, $tight;
ok(serve($_), 'a coordinator serves') for $node, $slow, $tight;

# ---- the node ----

# Rules of a disk that fails; none: all is well.
sub set_rules {
    open my $fh, '>', "$rules.new" or die "$rules: $!";
    print $fh map {"$_\n"} @_;
    close $fh or die "$rules: $!";
    rename "$rules.new", $rules or die "$rules: $!";
    return;
}

sub describe { my ($n, $group) = @_; return $api{$n}->ask(DescribeGroups => 5, { groups => [$group] })->{groups}[0] }

# Until the coordinator has loaded.
sub serve {
    my ($n) = @_;
    return comes_true(sub {
        return 0 if $api{$n}->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['g'] })->{coordinators}[0]{error_code};
        return !describe($n, 'g')->{error_code};
    }, $PATIENCE);
}

sub alter_offsets_topic {
    my (%settings) = @_;
    return $api{$node}->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 2, resource_name => '__consumer_offsets', configs => [
        map { { name => $_, config_operation => defined $settings{$_} ? 0 : 1, value => $settings{$_} } } sort keys %settings ] } ] })->{responses}[0]{error_code};
}

# ---- members ----

# One that has not joined yet, with a connection of its own; its fields of JoinGroup.
sub member {
    my ($n, $group, $name, %join) = @_;
    return { node => $n, c => Ottla::Test::Api->new($n, $name), name => $name, join => { group_id => $group, member_id => '', session_timeout_ms => $LONG_MS,
        rebalance_timeout_ms => $LONG_MS, protocol_type => 'consumer', protocols => [ { name => 'range', metadata => $META } ], %join } };
}

sub id { my ($m) = @_; return $m->{join}{member_id} }

# Who is dynamic is handed an id first.
sub take_id {
    my ($m) = @_;
    return if id($m) ne '' || defined $m->{join}{group_instance_id};
    my $answer = $m->{c}->ask(JoinGroup => 9, $m->{join});
    die "$m->{name} gets no id: $answer->{error_code}\n" if $answer->{error_code} != 79;
    $m->{join}{member_id} = $answer->{member_id};
    return;
}

sub tell_join { my ($m) = @_; take_id($m); return $m->{c}->tell(JoinGroup => 9, $m->{join}) }

# The code of the answer, or "silence"; what else it says stands in "joined".
sub hear_join {
    my ($m) = @_;
    my $answer = $m->{joined} = $m->{c}->hear($PATIENCE) // return 'silence';
    $m->{join}{member_id} = $answer->{member_id} if !$answer->{error_code};
    return $answer->{error_code};
}

sub generation { my ($m) = @_; return $m->{joined}{generation_id} }
sub leads { my ($m) = @_; return $m->{joined}{leader} eq id($m) }

sub tell_sync {
    my ($m, %assignments) = @_;
    return $m->{c}->tell(SyncGroup => 5, { group_id => $m->{join}{group_id}, generation_id => generation($m), member_id => id($m),
        group_instance_id => $m->{join}{group_instance_id}, protocol_type => 'consumer', protocol_name => $m->{joined}{protocol_name},
        assignments => [ map { { member_id => $_, assignment => $assignments{$_} } } sort keys %assignments ] });
}

# The assignment, or the code where there is one.
sub hear_sync { my ($m) = @_; my $answer = $m->{c}->hear($PATIENCE) // return 'silence'; return $answer->{error_code} || $answer->{assignment} }

sub beat {
    my ($m) = @_;
    return $api{ $m->{node} }->ask(Heartbeat => 4, { group_id => $m->{join}{group_id}, generation_id => generation($m), member_id => id($m),
        group_instance_id => $m->{join}{group_instance_id} })->{error_code};
}

sub leave { my ($m) = @_; return $m->{c}->ask(LeaveGroup => 5, { group_id => $m->{join}{group_id}, members => [ { member_id => id($m) } ] })->{members}[0]{error_code} }

# Sends a request, and waits until it waits at the coordinator: its backend has passed it on, and a few answers to others mean
# that the coordinator has looked at everybody's since.
sub park {
    my ($m, $tell) = @_;
    my $port = $m->{c}->port;
    my $waits = sub { ($own{ $m->{node} }->stat('activity', [qw(state wait_event)], { client_port => $port })->[0]{wait_event} // '') =~ /^Group/ };
    take_id($m);
    $m->{node}->wait_until("$m->{name} to be idle", sub { !$waits->() }, $PATIENCE);
    $tell->($m);
    $m->{node}->wait_until("$m->{name} to wait", $waits, $PATIENCE);
    describe($m->{node}, $m->{join}{group_id}) for 1 .. 3;
    return;
}

# All of a group join, in this order: the first one begins a rebalance, as who is new does, or the leader.
sub join_all {
    my (@members) = @_;
    park($_, \&tell_join) for @members[ 0 .. $#members - 1 ];
    tell_join($members[-1]);
    return join ' ', map { hear_join($_) } @members;
}

# A new group of these, the first of which leads.
sub form {
    my ($first, @rest) = @_;
    tell_join($first);
    return join ' ', hear_join($first), @rest ? join_all(@rest, $first) : ();
}

# What all of a generation are given: each "of NAME".
sub sync_all {
    my (@members) = @_;
    my ($leader) = grep { leads($_) } @members;
    my @others = grep { $_ != $leader } @members;
    tell_sync($_) for @others;
    tell_sync($leader, map { (id($_) => "of $_->{name}") } @members);
    return join ', ', map { hear_sync($_) } @members;
}

# Ids, or what else is asked for, that the leader was told.
sub listed { my ($m, $field) = @_; return join ' ', map { $_->{ $field // 'member_id' } // '-' } @{ $m->{joined}{members} } }

# ---- scenarios ----

subtest 'groups 6: an id is handed out, and is good for a session' => sub {
    my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
    my $a = member($node, 'six', 'alice');
    for my $version (4, 9) {
        my $answer = $a->{c}->ask(JoinGroup => $version, { %{ $a->{join} }, group_id => "six-$version" });
        is("$answer->{error_code} $answer->{generation_id}", '79 -1', "version $version: MEMBER_ID_REQUIRED");
        like($answer->{member_id}, qr/^alice-$uuid$/, 'with an id');
        is($a->{c}->ask(JoinGroup => $version, { %{ $a->{join} }, group_id => "six-$version", member_id => $answer->{member_id} })->{error_code}, 0, 'which may join');
    }
    is($a->{c}->ask(JoinGroup => 3, { %{ $a->{join} }, group_id => 'six-3' })->{error_code}, 0, 'version 3 joins at once');

    is(form($a), 0, 'a member');
    is(sync_all($a), 'of alice', 'has an assignment');
    my @late = (member($node, 'six-empty', 'carol', session_timeout_ms => $SHORT_MS), member($node, 'six', 'bob', session_timeout_ms => $SHORT_MS));
    my $begin = time;
    take_id($_) for @late;
    tell_join($a);
    is(hear_join($a), 0, 'a rebalance waits for who has an id');
    cmp_ok(time - $begin, '>=', $SHORT_MS / 1000, 'for as long as its session');
    is(listed($a), id($a), 'and goes on without');
    for (@late) { tell_join($_); is(hear_join($_), 25, "$_->{name} comes too late: UNKNOWN_MEMBER_ID") }
};

subtest 'groups 7: the first generation waits for more' => sub {
    my %of = (single => [ member($slow, 'single', 'a') ], three => [ map { member($slow, 'three', $_) } qw(a b c) ],
        capped => [ map { member($slow, 'capped', $_, rebalance_timeout_ms => 1.2 * $DELAY_MS) } qw(a b) ]);
    my ($begin, %took) = time;
    tell_join($of{$_}[0]) for sort keys %of;
    for my $i (1, 2) {
        comes_true(sub { time - $begin >= $i * $DELAY_MS / 4000 }, $PATIENCE);
        tell_join($_) for grep {defined} map { $of{$_}[$i] } sort keys %of;
    }
    for my $group (qw(single capped three)) {
        is(join(' ', map { hear_join($_) } @{ $of{$group} }), join(' ', (0) x @{ $of{$group} }), "$group: all are answered");
        $took{$group} = (time - $begin) * 1000 / $DELAY_MS;
        is(join(' ', map { generation($_) } @{ $of{$group} }), join(' ', (1) x @{ $of{$group} }), '... with the first generation');
        is(listed($of{$group}[0]), join(' ', map { id($_) } @{ $of{$group} }), '... which has them all');
    }
    note join ', ', map { sprintf '%s: %.2f', $_, $took{$_} } sort keys %took;
    ok($took{single} >= 1 && $took{single} < 2, 'one alone waits for the delay');
    ok($took{three} >= 2 && $took{three} < 3, 'where others came, it begins again');
    ok($took{capped} >= 1.2 && $took{capped} < 2, 'but ends with the time that a rebalance may take');
};
$slow->stop;

subtest 'groups 8: the vote' => sub {
    my $offers = sub { return protocols => [ map { { name => $_, metadata => $META . $_ } } @_ ] };
    my ($a, $b, $c) = (member($node, 'eight', 'a', $offers->(qw(range rr))), member($node, 'eight', 'b', $offers->(qw(rr range))),
        member($node, 'eight', 'c', $offers->(qw(rr))));
    is(form($a), 0, 'a member');
    is($a->{joined}{protocol_name}, 'range', 'has what it likes best');
    is(join_all($b, $c, $a), '0 0 0', 'others come');
    is(join(' ', map { $_->{joined}{protocol_name} } $a, $b, $c), 'rr rr rr', 'and all have what all know');
    is(listed($a, 'metadata'), join(' ', ("${META}rr") x 3), 'the leader sees the metadata of that');
    is(sync_all($a, $b, $c), 'of a, of b, of c', 'and assigns');
    my $d = $a->{c}->ask(JoinGroup => 9, { %{ $a->{join} }, member_id => '', $offers->('sticky') });
    is("$d->{error_code} '$d->{member_id}'", "23 ''", 'who knows nothing of it: INCONSISTENT_GROUP_PROTOCOL');
    is(join(' ', map { beat($_) } $a, $b, $c), '0 0 0', 'nobody notices');
};

subtest 'groups 10: a member is silent in a rebalance' => sub {
    my @members = ((map { member($node, 'ten', $_, rebalance_timeout_ms => $SHORT_MS) } qw(a b c)),
        member($node, 'ten', 'd', rebalance_timeout_ms => $SHORT_MS, group_instance_id => 'i'));
    is(form(@members), '0 0 0 0 0', 'four members');
    is(sync_all(@members), 'of a, of b, of c, of d', 'in a generation');
    my ($a, $b, $c, $d) = @members;
    my $begin = time;
    park($a, \&tell_join);
    is(beat($b), 27, 'the leader joins again');
    tell_join($b);
    is(join(' ', map { hear_join($_) } $a, $b), '0 0', 'the rebalance ends without the silent ones');
    cmp_ok(time - $begin, '>=', $SHORT_MS / 1000, 'when its time is up');
    is(join(' ', map { generation($_) } $a, $b), '3 3', 'with the next generation');
    is(listed($a), join(' ', map { id($_) } $a, $b, $d), 'in which the dynamic one is no more');
    is(beat($c), 25, 'it is unknown');
    is(beat($d), 22, 'the static one has its session still, but not this generation');
};

subtest 'groups 11: a leader that assigns nothing' => sub {
    my ($a, $b) = map { member($node, 'eleven', $_, rebalance_timeout_ms => $SHORT_MS) } qw(a b);
    my $begin = time;
    is(form($a, $b), '0 0 0', 'two members');
    tell_sync($b);
    is(hear_sync($b), 27, 'who waits for the leader is told of a rebalance');
    cmp_ok(time - $begin, '>=', $SHORT_MS / 1000, 'when its time is up');
    is(beat($a), 25, 'the leader is put out');
    tell_join($b);
    is(hear_join($b), 0, 'the other goes on');
    is(generation($b) . ' ' . listed($b), '3 ' . id($b), 'and leads itself alone');
    is(sync_all($b), 'of b', 'with an assignment');
};

# min.insync.replicas alone keeps no node that is alone from writing (322), so that the writes fail by other means: as on a full
# disk, which answers as too few replicas do, and for want of room in a batch.
subtest 'groups 12: what the leader assigns cannot be written' => sub {
    my ($a, $b) = map { member($node, 'twelve', $_) } qw(a b);
    is(form($a, $b), '0 0 0', 'two members');
    is(alter_offsets_topic('min.insync.replicas' => 2), 0, 'two replicas are wanted where one can be');
    is(sync_all($a, $b), 'of a, of b', 'which keeps nobody from writing');

    is(join_all($a, $b), '0 0', 'they join again');
    park($b, \&tell_sync);
    set_rules('pwritev *__consumer_offsets-*.log ENOSPC');
    tell_sync($a, map { (id($_) => 'lost') } $a, $b);
    is(join(' ', map { hear_sync($_) } $a, $b), '15 15', 'nothing can be written: COORDINATOR_NOT_AVAILABLE for all');
    set_rules();
    # Kafka keeps the members in a rebalance; here the group is that of the log again, and its members have to join.
    ok(comes_true(sub { beat($a) == 22 }, $PATIENCE), 'soon the lost generation is nobody\'s');
    is(beat($b), 22, 'nor is it the other\'s');
    is(join(', ', map { $_->{member_assignment} } @{ describe($node, 'twelve')->{members} }), 'of a, of b', 'what was assigned before is there');
    $node->wait_for_log(qr/disk has space again/);
    is(join_all($a, $b), '0 0', 'they join again');
    cmp_ok(generation($a), '>', 3, 'in a generation of another number');
    is(sync_all($a, $b), 'of a, of b', 'which can be written');

    is(join_all($a, $b), '0 0', 'they join again');
    is(alter_offsets_topic('max.message.bytes' => 10000), 0, 'only small batches');
    my $generation = generation($a);
    park($b, \&tell_sync);
    tell_sync($a, map { (id($_) => 'x' x 20000) } $a, $b);
    is(join(' ', map { hear_sync($_) } $a, $b), '-1 -1', 'too much for a batch: UNKNOWN_SERVER_ERROR for all');
    is(join(' ', map { beat($_) } $a, $b), '27 27', 'a rebalance');
    is(join_all($a, $b), '0 0', 'they join again');
    is(generation($a), $generation + 1, 'in the next generation');
    is(sync_all($a, $b), 'of a, of b', 'which can be written');
    is(alter_offsets_topic('max.message.bytes' => undef, 'min.insync.replicas' => undef), 0, 'as before');
};

subtest 'groups 13: a group that is full' => sub {
    my ($a, $b, $c) = map { member($tight, 'thirteen', $_) } qw(a b c);
    is(form($a, $b), '0 0 0', 'two members');
    is(sync_all($a, $b), 'of a, of b', 'are as many as may be');
    for my $version (3, 4, 9) {
        my $answer = $c->{c}->ask(JoinGroup => $version, $c->{join});
        is("$answer->{error_code} '$answer->{member_id}'", "81 ''", "version $version: a third, GROUP_MAX_SIZE_REACHED");
    }
    is(join(' ', map { beat($_) } $a, $b), '0 0', 'nobody notices');
    is(scalar @{ describe($tight, 'thirteen')->{members} }, 2, 'there are two');
    is(leave($b), 0, 'one leaves');
    is(join_all($c, $a), '0 0', 'and another may join');
    is(listed($a), join(' ', map { id($_) } $a, $c), 'in its place');
};
$tight->stop;

subtest 'groups 15: a static leader restarts' => sub {
    my ($a, $b) = map { member($node, 'fifteen', $_, group_instance_id => "i$_") } qw(a b);
    is(form($a, $b), '0 0 0', 'two static members');
    is(sync_all($a, $b), 'of a, of b', 'in a generation');
    my $again = member($node, 'fifteen', 'a', group_instance_id => 'ia');
    tell_join($again);
    is(hear_join($again), 0, 'the leader is back at once');
    is(generation($again), 2, 'in the same generation');
    isnt(id($again), id($a), 'with another id');
    ok(leads($again), 'it leads');
    ok($again->{joined}{skip_assignment}, 'but is told to assign nothing');
    is(listed($again), join(' ', map { id($_) } $again, $b), 'it has the list of members');
    is(listed($again, 'group_instance_id'), 'ia ib', 'with their instances');
    tell_sync($again);
    is(hear_sync($again), 'of a', 'it gets what it had');
    is(beat($a), 82, 'who was there before is fenced');
    is(beat($b), 0, 'the other does not notice');

    my $old = member($node, 'fifteen', 'a', group_instance_id => 'ia');
    my $answer = $old->{joined} = $old->{c}->ask(JoinGroup => 5, $old->{join});
    $old->{join}{member_id} = $answer->{member_id};
    is("$answer->{error_code} $answer->{generation_id}", '0 2', 'version 5: back in the same generation');
    is($answer->{leader}, id($again), 'as if the one before led');
    isnt($answer->{leader}, id($old), 'so that it does not assign');
    is(listed($old), '', 'nor does it know whom');
    tell_sync($old);
    is(hear_sync($old), 'of a', 'it gets what it had');
    is(join(' ', map { beat($_) } $again, $old, $b), '82 0 0', 'and only one is fenced');
};

subtest 'groups 19: the coordinator is killed amidst a rebalance' => sub {
    my ($a, $b, $c, $d) = map { member($node, 'nineteen', $_) } qw(a b c d);
    my %seen;
    my $new = sub {
        my ($what, @members) = @_;
        my %of = map { generation($_) => 1 } @members;
        my ($n, @others) = keys %of;
        ok(!@others && !$seen{$n}++, "$what: generation $n is seen for the first time");
        return $n;
    };
    my $kill = sub {
        my $killed = $node->kill_child(KILL => 'coordinator');
        $node->wait_child('coordinator', $killed);
    };
    is(form($a, $b, $c), '0 0 0 0', 'three members');
    $seen{1}++;
    my $first = $new->('formed', $a, $b, $c);
    is(sync_all($a, $b, $c), 'of a, of b, of c', 'in a generation');

    park($_, \&tell_join) for $d, $b, $c;
    is(describe($node, 'nineteen')->{group_state}, 'PreparingRebalance', 'one more comes, and all but one have joined');
    $kill->();
    like(hear_join($_), qr/^1[456]$/, "$_->{name} is told to ask again") for $d, $b, $c;
    ok(serve($node), 'loaded');
    tell_join($d);
    is(hear_join($d), 25, 'who was not in the log is unknown');
    $d->{join}{member_id} = '';
    is(join_all($d, $b, $c, $a), '0 0 0 0', 'all join again');
    my $second = $new->('formed again', $a, $b, $c, $d);
    cmp_ok($second, '>', $first, '... and is a later one');
    is(listed($a), join(' ', map { id($_) } $a, $b, $c, $d), 'all are in it');
    is(sync_all($a, $b, $c, $d), 'of a, of b, of c, of d', 'and get an assignment');

    is(join_all($a, $b, $c, $d), '0 0 0 0', 'they join once more');
    my $lost = $new->('not in the log', $a, $b, $c, $d);
    park($_, \&tell_sync) for $b, $c;
    $kill->();
    like(hear_sync($_), qr/^1[456]$/, "$_->{name} is told to ask again") for $b, $c;
    ok(serve($node), 'loaded');
    is(beat($a), 22, 'the lost generation is nobody\'s');
    is(join_all($a, $b, $c, $d), '0 0 0 0', 'all join again');
    cmp_ok($new->('formed again', $a, $b, $c, $d), '>', $lost, '... and is a later one');
    is(sync_all($a, $b, $c, $d), 'of a, of b, of c, of d', 'and get an assignment');
    is(join(' ', map { beat($_) } $a, $b, $c, $d), '0 0 0 0', 'and live on');
};

unlike($node->log_text, qr/PANIC|assert/i, 'no process failed by itself');
is($node->stop, 0, 'stop');
done_testing;
