# Power is lost at a random operation on the disk, thousands of times: what was promised (records on disk, topics, log
# starts, producer ids) is there, nothing else is served, the log goes on. (test/sim/power_loss.c; log.md 9, design.md 6)
# The simulator itself is proved by planted defects, which it must find and replay.
use strict;
use warnings;
use Test::More;

my $sim   = "$ENV{OTTLA_BUILD}/asan/sim/power_loss";
my $seeds = $ENV{OTTLA_LONG} ? 12_000 : 2_000;
my $first = $ENV{OTTLA_SEED} // ($ENV{OTTLA_LONG} ? int(rand(1 << 31)) : 1);

my $out = qx($sim $first $seeds 2>&1);
is($? >> 8, 0, "$seeds losses of power from seed $first on") or diag $out;
like($out, qr/^# $seeds seeds, 0 failed$/m, 'so many were run');

for my $defect (qw(no-folder-sync no-file-sync no-index-sync durable-before-flush no-checksums move-without-flush)) {
    my $found = qx($sim -d $defect 1 500 2>&1);
    is($? >> 8, 1, "$defect is found");
    my ($why)    = $found =~ /^# seed (.*)$/m;
    my ($replay) = $found =~ /^# replay: (.*)$/m;
    my $again    = defined $replay ? qx($replay 2>&1) : '';
    is($? >> 8, 1, '... and again when replayed');
    ok(index($again, $why // '?') >= 0, '... for the same reason') or diag "$found\n$again";
    my ($left) = $again =~ /^# its files are in (\S+)$/m;
    system 'rm', '-rf', $left if defined $left && $left =~ m{/ottla-power-\d+$};
}
done_testing;
