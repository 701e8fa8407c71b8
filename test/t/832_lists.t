#!/usr/bin/perl
# 832_lists.t - backslash commands that list things, against a node and against Apache Kafka
#
# Proves: \l looks as psql would print it, byte by byte; patterns; internal topics only by S; \d says what is set, who
# consumes and who may; each list command answers, or says which feature or server it needs; -E shows the queries; a list
# can be watched and printed in any format.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Kafka qw(kafka_missing kafka_node);
use Ottla::Test::Node;
use Ottla::Test::Sql;
use Test::More;

my @LISTS = qw(\l \dt \d \dp \dpu \dpo \dpm \dr \dR \dg \dP \dc \du \dq \db \dk \dm);
my @NODES = qw(\ds \dw \dconfig);

my $node = Ottla::Test::Node->new(conf => { 'offsets.topic.num.partitions' => 3 })->start;
my $api = Ottla::Test::Api->new($node);
my $shell = Ottla::Test::Sql->new($node->address);

$api->make_topic('orders', 12);
$api->make_topic('tmp-1', 1, 'retention.ms' => 1000, 'cleanup.policy' => 'compact');
$api->make_topic('tmp-2');
$api->produce('orders', batch(records => [qw(a b c)], timestamp => 1_772_362_800_000), partition => 1);
$node->wait_until('a coordinator', sub { $api->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['app'] })->{coordinators}[0]{error_code} == 0 });
$node->wait_until('an offset', sub {
    my $answer = $api->ask(OffsetCommit => 8, { group_id => 'app', generation_id_or_member_epoch => -1, topics => [
            { name => 'orders', partitions => [ { partition_index => 1, committed_offset => 1 } ] } ] });
    return !$answer->{topics}[0]{partitions}[0]{error_code};
});

sub shows { my ($text) = ($shell->run('-c', $_[0]))[1]; return $text }

subtest 'topics as psql prints them' => sub {
    my ($size) = $shell->rows(q{SELECT human_bytes(size_bytes) FROM topics WHERE topic = 'orders'});
    is($size, '85 B', 'a size');
    is(shows('\l'), <<"END", 'byte by byte');
                  List of topics
 Topic  | Partitions | Factor | Under-repl. | Size 
--------+------------+--------+-------------+------
 orders |         12 |      1 |           0 | $size
 tmp-1  |          1 |      1 |           0 |  0 B
 tmp-2  |          1 |      1 |           0 |  0 B
(3 rows)

END
    my ($raw) = $shell->rows(q{SELECT size_bytes FROM topics WHERE topic = 'orders'});
    is(join(',', $shell->rows('\l orders')), "orders|12|1|0|$raw", 'raw numbers where a program reads');
};

subtest 'patterns' => sub {
    is_deeply([ map { (split /\|/)[0] } $shell->rows('\l tmp-*') ], [ 'tmp-1', 'tmp-2' ], 'a star');
    is_deeply([ map { (split /\|/)[0] } $shell->rows('\l tmp-?') ], [ 'tmp-1', 'tmp-2' ], 'a question mark');
    is_deeply([ $shell->rows('\l TMP*') ], [], 'letters count');
    is_deeply([ $shell->rows('\l tmp') ], [], 'anchored');
    is_deeply([ $shell->rows(q{\l "o'"}) ], [], 'quotes are no syntax');
    ok(!grep({ /^__/ } $shell->rows('\l')), 'internal topics are not shown');
    ok(grep({ /^__consumer_offsets\|/ } $shell->rows('\lS')), 'but by S');
    ok(grep({ /^__consumer_offsets\|/ } $shell->rows('\l __*')), 'and by name');
};

subtest 'a topic' => sub {
    my $text = shows('\d orders');
    like($text, qr/^ +Topic "orders"\n/, 'title');
    like($text, qr/^ +1 \| +1 \| \[1\] +\| \[1\] .* 0 \| +3 \|/m, 'a partition');
    like($text, qr/^Groups:\n    app, lag 2$/m, 'who consumes it');
    like(shows('\d tmp-1'), qr/^Settings:\n    cleanup.policy = compact\n    retention.ms = 1000$/m, 'what is set');
    is(() = shows('\d tmp*') =~ /Topic "/g, 2, 'several by a pattern');
    my ($exit, undef, $errors) = $shell->run('-c', '\d nix');
    is($exit, 1, 'none: fails');
    like($errors, qr/no topic fits "nix"/, 'and says so');
};

subtest 'groups, settings, offsets' => sub {
    my $text = shows('\dg app');
    like($text, qr/List of groups.*Members of group "app".*Offsets of group "app".* orders \| +1 \| +1 \| +3 \| +2 \|/s, 'one group');
    is_deeply([ $shell->rows('\dc topic tmp-1') ], [ 'cleanup.policy|compact', 'min.insync.replicas|1', 'retention.ms|1000' ], 'settings of a topic')
        or diag join "\n", $shell->rows('\dc topic tmp-1');
    ok((grep { /^retention.bytes\|-1$/ } $shell->rows('\dcS topic tmp-1')), 'all of them by S');
    is_deeply([ $shell->rows('\dc topic tmp-1 retention.ms') ], ['retention.ms|1000'], 'by pattern');
    is_deeply([ grep { /^1\|/ } $shell->rows('\offsets orders') ], ['1|0|3'], 'offsets');
    like(join("\n", $shell->rows('\offsets orders 1970-01-01')), qr/^1\|0\|3\|0$/m, 'and those of a time');
};

subtest 'what the node says of itself' => sub {
    like(($shell->rows('\dconfig listeners'))[0], qr/^listeners\|PLAINTEXT:.*\|/, 'a setting');
    ok(!grep({ /^num.io.threads\|/ } $shell->rows('\dconfig')), 'defaults are not shown');
    ok(grep({ /^num.io.threads\|/ } $shell->rows('\dconfigS')), 'but by S');
    like(($shell->rows('\db'))[0], qr/\|Ottla \d+\.\d+/, 'its version');
};

subtest 'queries are shown' => sub {
    my ($exit, $text) = $shell->run('-E', '-At', '-c', '\l orders');
    like($text, qr/QUERY \*+\nSELECT topic AS "Topic".*\nFROM topics\nWHERE topic = 'orders'\nORDER BY 1\n\*+\n\n(?:--> \w+ v\d+ to node 1\n)+orders\|/s, 'before the result');
    ($exit, $text) = $shell->run('--json', '-c', '\dk');
    like($text, qr/"Role":\s*"leader"/, 'as JSON');
};

# All of them in one session.
sub all_answer {
    my ($s, $name, @commands) = @_;
    push @commands, map { "$_+" } grep { !/ / } @commands;
    my ($exit, $text, $errors) = $s->run(map { ('-c', '\echo === ' . substr($_, 1), '-c', $_) } @commands);
    is($errors, '', "$name: no errors");
    is_deeply([ $text =~ /^=== (.*)$/mg ], [ map { substr $_, 1 } @commands ], "$name: all were run");
    is(() = $text =~ /^===.*\n+(?====|\z)/mg, 0, "$name: each says something") or diag $text;
}

subtest 'each list, at a node' => sub {
    all_answer($shell, 'Ottla', @LISTS, @NODES);
    for my $command ('\dG', '\dM') {
        my ($exit, undef, $errors) = $shell->run('-v', 'VERBOSITY=verbose', '-c', $command);
        like($errors, qr/0A000: .*feature/, "$command names the feature it waits for");
    }
};

subtest 'shell 9: lists against Apache Kafka' => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    my $peer = kafka_node('authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer', 'super.users=User:ANONYMOUS');
    my $kafka = Ottla::Test::Sql->new($peer->{address});
    my $ask = Ottla::Test::Api->new($peer);
    $ask->make_topic('x', 2, 'retention.ms' => 1000);
    all_answer($kafka, 'Kafka', @LISTS, '\d x', '\dc topic x', '\da');
    $ask->ask(CreateAcls => 3, { creations => [ { resource_type => 2, resource_name => 'x', resource_pattern_type => 4,
                principal => 'User:alice', host => '*', operation => 3, permission_type => 3 } ] });
    like(($kafka->run('-c', '\d x'))[1], qr/Topic "x".*Settings:\n    retention.ms = 1000\nAccess:\n    User:alice allow read by prefix x$/ms, '\d');
    is_deeply([ $kafka->rows('\da TOPIC xyz') ], ['User:alice|allow|read|topic|x|prefixed|*'], 'ACLs of a topic, by prefix');
    is_deeply([ $kafka->rows('\da TOPIC y') ], [], '... or not');
    is_deeply([ map { (split /\|/)[0] } $kafka->rows('\da USER alice') ], ['User:alice'], 'those of a user');
    is_deeply([ $kafka->rows(q{SELECT operation, allowed, rule FROM effective_rights WHERE principal = 'User:alice'
        AND resource_type = 'topic' AND resource_name = 'xy' AND operation IN ('read', 'describe', 'write') ORDER BY 1}) ],
        [ 'describe|t|allow read on prefixed topic "x" to User:alice from *',
          'read|t|allow read on prefixed topic "x" to User:alice from *', 'write|f|no ACL allows it' ], 'what follows from them');
    like(join("\n", $kafka->rows('\db')), qr/\|Apache Kafka 4/, 'the server says what it is');
    for my $command ('\ds', '\dw', '\dconfig') {
        my (undef, undef, $errors) = $kafka->run('-v', 'VERBOSITY=verbose', '-c', $command);
        like($errors, qr/0A000: .*Ottla.*HINT/s, "$command says that it needs a node of ours");
    }
};

$node->stop;
done_testing;
