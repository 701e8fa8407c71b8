#!/usr/bin/perl
# 731_rebalance_history.t - the node's last rebalances: why, by whom, how long, and who was waited for
#
# Proves: each rebalance of a group leaves a line that names its cause and the member behind it; one that a member held up
# names that member and lasts as long; the death of coordinators loses no line; newest come first, in pages.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'offsets.topic.num.partitions' => 4,
    'group.min.session.timeout.ms' => 100 })->start;
my $stat = Ottla::Test::Wire->new($node->connect_unix);

sub history { my ($group) = @_; return @{ $stat->stat('rebalances', undef, { group_id => $group }) } }

# A member on a connection of its own.
sub member { return { api => Ottla::Test::Api->new($node), id => '' } }

sub tell_join {
    my ($m, $group) = @_;
    $m->{api}->tell(JoinGroup => 3, { group_id => $group, session_timeout_ms => 20000, rebalance_timeout_ms => $m->{rebalance_ms} // 20000,
        member_id => $m->{id}, protocol_type => 'consumer', protocols => [ { name => 'range', metadata => pack 'n N N', 0, 0, 0 } ] });
    return;
}

sub hear_join {
    my ($m) = @_;
    my $answer = $m->{api}->hear;
    @$m{qw(id generation leader)} = @$answer{qw(member_id generation_id leader)};
    return $answer->{error_code};
}

sub join_group {
    my ($m, $group) = @_;
    my $code;
    $node->wait_until('the group to be served', sub { tell_join($m, $group); $code = hear_join($m); $code !~ /^(14|15|16)$/ });
    return $code;
}

sub sync_group {
    my ($m, $group) = @_;
    return $m->{api}->ask(SyncGroup => 3, { group_id => $group, generation_id => $m->{generation}, member_id => $m->{id},
        assignments => $m->{id} eq $m->{leader} ? [ { member_id => $m->{id}, assignment => "\0\0\0\0\0\0\0\0\0\0" } ] : [] })->{error_code};
}

my ($first, $second) = (member(), member());
my $c = Ottla::Test::Api->new($node);
$node->wait_until('a coordinator', sub { $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['g'] })->{coordinators}[0]{error_code} == 0 });

# ---- a member joins, another one follows -------------------------------------------------------------

my $begin = int(time * 1000);
is(join_group($first, 'g'), 0, 'a joins');
is(sync_group($first, 'g'), 0, 'and leads');
my @lines = history('g');
is(scalar @lines, 1, 'one rebalance');
is_deeply([ @{ $lines[0] }{qw(cause member_id generation members node_id)} ], [ 'new member', $first->{id}, 1, 1, 1 ], 'why, by whom');
cmp_ok($lines[0]{started}, '>=', $begin - 1000, 'and when');

# ---- b joins, a lets it wait ---------------------------------------------------------------------------

tell_join($second, 'g');
is($second->{api}->hear(1), undef, 'b waits for a');
tell_join($first, 'g');
is(hear_join($first), 0, 'a is back');
push @{ $second->{api}{asked} }, [ JoinGroup => 3 ];
is(hear_join($second), 0, 'b joined');
is(sync_group($first, 'g'), 0, 'a syncs');
is(sync_group($second, 'g'), 0, 'b syncs');
@lines = history('g');
is(scalar @lines, 2, 'two rebalances');
is_deeply([ @{ $lines[0] }{qw(cause member_id waited_for generation members)} ], [ 'new member', $second->{id}, $first->{id}, 2, 2 ],
    'newest first: b joined, a was waited for');
cmp_ok($lines[0]{duration_ms}, '>=', 900, 'as long as that took');
cmp_ok($lines[0]{duration_ms}, '<', 20000, '... and not longer');

# ---- coordinators die ------------------------------------------------------------------------------------

my %old = map { $_->{pid} => 1 } $node->children_of_kind('coordinator');
kill 'KILL', keys %old;
$node->wait_until('others in their place', sub { my @now = $node->children_of_kind('coordinator'); @now == keys %old && !grep { $old{ $_->{pid} } } @now });
is_deeply([ map { $_->{generation} } history('g') ], [ 2, 1 ], 'the history outlives the coordinators');

# ---- b leaves ---------------------------------------------------------------------------------------------

my $left;
$node->wait_until('the group to be loaded', sub {
    $left = $second->{api}->ask(LeaveGroup => 3, { group_id => 'g', members => [ { member_id => $second->{id} } ] });
    return $left->{error_code} !~ /^(14|15|16)$/;
});
is($left->{error_code}, 0, 'b leaves');
is(join_group($first, 'g'), 0, 'a joins again');
is(sync_group($first, 'g'), 0, 'alone');
@lines = history('g');
is_deeply([ @{ $lines[0] }{qw(cause member_id members)} ], [ 'member left', $second->{id}, 1 ], 'b left');

# ---- many ----------------------------------------------------------------------------------------------------

for (1 .. 1100) { # each makes a generation
    my $m = { api => $c, id => '' };
    my $group = 'many-' . $_ % 4;
    tell_join($m, $group);
    if (hear_join($m) != 0) { redo }
    sync_group($m, $group);
    $c->ask(LeaveGroup => 3, { group_id => $group, members => [ { member_id => $m->{id} } ] });
}
my $page = $stat->stat_page('rebalances', [qw(started duration_ms)]);
is(scalar @{ $page->{rows} }, 1000, 'a page has 1,000');
my @all = @{ $stat->stat('rebalances', [qw(group_id generation started duration_ms)]) };
is(scalar @all, 1024, 'the last 1,024 are kept');
my %seen;
is_deeply([ grep { $seen{"$_->{group_id} $_->{generation}"}++ } @all ], [], 'each once');
my @ends = map { $_->{started} + $_->{duration_ms} } @all;
is_deeply(\@ends, [ sort { $b <=> $a } @ends ], 'newest first');

is($node->stop, 0, 'stop');
done_testing;
