# Coordinators that stand still (SIGSTOP): whoever asks them, or is parked there, is answered all the same, with the code after
# which clients ask again, and nobody else notices. How long a member allows a rebalance to take does not matter; a member
# that is parked at a coordinator that runs waits on.
use strict;
use warnings;
use IO::Select;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $WORKERS  = 4;
my $BOUND_S  = 15;             # route.c
my $GRACE_S  = 3;
my $PATIENCE = 20;
my $FOR_EVER = (1 << 31) - 1;  # ms; what old versions of Kafka Streams allow a rebalance
my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'group.coordinator.threads' => $WORKERS })->start;
my $c = Ottla::Test::Api->new($node);
$c->make_topic('t', 1);

# ---- groups and their workers ----

sub worker_of {
    my ($group) = @_;
    my $hash = 0;
    $hash = ($hash * 31 + ord) & 0xffffffff for split //, $group;
    $hash = 2**32 - $hash if $hash & 0x80000000;
    return $hash % 50 % $WORKERS;
}

my %names;
push @{ $names{ worker_of("g$_") } }, "g$_" for 1 .. 200;
sub fresh { my ($worker) = @_; return shift @{ $names{$worker} } }

sub pid_of { my ($worker) = @_; my ($p) = grep { $_->{detail} =~ /^$worker\b/ } $node->children_of_kind('coordinator'); return $p->{pid} }

# ---- members ----

my %join = (session_timeout_ms => 300000, rebalance_timeout_ms => $FOR_EVER, protocol_type => 'consumer',
    protocols => [ { name => 'range', metadata => "\0\0\0\0\0\0\xff\xff\xff\xff" } ]);

sub member { my ($group) = @_; return { c => Ottla::Test::Api->new($node), group => $group, id => '' } }

sub tell_join { my ($m) = @_; return $m->{c}->tell(JoinGroup => 5, { %join, group_id => $m->{group}, member_id => $m->{id} }) }
sub hear_join { my ($m) = @_; my $a = $m->{c}->hear($PATIENCE); $m->{leads} = $a && $a->{leader} eq $m->{id}; $m->{generation} = $a && $a->{generation_id}; return $a ? $a->{error_code} : 'silence' }

sub get_id {
    my ($m) = @_;
    tell_join($m);
    my $a = $m->{c}->hear($PATIENCE);
    $m->{id} = $a->{member_id};
    return $a->{error_code};
}

sub tell_sync {
    my ($m) = @_;
    return $m->{c}->tell(SyncGroup => 3, { group_id => $m->{group}, generation_id => $m->{generation}, member_id => $m->{id}, assignments => [] });
}

sub beat { my ($m) = @_; return $c->ask(Heartbeat => 3, { group_id => $m->{group}, generation_id => $m->{generation}, member_id => $m->{id} })->{error_code} }

# A stable member, and one who waits for it to join again.
sub parked_join {
    my ($group) = @_;
    my ($one, $two) = map { member($group) } 1, 2;
    get_id($_) for $one, $two;
    tell_join($one);
    hear_join($one);
    tell_sync($one);
    $one->{c}->hear($PATIENCE);
    tell_join($two);
    comes_true(sub { beat($one) == 27 }, $PATIENCE) or fail("nobody waits in $group");
    return ($one, $two);
}

# Two members of a generation; the one that does not lead waits for what the leader assigns.
sub parked_sync {
    my ($group) = @_;
    my ($one, $two) = parked_join($group);
    tell_join($one);
    hear_join($_) for $one, $two;
    my ($follower) = grep { !$_->{leads} } $one, $two;
    tell_sync($follower);
    my $port = $follower->{c}->port;
    comes_true(sub { grep { $_->{title} =~ /:$port\b.*SyncGroup/ } $node->children_of_kind('backend') }, $PATIENCE) or fail("nobody waits in $group");
    return $follower;
}

# ---- before ----

$c->ask(FindCoordinator => 3, { key => 'g', key_type => 0 });
my @all = map { fresh($_) } 0 .. $WORKERS - 1;
ok(comes_true(sub { !grep { $_->{error_code} } @{ $c->ask(DescribeGroups => 5, { groups => \@all })->{groups} } }, $PATIENCE), 'all coordinators serve');
sub commit_body { my ($group) = @_; return { group_id => $group, topics => [ { name => 't', partitions => [ { partition_index => 0, committed_offset => 7, committed_metadata => '' } ] } ] } }
is($c->ask(OffsetCommit => 8, commit_body($_))->{topics}[0]{partitions}[0]{error_code}, 0, "$_ has an offset") for @all;
my ($joined, $waiting) = parked_join(fresh(1));
my $follower = parked_sync(fresh(1));
my ($runs, $runs_on) = parked_join(fresh(0));

# ---- stopped ----

my %stopped = map { $_ => pid_of($_) } 1, 2;
kill 'STOP', values %stopped;
my $begin = time;
my $group = fresh(1);
my @codes_of_each = map { $stopped{$_} ? 15 : 0 } 0 .. $WORKERS - 1;

sub fetched {
    my ($answer) = @_;
    return map { [ $_->{error_code}, map { $_->{committed_offset} } map { @{ $_->{partitions} } } @{ $_->{topics} } ] } @{ $answer->{groups} };
}

my @asked = (
    [ 'a JoinGroup', 15, JoinGroup => 5, { %join, group_id => $group } ],
    [ 'a SyncGroup', 15, SyncGroup => 3, { group_id => $group, generation_id => 1, member_id => 'm', assignments => [] } ],
    [ 'a Heartbeat', 0, Heartbeat => 3, { group_id => $joined->{group}, generation_id => 1, member_id => $joined->{id} } ],
    [ 'a LeaveGroup', 15, LeaveGroup => 3, { group_id => $group, members => [ { member_id => 'm' } ] } ],
    [ 'a ConsumerGroupHeartbeat', 15, ConsumerGroupHeartbeat => 0, { group_id => $group, member_id => '', member_epoch => 0, rebalance_timeout_ms => 60000,
            subscribed_topic_names => ['t'], topic_partitions => [] } ],
    [ 'an OffsetCommit', [15], OffsetCommit => 8, commit_body($group), sub { map { map { $_->{error_code} } @{ $_->{partitions} } } @{ $_[0]{topics} } } ],
    [ 'an OffsetDelete', 15, OffsetDelete => 0, { group_id => $group, topics => [ { name => 't', partitions => [ { partition_index => 0 } ] } ] } ],
    [ 'an OffsetFetch of one group', 16, OffsetFetch => 6, { group_id => $all[1], topics => undef } ],
    [ 'a ListGroups', 15, ListGroups => 4, {} ],
    [ 'an OffsetFetch of all', [ map { $stopped{$_} ? [16] : [ 0, 7 ] } 0 .. $WORKERS - 1 ], OffsetFetch => 8,
        { groups => [ map { { group_id => $_, topics => undef } } @all ] }, \&fetched ],
    [ 'a DescribeGroups of all', [ @codes_of_each ], DescribeGroups => 5, { groups => \@all }, sub { map { $_->{error_code} } @{ $_[0]{groups} } } ],
    [ 'a DescribeGroups with permissions', [ @codes_of_each ], DescribeGroups => 5, { groups => \@all, include_authorized_operations => 1 },
        sub { map { $_->{error_code} } @{ $_[0]{groups} } } ],
    [ 'a ConsumerGroupDescribe of all', [ map { $_ || 69 } @codes_of_each ], ConsumerGroupDescribe => 0, { group_ids => \@all }, sub { map { $_->{error_code} } @{ $_[0]{groups} } } ],
    [ 'a DeleteGroups of none', [ map { $_ || 69 } @codes_of_each ], DeleteGroups => 2, { groups_names => [ map { fresh($_) } 0 .. $WORKERS - 1 ] },
        sub { map { $_->{error_code} } @{ $_[0]{results} } } ],
);
my @hear = map { my $d = Ottla::Test::Api->new($node); $d->tell(@$_[ 2 .. 4 ]); [ $d, @$_[ 0, 1, 5 ] ] } @asked;
push @hear, [ $waiting->{c}, 'a JoinGroup that was parked', 15 ], [ $follower->{c}, 'a SyncGroup that was parked', 15 ];
for (@hear) {
    my ($d, $what, $expected, $codes) = @$_;
    my $left = $begin + $BOUND_S + $GRACE_S - time;
    my $answer = $d->hear($left > 0.01 ? $left : 0.01);
    my $got = !$answer ? 'silence' : $codes ? [ $codes->($answer) ] : $answer->{error_code};
    is_deeply($got, $expected, $what) or diag explain $got;
}
note sprintf 'all answered after %.1f s', time - $begin;
is(beat($runs), 27, 'a group of a coordinator that runs is served');
ok(!IO::Select->new($runs_on->{c}->socket)->can_read(0), '... and who is parked there waits on');

# ---- again ----

kill 'CONT', values %stopped;
tell_join($runs);
is_deeply([ map { hear_join($_) } $runs, $runs_on ], [ 0, 0 ], 'until all have come');
tell_join($_) for $waiting, $joined;
is_deeply([ map { hear_join($_) } $joined, $waiting ], [ 0, 0 ], 'who was told to ask again is served, by the id it had');
is_deeply([ map { $_->{generation} } $joined, $waiting ], [ 2, 2 ], 'in the generation that was to come');
is_deeply([ fetched($c->ask(OffsetFetch => 8, { groups => [ map { { group_id => $_, topics => undef } } @all ] })) ], [ map { [ 0, 7 ] } @all ], 'every offset is there');
is($c->ask(ListGroups => 4, {})->{error_code}, 0, 'all are listed');
like($node->log_text, qr/stood still/, 'the log tells of it');
unlike($node->log_text, qr/PANIC|assert/i, 'no process failed');
is($node->stop, 0, 'stop');
done_testing;
