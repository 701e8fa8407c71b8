# A wall clock that leaps a day ahead, back, and back once more under a working node. What is about records' times follows
# the clock as in Kafka: retention by time, the range of timestamps, rolling by append time, the expiry of producers.
# Whatever waits does not: delayed deletion of files and folders, fetches, quotas, idle connections, acks, commits by
# time. Nothing hangs, nothing acknowledged is lost, and the node starts again with a clock that is behind its files.
use strict;
use warnings;
use Ottla::Test::Acked;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time sleep);

my $library = "$ENV{OTTLA_BUILD}/release/fault/libclock.so";

my $DAY     = 86400;
my $MIB     = 1 << 20;
my $DELAY   = 1.2;    # seconds between the end of a segment or topic and that of its files
my $IDLE    = 1.5;    # seconds until a silent connection is closed
my $LATE    = 8;      # seconds in which everything has happened on a busy machine, and far less than a day
my $node    = Ottla::Test::Node->new(env => { LD_PRELOAD => $library }, conf => {
    'log.retention.check.interval.ms' => 100, 'log.initial.task.delay.ms' => 100,
    'log.segment.delete.delay.ms' => 1000 * $DELAY, 'connections.max.idle.ms' => 60000,
    'producer.id.expiration.check.interval.ms' => 100, 'quota.window.size.seconds' => 1, 'quota.window.num' => 2,
});
$node->{env}{CLOCK_SHIFT} = "$node->{base}/shift";

my $shift = 0;

# Sets the clock so many days from the true one.
sub set_clock {
    ($shift) = @_;
    open my $fh, '+>>', $node->{env}{CLOCK_SHIFT} or die $!;
    close $fh;
    open $fh, '+<', $node->{env}{CLOCK_SHIFT} or die $!;
    syswrite $fh, pack 'q', $shift * $DAY * 1e9 or die $!;
    close $fh;
    return;
}

sub now_ms { return int(1000 * (time + $shift * $DAY)) }

set_clock(0);
$node->start;
my $c     = Ottla::Test::Api->new($node);
my $acked = Ottla::Test::Acked->new($c);

sub files { my ($topic, $suffix) = @_; return map { m{([^/]+)$} } sort glob $node->dir . "/log/$topic-0/*$suffix" }

sub folders_of { my ($topic) = @_; return my @found = glob $node->dir . "/log/$topic-*-delete" }

sub send_at { my ($topic, $ms, $size) = @_; return $c->produce($topic, batch(timestamp => $ms, records => [ 'x' x ($size // 100) ])) }

# ---- what waits ---------------------------------------------------------------------------------------------

# Files and folders that are to go, with the clock set to so many days once they have got their names.
sub deletion_across {
    my ($days, $what) = @_;
    my ($kept, $dropped) = ("kept$days", "dropped$days");
    $c->make_topic($kept, 1, 'segment.bytes' => $MIB, 'retention.ms' => -1, 'file.delete.delay.ms' => 1000 * $DELAY);
    $c->make_topic($dropped);
    send_at($kept, now_ms(), 400_000) for 1 .. 5;
    send_at($dropped, now_ms());
    is($c->delete_records($kept, 4), 4, "$what: two segments are given up");
    my $begin = time;    # the files get their names in a moment
    is($c->delete_topic($dropped), 0, 'a topic, too');
    $node->wait_until('names to be given', sub { files($kept, '.log.deleted') == 2 && folders_of($dropped) == 1 });
    set_clock($days);
    $node->wait_until('the first to go', sub { files($kept, '.deleted') < 2 || !folders_of($dropped) }, $LATE);
    cmp_ok(time - $begin, '>=', $DELAY, "$what: not before their delay");
    ok(eval { $node->wait_until('all to go', sub { !files($kept, '.deleted') && !folders_of($dropped) }, $LATE) },
        'and not a day later') or diag $@;
    is($c->list_offset($kept, 0, -2), 4, 'the log start is as it was');
    return;
}

# A fetch that waits for what does not come.
sub fetch_across {
    my ($days, $what) = @_;
    my $begin = time;
    $c->tell(Fetch => 12, { max_wait_ms => 700, min_bytes => 1, max_bytes => $MIB,
        topics => [ { topic => 'acked', partitions => [ { partition => 0, fetch_offset => $acked->{serial}, partition_max_bytes => $MIB } ] } ] });
    $node->wait_until('the fetch to wait', sub { grep { $_->{title} =~ /\bFetch\b/i } $node->children_of_kind('backend') });
    set_clock($days);
    my $answer = $c->hear($LATE);
    my $took = time - $begin;
    ok($answer && $answer->{responses}[0]{partitions}[0]{error_code} == 0, "$what: a waiting fetch is answered") or return;
    cmp_ok($took, '>=', 0.69, 'not before its time');
    return;
}

# A client above its quota: throttled for what it sent, whatever the clock says.
sub quota_across {
    my ($days, $what) = @_;
    my $fast = Ottla::Test::Api->new($node, 'fast');
    my @told;
    for my $turn (1 .. 4) {
        set_clock($days) if $turn == 3;
        my $answer = $fast->ask(Produce => 9, { acks => 1, timeout_ms => 1000, topic_data => [ { name => 'quota',
            partition_data => [ { index => 0, records => batch(timestamp => now_ms(), records => [ 'x' x 30_000 ]) } ] } ] });
        push @told, $answer ? $answer->{throttle_time_ms} : undef;
    }
    is(scalar(grep { defined } @told), 4, "$what: a throttled client goes on");
    ok(!grep({ defined && $_ > 3000 } @told) && grep({ $_ } @told), "and waits as long as it would: @{[ map { $_ // 'none' } @told ]} ms");
    return;
}

$c->make_topic('quota');
$acked->make_topic('acked', 'retention.ms' => -1, 'acks.durability' => 'disk', 'message.timestamp.after.max.ms' => 10 * 1000 * $DAY);
is($c->alter_quota({ 'client-id' => 'fast' }, { producer_byte_rate => 60_000 }), 0, 'a quota');
for my $jump ([ 1, 'a day ahead' ], [ 0, 'back' ], [ -1, 'a day behind' ], [ 0, 'right again' ]) {
    my ($days, $what) = @$jump;
    my $before = $shift;
    fetch_across($days, $what);
    set_clock($before);
    quota_across($days, $what);
    set_clock($before);
    deletion_across($days, $what) if $days != 0 || $before != -1;
    set_clock($days);
    is($acked->produce('acked', 100), 0, "$what: acknowledged from the disk") for 1 .. 3;
}

# ---- what follows the clock -----------------------------------------------------------------------------------

$c->make_topic('aged', 1, 'retention.ms' => 3_600_000);
$c->make_topic('appended', 1, 'message.timestamp.type' => 'LogAppendTime', 'segment.ms' => 3_600_000, 'retention.ms' => -1);
$c->make_topic('producers');
is(send_at('aged', now_ms())->{error_code}, 0, 'a record of now');
is(send_at('appended', 0)->{error_code}, 0, 'another');
is($c->produce('producers', batch(timestamp => now_ms(), records => ['a'], producer_id => 4711, epoch => 0, sequence => 0))->{error_code}, 0, 'one of a producer');

sub known_producers {
    return map { $_->{producer_id} } @{ $c->ask(DescribeProducers => 0, { topics => [ { name => 'producers', partition_indexes => [0] } ] })
        ->{topics}[0]{partitions}[0]{active_producers} };
}
is_deeply([ known_producers() ], [4711], 'it is known');

my $true_now = now_ms();
set_clock(-1);    # to the past: the records lie in the future
is(send_at('aged', $true_now)->{error_code}, 32, 'a day behind: a timestamp of tomorrow is refused');
is(send_at('appended', 0)->{error_code}, 0, 'append time goes back');
is($c->produce('producers', batch(timestamp => now_ms(), records => ['b'], producer_id => 4711, epoch => 0, sequence => 1))->{error_code}, 0, 'the producer goes on');
is(scalar(files('appended', '.log')), 1, 'no new segment');
is($c->list_offset('aged', 0, -2), 0, 'what lies in the future stays');
is_deeply([ known_producers() ], [4711], 'a producer of the future, too');

set_clock(2);
$node->wait_until('the old record to go', sub { $c->list_offset('aged', 0, -2) == 1 }, $LATE);
pass('two days ahead: what is older than retention.ms goes');
is(send_at('aged', $true_now + 2 * 1000 * $DAY)->{base_offset}, 1, 'the log goes on');
is(send_at('appended', 0)->{error_code}, 0, 'append time goes on');
is(scalar(files('appended', '.log')), 2, 'in a new segment');
$node->wait_until('the producer to be forgotten', sub { !known_producers() }, $LATE);
pass('a producer expires after a day');
is($c->produce('producers', batch(timestamp => now_ms(), records => ['c'], producer_id => 4711, epoch => 0, sequence => 7))->{error_code}, 0,
    'and may go on, as one that is not known');
set_clock(0);
is($c->list_offset('aged', 0, -2), 1, 'right again: the record of the day after tomorrow stays');
is($c->produce('producers', batch(timestamp => now_ms(), records => ['d'], producer_id => 4711, epoch => 0, sequence => 9))->{error_code}, 45, 'the order of a producer is kept');
is($c->produce('producers', batch(timestamp => now_ms(), records => ['d'], producer_id => 4711, epoch => 0, sequence => 8))->{error_code}, 0, 'in all its lives');

# ---- other starts -----------------------------------------------------------------------------------------------

$acked->read_back('all that was acknowledged');
for my $how ('stop', 'kill9') {
    set_clock($how eq 'stop' ? -2 : 1);
    $node->$how;
    $node->start;
    $c = Ottla::Test::Api->new($node);
    $acked->connect($node);
    $acked->read_back("after $how with another clock");
    is($acked->produce('acked', 100), 0, 'and it goes on');
    is($c->list_offset('producers', 0, -1), 4, 'ends are as they were');
}
unlike($node->log_text, qr/PANIC|assert/i, 'no process failed');
is($node->stop, 0, 'stop');

# ---- idle connections ---------------------------------------------------------------------------------------

set_clock(0);
my $idle = Ottla::Test::Node->new(env => $node->{env}, conf => { 'connections.max.idle.ms' => 1000 * $IDLE })->start;
for my $days (1, 0) {
    my ($silent, $busy) = map { Ottla::Test::Api->new($idle) } 1 .. 2;
    ok($_->ask(ApiVersions => 0), 'connected') for $silent, $busy;
    my $begin = time;
    set_clock($days);
    my $ended = 0;
    while (!$ended && time - $begin < $LATE) {
        $busy->ask(ApiVersions => 0) or last;
        my $in = '';
        vec($in, fileno $silent->socket, 1) = 1;
        $ended = 1 if select($in, undef, undef, 0.1) && !sysread $silent->socket, my $byte, 1;
    }
    ok($ended, "clock set to day $days: a silent connection is closed");
    cmp_ok(time - $begin, '>=', $IDLE - 0.2, 'not before its time');
    ok($busy->ask(ApiVersions => 0), 'another one is not');
}
is($idle->stop, 0, 'stop');
done_testing;
