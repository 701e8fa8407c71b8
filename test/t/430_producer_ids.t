# More idempotent producers than the node remembers (producer.state.entries): each is served, who comes first is forgotten
# first, and is then what Kafka calls unknown: any sequence is taken. A producer that goes on is never forgotten, on its
# own partition or on another one; its duplicates and gaps are found, after a restart and a kill -9, too. With time all go
# (producer.id.expiration.ms).
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $ENTRIES = 1000;
my $CROWD   = $ENV{OTTLA_LONG} ? 100_000 : 6000;
my $WINDOW  = 10;    # requests on their way at once
my $FIRST   = 100_000;

my $node = Ottla::Test::Node->new(conf => { 'producer.state.entries' => $ENTRIES, 'acks.durability' => 'memory',
    'producer.id.expiration.check.interval.ms' => 100 })->start;
my $c = Ottla::Test::Api->new($node);

sub body {
    my ($topic, $id, $sequence) = @_;
    return { acks => -1, timeout_ms => 10000, topic_data => [ { name => $topic, partition_data => [ { index => 0,
        records => batch(records => [ "$id/$sequence" ], producer_id => $id, epoch => 0, sequence => $sequence) } ] } ] };
}

# Error code and offset.
sub send_one {
    my ($topic, $id, $sequence) = @_;
    my $p = $c->ask(Produce => 9, body($topic, $id, $sequence))->{responses}[0]{partition_responses}[0];
    return ($p->{error_code}, $p->{base_offset});
}

sub known {
    my ($topic) = @_;
    my $p = $c->ask(DescribeProducers => 0, { topics => [ { name => $topic, partition_indexes => [0] } ] })->{topics}[0]{partitions}[0];
    return map { $_->{producer_id} => $_ } @{ $p->{active_producers} };
}

$c->make_topic($_) for 'crowd', 'quiet';

# Two that go on: one in the crowd, one elsewhere that rests as long as the crowd comes.
my %steady = (crowd => [ 7, 0, undef ], quiet => [ 8, 0, undef ]);

# The next batch of a steady producer, or its last one again: stored once, at the same offset.
sub go_on {
    my ($topic, $what) = @_;
    my ($id, $next, $offset) = @{ $steady{$topic} };
    my @wrong;
    my ($error, $got) = send_one($topic, $id, $next);
    push @wrong, "sequence $next: error $error" if $error;
    my @again = send_one($topic, $id, $next);
    push @wrong, "again: error $again[0], offset $again[1] instead of $got" if $again[0] || $again[1] != $got;
    @again = send_one($topic, $id, $next + 5);
    push @wrong, "a gap: error $again[0]" if $again[0] != 45;
    $steady{$topic} = [ $id, $next + 1, $got ];
    is("@wrong", '', "$what: producer $id") if $what || @wrong;
    return;
}

go_on($_, 'at first') for sort keys %steady;
my (@refused, $heard) = ();
for my $i (0 .. $CROWD - 1) {
    $c->tell(Produce => 9, body('crowd', $FIRST + $i, 0));
    next if ($i + 1) % $WINDOW;
    for (1 .. $WINDOW) {
        my $p = $c->hear->{responses}[0]{partition_responses}[0];
        push @refused, $p->{error_code} if $p->{error_code};
    }
    go_on('crowd') if ($i + 1) % 100 == 0;
}
is_deeply(\@refused, [], "$CROWD producers: each is served");
my %known = known('crowd');
is(scalar(keys %known) + known('quiet') / 2, $ENTRIES, 'as many are remembered as the setting says');
ok(!$known{$FIRST} && !$known{ $FIRST + 1 }, 'the first ones are not');
ok($known{ $FIRST + $CROWD - 1 }, 'the last one is');
like($node->log_text, qr/producer\.state\.entries are all in use: old producers are forgotten; entries=$ENTRIES/, 'a line says so');
go_on($_, 'beside the crowd') for sort keys %steady;
is((send_one('crowd', $FIRST, 17))[0], 0, 'one that is forgotten goes on anywhere');
is((send_one('crowd', $FIRST, 19))[0], 45, 'and is known again');
is((send_one('crowd', $FIRST + $CROWD - 1, 3))[0], 45, 'one that is remembered must not leave a gap');

for my $how ('stop', 'kill9') {
    $node->$how;
    my $begin = time;
    $node->start;
    cmp_ok(time - $begin, '<', 10, "$how: starts at once");
    $c = Ottla::Test::Api->new($node);
    cmp_ok(scalar(my @all = known('crowd')) / 2, '<=', $ENTRIES, 'as many at most');
    for my $topic (sort keys %steady) {
        my ($id, $next, $offset) = @{ $steady{$topic} };
        is_deeply([ send_one($topic, $id, $next - 1) ], [ 0, $offset ], "after $how: the last batch of producer $id again");
        go_on($topic, "after $how");
    }
}

is($c->alter_config('', 'producer.id.expiration.ms' => 500), 0, 'half a second to be remembered');
$node->wait_until('all to be forgotten', sub { !known('crowd') && !known('quiet') });
is((send_one('crowd', 7, 999))[0], 0, 'anything goes again');
unlike($node->log_text, qr/PANIC|assert/i, 'no process failed');
is($node->stop, 0, 'stop');
done_testing;
