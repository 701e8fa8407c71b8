#!/usr/bin/perl
# 840_messages.t - table messages: what is fetched, where a query ends, what INSERT writes
#
# Proved: ranges of offsets, lower bounds of time and LIMIT decide what the node sends (its own count of the session's
# bytes); a query on a topic that is being written to ends; INSERT tells where messages went; any bytes, nulls and headers
# come back as they were; SCAN_LIMIT stops a query that reads too much; a query whose node dies ends with a fault.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);

my $bin = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
my $node = Ottla::Test::Node->new(conf => { 'num.partitions' => 3 });
$node->start;

# Exit code, output and errors of a session.
sub ottla {
    my (@args) = @_;
    my $errors = $node->dir . '/../errors';
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', $errors or POSIX::_exit(126);
        delete $ENV{ANSI_COLORS};
        exec "$bin/ottla", '-X', '-h', $node->dir, '-p', $node->port, @args or POSIX::_exit(127);
    }
    local $/;
    my $text = <$out>;
    close $out;
    my $exit = $? >> 8;
    open my $in, '<', $errors or die $!;
    return ($exit, $text, <$in> // '');
}

# Rows of a statement, columns joined by '|'.
sub rows {
    my (@statements) = @_;
    my ($exit, $text, $errors) = ottla('-qAt', map { ('-c', $_) } @statements);
    fail("@statements: $errors") if $exit != 0 || $errors ne '';
    return split /\n/, $text;
}

# What a statement costs: bytes that the node sent to this session while it ran, and the rows.
sub cost {
    my ($statement) = @_;
    my $own = q{SELECT 'bytes ' || bytes_out FROM activity WHERE client_id = 'ottla' ORDER BY connected DESC, pid DESC LIMIT 1};
    my @rows = rows($own, $own, $statement, $own);    # of the newest session: the one before may not be gone yet
    my @bytes = map { /^bytes (\d+)$/ } @rows;
    # The question itself costs the difference of the first two.
    return ($bytes[2] - $bytes[1] - ($bytes[1] - $bytes[0]), grep { !/^bytes / } @rows);
}

sub kcat {
    my ($topic, $partition, @lines) = @_;
    open my $kcat, '|-', 'kcat', '-b', $node->address, '-t', $topic, '-P', '-p', $partition, '-X', 'batch.num.messages=100'
        or die "kcat: $!";
    print $kcat map { "$_\n" } @lines;
    close $kcat or die 'kcat failed';
}

kcat('t', 0, map { sprintf '%05d %s', $_, 'x' x 994 } 0 .. 4999);
kcat('small', 0, 'first');
kcat('grows', 0, 'first');

subtest 'shell 21: a range of offsets, and nothing else, is fetched' => sub {
    my ($bytes, @rows) =
        cost('SELECT count(*) FROM messages WHERE topic = \'t\' AND partition = 0 AND offset BETWEEN 100 AND 199');
    is_deeply(\@rows, [100], 'a hundred messages');
    cmp_ok($bytes, '>', 100_000, 'they came');
    cmp_ok($bytes, '<', 330_000, 'with the batches that they lie in, and no more');
    my ($all) = cost("SELECT count(*) FROM messages('t')");
    cmp_ok($all, '>', 5_000_000, 'the whole topic costs its size');
    my ($few, @few) = cost("SELECT substr(value, 1, 5) FROM messages('t', 0) WHERE offset > 2000 LIMIT 3");
    is_deeply(\@few, [qw(02001 02002 02003)], 'LIMIT');
    cmp_ok($few, '<', 220_000, 'fetches a batch');
    my ($elsewhere, @none) = cost("SELECT count(*) FROM messages('t', 1)");
    is_deeply(\@none, [0], 'another partition');
    cmp_ok($elsewhere, '<', 5_000, 'costs nothing');
    is_deeply([ rows("SELECT min(offset), max(offset) FROM messages('t') WHERE offset < 10") ], ['0|9'], 'below');
    is_deeply([ rows("SELECT offset FROM messages('t') WHERE offset IN (7, 3000, 9999) ORDER BY 1") ], [7, 3000], 'a list');
    is_deeply([ rows("SELECT offset FROM messages('t') WHERE partition IN (0, 2) AND offset = 4999") ], [4999], 'the last');
    my ($plan) = rows("EXPLAIN QUERY PLAN SELECT * FROM messages('t') WHERE partition = 0 ORDER BY offset LIMIT 5");
    like($plan, qr/partition=0.* ordered limit/, 'order and limit are left to the table');
};

subtest 'shell 22: time bounds begin by ListOffsets; an open query ends although the topic grows' => sub {
    rows(q{INSERT INTO messages(topic, partition, value, timestamp_ms) } .
         q{SELECT 'small', 1, value, 1000000 + value * 1000 FROM (WITH RECURSIVE n(value) AS (SELECT 0 UNION ALL } .
         q{SELECT value + 1 FROM n WHERE value < 99) SELECT value FROM n)});
    is_deeply([ rows("SELECT count(*), min(value) FROM messages('small', 1) WHERE timestamp_ms >= 1050000") ],
        ['50|50'], 'from a time on');
    is_deeply([ rows("SELECT count(*) FROM messages('small', 1) WHERE timestamp_ms > 1050000 AND timestamp_ms <= 1060000") ],
        [10], 'and to one');
    my ($now) = rows('SELECT now_ms() + 1');
    rows("INSERT INTO messages(topic, partition, value, timestamp_ms) VALUES ('t', 0, 'young', $now)");
    my ($bytes, @rows) = cost("SELECT value FROM messages('t') WHERE timestamp_ms >= $now");
    is_deeply(\@rows, ['young'], 'the young one');
    cmp_ok($bytes, '<', 110_000, 'is all that is fetched');
    my ($explained) = grep { /API/ } rows("EXPLAIN SELECT * FROM messages('t') WHERE timestamp_ms >= 5");
    like($explained, qr/ListOffsets/, 'EXPLAIN says so');

    my $pid = fork() // die;
    if (!$pid) {
        open my $kcat, '|-', 'kcat', '-b', $node->address, '-t', 'grows', '-P', '-p', 2 or POSIX::_exit(1);
        $SIG{TERM} = sub { POSIX::_exit(0) };
        print $kcat 'x' x 200, "\n" while 1;
    }
    my $end = "SELECT end_offset FROM partitions WHERE topic = 'grows' AND partition = 2";
    comes_true(sub { (rows($end))[0] > 1000 }, 30) or die 'nothing is written';
    my ($before, $count) = rows($end, "SELECT count(*) FROM messages('grows', 2)");
    cmp_ok($count, '>=', $before, 'all that was there');
    ok(comes_true(sub { (rows($end))[0] > $count }, 30), 'and it ended while more came');
    kill 'TERM', $pid;
    waitpid $pid, 0;
};

subtest 'shell 24: INSERT, last_produced, tombstones, and bytes as they were' => sub {
    my @rows = rows(
        q{INSERT INTO messages(topic, partition, key, value, headers) VALUES } .
        q{('small', 2, 'a', 'one', NULL), ('small', 2, 'b', NULL, '[["h","x"],["h","y"],["none",null]]'), } .
        q{('small', 0, NULL, x'00ff80fe', '{"name":"value"}')},
        'SELECT last_insert_rowid()', 'SELECT * FROM last_produced');
    is($rows[0], 1, 'last_insert_rowid is the last offset');
    like($rows[1], qr/^small\|2\|0\|\d{13}$/, 'the first');
    like($rows[2], qr/^small\|2\|1\|\d{13}$/, 'the second');
    like($rows[3], qr/^small\|0\|1\|\d{13}$/, 'the third');
    is_deeply([ rows("SELECT key, value IS NULL, value_size IS NULL, headers FROM messages('small', 2)") ],
        [ 'a|0|0|[]', 'b|1|1|[["h","x"],["h","y"],["none",null]]' ], 'a tombstone, and headers');
    is_deeply([ rows(q{SELECT hex(value), header(headers, 'name') FROM messages('small', 0) WHERE offset = 1}) ],
        ['00FF80FE|value'], 'a blob');
    my $bytes = join '', map { chr } 0 .. 255;
    my $hex = unpack 'H*', $bytes x 50;
    rows("INSERT INTO messages(topic, partition, key, value) VALUES ('small', 0, x'$hex', x'$hex')");
    is_deeply([ rows("SELECT lower(hex(key)) = '$hex', lower(hex(value)) = '$hex' FROM messages('small', 0) WHERE offset = 2") ],
        [ '1|1' ], 'every byte');
    open my $kcat, '-|', 'kcat', '-b', $node->address, '-C', '-t', 'small', '-p', 0, '-o', 2, '-e', '-q', '-f', '%s' or die;
    local $/;
    ok(unpack('H*', <$kcat>) eq $hex, 'another client reads the same');
    close $kcat;
};

subtest 'forms of values' => sub {
    my $ask = "SELECT value FROM messages('small', 0) WHERE offset = 1";
    is((ottla('-qAt', '-v', "VALUE_FORMAT=$_->[0]", '-c', $ask))[1], "$_->[1]\n", $_->[0])
        for ['auto', '\\x00ff80fe'], ['hex', '00ff80fe'], ['base64', 'AP+A/g=='], ['json', '"AP+A/g=="'];
    is((ottla('-qAt', '-v', 'VALUE_FORMAT=json', '-c', "SELECT value FROM messages('small', 2) WHERE offset = 0"))[1],
        "\"one\"\n", 'text as JSON');
    my ($json) = rows("SELECT json_group_array(json(headers)) FROM messages('small', 2)");
    is_deeply(decode_json($json)->[1][0], [ 'h', 'x' ], 'headers are JSON');
};

subtest 'what is refused' => sub {
    my $refused = sub {
        my ($statement, $code, $text, @options) = @_;
        my ($exit, undef, $errors) = ottla('-v', 'VERBOSITY=verbose', @options, '-c', $statement);
        is($exit, 1, "$statement: exit code");
        like($errors, qr/ERROR:  $code: .*$text/s, 'and why');
    };
    $refused->('SELECT * FROM messages', '42601', 'which topic.*HINT');
    $refused->("SELECT * FROM messages('nope')", '42P01', 'does not exist');
    $refused->("SELECT * FROM messages('t', 0, 'dirty')", '22023', 'isolation');
    $refused->("SELECT count(*) FROM messages('t')", '54000', 'reads more than 100 messages.*SCAN_LIMIT', '-v', 'SCAN_LIMIT=100');
    $refused->("INSERT INTO messages(value) VALUES ('x')", '23502', 'needs a topic');
    $refused->("INSERT INTO messages(topic, value) VALUES ('nope', 'x')", '42P01', 'does not exist');
    $refused->("INSERT INTO messages(topic, partition, value) VALUES ('t', 3, 'x')", '42P01', 'no partition 3');
    $refused->("INSERT INTO messages(topic, offset) VALUES ('t', 3)", '0A000', 'given by the log');
    $refused->("DELETE FROM messages", '42501', '');
    is((ottla('-qAt', '-v', 'SCAN_LIMIT=100', '-c', "SELECT offset FROM messages('t') LIMIT 2"))[1], "0\n1\n", 'a LIMIT is below');
    $refused->("INSERT INTO messages(topic, partition, value) VALUES ('small', 0, 'first'), ('small', 0, zeroblob(2000000))", '54000', '');
};

subtest 'waiting for what comes' => sub {
    my $pid = open my $out, '-|', "$bin/ottla", '-XqAt', '-h', $node->dir, '-p', $node->port, '-c',
        "SELECT value FROM messages('small', 1, 'read_committed', 20000) WHERE offset >= 100 LIMIT 1" or die;
    rows("INSERT INTO messages(topic, partition, value) VALUES ('small', 1, 'came')");
    is(<$out>, "came\n", 'it came');
    close $out;
};

is($node->stop('fast'), 0, 'clean end');

subtest 'a node that dies in the middle' => sub {
    $node->start;
    my $errors = $node->dir . '/../errors';
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', $errors or POSIX::_exit(126);
        exec "$bin/ottla", '-XqAt', '-v', 'VERBOSITY=verbose', '-v', 'FETCH_COUNT=100', '-h', $node->dir, '-p', $node->port, '-c',
            "SELECT value FROM messages('t', 0)" or POSIX::_exit(127);
    }
    like(scalar <$out>, qr/^00000 x/, 'the first row');
    $node->kill9;
    my $rows = 1;
    $rows++ while <$out>;
    close $out;
    is($? >> 8, 2, 'exit code');
    cmp_ok($rows, '<', 5000, 'not all rows');
    open my $in, '<', $errors or die $!;
    like(do { local $/; <$in> }, qr/ERROR:  080(?:01|06): /, 'and why');
};
done_testing();
