# DeleteRecords under readers: the log start moves while consumers read just there, by fetch sessions (KIP-227) and
# without. Whoever asks below it is told OFFSET_OUT_OF_RANGE, all others get whole batches with right checksums that hold
# what was produced at those offsets; nobody waits in vain. A session hears of a new log start in its next answer, and only
# then. Files of deleted segments go under the readers at the same time.
use strict;
use warnings;
use IO::Select;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);
use Ottla::Test::Node;
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my $SECONDS = $ENV{OTTLA_LONG} ? 120 : 5;
my $OUT     = 1;
my $MIB     = 1 << 20;
my $seed    = $ENV{OTTLA_SEED} // int rand 1 << 30;
srand $seed;
note "OTTLA_SEED=$seed";

my $node = Ottla::Test::Node->new(conf => { 'acks.durability' => 'memory', 'log.retention.check.interval.ms' => 100,
    'log.initial.task.delay.ms' => 100, 'log.segment.delete.delay.ms' => 50 })->start;
my $admin = Ottla::Test::Api->new($node);

# What the record at an offset must be: its number and a length that belongs to it.
sub value_of { my ($n) = @_; return sprintf('%d ', $n) . chr(97 + $n % 26) x ($n * 7919 % 30_000) }

# ---- sessions, step by step ---------------------------------------------------------------------------------

my $id = $admin->make_topic('step', 2, 'segment.bytes' => $MIB);
for my $p (0, 1) {
    is($admin->produce('step', batch(records => [ map { value_of($_) } 0 .. 9 ]), partition => $p)->{error_code}, 0, 'ten records');
}

my %session = (id => 0, epoch => 0);

# An incremental fetch: what is asked anew. Its partitions by index.
sub step {
    my (%asked) = @_;
    my $answer = $admin->ask(Fetch => 13, { max_wait_ms => 0, min_bytes => 0, max_bytes => $MIB, session_id => $session{id}, session_epoch => $session{epoch},
        topics => [ %asked ? { topic_id => $id, partitions => [ map { { partition => $_, fetch_offset => $asked{$_}, partition_max_bytes => $MIB } } sort keys %asked ] } : () ] });
    %session = (id => $answer->{session_id}, epoch => $session{epoch} + 1) if !$answer->{error_code};
    return { map { $_->{partition_index} => $_ } map { @{ $_->{partitions} } } @{ $answer->{responses} } };
}

sub delete_below {
    my ($topic, $partition, $offset) = @_;
    return $admin->ask(DeleteRecords => 2, { timeout_ms => 5000, topics => [ { name => $topic,
        partitions => [ { partition_index => $partition, offset => $offset } ] } ] })->{topics}[0]{partitions}[0];
}

is_deeply([ sort keys %{ step(0 => 10, 1 => 10) } ], [ 0, 1 ], 'a session at the ends of two partitions');
is_deeply(step(), {}, 'nothing new');
is(delete_below('step', 1, 4)->{low_watermark}, 4, 'DeleteRecords');
my $seen = step();
is_deeply([ keys %$seen ], [1], 'the session hears of that partition alone');
is($seen->{1}{log_start_offset}, 4, 'its new log start');
is($seen->{1}{error_code}, 0, 'without an error');
is_deeply(step(), {}, 'once');
$seen = step(0 => 2, 1 => 2);
is_deeply([ map { $seen->{$_}{error_code} } 0, 1 ], [ 0, $OUT ], 'below the start: out of range');
is(step()->{1}{error_code}, $OUT, 'said each time');
is(delete_below('step', 0, 5)->{low_watermark}, 5, 'DeleteRecords above the offset that the session is at');
is(step()->{0}{error_code}, $OUT, 'it is out of range in the next answer');
$seen = step(0 => 5, 1 => 4);
is_deeply([ map { $seen->{$_}{error_code} } 0, 1 ], [ 0, 0 ], 'both go on at their starts');
is(delete_below('step', 0, -1)->{low_watermark}, 10, 'DeleteRecords of all');
is(step(0 => 10, 1 => 10)->{0}{log_start_offset}, 10, 'the start is the end');
# a wait at the end is not disturbed by a start that moves below it
$admin->tell(Fetch => 13, { max_wait_ms => 20000, min_bytes => 1, max_bytes => $MIB, session_id => $session{id}, session_epoch => $session{epoch}++ });
$node->wait_until('the fetch to wait', sub { grep { $_->{title} =~ /Fetch waiting/ } $node->children });
my $other = Ottla::Test::Api->new($node);
is($other->ask(DeleteRecords => 2, { timeout_ms => 5000, topics => [ { name => 'step', partitions => [ { partition_index => 1, offset => -1 } ] } ] })
    ->{topics}[0]{partitions}[0]{error_code}, 0, 'DeleteRecords beside a fetch that waits');
is($other->produce('step', batch(records => ['last']), partition => 1)->{base_offset}, 10, 'a record');
my $answer = $admin->hear(10);
$seen = { map { $_->{partition_index} => $_ } map { @{ $_->{partitions} } } @{ $answer->{responses} } };
is($seen->{1}{error_code}, 0, 'the waiting fetch gets it') if ok($seen->{1}, 'the waiting fetch ends');
is((batches($seen->{1}{records}))[0]{records}[0]{value}, 'last', 'whole');

# ---- at random ------------------------------------------------------------------------------------------------

$admin->make_topic('race', 1, 'segment.bytes' => $MIB, 'retention.ms' => -1);

# A process of its own; its lines are read at the end. They say "ok ..." or what was wrong.
sub start_process {
    my ($work) = @_;
    pipe my $read, my $write or die;
    my $pid = fork // die;
    if ($pid == 0) {
        close $read;
        my $line = eval { $work->(time + $SECONDS) } // "died: $@";
        syswrite $write, "$line\n";
        POSIX::_exit(0);
    }
    close $write;
    return { pid => $pid, read => $read };
}

sub produce_until {
    my ($end) = @_;
    my $c = Ottla::Test::Api->new($node);
    my $next = 0;
    while (time < $end) {
        my $n = 1 + int rand 8;
        my $p = $c->produce('race', batch(records => [ map { value_of($_) } $next .. $next + $n - 1 ]), acks => 1) // return 'produce: no answer';
        return "produce: error $p->{error_code} at $p->{base_offset}, not $next" if $p->{error_code} || $p->{base_offset} != $next;
        $next += $n;
    }
    return "ok $next produced";
}

# Deletes up to somewhere near the end; the start goes up, never down, and is what was asked for.
sub delete_until {
    my ($end) = @_;
    my $c = Ottla::Test::Api->new($node);
    my ($start, $count) = (0, 0);
    while (time < $end) {
        my $log_end = $c->offset_at('race', -1)->{offset};
        my $to = $start + int rand($log_end - $start + 1);
        my $p = $c->ask(DeleteRecords => 2, { timeout_ms => 5000, topics => [ { name => 'race', partitions => [ { partition_index => 0, offset => $to } ] } ] })
            ->{topics}[0]{partitions}[0];
        return "delete: error $p->{error_code}, start $p->{low_watermark}, not $to" if $p->{error_code} || $p->{low_watermark} != $to;
        $start = $to;
        $count++;
        my $first = $c->offset_at('race', -2)->{offset};
        return "ListOffsets says $first after DeleteRecords to $to" if $first != $to;
        sleep rand 0.02;
    }
    return "ok $count deletions up to $start";
}

# What is wrong with an answer to a fetch at an offset; moves on.
sub judge {
    my ($p, $at, $lowest) = @_;
    return "log start went back from $$lowest to $p->{log_start_offset}" if $p->{log_start_offset} >= 0 && $p->{log_start_offset} < $$lowest;
    $$lowest = $p->{log_start_offset} if $p->{log_start_offset} >= 0;
    if ($p->{error_code} == $OUT) {
        return "out of range at $$at, start $p->{log_start_offset}" if $p->{log_start_offset} >= 0 && $$at >= $p->{log_start_offset};
        return "records beside an error" if length($p->{records} // '');
        return '';
    }
    return "error $p->{error_code} at $$at" if $p->{error_code};
    my @got = batches($p->{records} // '');
    return "bytes without a batch at $$at" if !@got && length($p->{records} // '');
    for my $b (@got) {
        return "checksum of $b->{base_offset}" if !$b->{crc_ok};
        return "batch $b->{base_offset}..$b->{last_offset} at $$at" if $b->{last_offset} < $$at || ($b != $got[0] && $b->{base_offset} != $$at)
            || $b->{base_offset} > $$at;
        for my $r (@{ $b->{records} }) {
            return "record $r->{offset} is another" if $r->{value} ne value_of($r->{offset});
        }
        $$at = $b->{last_offset} + 1;
    }
    return '';
}

# Reads at the start as it moves, a step behind whoever deletes: by a session that keeps its partition.
sub read_by_session {
    my ($end) = @_;
    my $c = Ottla::Test::Api->new($node);
    my ($at, $lowest, $out, $got, $sid, $epoch, $asked) = (0, 0, 0, 0, 0, 0, -1);
    while (time < $end) {
        my $answer = $c->ask(Fetch => 12, { max_wait_ms => 200, min_bytes => 1, max_bytes => 60_000, session_id => $sid, session_epoch => $epoch,
            topics => [ $at == $asked ? () : { topic => 'race', partitions => [ { partition => 0, fetch_offset => $at, partition_max_bytes => 60_000 } ] } ] })
            // return "session: no answer at $at";
        return "session: error $answer->{error_code}" if $answer->{error_code};
        ($sid, $epoch, $asked) = ($answer->{session_id}, $epoch + 1, $at);
        my ($p) = map { @{ $_->{partitions} } } @{ $answer->{responses} };
        next if !$p;
        my $before = $at;
        my $wrong = judge($p, \$at, \$lowest);
        return "session: $wrong" if $wrong;
        $got += $at - $before;
        if ($p->{error_code}) {
            $out++;
            $at = $c->offset_at('race', -2)->{offset};
        }
    }
    return "ok session: $got records, $out times out of range";
}

sub read_without_session {
    my ($end) = @_;
    my $c = Ottla::Test::Api->new($node);
    my ($at, $lowest, $out, $got) = (0, 0, 0, 0);
    while (time < $end) {
        $at = $c->offset_at('race', -2)->{offset} if rand() < 0.3;    # jump to where the start is just now
        my $p = $c->fetch('race', $at, max_wait_ms => 50, partition_max_bytes => 200_000) // return "fetch: no answer at $at";
        my $before = $at;
        my $wrong = judge($p, \$at, \$lowest);
        return "fetch: $wrong" if $wrong;
        $got += $at - $before;
        next if !$p->{error_code};
        $out++;
        $at = $c->offset_at('race', -2)->{offset};
    }
    return "ok fetch: $got records, $out times out of range";
}

my @processes = map { start_process($_) } \&produce_until, \&delete_until, \&read_by_session, \&read_by_session, \&read_without_session;
for my $p (@processes) {
    my $line = IO::Select->new($p->{read})->can_read($SECONDS + 30) ? readline $p->{read} : 'hangs';
    kill 'KILL', $p->{pid} if $line eq 'hangs';
    waitpid $p->{pid}, 0;
    chomp $line;
    like($line, qr/^ok/, $line);
}
my ($start) = $admin->offset_at('race', -2)->{offset};
$node->restart;
is(Ottla::Test::Api->new($node)->offset_at('race', -2)->{offset}, $start, 'the log start is remembered');
unlike($node->log_text, qr/PANIC|assert|WARNING|ERROR/, 'no process failed, nothing to complain about') or diag $node->log_tail;
done_testing;
