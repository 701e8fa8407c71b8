# Consumers that stop in the middle of what they asked for: kcat under SIGSTOP while retention and DeleteRecords take the
# segments that they read. The space comes back although their connections stay open, other consumers do not notice, and when they
# go on they either get whole records or are told that their offset is out of range; what they print has no record that
# was never written.
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $MIB     = 1 << 20;
my $RECORDS = 96;    # of 256 KiB: more than sockets and kcat's queue take
my $READERS = 3;
my $node = Ottla::Test::Node->new(conf => { 'acks.durability' => 'memory', 'log.retention.check.interval.ms' => 100,
    'log.initial.task.delay.ms' => 100, 'log.segment.delete.delay.ms' => 300 })->start;
my $c = Ottla::Test::Api->new($node);
$c->make_topic('slow', 1, 'segment.bytes' => 2 * $MIB, 'retention.ms' => -1);

sub value_of { my ($n) = @_; return sprintf('%06d ', $n) . chr(97 + $n % 26) x (1 << 18) }

is($c->produce('slow', batch(records => [ value_of($_) ]), acks => 1)->{base_offset}, $_, "record $_") for 0 .. $RECORDS - 1;

# Files that a process of the node holds and that have no name any more, and their bytes.
sub held_unlinked {
    my @held;
    for my $child ($node->children) {
        for my $fd (glob "/proc/$child->{pid}/fd/*") {
            my $target = readlink $fd // next;
            push @held, $target if $target =~ m{^\Q@{[ $node->dir ]}\E/.* \(deleted\)$};
        }
    }
    return @held;
}

# kcat that reads from the beginning with small buffers, stopped after its first record.
my @readers;
for my $n (1 .. $READERS) {
    my $out = "$node->{base}/out$n";
    pipe my $from, my $to or die;    # nobody takes what it reads, so it does not get far before it is stopped
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>&', $to or die;
        open STDERR, '>', "$out.err" or die;
        exec 'kcat', '-C', '-b', $node->address, '-t', 'slow', '-p', 0, '-o', 'beginning', '-u', '-X', 'queued.max.messages.kbytes=1024',
            '-X', 'fetch.message.max.bytes=8388608', '-X', 'socket.receive.buffer.bytes=65536', '-X', 'auto.offset.reset=earliest' or die;
    }
    sysread $from, my $begin, 1;
    kill 'STOP', $pid;
    push @readers, { pid => $pid, out => $out, from => $from, begin => $begin };
}

is($c->delete_records('slow', $RECORDS - 2), $RECORDS - 2, 'nearly all is deleted');
my $size_of = sub { my $sum = 0; $sum += -s $_ // 0 for glob $node->dir . '/log/slow-0/*'; return $sum };
$node->wait_until('the files to go', sub { $size_of->() < 4 * $MIB });
ok(eval { $node->wait_until('the space', sub { !held_unlinked() }, 15) }, 'nobody holds what is deleted') or diag join "\n", $@, held_unlinked();
is($c->fetch('slow', $RECORDS - 2)->{error_code}, 0, 'others read on');
is($c->produce('slow', batch(records => [ value_of($RECORDS) ]), acks => 1)->{base_offset}, $RECORDS, 'and write');

for my $r (@readers) {
    $r->{taker} = fork // die;
    if (!$r->{taker}) {
        open STDIN, '<&', $r->{from} or die;
        open STDOUT, '>', $r->{out} or die;
        syswrite STDOUT, $r->{begin};
        exec 'cat' or die;
    }
    close $r->{from};
    kill 'CONT', $r->{pid};
}
for my $r (@readers) {
    my $last = quotemeta substr value_of($RECORDS), 0, 7;
    ok(eval { $node->wait_until('the reader to get to the end', sub { Ottla::Test::Node::slurp($r->{out}) =~ /^$last/m }, 30) }, 'a reader goes on to the end')
        or diag Ottla::Test::Node::slurp("$r->{out}.err");
    kill 'KILL', $r->{pid};
    waitpid $r->{$_}, 0 for qw(pid taker);
    my @lines = split /\n/, Ottla::Test::Node::slurp($r->{out});
    my @numbers = map { /^(\d{6}) / ? $1 + 0 : -1 } @lines;
    my $wrong = grep { $numbers[$_] < 0 || $lines[$_] ne value_of($numbers[$_]) || ($_ && $numbers[$_] <= $numbers[ $_ - 1 ]) } 0 .. $#lines;
    is($wrong, 0, @lines . ' records, all whole and in order');
    cmp_ok(scalar @lines, '<', $RECORDS - 2, 'it was stopped in the middle');
}
unlike($node->log_text, qr/PANIC|assert/i, 'no process failed');
is($node->stop, 0, 'stop');
done_testing;
