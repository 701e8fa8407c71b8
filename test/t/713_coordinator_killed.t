# Coordinators are killed, one by one and all at once, and then the whole node, under groups of real clients: they are loaded
# again before a session ends, every member goes on committing, and nobody's generation or group epoch moves (groups 18).
use strict;
use warnings;
use Ottla::Test::Group;
use Ottla::Test::Member;
use Ottla::Test::Node;
use Ottla::Test::Rebalances qw(%settings);
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $ROUNDS   = $ENV{OTTLA_LONG} ? 9 : 3;    # who dies again and again comes back later each time
# Not kafkajs: where a node takes its time to come back, its library gives up and joins anew.
my @flavours = grep { my $why = Ottla::Test::Member::missing($_); SKIP: { skip "$_: $why", 1 if defined $why } !defined $why }
    qw(c-range c-cooperative c-consumer go-cooperative kafka-python), $ENV{OTTLA_LONG} ? qw(java-range java-consumer confluent-consumer) : ();

# Sessions that the death of a node does not end even where processes start slowly.
my $node = Ottla::Test::Node->new(conf => { %settings, 'group.consumer.session.timeout.ms' => 20000 })->start;
my @groups = map { Ottla::Test::Group->new(server => $node, name => $_, flavour => $_, script => 'pair', partitions => 4,
    arguments => { session => 20000 }) } @flavours;
comes_true(sub { my $left = grep { !$_->turn } @groups; !$left }, 120) or fail('all groups form');

sub all_go_on {
    my ($what) = @_;
    my $since = int(time * 1e6);
    comes_true(sub { my $left = grep { !$_->goes_on($since) } @groups; !$left }, 60)
        or diag join "\n", "after $what:", map { ($_->{seen} // 'nothing seen') . "\n" . $_->describe } @groups;
    for (@groups) {
        # franz-go ends its session by itself where a dial is refused, as it is while a node takes its time to come back.
        my $gave_up = grep { /^error .*unable to join group session: unable to dial/ } map { @{ $_->{said} } } @{ $_->{all} };
        SKIP: { skip "$_->{name}, $what: the client gave up by itself", 1 if $gave_up }
        next if $gave_up;
        my $moved = ($_->{now} // -1) - $_->{generation};
        is($moved, 0, "$_->{name}, $what: no rebalance") or diag $_->describe;
    }
    return;
}

for my $round (1 .. $ROUNDS) {
    my @workers = map { $_->{pid} } $node->children_of_kind('coordinator');
    ok(@workers > 1, 'several coordinators') if $round == 1;
    my %killed = map { $_ => 1 } $round % 3 ? $workers[ rand @workers ] : @workers;
    kill 'KILL', keys %killed;
    $node->wait_until('others in their place', sub {
        my @now = $node->children_of_kind('coordinator');
        return @now == @workers && !grep { $killed{ $_->{pid} } } @now;
    });
    all_go_on($round % 3 ? 'a coordinator was killed' : 'all coordinators were killed');
}
$node->kill9;
$node->start;
all_go_on('the node was killed');

$_->finish for @groups;
comes_true(sub { my $left = grep { !$_->gone } @groups; !$left }, 60) or fail('all members leave when asked');
for my $g (@groups) {
    my @faults = $g->faults;
    is(scalar @faults, 0, "$g->{name}: each partition has one owner, and commits stay") or diag join "\n", $g->explain(@faults), $g->describe;
}
unlike($node->log_text, qr/PANIC|assert/i, 'no process failed by itself');
is($node->stop, 0, 'stop');
done_testing;
