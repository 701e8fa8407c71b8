#!/usr/bin/perl
# 851_explain.t - EXPLAIN: why segments stay, what replicas wait for, which requests would be sent
#
# Proves: EXPLAIN RETENTION says of each segment what the retention worker then does, for time, size, timestamps of the future,
# policies without deletion and the segment that is written to; EXPLAIN REPLICA shows records that are not on disk yet, too few
# replicas for acks=all, what is not there; EXPLAIN of a statement names the changes that it makes when it runs, and makes none.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

# Retention is looked at by hand: its interval is an hour until the end.
my $node = Ottla::Test::Node->new(conf => { 'log.retention.check.interval.ms' => 3_600_000 })->start;
my $shell = Ottla::Test::Shell->new(node => $node);
my $api = Ottla::Test::Api->new($node);
my $now = int(time * 1000);
my $HOUR = 3_600_000;

sub run { my ($text) = @_; my $r = $shell->run([qw(-X -At -F~ -P null=NULL -f -)], stdin => $text); diag($r->{err}) if $r->{err} =~ /ERROR/; return $r->{out} }
sub complains { my ($text) = @_; return $shell->run([qw(-X -At -v VERBOSITY=verbose -f -)], stdin => $text)->{err} }

# Records of a size at a time, a segment for each call.
sub segment {
    my ($topic, $timestamp) = @_;
    my $answer = $api->produce($topic, batch(records => [ { value => 'x' x 700_000, timestamp => $timestamp } ]));
    is($answer->{error_code}, 0, "a record in $topic");
    return;
}

# partition, segment, offsets, size, newest, goes, why
sub rows { my ($topic) = @_; return map { [ split /~/ ] } grep { /^\d+~/ } split /\n/, run("EXPLAIN RETENTION FOR TOPIC $topic;") }

subtest 'retention by time' => sub {
    run("CREATE TOPIC aged WITH (segment.bytes = 1MB, retention.ms = 2h, message.timestamp.after.max.ms = 999d);");
    segment('aged', $now - 3 * $HOUR);
    segment('aged', $now - $HOUR);
    segment('aged', $now + 48 * $HOUR);
    segment('aged', $now);
    my @rows = rows('aged');
    is_deeply([ map { $_->[1] } @rows ], [ 0, 1, 2, 3 ], 'four segments');
    is($rows[0][5], 'next check', 'the old one goes');
    like($rows[0][6], qr/^goes: older than retention\.ms$/, 'and why');
    like($rows[0][4], qr/^3h 0min ago$/, 'how old it is');
    like($rows[1][5], qr/^in (59min \d+s|1h 0min)$/, 'the next stays for an hour more');
    like($rows[2][5], qr/^in 2d (1h|2h)$/, 'a timestamp of the future holds a segment');
    like($rows[3][5], qr/^in 2d (1h|2h)$/, 'and those behind it');
    like($rows[2][4], qr/^in in|^in 1d 23h|^in 2d 0h/, 'it is told as one');
    like($rows[3][6], qr/\(written to\)$/, 'the last one is written to');
    my $out = $shell->run([ qw(-X -A -c), 'EXPLAIN RETENTION FOR TOPIC aged' ])->{out};
    like($out, qr/^4 segments of \d+ bytes, \d{6} of them go at the next check\.$/m, 'what there is in all');
    like($out, qr/^Settings: cleanup\.policy = delete, retention\.ms = 7200000, .*segment\.bytes = 1048576/m, 'the settings that decide');
};

subtest 'retention by size, and none' => sub {
    run("CREATE TOPIC sized WITH (segment.bytes = 1MB, retention.ms = -1, retention.bytes = 1MB);\n"
        . "CREATE TOPIC kept WITH (segment.bytes = 1MB, cleanup.policy = compact);\nCREATE TOPIC endless WITH (retention.ms = -1);");
    segment('sized', $now) for 1 .. 4;
    my @rows = rows('sized');
    is_deeply([ map { $_->[5] } @rows ], [ 'next check', 'next check', 'never by time', 'never by time' ], 'what is not needed for the size goes');
    like($rows[0][6], qr/retention\.bytes/, 'because of it');
    $api->produce('kept', batch(records => [ { key => 'k', value => 'v' } ]));
    $api->produce('endless', batch(records => ['v']));
    like((rows('kept'))[0][6], qr/cleanup\.policy does not delete/, 'compaction alone deletes no segment');
    like((rows('endless'))[0][6], qr/no limit/, 'no limit, no end');
    like(complains("EXPLAIN RETENTION FOR TOPIC nothing;"), qr/42P01: topic "nothing" does not exist\nLINE 1/, 'no such topic');
    like(complains("EXPLAIN RETENTION FOR TOPIC aged PARTITION 4;"), qr/22023: topic "aged" has no partition 4/, 'no such partition');
};

subtest 'the worker does what was said' => sub {
    my @goes = map { $_->[1] } grep { $_->[5] eq 'next check' } rows('sized');
    is_deeply(\@goes, [ 0, 1 ], 'two are to go');
    $node->stop('fast');
    $node->set('log.retention.check.interval.ms' => 100, 'log.initial.task.delay.ms' => 0)->start;
    $api = Ottla::Test::Api->new($node);
    $node->wait_until('the check', sub { $api->offset_at('sized', -2)->{offset} == 2 && $api->offset_at('aged', -2)->{offset} == 1 });
    is_deeply([ map { $_->[1] } rows('sized') ], [ 2, 3 ], 'those two went');
    is_deeply([ map { $_->[5] eq 'next check' } rows('aged') ], [ '', '', '' ], 'of the others none goes');
};

subtest 'replicas' => sub {
    run("CREATE TOPIC lazy WITH (acks.durability = memory, flush.messages = 1000000);\nCREATE TOPIC strict WITH (min.insync.replicas = 2);");
    $api->produce('lazy', batch(records => [ map { "v$_" } 1 .. 5 ]), acks => 1);
    my %lazy = map { (split /~/)[0, 2] } split /\n/, run("EXPLAIN REPLICA FOR TOPIC lazy PARTITION 0;");
    like($lazy{'high watermark'}, qr/^nothing: every in-sync replica/, 'one replica: nothing to wait for');
    like($lazy{'durable offset'}, qr/^(the next flush, for 5 records|nothing: all of it is on disk)/, 'what the disk lacks');
    like($lazy{'acks=all'}, qr/^the high watermark \(acks\.durability memory/, 'memory is enough here');
    like(run("EXPLAIN REPLICA FOR TOPIC strict PARTITION 0 ON BROKER 1;"), qr/^acks=all~NULL~refused with NOT_ENOUGH_REPLICAS: 1 in sync, min\.insync\.replicas is 2$/m, 'too few replicas');
    like(run("EXPLAIN REPLICA FOR TOPIC strict PARTITION 0;"), qr/^leader~broker 1, epoch \d+~nothing: it is the preferred one$/m, 'the leader');
    like(complains("EXPLAIN REPLICA FOR TOPIC strict PARTITION 3;"), qr/22023: topic "strict" has no partition 3\nLINE 1: .*\n +\^/, 'no such partition');
};

subtest 'statements' => sub {
    my $wire = Ottla::Test::Wire->new($node->connect_unix, 'watch');
    my $counts = sub { my %n; $n{ $_->{api} } += $_->{count} for @{ $wire->stat('requests') }; return \%n };
    my %changes = (
        'CREATE TOPIC made LIKE strict' => 'CreateTopics',
        'ALTER TOPIC lazy SET (retention.ms = 1d)' => 'IncrementalAlterConfigs',
        'ALTER TOPIC lazy ADD PARTITIONS 1' => 'CreatePartitions',
        'TRUNCATE TOPIC lazy PARTITION 0' => 'DeleteRecords',
        "CREATE USER u PASSWORD 'p'" => 'AlterUserScramCredentials',
        'ALTER QUOTA FOR USER u SET (producer_byte_rate = 1MB)' => 'AlterClientQuotas',
        'ALTER GROUP g RESET OFFSETS FOR TOPIC strict TO LATEST' => 'OffsetCommit',
        'ELECT PREFERRED LEADER FOR ALL' => 'ElectLeaders',
        'ALTER SYSTEM SET connections.max.idle.ms = 1h' => 'OttlaControl',
        "DROP TOPIC 'str*'" => 'DeleteTopics',
    );
    for my $statement (sort keys %changes) {
        my $api_name = $changes{$statement};
        my $before = $counts->();
        my $plan = run("EXPLAIN $statement;");
        my @planned = $plan =~ /^Change: (\w+) v\d+ to node 1$/mg;
        is_deeply([ sort { $a cmp $b } keys %{ { map { $_ => 1 } @planned } } ], [$api_name], "$statement: planned");
        is($counts->()->{$api_name} // 0, $before->{$api_name} // 0, 'not sent');
        run("$statement;");
        my ($got, $want) = (0, ($before->{$api_name} // 0) + @planned);
        comes_true(sub { ($got = $counts->()->{$api_name} // 0) >= $want }, 10);    # counted behind the answer
        is($got, $want, 'as many are sent when it runs');
    }
    like(run("EXPLAIN SHOW CONFIG FOR TOPIC lazy;"), qr/\ARead:   DescribeConfigs v\d+ to node 1\n\z/, 'what only reads is read, and shown as that');
};

done_testing();
