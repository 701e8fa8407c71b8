#!/usr/bin/perl
# 830_sql.t - SELECT against a node: what is asked for, what a statement sees, what is refused, how it is stopped
#
# Proves: a key asks for that thing alone; columns that cost a call are asked for when they are used; joins cost a bounded
# number of requests however many rows they have; each API is asked once per statement; EXPLAIN tells the calls without
# making any; views of the node are tables, by equal values filtered at the node; faults have their place; writing is
# refused but for TEMP and attached files; Ctrl-C ends a statement at once; reload(), terminate_backend().
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Sql;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $node = Ottla::Test::Node->new->start;
my $api = Ottla::Test::Api->new($node);
my $sql = Ottla::Test::Sql->new($node->address);
$api->make_topic(sprintf('t%03d', $_), 2) for 1 .. 60;
$api->produce('t001', batch(records => [qw(a b c)], timestamp => 1_772_362_800_000), partition => 1);

subtest 'what is asked for' => sub {
    is($sql->asks('SELECT 1'), 0, 'nothing for nothing');
    is($sql->asks(q{SELECT * FROM errors}), 0, 'errors are known');
    is($sql->asks(q{SELECT topic, partitions FROM topics}), 1, 'topics: one request');
    is($sql->asks(q{SELECT topic, cleanup_policy FROM topics}), 2, 'and one more for settings');
    is($sql->asks(q{SELECT count(*) FROM topics a, topics b, topics c WHERE a.topic = b.topic AND b.topic = c.topic}), 1,
        'three times the same table');
    is($sql->asks(q{SELECT count(*) FROM topics JOIN partitions USING (topic)}), 1, 'a join shares answers');
    is($sql->asks(q{SELECT start_offset, end_offset, size_bytes FROM partitions WHERE topic = 't001'}), 5,
        'metadata, two lists of offsets, brokers, directories');
    cmp_ok($sql->asks(q{SELECT t.topic, (SELECT sum(end_offset) FROM partitions p WHERE p.topic = t.topic) FROM topics t}), '<=', 80,
        'sixty topics, one by one: bounded');
    cmp_ok($sql->asks(q{SELECT count(*) FROM topics a JOIN configs c ON c.resource_type = 'topic' AND c.resource_name = a.topic
        AND c.name = 'retention.ms'}), '<=', 80, 'settings of sixty topics: bounded');
    my $one = q{SELECT 'bytes ' || bytes_out FROM activity WHERE client_id = 'ottla' AND state = 'active'};
    my @bytes = map { /^bytes (\d+)/ } $sql->rows($one, $one, q{SELECT count(*) FROM partitions WHERE topic = 't007'}, $one,
        q{SELECT count(*) FROM partitions}, $one);
    my $own = $bytes[1] - $bytes[0];
    cmp_ok(10 * ($bytes[2] - $bytes[1] - $own), '<', $bytes[3] - $bytes[2] - $own, 'one topic: a tenth of the bytes of sixty, or less');
};

subtest 'what it sees' => sub {
    is_deeply([ $sql->rows(q{SELECT topic, partition, start_offset, end_offset, max_timestamp, max_timestamp_ms FROM partitions
        WHERE topic IN ('t001', 'nix') AND partition = 1}) ],
        ['t001|1|0|3|2026-03-01T11:00:00.000+00:00|1772362800000'], 'a partition with its times');
    is_deeply([ $sql->rows(q{SELECT topic FROM topics WHERE topic = 't002' OR topic = 't004' ORDER BY 1 DESC}) ], [ "t004", "t002" ], "OR");
    is_deeply([ $sql->rows(q{SELECT topic, partition FROM partitions WHERE topic = 't004' OR (topic IN ('t004', 't005') AND partition = 1) ORDER BY 1, 2}) ],
        [ "t004|0", "t004|1", "t005|1" ], "OR of what overlaps");
    is_deeply([ $sql->rows(q{SELECT leader FROM partitions WHERE topic = 't004' OR topic = 't005'}) ], [ 1, 1, 1, 1 ], "rows that look alike are several");
    is_deeply([ $sql->rows(q{SELECT count(*) FROM partitions WHERE partition = '1'}) ], [60], 'a number as text');
    is_deeply([ $sql->rows(q{SELECT count(*) FROM partitions WHERE partition = NULL}) ], [0], 'NULL equals nothing');
    is_deeply([ $sql->rows(q{SELECT topic FROM topics ORDER BY topic LIMIT 2 OFFSET 1}) ], [ 't002', 't003' ], 'LIMIT and OFFSET with an order');
    is_deeply([ $sql->rows(q{SELECT count(*) FROM (SELECT * FROM topics LIMIT 7 OFFSET 3)}) ], [7], 'and without');
    is_deeply([ $sql->rows(q{SELECT t.topic, p.partition FROM topics t LEFT JOIN partitions p ON p.topic = t.topic AND p.partition = 7
        WHERE t.topic = 't001'}) ], ['t001|'], 'an outer join');
    is_deeply([ $sql->rows(q{CREATE TEMP TABLE k AS SELECT topic FROM topics WHERE topic < 't030'},
            q{SELECT count(*), sum(n_replicas) FROM k JOIN partitions USING (topic)}) ], ['58|58'], 'a join that comes with many keys');
    is_deeply([ $sql->rows(q{SELECT number FROM errors WHERE name = error_name(3)}) ], [3], 'a function');
    is_deeply([ $sql->rows(q{SELECT o."offset" FROM offsets_at('2026-03-01T11:00:00Z') o WHERE topic = 't001' AND partition = 1}) ], [0], 'a time');
    is($sql->state_of(q{SELECT * FROM offsets_at('some day')}), '22023', 'no time');
};

subtest 'views of the node' => sub {
    is_deeply([ $sql->rows(q{SELECT kind FROM (SELECT 'x' AS kind) WHERE EXISTS (SELECT 1 FROM processes WHERE title LIKE 'controller%')}) ],
        ['x'], 'processes');
    is_deeply([ $sql->rows(q{SELECT topic, partition, high_watermark FROM node_partitions WHERE topic = 't001' ORDER BY 2}) ],
        [ 't001|0|0', 't001|1|3' ], 'a view whose name the catalogue has');
    is_deeply([ $sql->rows(q{SELECT count(*) FROM node_partitions WHERE node_id = 1}, q{SELECT count(*) FROM node_partitions WHERE node_id IN (2, 3)}) ],
        [ 120, 0 ], 'by node');
    is_deeply([ $sql->rows(q{SELECT node_id, data->>'topic' FROM all_nodes('segments') WHERE data->>'topic' = 't001' LIMIT 1}) ], ['1|t001'], 'of all nodes');
    is_deeply([ $sql->rows(q{SELECT count(*) > 0, count(*) = sum(typeof(data->>'total_ms') = 'real') FROM all_nodes('requests')}) ], ['1|1'],
        'reals are numbers there, too');
    my @views = $sql->rows(q{SELECT DISTINCT view FROM columns});
    my %catalogue = map { /^node_(.*)/ ? ($1 => 1) : () } $sql->rows('SELECT 1 FROM processes LIMIT 0', 'SELECT name FROM pragma_module_list');
    is_deeply([ grep { $catalogue{$_} } @views ], [ sort keys %catalogue ], 'those that the catalogue has, too');
    my %table = map { $_ => $catalogue{$_} ? "node_$_" : $_ } @views;
    is_deeply([ $sql->rows(map { (qq{SELECT '$table{$_} ' || count(*) FROM columns WHERE view = '$_' AND "column" NOT IN
            (SELECT name FROM pragma_table_info('$table{$_}'))}, qq{SELECT count(*) >= 0 FROM $table{$_}}) } @views) ],
        [ map { ("$table{$_} 0", 1) } @views ], 'each view is a table with its columns');
};

subtest 'plans' => sub {
    my $plan = join "\n", $sql->rows(q{EXPLAIN SELECT t.topic, end_offset FROM topics t JOIN partitions p USING (topic) WHERE t.topic = 'a b'});
    like($plan, qr/SCAN t: topic = 'a b'\n  API calls: Metadata\nSCAN p: topic = .*\n  API calls: Metadata, ListOffsets$/, 'EXPLAIN');
    is($sql->asks(q{EXPLAIN SELECT * FROM partitions, topics, groups}), 0, 'asks for nothing');
    like(join("\n", $sql->rows(q{EXPLAIN QUERY PLAN SELECT * FROM topics WHERE topic IN ('a', 'b')})), qr/topics topic\[\] #/, 'EXPLAIN QUERY PLAN');
};

subtest 'what is refused' => sub {
    my @refused = (
        [ 'SELECT nope FROM topics', '42703' ], [ 'SELECT * FROM nope', '42P01' ], [ 'SELECT nope()', '42883' ],
        [ 'CREATE TABLE x(a)', '0A000' ], [ 'DELETE FROM topics', '42501' ], [ q{INSERT INTO groups(group_id) VALUES('a')}, '42501' ],
        [ 'PRAGMA synchronous = 0', '0A000' ], [ q{SELECT load_extension('x')}, '42501' ], [ 'SELECT * FROM hba_rules', '0A000' ],
        [ 'SELECT * FROM effective_rights', '42601' ], [ q{SELECT * FROM all_nodes}, '42601' ],
        [ q{WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT zeroblob(300000000)}, '54000' ]);
    my @states = $sql->states_of(map { $_->[0] } @refused);
    is($states[$_], $refused[$_][1], $refused[$_][0]) for 0 .. $#refused;
    my (undef, undef, $errors) = $sql->run('-c', 'SELECT topic, nope FROM topics');
    is($errors, qq{ERROR:  column "nope" does not exist\nLINE 1: SELECT topic, nope FROM topics\n                      ^\n}, 'the place');
    (undef, undef, $errors) = $sql->run('-c', 'SELECT * FROM topcs');
    like($errors, qr/Perhaps you meant "topics"/, 'a hint');
    my $file = $node->dir . '/../sql.db';
    is_deeply([ $sql->rows("ATTACH '$file' AS x", 'CREATE TABLE x.t AS SELECT topic FROM topics', 'SELECT count(*) FROM x.t') ], [60], 'a file');
    is_deeply([ $sql->rows("ATTACH '$file' AS x", 'SELECT count(*) FROM x.t') ], [60], '... keeps it');
};

subtest 'Ctrl-C' => sub {
    my $shell = Ottla::Test::Shell->new(node => $node);
    my $began = time;
    my $r = $shell->run([ '-X', '-c', q{WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n} ],
        while => sub {
            my ($pid) = @_;
            comes_true(sub { open my $f, '<', "/proc/$pid/stat" or return; (split ' ', <$f>)[13] > 10 }, 10); # it computes
            $began = time;
            kill 'INT', $pid;
        });
    cmp_ok(time - $began, '<', 2, 'ends a statement');
    like($r->{err}, qr/canceling statement due to user request/, 'and says so');
};

subtest 'orders to the node' => sub {
    is($sql->state_of('SELECT reload()'), '42501', 'not by anybody');
    my $super = Ottla::Test::Sql->new($node->dir . ':' . $node->port); # the owner, on the socket
    is_deeply([ $super->rows('SELECT reload()') ], [1], 'reload()');
    $node->wait_for_log(qr/reload|SIGHUP/i);
    my $other = $node->connect_tcp;
    my $pids = q{SELECT pid FROM activity WHERE client_port = } . $other->sockport;
    my $pid;
    $node->wait_until('the session to be seen', sub { ($pid) = $sql->rows($pids); defined $pid });
    is_deeply([ $super->rows("SELECT terminate_backend($pid)") ], [1], 'terminate_backend()');
    is(sysread($other, my $buffer, 1), 0, 'ends a session');
    is_deeply([ $super->rows('SELECT terminate_backend(1)') ], [0], 'a number that is none');
};

$node->stop;
done_testing;
