# Groups that one request names fail one by one: where the log of one shard is not safe in time, the groups of the others are
# answered as ever, those that the same worker has, too. (What happens where a worker stands still: 716.)
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $WORKERS = 2;    # 25 shards each
my $GROUPS  = 6;
my $LATE_MS = 500;
my $node = Ottla::Test::Node->new(conf => { 'acks.durability' => 'disk', 'offsets.commit.timeout.ms' => $LATE_MS,
    'group.coordinator.threads' => $WORKERS })->start;
my $c = Ottla::Test::Api->new($node);
$c->make_topic('t', 1);
my @kept = map {"kept-$_"} 1 .. $GROUPS;
my @gone = map {"gone-$_"} 1 .. $GROUPS;
$c->ask(FindCoordinator => 3, { key => 'g', key_type => 0 });

sub states { return map { $_->{error_code} } @{ $c->ask(DescribeGroups => 5, { groups => [@_] })->{groups} } }

sub offsets_of {
    my $answer = $c->ask(OffsetFetch => 8, { groups => [ map { { group_id => $_, topics => undef } } @_ ] });
    return map { [ $_->{error_code}, map { $_->{committed_offset} } map { @{ $_->{partitions} } } @{ $_->{topics} } ] } @{ $answer->{groups} };
}

ok(comes_true(sub { !grep { $_ } states(@kept, @gone) }, 20), 'all shards serve');
for my $group (@kept) {
    my $answer = $c->ask(OffsetCommit => 8, { group_id => $group, topics => [ { name => 't', partitions => [ { partition_index => 0, committed_offset => 7, committed_metadata => '' } ] } ] });
    is($answer->{topics}[0]{partitions}[0]{error_code}, 0, "$group has an offset");
}

# A deletion waits for the disk, as every write; who has nothing to delete waits for nobody.
my ($checkpointer) = $node->children_of_kind('checkpointer');
kill 'STOP', $checkpointer->{pid};
my $begin = time;
my @asked = map { ($kept[$_], $gone[$_]) } 0 .. $GROUPS - 1;
my $answer = $c->ask(DeleteGroups => 2, { groups_names => \@asked });
my $took_ms = (time - $begin) * 1000;
cmp_ok($took_ms, '>=', $LATE_MS, sprintf 'the answer comes when the time of the late ones is up: %d ms', $took_ms);
is_deeply([ map { [ $_->{group_id}, $_->{error_code} ] } @{ $answer->{results} } ], [ map { [ $kept[$_], 15 ], [ $gone[$_], 69 ] } 0 .. $GROUPS - 1 ],
    'they alone are told to ask again');
is_deeply([ states(@gone) ], [ (0) x $GROUPS ], 'other shards serve');
kill 'CONT', $checkpointer->{pid};
ok(comes_true(sub { !grep { $_->{error_code} != 69 } @{ $c->ask(DeleteGroups => 2, { groups_names => \@kept })->{results} } }, 10),
    'what was decided stays: asked again, there is nothing to delete');
is_deeply([ offsets_of(@kept) ], [ ([0]) x $GROUPS ], 'no offset is left');
is($node->stop, 0, 'stop');
done_testing;
