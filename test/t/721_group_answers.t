#!/usr/bin/perl
# 721_group_answers.t - answers about groups that would be very long: bounded, and their memory comes back
#
# Groups with much metadata are described all together. Those for which the answer has no room get a code, those in front
# of them are whole; many such requests at once do not add up in the coordinator. Afterwards its memory is what it
# was, and it serves as before.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Test::More;

my $PATIENCE = 30;
my $METADATA = 900_000;    # of the one member of a group; a message of a coordinator has room for 69 of them
my $GROUPS   = 80;
my $AT_ONCE  = 8;
my $MIB      = 1 << 20;

my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'group.coordinator.threads' => 1 })->start;
my $c = Ottla::Test::Api->new($node);

# A line of the worker's status, in bytes.
sub memory {
    my ($what) = @_;
    my ($worker) = $node->children_of_kind('coordinator');
    open my $status, '<', "/proc/$worker->{pid}/status" or die "status of the worker: $!";
    my ($kib) = map { /^$what:\s+(\d+)/ } <$status>;
    return $kib * 1024;
}

sub codes { return map { $_->{error_code} } @{ $_[0]{groups} } }

my @big = map {"big-$_"} 1 .. $GROUPS;
ok(comes_true(sub { ($c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['big'] })->{coordinators}[0]{error_code}) == 0
            && !grep { $_ } codes($c->ask(DescribeGroups => 5, { groups => [@big] })) }, $PATIENCE), 'served');
my %member;
for my $group (@big) {
    my $joined = $c->ask(JoinGroup => 3, { group_id => $group, session_timeout_ms => 600_000, rebalance_timeout_ms => 600_000,
            protocol_type => 'other', protocols => [ { name => 'p', metadata => 'x' x $METADATA } ] });
    my $synced = $c->ask(SyncGroup => 3, { group_id => $group, generation_id => 1, member_id => $joined->{member_id},
            assignments => [ { member_id => $joined->{member_id}, assignment => 'a' } ] });
    $member{$group} = $joined->{member_id} if $joined->{error_code} == 0 && $synced->{error_code} == 0;
}
is(scalar keys %member, $GROUPS, 'groups of a member with much metadata each');
is_deeply([ codes($c->ask(DescribeGroups => 5, { groups => [ $big[0] ] })) ], [0], 'are described');
my $before = memory('VmRSS');

my $many = [ @big, 'small' ];
my $answer = $c->ask(DescribeGroups => 5, { groups => $many });
my @codes = codes($answer);
is(scalar @codes, $GROUPS + 1, 'a result for each that is named');
my @whole = grep { $_->{error_code} == 0 } @{ $answer->{groups} };
cmp_ok(scalar @whole, '>=', 60, 'as many as there is room for are described: ' . @whole);
cmp_ok(scalar @whole, '<=', 70, 'and no more');
is_deeply([ @codes[ 0 .. $#whole ] ], [ (0) x @whole ], 'the first ones');
is_deeply([ @codes[ @whole .. $GROUPS ] ], [ (-1) x ($GROUPS + 1 - @whole) ], 'the others have a code');
is_deeply([ map { length $_->{members}[0]{member_metadata} } @whole ], [ ($METADATA) x @whole ], 'what is described is whole');
undef $answer;

my @others = map { Ottla::Test::Api->new($node) } 1 .. $AT_ONCE;
$_->tell(DescribeGroups => 5, { groups => $many }) for @others;
my %seen;
for my $other (@others) {
    my $heard = $other->hear($PATIENCE);
    $seen{$_}++ for $heard ? codes($heard) : 'none';
    $other->close;
}
is_deeply([ grep { !/^(?:0|-1|15)$/ } keys %seen ], [], "$AT_ONCE at once are answered: " . join ', ', map {"$_: $seen{$_}"} sort keys %seen);
cmp_ok(memory('VmHWM') - $before, '<', 512 * $MIB, 'the coordinator never held all of it');
ok(comes_true(sub { memory('VmRSS') - $before < 80 * $MIB }, $PATIENCE), 'and gives it back: ' . int((memory('VmRSS') - $before) / $MIB) . ' MiB above');
is_deeply([ codes($c->ask(DescribeGroups => 5, { groups => [ $big[-1], 'small' ] })) ], [ 0, 0 ], 'it serves as before');
is($c->ask(Heartbeat => 3, { group_id => $big[0], generation_id => 1, member_id => $member{ $big[0] } })->{error_code}, 0, 'nobody lost its membership');

done_testing;
