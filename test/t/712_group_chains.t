# Chains of three groups copy topic A to B to C to D, while members are killed, stopped and parted from the node, and backends,
# coordinators and the whole node are killed. Who commits after it copied loses nothing; who commits before copies nothing twice;
# while no member loses its place, each record arrives once (test/perl: Chain).
use strict;
use warnings;
use Ottla::Test::Chain qw(storm drained);
use Ottla::Test::Link;
use Ottla::Test::Member;
use Ottla::Test::Node;
use Ottla::Test::Rebalances qw(%settings);
use Test::More;

my $SECONDS = $ENV{OTTLA_LONG} ? 300 : 6;
my $seed    = $ENV{OTTLA_SEED} // int rand 1 << 30;
srand $seed;
note "OTTLA_SEED=$seed";

# Commit mode, "calm" or not, and the clients of the groups.
my @plans = (
    [ 'after',  0, qw(c-cooperative c-consumer c-range) ],
    [ 'before', 0, qw(c-range c-cooperative c-consumer) ],
    [ 'after',  1, qw(c-consumer c-cooperative c-range) ],     # not franz-go: it gives its place up where a dial is refused
    [ 'after',  0, qw(kafka-python go-cooperative confluent-consumer) ],
    [ 'before', 0, qw(java-consumer kafkajs java-range) ],
);
push @plans, map { my $mode = $_; map { [ $mode, 0, @$_ ] }
    [qw(c-range java-consumer go-range)], [qw(kafkajs c-consumer java-cooperative)], [qw(kafka-python c-cooperative confluent-consumer)] }
    qw(after before) if $ENV{OTTLA_LONG};

my $peer = $ENV{OTTLA_PEER};    # a Kafka to compare with; none of its processes die then
my $port = Ottla::Test::Node::free_port();
my ($listeners, @links) = $peer ? ({}, Ottla::Test::Link::to_peer(scalar @plans, $peer)) : Ottla::Test::Link::several(scalar @plans, $port);
my $node = $peer ? Ottla::Test::Peer->new($peer) : Ottla::Test::Node->new(port => $port, conf => { %settings, %$listeners })->start;
my @chains;
for my $i (0 .. $#plans) {
    my ($commit, $calm, @flavours) = @{ $plans[$i] };
    my ($why) = grep { defined } map { Ottla::Test::Member::missing($_) } @flavours;
    if (defined $why) {
        SKIP: { skip "@flavours: $why", 1 }
        next;
    }
    push @chains, Ottla::Test::Chain->new(server => $node, name => join('-', $commit, $i, $peer ? $$ : ()), commit => $commit, calm => $calm,
        flavours => \@flavours, link => $links[$i]);
}
storm(\@chains, $SECONDS, $peer ? undef : $node);
$_->judge for drained(\@chains, 90) ? @chains : ();
if (!$peer) {
    unlike($node->log_text, qr/PANIC|assert/i, 'no process failed by itself');
    is($node->stop, 0, 'stop');
}
done_testing;
