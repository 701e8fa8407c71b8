# Promises 2 and 4 under load: backends are killed with SIGKILL at random moments, hundreds of times. Other connections
# never break, no acknowledged record is lost, none of an idempotent producer appears twice. (test/crash/crash_load.c)
use strict;
use warnings;
use Test::More;
use Ottla::Test::Node;

my $kills = $ENV{OTTLA_LONG} ? 5000 : 300;
my $seed  = $ENV{OTTLA_SEED} // int(rand(1 << 31));
my $load  = "$ENV{OTTLA_BUILD}/release/crash/crash_load";

# Records of the load are old: no retention.
my $node = Ottla::Test::Node->new(conf => { 'log.retention.ms' => -1 })->start;
my $supervisor = $node->pid;
subtest "log 50, shell 29: kill -9 of $kills backends under load" => sub {
    my $out = qx($load @{[ $node->port ]} $supervisor backends $kills $seed 2>&1);
    my $exit = $? >> 8;
    note $out;
    is($exit, 0, "the load's own checks, seed $seed") or diag $out;
    like($out, qr/^# $kills kills/m, 'so many were killed');
};
is($node->pid, $supervisor, 'the supervisor lives');
ok(Ottla::Test::Node::process_lives($supervisor), '... and answers');
unlike($node->log_text, qr/PANIC/, 'no process failed by itself');
is($node->stop('fast'), 0, 'clean stop');
$node->start;
is($node->stop('fast'), 0, 'and start and stop again');
done_testing;
