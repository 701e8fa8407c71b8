#!/usr/bin/perl
# 313_move_log_dirs.t - AlterReplicaLogDirs moves logs between the directories of a node while they are used
#
# Proves: a log of many segments moves under an idempotent producer and a consumer, nothing lost, doubled or reordered,
# and its bytes are the same; DescribeLogDirs shows the future replica; a move is cancelled, replaced by another one,
# slowed down by its setting, ends with its topic, and is taken up after a restart; a full target changes nothing;
# the metadata names the new directory; kill -9 at every step leaves one whole log, which goes on (admin-and-security.md
# 2.10, log.md 14.6; V1 to V3 of storage/plog_move.h).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Disk;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);
use Ottla::Test::Crashpoints;
use Ottla::Test::Node;
use Ottla::Test::Sql;
use Test::More;
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(sleep);

my $SLOW    = 100_000;    # bytes a second: a move that does not end by itself
my $FAST    = 1 << 40;
my $PACE_S  = 0.002;      # of a producer, between records
my $test    = $$;         # its children end with it
my $base    = tempdir(CLEANUP => 1);
my $disk    = Ottla::Test::Disk::missing() ? undef : Ottla::Test::Disk->new(size_mb => 48);
my @dirs    = map { "$base/$_" } qw(a b c);
mkdir $_ or die "$_: $!" for @dirs;
my $node    = Ottla::Test::Node->new(
    conf => { 'log.dirs' => join(',', @dirs, $disk ? $disk->dir : ()), 'log.segment.delete.delay.ms' => 100, 'checkpoint.interval.ms' => 200 })->start;
my $c = Ottla::Test::Api->new($node);

# ---- asking ----

# Where the replicas of a topic are: { partition => [ present, future, lag, size of the future ] }.
sub places {
    my ($topic) = @_;
    my %found;
    for my $d (@{ $c->ask(DescribeLogDirs => 4, { topics => undef })->{results} }) {
        for my $t (grep { $_->{name} eq $topic } @{ $d->{topics} }) {
            for my $p (@{ $t->{partitions} }) {
                my $f = $found{ $p->{partition_index} } //= [];
                if ($p->{is_future_key}) { @$f[ 1 .. 3 ] = ($d->{log_dir}, $p->{offset_lag}, $p->{partition_size}) }
                else                     { $f->[0] = $d->{log_dir} }
            }
        }
    }
    return \%found;
}

sub place { my ($topic) = @_; return places($topic)->{0} // [] }

sub move {
    my ($path, $topic, $partition) = @_;
    my $answer = $c->ask(AlterReplicaLogDirs => 2, { dirs => [ { path => $path, topics => [ { name => $topic, partitions => [ $partition // 0 ] } ] } ] });
    return $answer->{results}[0]{partitions}[0]{error_code};
}

sub limit {
    my ($rate) = @_;
    return $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 4, resource_name => '1',
        configs => [ { name => 'replica.alter.log.dirs.io.max.bytes.per.second', config_operation => 0, value => $rate } ] } ] })->{responses}[0]{error_code};
}

sub arrived { my ($topic, $dir) = @_; return $node->wait_until("$topic in $dir", sub { my $p = place($topic); $p->[0] eq $dir && !defined $p->[1] }, 20) }

sub elsewhere { my ($topic) = @_; my $here = place($topic)->[0]; return grep { $_ ne $here } @dirs }

# Folders of a topic: "a/t-0 b/t-0.future".
sub folders {
    my ($topic, @kinds) = @_;
    return join ' ', map { my $d = $_; map { s/.*\///r =~ s/\.[0-9a-f]{32}-/./r =~ s/^/substr($d, -1) . '\/'/er } glob "$d/$topic-*" } @dirs;
}

sub settled { my ($topic, $want) = @_; return $node->wait_until("folders of $topic: $want", sub { folders($topic) eq $want }, 10) }

# ---- records ----

my $MIB = 1 << 20;
my $piece = batch(timestamp => int(Time::HiRes::time() * 1000) - 3_600_000, records => [ ('x' x 1000) x 250 ]);    # the broker gives offsets outside of what the checksum covers

sub fill {
    my ($topic, $count, $partition) = @_;
    for (1 .. $count) {
        my $code = $c->produce($topic, $piece, partition => $partition // 0)->{error_code};
        die "produce: $code\n" if $code;
    }
    return $count * 250;
}

# All bytes from an offset on; dies where offsets do not follow each other.
sub read_from {
    my ($topic, $offset) = @_;
    my $all = '';
    while (1) {
        my $answer = $c->fetch($topic, $offset);
        die "fetch at $offset: $answer->{error_code}\n" if $answer->{error_code};
        my $bytes = $answer->{records} // '';
        my $at = 0;
        while ($at + 61 <= length $bytes) {
            my ($first, $len, $delta) = unpack 'q> N x11 l>', substr $bytes, $at, 27;
            last if $at + 12 + $len > length $bytes;
            die "offset $first instead of $offset\n" if $all ne '' || $at ? $first != $offset : $first > $offset;
            $offset = $first + $delta + 1;
            $at += 12 + $len;
        }
        last if !$at;
        $all .= substr $bytes, 0, $at;
    }
    return wantarray ? ($all, $offset) : $all;
}

# Writes one record after the other, whatever happens, until it is told to stop: record n gets the offset base + n, or a
# complaint is given back. Idempotent: what is asked for again after a break is not there twice.
sub start_producer {
    my ($topic, $first) = @_;
    pipe my $from, my $to or die $!;
    my $pid = fork // die "fork: $!";
    if ($pid) { close $to; return { pid => $pid, from => $from } }
    my ($stop, $n, $said, $api, $id) = (0, 0, '');
    $SIG{TERM} = sub { $stop = 1 };
    while (!$stop && !$said && getppid() == $test) {
        eval {
            local $SIG{ALRM} = sub { die "silence\n" };
            alarm 5;
            $api //= Ottla::Test::Api->new($node);
            $id //= $api->ask(InitProducerId => 4, { transactional_id => undef, transaction_timeout_ms => 60000, producer_id => -1, producer_epoch => -1 })->{producer_id};
            my $answer = $api->produce($topic, batch(records => [ sprintf 'record %09d', $n ], producer_id => $id, epoch => 0, sequence => $n)) // die "broken\n";
            alarm 0;
            if    ($answer->{error_code} == 0) { $said = "record $n at $answer->{base_offset}" if $answer->{base_offset} != $first + $n; $n++ }
            elsif (!grep { $answer->{error_code} == $_ } 6, 7, 56) { $said = "record $n: error $answer->{error_code}" }
            1;
        } or undef $api;
        alarm 0;
        sleep $PACE_S;
    }
    syswrite $to, "$n $said";
    POSIX::_exit(0);
}

# How many were acknowledged; dies with the complaint.
sub stop_producer {
    my ($p) = @_;
    kill 'TERM', $p->{pid};
    my ($n, $said) = split / /, do { local $/; readline $p->{from} }, 2;
    waitpid $p->{pid}, 0;
    die "$said\n" if $said;
    return $n;
}

# Reads at the tail until so many records came; what was wrong with them, if anything.
sub start_consumer {
    my ($topic, $first) = @_;
    pipe my $from, my $to or die $!;
    my $pid = fork // die "fork: $!";
    if ($pid) { close $to; return { pid => $pid, from => $from } }
    my ($stop, $offset, $said) = (0, $first, '');
    $SIG{TERM} = sub { $stop = 1 };
    my $api = Ottla::Test::Api->new($node);
    while (!$stop && !$said && getppid() == $test) {
        my $answer = $api->fetch($topic, $offset, max_wait_ms => 100);
        $said = "error $answer->{error_code} at $offset" if $answer->{error_code};
        for my $b (batches($answer->{records} // '')) {
            $said = "not whole at $b->{base_offset}" if !$b->{crc_ok};
            for my $r (@{ $b->{records} }) {
                $said ||= "record at $r->{offset}: $r->{value}" if $r->{offset} != $offset || $r->{value} ne sprintf 'record %09d', $offset - $first;
                $offset++;
            }
        }
    }
    syswrite $to, ($offset - $first) . " $said";
    POSIX::_exit(0);
}

my %small = ('segment.bytes' => $MIB, 'file.delete.delay.ms' => 100);

# ---- the tests ----

subtest 'under load' => sub {
    $c->make_topic('t', 1, %small);
    my $first  = fill('t', 40);
    my $before = read_from('t', 0);
    my $here   = place('t')->[0];
    my @others = elsewhere('t');
    my $p = start_producer('t', $first);
    my $k = start_consumer('t', $first);
    for my $dir (@others, $here) {
        my $end = $c->offset_at('t', -1)->{offset};
        $node->wait_until('records', sub { $c->offset_at('t', -1)->{offset} > $end + 20 });
        is(move($dir, 't'), 0, "to $dir");
        arrived('t', $dir);
    }
    my $count = eval { stop_producer($p) } // diag $@;
    my $seen  = eval { stop_producer($k) } // diag $@;
    cmp_ok($count, '>', 10, 'records were taken meanwhile, each once and in order');
    cmp_ok($seen, '>', 10, 'and read');
    my ($after, $end) = read_from('t', 0);
    ok($end == $first + $count || $end == $first + $count + 1, 'the log ends behind the last one, or behind one that was not heard of any more');
    ok(substr($after, 0, length $before) eq $before, 'its first bytes are those of before');
    settled('t', substr($here, -1) . '/t-0');
    is(place('t')->[0], $here, 'it is back');
    my @last = map { $_->{records}[0]{value} } batches(read_from('t', $first));
    is_deeply(\@last, [ map { sprintf 'record %09d', $_ } 0 .. $end - $first - 1 ], 'all records of the producer');
};

subtest 'the future replica, cancelled and replaced' => sub {
    my ($first, $second) = elsewhere('t');
    my $here = place('t')->[0];
    my $end  = $c->offset_at('t', -1)->{offset};
    is(limit($SLOW), 0, 'slow');
    is(move($first, 't'), 0, 'a move begins');
    $node->wait_until('bytes of the copy', sub { (place('t')->[3] // 0) > 0 });
    my $p = place('t');
    is_deeply([ @$p[ 0, 1 ] ], [ $here, $first ], 'is in one directory, and in another in the future');
    cmp_ok($p->[3], '<', 2 * $MIB, 'not much was copied yet');
    cmp_ok($p->[2], '>', 0, 'it lags');
    cmp_ok($p->[2], '<=', $end, 'by no more than all');
    my $sql = Ottla::Test::Sql->new($node->address);
    is_deeply([ $sql->rows(q{SELECT is_future, lag_records > 0, lag_ms BETWEEN 3600000 AND 7200000 OR lag_records = lag_ms FROM replicas WHERE topic = 't' ORDER BY 1}) ],
        [ 'f|0|1', 't|1|1' ], 'and by the age of what it lacks');
    is(move($second, 't'), 0, 'another directory');
    $node->wait_until('another copy', sub { my $f = place('t'); ($f->[1] // '') eq $second && $f->[3] > 0 });
    settled('t', join ' ', sort substr($here, -1) . '/t-0', substr($second, -1) . '/t-0.future');
    is(move($here, 't'), 0, 'where it is: the move ends');
    is(place('t')->[1], undef, 'no future replica');
    settled('t', substr($here, -1) . '/t-0');
    is(move($first, 't'), 0, 'once more');
    is(limit($FAST), 0, 'fast');
    arrived('t', $first);
    is(($c->offset_at('t', -1)->{offset}), $end, 'arrives');
};

subtest 'what else happens to a log that moves' => sub {
    my %name = (rolled => 6, deleted => 6, emptied => 6);
    for my $topic (sort keys %name) { $c->make_topic($topic, 1, %small); fill($topic, $name{$topic}) }
    limit($SLOW);
    my ($to) = elsewhere('deleted');
    is(move($to, 'deleted'), 0, 'a topic that moves');
    $node->wait_until('its copy', sub { (place('deleted')->[3] // 0) > 0 });
    is($c->ask(DeleteTopics => 5, { topic_names => ['deleted'], timeout_ms => 5000 })->{responses}[0]{error_code}, 0, 'is deleted');
    settled('deleted', '');

    ($to) = elsewhere('emptied');
    is(move($to, 'emptied'), 0, 'a log that moves');
    $node->wait_until('its copy', sub { (place('emptied')->[3] // 0) > 0 });
    is($c->ask(DeleteRecords => 2, { timeout_ms => 5000, topics => [ { name => 'emptied', partitions => [ { partition_index => 0, offset => 1100 } ] } ] })->{topics}[0]{partitions}[0]{error_code},
        0, 'loses its first records');
    $c->produce('emptied', $piece);
    limit($FAST);
    arrived('emptied', $to);
    is($c->offset_at('emptied', -2)->{offset}, 1100, 'begins behind them where it arrives');
    my (undef, $end) = read_from('emptied', 1100);
    is($end, 1750, 'and ends where it ends');

    ($to) = elsewhere('rolled');
    move($to, 'rolled');
    arrived('rolled', $to);
    fill('rolled', 8);
    is((read_from('rolled', 0))[1], 3500, 'goes on and rolls');
    $c->make_topic('empty', 1);
    ($to) = elsewhere('empty');
    is(move($to, 'empty'), 0, 'a log without files');
    arrived('empty', $to);
    fill('empty', 1);
    settled('empty', substr($to, -1) . '/empty-0');
};

subtest 'a restart' => sub {
    my ($to) = elsewhere('t');
    my ($before, $end) = read_from('t', 0);
    my %where = map { $_ => place($_)->[0] } qw(rolled emptied empty);
    limit($SLOW);
    is(move($to, 't'), 0, 'while a log moves');
    $node->wait_until('its copy', sub { (place('t')->[3] // 0) > 0 });
    $node->restart('fast');
    $c = Ottla::Test::Api->new($node);
    is_deeply({ map { $_ => place($_)->[0] } sort keys %where }, \%where, 'the others are where they were');
    is($c->offset_at('emptied', -2)->{offset}, 1100, 'and begin where they began');
    is(place('t')->[1], $to, 'the move begins anew');
    limit($FAST);
    arrived('t', $to);
    settled('t', substr($to, -1) . '/t-0');
    ok(read_from('t', 0) eq $before, 'the same bytes');
    my ($id) = map { /^directory\.id=(\S+)/m } Ottla::Test::Node::slurp("$to/meta.properties");
    my $uuid = join '-', unpack 'H8 H4 H4 H4 H12', decode_base64($id =~ tr{-_}{+/}r . '==');
    my $log = qx{$ENV{OTTLA_BIN}/ottla-logdump --data --decode metadata --json \Q$dirs[0]\E/__cluster_metadata-0/00000000000000000000.log 2>&1};
    my ($last) = reverse grep { /PARTITION_?CHANGE/i && /directories":\s*\[/ } split /\n/, $log;
    like($last, qr/\Q$uuid\E/, 'the metadata names the directory') or diag $log;
};

subtest 'several at a time, and kill -9' => sub {
    my @topics = qw(m1 m2 m3);
    my (%to, %end);
    for my $topic (@topics) {
        $c->make_topic($topic, 1, %small);
        $end{$topic} = fill($topic, 8);
        ($to{$topic}) = elsewhere($topic);
    }
    limit($SLOW);
    move($to{$_}, $_) for @topics;
    for my $topic (@topics) {
        $node->wait_until("a copy of $topic", sub { (place($topic)->[3] // 0) > 0 });
    }
    pass('all of them have begun');
    my ($home) = place('m1')->[0];
    is(move($home, 'm1'), 0, 'one is taken back');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    is_deeply([ @{ place('m1') }[ 0, 1 ] ], [ $home, undef ], 'which is not forgotten');
    for my $topic (qw(m2 m3)) {    # taken up soon after the start, or it has ended
        $node->wait_until("the move of $topic", sub { my $p = place($topic); ($p->[1] // $p->[0]) eq $to{$topic} }, 20);
    }
    limit($FAST);
    arrived($_, $to{$_}) for qw(m2 m3);
    settled('m1', substr($home, -1) . '/m1-0');
    is((read_from($_, 0))[1], $end{$_}, "$_ is whole") for @topics;
};

subtest 'a full target' => sub {
    plan skip_all => Ottla::Test::Disk::missing() if !$disk;
    $disk->fill(3 * $MIB);
    my $here = place('t')->[0];
    my ($before, $end) = read_from('t', 0);
    is(move($disk->dir, 't'), 0, 'is asked for');
    $node->wait_for_log(qr/log cannot be moved and stays where it is/);
    is_deeply(place('t'), [$here], 'the log stays where it is');
    is(scalar(() = glob $disk->dir . '/t-*'), 0, 'nothing of it is left in the target');
    fill('t', 1);
    my ($after, $now) = read_from('t', 0);
    is($now, $end + 250, 'and goes on');
    $disk->make_room;
    is(move($disk->dir, 't'), 0, 'with room again');
    arrived('t', $disk->dir);
    ok(read_from('t', 0) eq $after, 'it moves');
    move($here, 't');
    arrived('t', $here);
};

is($node->stop('fast'), 0, 'the node ends in order');
unlike($node->log_text, qr/PANIC|ASSERT|cannot be opened/, 'nothing failed by itself');

subtest 'killed at every step' => sub {
    my @points = map { my %at = Ottla::Test::Crashpoints::names("src/storage/$_.c"); sort keys %at } qw(move_wish plog_move plog_move_switch);
    cmp_ok(scalar @points, '>', 8, 'points');
    my $rows = Ottla::Test::Crashpoints->new("$base/crashpoints");
    $node = Ottla::Test::Node->new($rows->node,
        conf => { 'log.dirs' => join(',', @dirs), 'log.segment.delete.delay.ms' => 100, 'checkpoint.interval.ms' => 200 });
    for my $d (@dirs) { system 'rm', '-rf', $d; mkdir $d or die $! }
    $node->start;
    $c = Ottla::Test::Api->new($node);
    $c->make_topic('k', 1, %small);
    my $first = fill('k', 6);
    my ($count, $wrong) = (0, 0);
    for my $point (@points) {
        my ($to) = elsewhere('k');
        my $p = start_producer('k', $first);
        my ($withdrawn) = $point =~ /withdrawn/;
        if ($withdrawn) {
            limit($SLOW);
            move($to, 'k');
        }
        $rows->arm(0, $point);
        eval { move($withdrawn ? place('k')->[0] : $to, 'k') };    # who is asked may be who dies
        $node->wait_until("death at $point", sub { $rows->died(0) }, 20);
        $node->kill9;
        my $under_way = grep { -s "$_/partition.metadata" } map { glob "$_/k-*future" } @dirs;    # without it is nobody's
        $node->start;
        $c = Ottla::Test::Api->new($node);
        limit($FAST);
        if ($withdrawn) { $node->wait_until('no move', sub { folders('k') !~ /future/ }, 20) }    # it may be withdrawn already
        elsif ($under_way) { arrived('k', $to) }
        my $n = eval { stop_producer($p) };
        diag $@ if !defined $n;
        my $end = eval { (read_from('k', 0))[1] } // "nothing: $@";
        ok(defined $n && $end >= $first + $n && $end <= $first + $n + 1, "$point: all is there") or diag 'acknowledged up to ' . ($first + ($n || 0)) . ", end $end";
        my $at = place('k')->[0];
        settled('k', substr($at, -1) . '/k-0');
        $first = $end;
    }
    is($node->stop('fast'), 0, 'the node ends in order');
    $node->start;
    $c = Ottla::Test::Api->new($node);
    is((read_from('k', 0))[1], $first, 'and starts again');
    is($node->stop('fast'), 0, 'and ends');
    unlike($node->log_text, qr/PANIC|AddressSanitizer|runtime error|cannot be opened/, 'no process failed by itself');
};

done_testing();
