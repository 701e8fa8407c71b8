# Promise 4: a client can hurt only itself. Sizes that lie, halves of frames, other protocols, mutated and random requests,
# silence, decompression bombs, readers that never read: every such connection is answered or closed, others never
# notice, memory stays bounded, that of each process and the shared one, and the log does not fill up. (test/crash/hostile.c)
use strict;
use warnings;
no warnings qw(portable); # addresses have 64 bits
use Test::More;
use Time::HiRes qw(time);
use Ottla::Test::Node;

my $rounds = $ENV{OTTLA_LONG} ? 100_000 : 1500;
my $seed   = $ENV{OTTLA_SEED} // int(rand(1 << 31));
my $tool   = "$ENV{OTTLA_BUILD}/release/crash/hostile";

# Bytes of shared memory that were ever touched: those of the file behind the largest shared mapping. undef: the
# kernel does not tell (it wants privileges).
sub shared_bytes {
    my ($pid) = @_;
    my ($size, $range) = (0, '');
    for (split /\n/, Ottla::Test::Node::slurp("/proc/$pid/maps")) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw-s/ or next;
        ($size, $range) = (hex($to) - hex($from), "$from-$to") if hex($to) - hex($from) > $size;
    }
    my @stat = stat "/proc/$pid/map_files/$range";
    return @stat ? $stat[12] * 512 : undef;
}

my $node = Ottla::Test::Node->new(conf => { 'auto.create.topics.enable' => 'false' })->start;
my $supervisor = $node->pid;
my $before = shared_bytes($supervisor);
my $began = time;
my $out = qx($tool @{[ $node->port ]} $supervisor test/fuzz/corpus/requests $rounds $seed 2>&1);
my $exit = $? >> 8;
my $seconds = time - $began;
note $out;
is($exit, 0, "the attacks' own checks, seed $seed") or diag $out;

my ($connections) = $out =~ /^# (\d+) connections$/m;
my $log = $node->log_text;
my $lines = () = $log =~ /closing connection/g;
cmp_ok($lines, '<=', $connections // 0, 'a line for each connection at most');
cmp_ok($lines, '<=', 10 * ($seconds + 2), '... and ten a second');
unlike($log, qr/PANIC|Sanitizer|runtime error/, 'no process failed');
unlike($log, qr{died by|ended with exit code [^0]|after a crash}, 'none was lost');
is($node->pid, $supervisor, 'the supervisor lives');
SKIP: {
    my $after = shared_bytes($supervisor);
    skip 'the size of shared memory is not told', 1 if !defined $before || !defined $after;
    my $grown = ($after - $before) / (1 << 20);
    # A thousand backend slots with their mailboxes, a session each, and what a topic takes.
    ok($grown < 16, sprintf 'shared memory grew by %.1f MiB to %.1f', $grown, $after / (1 << 20));
}
is($node->stop('fast'), 0, 'clean stop');
done_testing;
