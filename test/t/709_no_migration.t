# A group of real clients keeps to the older protocol where the node lets none move (groups 32): a member of the newer one gets
# GROUP_ID_NOT_FOUND, and nobody in the group notices.
use strict;
use warnings;
use Ottla::Test::Group;
use Ottla::Test::Member;
use Ottla::Test::Node;
use Ottla::Test::Rebalances qw(%settings);
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $GROUP_ID_NOT_FOUND = 69;
my $why = Ottla::Test::Member::missing('c-range');
plan skip_all => $why if defined $why;

my $node  = Ottla::Test::Node->new(conf => { %settings, 'group.consumer.migration.policy' => 'disabled' })->start;
my $group = Ottla::Test::Group->new(server => $node, name => 'g', flavour => 'c-range', script => 'pair', partitions => 4);
comes_true(sub { $group->turn }, 60) or fail('the group forms');
my $answer = $group->ask(ConsumerGroupHeartbeat => 1, { group_id => 'g', member_id => 'AAAAAAAAAAAAAAAAAAAAAA', member_epoch => 0,
    rebalance_timeout_ms => 10000, subscribed_topic_names => ['g'], topic_partitions => [] });
is($answer->{error_code}, $GROUP_ID_NOT_FOUND, 'no way in by the newer protocol');
my $since = int(time * 1e6);
comes_true(sub { $group->goes_on($since) }, 60) or fail('the group goes on');
is($group->{now} - $group->{generation}, 0, 'and does not rebalance');
$group->finish;
comes_true(sub { $group->gone }, 60) or fail('all members leave when asked');
is(join("\n", $group->faults), '', 'each partition has one owner, and commits stay');
is($node->stop, 0, 'stop');
done_testing;
