# kill -9 of workers under load: all children start again, no acknowledged record or commit is lost, none of an idempotent
# producer appears twice. A coordinator among them starts again alone, and no connection breaks. (test/crash/crash_load.c)
use strict;
use warnings;
use Test::More;
use Ottla::Test::Node;

my $seed = $ENV{OTTLA_SEED} // int(rand(1 << 31));
my $load = "$ENV{OTTLA_BUILD}/release/crash/crash_load";

# Five crash cycles within ten minutes end the node (design.md 4), and each waits longer before the node starts again: a node
# takes three workers, and a coordinator before each. Records of the load are old: no
# retention.
for my $round (1 .. ($ENV{OTTLA_LONG} ? 25 : 2)) {
    my $node = Ottla::Test::Node->new(conf => { 'log.retention.ms' => -1 })->start;
    my $out = qx($load @{[ $node->port ]} @{[ $node->pid ]} workers 6 @{[ $seed + $round ]} 2>&1);
    my $exit = $? >> 8;
    note $out;
    is($exit, 0, "shell 29, round $round: three workers and three coordinators killed, seed " . ($seed + $round)) or diag $out, $node->log_tail;
    is($node->stop('fast'), 0, 'clean stop');
}
done_testing;
