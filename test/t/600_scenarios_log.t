#!/usr/bin/perl
# 600_scenarios_log.t - the acceptance scenarios of the log, by their numbers: produce, fetch, offsets, restarts
#
# Each subtest is one scenario of the specification (log 1 to log 49); those of retention, disks, kills and
# hostile input stand in the tests of these areas, those of transactions, compaction and followers come
# with them.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches reseal);
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $node = Ottla::Test::Node->new(conf => { 'checkpoint.interval.ms' => 3600000, 'log.retention.ms' => -1 })->start;
my $c = Ottla::Test::Api->new($node);

sub end_of { my ($topic) = @_; return $c->offset_at($topic, -1)->{offset} }

# What is stored from an offset on.
sub stored { my ($topic, $offset) = @_; return batches($c->fetch($topic, $offset // 0)->{records}) }

subtest 'log 1: one record, as it was sent' => sub {
    $c->make_topic('plain');
    my $sent = batch(records => [ { key => 'k', value => 'v', headers => [ [ h => undef ] ] } ], timestamp => 1700000000000);
    my $p = $c->produce('plain', $sent, acks => 1);
    is("$p->{error_code} $p->{base_offset}", '0 0', 'error and base offset');
    my ($got) = stored('plain');
    is(substr($got->{raw}, 16), substr($sent, 16), 'the same bytes behind offset, length and leader epoch');
    ok($got->{crc_ok}, 'the checksum fits');
    is($got->{leader_epoch}, 0, 'leader epoch');
};

subtest 'log 2: every codec is stored as it came' => sub {
    for my $codec (qw(gzip snappy lz4 zstd)) {
        $c->make_topic("stream-$codec");
        my $sent = batch(records => [ map { "$codec $_ " . 'x' x 50 } 1 .. 20 ], codec => $codec);
        is($c->produce("stream-$codec", $sent)->{error_code}, 0, "$codec: taken");
        my ($got) = stored("stream-$codec");
        is($got->{payload}, substr($sent, 61), "$codec: the producer's stream");
    }
};

subtest 'log 3: another codec by the topic' => sub {
    $c->make_topic('recoded', 1, 'compression.type' => 'zstd');
    my @records = map { { key => "k$_", value => "v$_" } } 0 .. 9;
    my $sent = batch(records => \@records, codec => 'gzip', producer_id => 4711, epoch => 3, sequence => 0);
    is($c->produce('recoded', $sent)->{error_code}, 0, 'taken');
    my ($got) = stored('recoded');
    is("$got->{codec} $got->{producer_id} $got->{epoch} $got->{sequence}", 'zstd 4711 3 0', 'codec, producer and sequence');
    is(join(',', map { "$_->{key}=$_->{value}" } @{ $got->{records} }), join(',', map { "$_->{key}=$_->{value}" } @records), 'records');
    ok($got->{crc_ok}, 'the checksum fits');
};

subtest 'log 4: the broker\'s time' => sub {
    $c->make_topic('stamped', 1, 'message.timestamp.type' => 'LogAppendTime');
    my $before = int(time * 1000) - 1;
    my $p = $c->produce('stamped', batch(records => [ 'a', 'b' ], timestamp => 1000));
    my ($got) = stored('stamped');
    ok($got->{attributes} & 8, 'attribute');
    cmp_ok($got->{max_timestamp}, '>=', $before, 'time of the broker');
    is($p->{log_append_time_ms}, $got->{max_timestamp}, 'in the answer');
    is($_->{timestamp}, $got->{max_timestamp}, 'of every record') for @{ $got->{records} };
    ok($got->{crc_ok}, 'the checksum fits');
};

subtest 'log 5: a wrong largest timestamp is put right' => sub {
    $c->make_topic('mended');
    my $sent = batch(records => [ { value => 'a', timestamp => 5000 }, { value => 'b', timestamp => 7000 } ], max_timestamp => 9999);
    is($c->produce('mended', $sent)->{error_code}, 0, 'taken');
    my ($got) = stored('mended');
    is($got->{max_timestamp}, 7000, 'the largest of the records');
    ok($got->{crc_ok}, 'the checksum fits');
};

subtest 'log 6: a flipped bit' => sub {
    my $sent = batch(records => ['payload']);
    substr($sent, -3, 1) ^= "\x04";
    is($c->produce('plain', $sent)->{error_code}, 2, 'CORRUPT_MESSAGE');
    is(end_of('plain'), 1, 'nothing was appended');
};

subtest 'log 7: exactly as large as allowed' => sub {
    my $sent = batch(records => [ 'x' x 900 ]);
    $c->make_topic('tight', 1, 'max.message.bytes' => length $sent);
    is($c->produce('tight', $sent)->{error_code}, 0, 'exactly');
    is($c->produce('tight', batch(records => [ 'x' x 901 ]))->{error_code}, 10, 'one byte more: MESSAGE_TOO_LARGE');
};

subtest 'log 8: batches that no producer may send' => sub {
    $c->make_topic('bad', 6);
    my $good = batch(records => ['good']);
    my $old = batch(records => ['old'], magic => 1);
    my @wrong = (
        [ 'two batches' => $good . $good ],
        [ 'control batch' => reseal(batch(records => [ { key => "\0\0\0\1", value => "\0" x 6 } ], attributes => 0x20)) ],
        [ 'count and delta differ' => batch(records => [ 'a', 'b' ], last_offset_delta => 3) ],
        [ 'base offset 5' => batch(records => ['a'], base_offset => 5) ],
    );
    my $answer = $c->ask(Produce => 9, { acks => -1, timeout_ms => 10000, topic_data => [ { name => 'bad',
        partition_data => [ { index => 5, records => $good }, map { { index => $_, records => $wrong[$_][1] } } 0 .. $#wrong ] } ] });
    my %code = map { $_->{index} => $_->{error_code} } @{ $answer->{responses}[0]{partition_responses} };
    is($code{$_}, 87, "$wrong[$_][0]: INVALID_RECORD") for 0 .. $#wrong;
    is($code{5}, 0, 'the good partition of the same request');
    is($c->produce('bad', $old, partition => 4)->{error_code}, 87, 'an old format: INVALID_RECORD');
};

subtest 'log 9: a compacted topic wants keys' => sub {
    $c->make_topic('keyed', 1, 'cleanup.policy' => 'compact');
    my $p = $c->produce('keyed', batch(records => [ { key => 'a', value => 1 }, { value => 2 }, { key => 'c', value => 3 } ]));
    is($p->{error_code}, 87, 'INVALID_RECORD');
    is(join(',', map { $_->{batch_index} } @{ $p->{record_errors} }), '1', 'and which record');
    is(end_of('keyed'), 0, 'nothing was appended');
};

subtest 'log 10: records of the future' => sub {
    $c->make_topic('future', 1, 'message.timestamp.after.max.ms' => 3600000);
    my $now = int(time * 1000);
    my $p = $c->produce('future', batch(records => [ { value => 'now', timestamp => $now }, { value => 'then', timestamp => $now + 7200000 } ]));
    is($p->{error_code}, 32, 'INVALID_TIMESTAMP');
    is(join(',', map { $_->{batch_index} } @{ $p->{record_errors} }), '1', 'and which record');
    is($c->produce('future', batch(records => ['none'], timestamp => -1, max_timestamp => -1))->{error_code}, 0, 'no timestamp is fine');
};

subtest 'log 11: acks=0' => sub {
    my $quiet = Ottla::Test::Api->new($node);
    my $to = sub { { acks => 0, timeout_ms => 1000, topic_data => [ { name => $_[0], partition_data => [ { index => $_[1], records => batch(records => ['x']) } ] } ] } };
    $quiet->tell(Produce => 9, $to->('plain', 77));
    is($quiet->hear(10), undef, 'a missing partition: no answer, the connection ends');
    $quiet = Ottla::Test::Api->new($node);
    $quiet->tell(Produce => 9, $to->('plain', 0));
    shift @{ $quiet->{asked} };
    my $answer = $quiet->ask(Metadata => 12, { topics => [ { name => 'plain' } ] });
    is($answer->{topics}[0]{name}, 'plain', 'the next answer is that of the next request');
    is(end_of('plain'), 2, 'and the record is there');
};

subtest 'log 12: acks=2' => sub {
    is($c->produce('plain', batch(records => ['x']), acks => 2)->{error_code}, 21, 'INVALID_REQUIRED_ACKS');
};

subtest 'log 15: repetitions of an idempotent producer' => sub {
    $c->make_topic('once');
    my @sent = map { batch(records => ["b$_"], producer_id => 9, epoch => 0, sequence => $_) } 0 .. 6;
    is($c->produce('once', $_)->{error_code}, 0, 'taken') for @sent;
    my $p = $c->produce('once', $sent[3]);
    is("$p->{error_code} $p->{base_offset}", '0 3', 'the fifth last again: its offset');
    is(end_of('once'), 7, 'nothing was appended');
    is($c->produce('once', $sent[1])->{error_code}, 45, 'the sixth last: OUT_OF_ORDER_SEQUENCE_NUMBER');
};

subtest 'log 16: sequences and epochs' => sub {
    my $try = sub { $c->produce('once', batch(records => ['x'], producer_id => $_[0], epoch => $_[1], sequence => $_[2]))->{error_code} };
    is($try->(9, 0, 9), 45, 'a gap: 45');
    is($try->(10, 5, 0), 0, 'epoch 5');
    is($try->(10, 4, 1), 47, 'a lower epoch: INVALID_PRODUCER_EPOCH');
    is($try->(10, 6, 3), 45, 'a new epoch that does not start at 0: 45');
    is($try->(11, 0, 2147483647), 0, 'the last sequence');
    is($try->(11, 0, 0), 0, 'is followed by 0');
};

subtest 'log 23: a fetch that waits' => sub {
    $c->make_topic('awaited');
    my $waiter = Ottla::Test::Api->new($node);
    $waiter->tell(Fetch => 12, { max_wait_ms => 5000, min_bytes => 1, max_bytes => 1 << 20,
        topics => [ { topic => 'awaited', partitions => [ { partition => 0, fetch_offset => 0, partition_max_bytes => 1 << 20 } ] } ] });
    $node->wait_until('it waits', sub { grep { $_->{title} =~ /Fetch waiting/ } $node->children_of_kind('backend') });
    is($c->produce('awaited', batch(records => ['now']))->{error_code}, 0, 'appended by another connection');
    my $appended = time;
    my $answer = $waiter->hear(10);
    cmp_ok(time - $appended, '<', 0.5, 'answered at once');
    is((batches($answer->{responses}[0]{partitions}[0]{records}))[0]{records}[0]{value}, 'now', 'with the data');
};

subtest 'log 24: less than asked for' => sub {
    is($c->produce('awaited', batch(records => [ 'y' x 10000 ]))->{error_code}, 0, '10 kB');
    my $begin = time;
    my $p = $c->fetch('awaited', 1, min_bytes => 100000, max_wait_ms => 400);
    cmp_ok(time - $begin, '>=', 0.39, 'the wait was used up');
    cmp_ok(length $p->{records}, '>', 10000, 'what is there comes');
};

subtest 'log 25: the first batch comes whole' => sub {
    $c->make_topic('wide', 2);
    $c->produce('wide', batch(records => [ 'z' x 500000 ]), partition => $_) for 0, 1;
    my $answer = $c->ask(Fetch => 12, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1024,
        topics => [ { topic => 'wide', partitions => [ map { { partition => $_, fetch_offset => 0, partition_max_bytes => 1024 } } 0, 1 ] } ] });
    my @lengths = map { length $_->{records} } @{ $answer->{responses}[0]{partitions} };
    is(join(',', map { $_ > 500000 ? 'whole' : $_ } @lengths), 'whole,0', 'one whole batch, the other partition empty');
    $answer = $c->ask(Fetch => 12, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1 << 20,
        topics => [ { topic => 'wide', partitions => [ map { { partition => $_, fetch_offset => 0, partition_max_bytes => 1024 } } 0, 1 ] } ] });
    @lengths = map { length $_->{records} } @{ $answer->{responses}[0]{partitions} };
    is(join(',', map { $_ > 500000 ? 'whole' : $_ } @lengths), 'whole,0', '... no part of its batch, although there was room in the answer');
};

subtest 'log 26: offsets outside' => sub {
    is($c->fetch('plain', -5)->{error_code}, 1, 'below the start');
    is($c->fetch('plain', end_of('plain') + 1)->{error_code}, 1, 'behind the end');
    my $p = $c->fetch('plain', end_of('plain'));
    is("$p->{error_code} " . length($p->{records} // ''), '0 0', 'at the end: nothing');
};

sub session_fetch {
    my ($id, $epoch, @partitions) = @_;
    return $c->ask(Fetch => 12, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1 << 20, session_id => $id, session_epoch => $epoch,
        topics => @partitions ? [ { topic => 'parts', partitions => [ map { { partition => $_->[0], fetch_offset => $_->[1],
            partition_max_bytes => 1 << 20 } } @partitions ] } ] : [] });
}

subtest 'log 27: a session says what changed' => sub {
    $c->make_topic('parts', 3);
    my $full = session_fetch(0, 0, [ 0, 0 ], [ 1, 0 ], [ 2, 0 ]);
    cmp_ok($full->{session_id}, '>', 0, 'a session');
    my $empty = session_fetch($full->{session_id}, 1);
    is(scalar @{ $empty->{responses} }, 0, 'nothing new: nothing listed');
    $c->produce('parts', batch(records => ['x']), partition => 1);
    my $one = session_fetch($full->{session_id}, 2);
    is(join(',', map { $_->{partition_index} } map { @{ $_->{partitions} } } @{ $one->{responses} }), '1', 'only that one');
    is(session_fetch($full->{session_id}, 9)->{error_code}, 71, 'log 28: a wrong epoch');
    is(session_fetch(123456789, 1)->{error_code}, 70, 'an unknown session');
};

subtest 'log 28: a session by id asked by name' => sub {
    my $answer = $c->ask(Metadata => 12, { topics => [ { name => 'parts' } ] });
    my $by_id = $c->ask(Fetch => 13, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1 << 20, session_id => 0, session_epoch => 0,
        topics => [ { topic_id => $answer->{topics}[0]{topic_id}, partitions => [ { partition => 0, fetch_offset => 0, partition_max_bytes => 1 } ] } ] });
    my $mixed = session_fetch($by_id->{session_id}, 1);
    is("$mixed->{error_code} " . scalar @{ $mixed->{responses} }, '106 0', 'FETCH_SESSION_TOPIC_ID_ERROR, no partitions');
};

subtest 'log 29: every partition gets its turn' => sub {
    $c->make_topic('fair', 10);
    for my $p (0 .. 9) { $c->produce('fair', batch(records => [ 'd' x 1000 ]), partition => $p) for 1 .. 12 }
    my %offset = map { $_ => 0 } 0 .. 9;
    my $ask = sub {
        my ($id, $epoch, @which) = @_;
        return $c->ask(Fetch => 12, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1000, session_id => $id, session_epoch => $epoch,
            topics => @which ? [ { topic => 'fair', partitions => [ map { { partition => $_, fetch_offset => $offset{$_}, partition_max_bytes => 1100 } } @which ] } ] : [] });
    };
    my $answer = $ask->(0, 0, 0 .. 9);
    my ($id, %served) = ($answer->{session_id});
    for my $round (1 .. 11) { # the answer that made the session, and ten more
        %served = () if $round == 2;
        my @moved;
        for my $p (map { @{ $_->{partitions} } } @{ $answer->{responses} }) {
            my @b = batches($p->{records}) or next;
            $served{ $p->{partition_index} } = 1;
            $offset{ $p->{partition_index} } = $b[-1]{last_offset} + 1;
            push @moved, $p->{partition_index};
        }
        $answer = $ask->($id, $round, @moved);
    }
    is(scalar keys %served, 10, 'within ten incremental fetches');
};

subtest 'log 40: DeleteRecords' => sub {
    $c->make_topic('trimmed');
    $c->produce('trimmed', batch(records => [ map { "r$_" } 0 .. 9 ]));
    my $trim = sub { my $p = $c->ask(DeleteRecords => 2, { timeout_ms => 5000, topics => [ { name => $_[0], partitions => [ { partition_index => 0, offset => $_[1] } ] } ] })->{topics}[0]{partitions}[0]; "$p->{error_code} $p->{low_watermark}" };
    is($trim->('trimmed', 4), '0 4', 'into the middle of a batch');
    my ($got) = batches($c->fetch('trimmed', 4)->{records});
    is($got->{base_offset}, 0, 'a fetch at the new start brings the batch that holds it');
    is($c->fetch('trimmed', 3)->{error_code}, 1, 'below it: out of range');
    is($trim->('trimmed', 11), '1 -1', 'behind the high watermark');
    is($trim->('trimmed', -1), '0 10', 'all');
    is($trim->('keyed', -1), '44 -1', 'a topic that is only compacted: POLICY_VIOLATION');
};

subtest 'log 45: ListOffsets' => sub {
    $c->make_topic('listed');
    $c->produce('listed', batch(records => [ { value => 1, timestamp => 1000 }, { value => 2, timestamp => 3000 }, { value => 3, timestamp => 2000 } ]));
    my $at = sub { my $p = $c->offset_at('listed', @_); "$p->{error_code} $p->{offset} $p->{timestamp}" };
    is($at->(-1), '0 3 -1', 'latest');
    is($at->(-2), '0 0 -1', 'earliest');
    is($at->(-3), '0 1 3000', 'of the largest timestamp');
    is($at->(-4), '0 0 -1', 'earliest local');
    is($at->(-5, version => 9), '0 -1 -1', 'latest tiered');
    is($at->(3000), '0 1 3000', 'an exact time');
    is($at->(1500), '0 1 3000', 'between');
    is($at->(4000), '0 -1 -1', 'behind the end');
    is($c->offset_at('listed', -3, version => 6)->{error_code}, 35, '-3 in version 6: UNSUPPORTED_VERSION');
};

subtest 'log 46: topics made when asked for' => sub {
    my $ask = sub { $c->ask(Metadata => 12, { topics => [ { name => $_[0] } ], allow_auto_topic_creation => $_[1] })->{topics}[0] };
    is($ask->('not-made', 0)->{error_code}, 3, 'not allowed: unknown');
    is($ask->('made', 1)->{error_code}, 3, 'at first: unknown');
    my $topic;
    $node->wait_until('the topic', sub { $topic = $ask->('made', 0); !$topic->{error_code} });
    cmp_ok(scalar @{ $topic->{partitions} }, '>', 0, 'soon after: partitions');
    is($ask->('not-made', 0)->{error_code}, 3, 'never made');
    is($ask->('a/b', 1)->{error_code}, 17, 'an illegal name');
};

subtest 'log 47: versions that are not offered' => sub {
    my $w = Ottla::Test::Api->new($node);
    my $body = $w->call(18, 99, "\0\1\1\0");
    is(unpack('n', $body), 35, 'ApiVersions 99: 35, in the form of version 0');
    is_deeply([ unpack 'x2 N n n n', $body ], [ 1, 18, 0, 4 ], 'and its own range');
    is($w->ask(Metadata => 12, { topics => [] })->{topics}[0], undef, 'the connection goes on');
    is($w->call(0, 2, ''), undef, 'Produce 2: closed');
    is(Ottla::Test::Api->new($node)->call(3, 99, ''), undef, 'Metadata 99: closed');
};

subtest 'log 48: no frame at all' => sub {
    for my $bytes ("\x7f\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n") {
        my $w = Ottla::Test::Api->new($node);
        $w->send_bytes($bytes);
        is($w->receive(10), undef, 'closed');
    }
};

subtest 'log 49: answers in order' => sub {
    my $w = Ottla::Test::Api->new($node);
    my $begin = time;
    $w->tell(Fetch => 12, { max_wait_ms => 1000, min_bytes => 1, max_bytes => 1 << 20, topics => [ { topic => 'awaited',
        partitions => [ { partition => 0, fetch_offset => end_of('awaited'), partition_max_bytes => 1 << 20 } ] } ] });
    $w->tell(Metadata => 12, { topics => [ { name => $_ } ] }) for qw(plain once parts fair);
    is(length $w->hear(10)->{responses}[0]{partitions}[0]{records}, 0, 'the long poll first');
    cmp_ok(time - $begin, '>=', 0.99, 'after its wait');
    is($w->hear(10)->{topics}[0]{name}, $_, "then $_") for qw(plain once parts fair);
};

# ---- restarts ----

my $last = batch(records => ['last'], producer_id => 21, epoch => 0, sequence => 0);
$c->make_topic('kept');
$c->produce('kept', $last);

subtest 'log 33: a clean stop and start' => sub {
    is($node->stop('fast'), 0, 'stopped');
    ok(-e $node->dir . '/log/.kafka_cleanshutdown', 'the marker is there');
    my ($index) = glob $node->dir . '/log/fair-0/*.index';
    my $before = (stat $index)[9];
    $node->start;
    $c = Ottla::Test::Api->new($node);
    ok(!-e $node->dir . '/log/.kafka_cleanshutdown', 'and gone after the start');
    unlike($node->log_text, qr/recovered/, 'nothing was recovered');
    is((stat $index)[9], $before, 'indexes are used as they are');
    is($c->offset_at('trimmed', -2)->{offset}, 10, 'log start');
    is(end_of('fair'), 12, 'end');
};

subtest 'log 17: a repetition after a clean restart' => sub {
    my $p = $c->produce('kept', $last);
    is("$p->{error_code} $p->{base_offset} " . end_of('kept'), '0 0 1', 'known from the snapshot');
};

subtest 'log 18: a repetition after kill -9' => sub {
    my $second = batch(records => ['second'], producer_id => 21, epoch => 0, sequence => 1);
    is($c->produce('kept', $second)->{error_code}, 0, 'acknowledged');
    $node->kill9->start;
    $c = Ottla::Test::Api->new($node);
    my $p = $c->produce('kept', $second);
    is("$p->{error_code} $p->{base_offset} " . end_of('kept'), '0 1 2', 'known from the log');
};

subtest 'log 30: leader epochs' => sub {
    my $epoch = $c->ask(Metadata => 12, { topics => [ { name => 'kept' } ] })->{topics}[0]{partitions}[0]{leader_epoch};
    cmp_ok($epoch, '>', 0, 'a start after a kill begins a new one');
    is($c->fetch('kept', 0, current_leader_epoch => $epoch - 1)->{error_code}, 74, 'older: FENCED_LEADER_EPOCH');
    is($c->fetch('kept', 0, current_leader_epoch => $epoch + 1)->{error_code}, 75, 'newer: UNKNOWN_LEADER_EPOCH');
    my $id = $c->ask(Metadata => 12, { topics => [ { name => 'kept' } ] })->{topics}[0]{topic_id};
    my $answer = $c->ask(Fetch => 16, { max_wait_ms => 0, min_bytes => 1, max_bytes => 1024, topics => [ { topic_id => $id,
        partitions => [ { partition => 0, fetch_offset => 0, partition_max_bytes => 1024, current_leader_epoch => $epoch - 1 } ] } ] });
    my $p = $answer->{responses}[0]{partitions}[0];
    is($p->{current_leader}{leader_epoch}, $epoch, 'version 16 says who leads');
    is(scalar @{ $answer->{node_endpoints} // [] }, 1, 'and where');
};

# Changes files of a killed node and starts it.
sub meanwhile {
    my ($do) = @_;
    $node->kill9;
    $do->($node->dir . '/log');
    $node->log_new;
    $node->start;
    $c = Ottla::Test::Api->new($node);
}

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!"; local $/; return scalar <$f> }
sub append { my ($path, $bytes) = @_; open my $f, '>>:raw', $path or die "$path: $!"; print $f $bytes; close $f }

subtest 'log 34: garbage behind the last batch' => sub {
    meanwhile(sub { append("$_[0]/kept-0/00000000000000000000.log", 'garbage' x 30) });
    is(end_of('kept'), 2, 'cut at the last whole batch');
    $node->wait_for_log(qr/recovery cut the tail of a segment.*topic=kept/);
    is($c->produce('kept', batch(records => ['third']))->{base_offset}, 2, 'and it goes on');
};

sub fill {
    my ($topic) = @_;
    $c->make_topic($topic, 1, 'segment.bytes' => 1 << 20);
    $c->produce($topic, batch(records => [ chr(97 + $_) x 300000 ], timestamp => 1700000000000 + $_), acks => 1) for 0 .. 11;
}

subtest 'log 32: segments' => sub {
    fill('rolled');
    my @logs = map { (split m{/}, $_)[-1] } sort glob $node->dir . '/log/rolled-0/*.log';
    is("@logs", join(' ', map { sprintf '%020d.log', $_ } 0, 3, 6, 9), 'three batches each');
    is(join(' ', map { (split m{/}, $_)[-1] } sort glob $node->dir . '/log/rolled-0/*.snapshot'),
        join(' ', map { sprintf '%020d.snapshot', $_ } 3, 6, 9), 'a producer snapshot per roll');
    my $verify = ($ENV{OTTLA_BIN} // 'build/release/bin') . '/ottla-verify';
    my $said = `$verify -D @{[$node->dir]} --topic rolled`;
    is($?, 0, 'indexes fit') or diag($said);
};

subtest 'log 36: indexes lost or zero' => sub {
    my $expected = $c->offset_at('rolled', 1700000000007)->{offset};
    meanwhile(sub {
        unlink "$_[0]/rolled-0/00000000000000000000.index";
        my $time = "$_[0]/rolled-0/00000000000000000006.timeindex";
        my $size = -s $time;
        truncate $time, 0;
        append($time, "\0" x ($size || 12));
    });
    is($c->offset_at('rolled', 1700000000007)->{offset}, $expected, 'a time is found');
    is((stored('rolled', 1))[0]{base_offset}, 1, 'an offset, too');
    is(end_of('rolled'), 12, 'nothing is lost');
};

subtest 'log 35: damage before the end' => sub {
    fill('hurt');
    meanwhile(sub {
        my $path = "$_[0]/hurt-0/00000000000000000000.log";
        my $bytes = slurp($path);
        my $second = 12 + unpack 'N', substr $bytes, 8, 4;
        substr($bytes, $second + 100000, 1) ^= "\1";
        unlink $path;
        append($path, $bytes);
        unlink glob "$_[0]/recovery-point-offset-checkpoint";
    });
    is(end_of('hurt'), 1, 'the log ends before it');
    is(scalar(my @left = glob $node->dir . '/log/hurt-0/*.log'), 1, 'later segments are gone');
    is($c->produce('hurt', batch(records => ['on']))->{base_offset}, 1, 'and it goes on');
};

is($node->stop('fast'), 0, 'the node stops');
done_testing;
