# Chains of three groups copy topic A to B to C to D, while members are killed and stopped, and backends, coordinators and the whole
# node are killed. Who commits after it copied loses nothing; who commits before copies nothing twice (test/perl: Chain).
use strict;
use warnings;
use Ottla::Test::Chain qw(storm drained);
use Ottla::Test::Member;
use Ottla::Test::Node;
use Ottla::Test::Rebalances qw(%settings);
use Test::More;

my $SECONDS = $ENV{OTTLA_LONG} ? 300 : 6;
my $seed    = $ENV{OTTLA_SEED} // int rand 1 << 30;
srand $seed;
note "OTTLA_SEED=$seed";

my @flavours = $ENV{OTTLA_LONG}
    ? ([qw(c-range java-consumer go-cooperative)], [qw(kafkajs c-consumer java-cooperative)], [qw(kafka-python c-cooperative confluent-consumer)])
    : ([qw(c-cooperative c-consumer c-range)]);
my ($why) = grep { defined } map { Ottla::Test::Member::missing($_) } map { @$_ } @flavours;
plan skip_all => $why if defined $why;

my $peer = $ENV{OTTLA_PEER};    # a Kafka to compare with; only members die then
my $node = $peer ? Ottla::Test::Peer->new($peer) : Ottla::Test::Node->new(conf => \%settings)->start;
my @chains;
for my $commit (qw(after before)) {
    for (@flavours) {
        my $name = join '-', $commit, scalar @chains, $peer ? $$ : ();
        push @chains, Ottla::Test::Chain->new(server => $node, name => $name, commit => $commit, flavours => $_);
    }
}
storm(\@chains, $SECONDS, $peer ? undef : $node);
$_->judge for drained(\@chains, 90) ? @chains : ();
if (!$peer) {
    unlike($node->log_text, qr/PANIC|assert/i, 'no process failed by itself');
    is($node->stop, 0, 'stop');
}
done_testing;
