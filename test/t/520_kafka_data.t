#!/usr/bin/perl
# 520_kafka_data.t - a folder that Apache Kafka wrote opens and serves unchanged, and Kafka's tools read ours
#
# Proves, on folders of Kafka 4.3.1 (one stopped, one killed under load with torn tails): ids, settings and
# features of the cluster are those that Kafka answered; every batch comes back byte for byte; log starts,
# ends, last stable offsets, largest timestamps agree; of the killed one every acknowledged record is there.
# The other way round: dump-log, metadata-shell and a broker of Kafka's read what a node of ours wrote.
# Skipped where there are no such folders; the second half where Kafka's tools do not run.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Cwd qw(abs_path);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use MIME::Base64 qw(encode_base64url);
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);
use Ottla::Test::Node;
use Test::More;

my $peers = ($ENV{OTTLA_SHARED} // '../shared') . '/peers';
plan skip_all => "no folders of Kafka in $peers" if !-e "$peers/golden/node-1.tar.zst";
my $kafka = abs_path("$peers/kafka");
my $work = tempdir(CLEANUP => 1);

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!"; local $/; return scalar <$f> }

# A copy of the folder, what is known about it, and a node on it.
sub open_golden {
    my ($name) = @_;
    make_path("$work/$name");
    system('tar', '--zstd', '-xf', "$peers/golden/$name.tar.zst", '-C', "$work/$name") == 0 or die "tar: $?";
    my $known = decode_json(slurp("$peers/golden/$name.json"));
    system('cp', '-a', "$work/$name/data", "$work/$name/as-it-was") == 0 or die "cp: $?";
    my $node = Ottla::Test::Node->new(conf => { 'log.dirs' => "$work/$name/data", 'metadata.log.dir' => "$work/$name/data" })->start;
    return ($node, Ottla::Test::Api->new($node), $known);
}

# All bytes that a fetch gives from the log start up to an offset.
sub read_all {
    my ($c, $topic, $partition, $end) = @_;
    my ($bytes, $offset) = ('', $c->offset_at($topic, -2, partition => $partition)->{offset});
    while ($offset < $end) {
        my $p = $c->fetch($topic, $offset, partition => $partition);
        my @batches = batches($p->{records}) or last;
        $bytes .= $_->{raw} for @batches;
        $offset = $batches[-1]{last_offset} + 1;
    }
    return $bytes;
}

# What the .log files hold from the batch on that has an offset.
sub bytes_of_files {
    my ($folder, $from) = @_;
    my $bytes = join '', map { slurp($_) } sort glob "$folder/*.log";
    my $at = 0;
    while ($at + 61 <= length $bytes) {
        my ($base, $len, $delta) = unpack 'q> N x11 N', substr $bytes, $at, 27;
        last if $base + $delta >= $from;
        $at += 12 + $len;
    }
    return substr $bytes, $at;
}

sub lso { my ($c, $topic, $p) = @_; return $c->ask(ListOffsets => 8, { replica_id => -1, isolation_level => 1, topics => [ { name => $topic, partitions => [ { partition_index => $p, timestamp => -1 } ] } ] })->{topics}[0]{partitions}[0]{offset} }

sub check_topic {
    my ($c, $name, $topic, $said, $folder) = @_;
    is(encode_base64url($said->{topic_id}), $topic->{id}, "$name: id");
    is(scalar @{ $said->{partitions} }, scalar keys %{ $topic->{partitions} }, "$name: partitions");
    for my $p (sort { $a <=> $b } keys %{ $topic->{partitions} }) {
        my $known = $topic->{partitions}{$p};
        my $max = $c->offset_at($name, -3, partition => $p);
        is_deeply({ log_start => $c->offset_at($name, -2, partition => $p)->{offset}, hw => $c->offset_at($name, -1, partition => $p)->{offset},
                lso => lso($c, $name, $p), max_timestamp => [ $max->{offset}, $max->{timestamp} ] },
            { map { $_ => $known->{$_} } qw(log_start hw lso max_timestamp) }, "$name-$p: offsets");
        ok(read_all($c, $name, $p, $known->{hw}) eq bytes_of_files("$folder/$name-$p", $known->{log_start}), "$name-$p: every byte");
    }
}

sub configs_of {
    my ($c, $type, $name) = @_;
    my $answer = $c->ask(DescribeConfigs => 4, { resources => [ { resource_type => $type, resource_name => $name } ] });
    return { map { $_->{name} => $_->{value} } grep { $_->{config_source} == 1 } @{ $answer->{results}[0]{configs} } };
}

subtest 'a node that was stopped' => sub {
    my ($node, $c, $known) = open_golden('node-1');
    my $answer = $c->ask(Metadata => 12, {topics => undef});
    is($answer->{cluster_id}, $known->{cluster_id}, 'cluster id');
    my %said = map { $_->{name} => $_ } @{ $answer->{topics} };
    is(join(' ', sort keys %said), join(' ', sort keys %{ $known->{topics} }), 'topics');
    check_topic($c, $_, $known->{topics}{$_}, $said{$_}, "$work/node-1/as-it-was") for sort keys %{ $known->{topics} };
    # min.insync.replicas of a topic is dropped by Kafka when ELR is switched on: it is described with its default's source
    is_deeply(configs_of($c, 2, $_), $known->{topics}{$_}{configs}, "$_: settings") for sort keys %{ $known->{topics} };
    is($node->stop('fast'), 0, 'the node stops');
    my $verify = ($ENV{OTTLA_BIN} // 'build/release/bin') . '/ottla-verify';
    my $found = `$verify -D $work/node-1/data`;
    is($?, 0, 'its folder verifies clean') or diag($found);
};

subtest 'a node that was killed' => sub {
    my ($node, $c, $known) = open_golden('node-2-killed');
    my (%acked, %there);
    for my $row (@{ $known->{acked} }) {
        my %r;
        @r{ @{ $known->{acked_columns} } } = @$row;
        next if $r{topic} =~ /^crash-(?:compact|txn)$/; # a later record may have replaced it; a turn may be aborted
        push @{ $acked{"$r{topic} $r{partition}"} }, \%r;
    }
    for my $log (sort keys %acked) {
        my ($topic, $partition) = split ' ', $log;
        my $end = $c->offset_at($topic, -1, partition => $partition)->{offset};
        my %at = map { $_->{offset} => $_ } map { @{ $_->{records} // [] } } batches(read_all($c, $topic, $partition, $end));
        my @lost = grep {
            my $got = $at{ $_->{offset} };
            !$got || ($got->{key} // '') ne ($_->{key} // '') || $got->{value} ne $_->{value_byte} x $_->{value_size}
        } @{ $acked{$log} };
        is(scalar @lost, 0, "$log: all " . @{ $acked{$log} } . ' acknowledged records');
    }
    for my $topic (sort keys %{ $known->{torn_by_hand} }) {
        my $torn = $known->{torn_by_hand}{$topic};
        is(-s "$work/node-2-killed/data/$topic-0/$torn->{segment}", $torn->{valid_bytes}, "$topic: the torn tail is cut");
    }
    $node->kill9;
};

# ---- the other way round ----

my $node = Ottla::Test::Node->new(conf => { 'log.segment.bytes' => 1 << 20 })->start;
my $c = Ottla::Test::Api->new($node);
$c->make_topic('read-by-kafka', 2, 'retention.ms' => -1);
for my $codec (qw(none gzip lz4 zstd snappy)) {
    my @records = map { { key => "$codec$_", value => 'v' x 2000, headers => [ [ h => $_ ] ] } } 1 .. 120;
    $c->produce('read-by-kafka', batch(records => \@records, codec => $codec, producer_id => 5, epoch => 0, sequence => $_ * 120))->{error_code} == 0 or die
        for { none => 0, gzip => 1, lz4 => 2, zstd => 3, snappy => 4 }->{$codec};
}
for my $n (1 .. 30) { $c->produce('read-by-kafka', batch(records => [ 'w' x 90000 ]), partition => 1) }
is($node->stop('fast'), 0, 'the node stops');
my $log = $node->dir . '/log';
my $meta = $node->dir . '/meta/__cluster_metadata-0';

SKIP: {
    my $version = `$kafka tool dump-log --version 2>/dev/null`;
    skip "Kafka's tools do not run here", 3 if $? || $version !~ /\d/;

    subtest 'Kafka dumps our logs' => sub {
        my @files = map { sort glob "$log/read-by-kafka-$_/*.log" } 0, 1;
        cmp_ok(scalar @files, '>', 3, 'several segments');
        my $text = join '', map { `$kafka tool dump-log --deep-iteration --print-data-log --files $_ 2>&1` } join ',', @files;
        unlike($text, qr/isvalid: false|invalid bytes|Exception/, 'every batch is valid');
        is(() = $text =~ /^\| offset/mg, 630, 'every record is read');
        my $indexes = join ',', map { s/log$/index/r, s/log$/timeindex/r } @files;
        $text = `$kafka tool dump-log --index-sanity-check --files $indexes 2>&1`;
        unlike($text, qr/Exception|corrupt|mismatch|not monotonic/i, 'indexes are sane');
        my ($snapshot) = sort glob "$log/read-by-kafka-0/*.snapshot";
        like(`$kafka tool dump-log --files $snapshot 2>&1`, qr/^producerId: 5 /m, 'producers');
    };

    subtest 'Kafka dumps our metadata' => sub {
        my ($segment) = glob "$meta/*.log";
        my $text = `$kafka tool dump-log --cluster-metadata-decoder --files $segment 2>&1`;
        like($text, qr/"TOPIC_RECORD".*"name":"read-by-kafka"/, 'records are decoded');
        unlike($text, qr/isvalid: false|Exception|Error at/, 'and all are valid');
        my @snapshots = sort glob "$meta/*.checkpoint";
        $text = `$kafka tool metadata-shell --snapshot $segment ls /image/topics/byName 2>&1`;
        like($text, qr/read-by-kafka/, 'metadata-shell loads the log');
        cmp_ok(scalar @snapshots, '>', 0, 'there is a snapshot');
        unlike(`$kafka tool dump-log --cluster-metadata-decoder --files $snapshots[-1] 2>&1`, qr/isvalid: false|Exception|Error at/, 'and it is valid');
    };

    subtest 'a broker of Kafka goes on where we stopped' => sub {
        my $port = $node->port;
        my $dir = "$work/kafka";
        make_path($dir);
        my $properties = "$dir/server.properties";
        open my $out, '>', $properties or die;
        print $out map { "$_\n" } 'process.roles=broker,controller', 'node.id=1', "log.dirs=$log", "metadata.log.dir=@{[$node->dir]}/meta",
            "listeners=PLAINTEXT://localhost:$port,CONTROLLER://localhost:@{[$port + 1]}", "advertised.listeners=PLAINTEXT://localhost:$port",
            'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT', 'controller.listener.names=CONTROLLER',
            "controller.quorum.bootstrap.servers=localhost:@{[$port + 1]}";
        close $out;
        make_path("$dir/data");
        open my $formatted, '>', "$dir/data/meta.properties" or die; # what the starter looks for
        close $formatted;
        my $pid = fork // die;
        if (!$pid) {
            open STDOUT, '>', "$dir/out";
            open STDERR, '>&', \*STDOUT;
            $ENV{PROPERTIES} = $properties;
            $ENV{KAFKA_HEAP} = '300m';
            exec $kafka, 'node', $dir, $port or POSIX::_exit(127);
        }
        my $answer;
        my $up = eval {
            $node->wait_until('Kafka', sub {
                my $k = eval { Ottla::Test::Api->new($node) } or return 0;
                $answer = eval { $k->ask(Metadata => 12, { topics => [ { name => 'read-by-kafka' } ], allow_auto_topic_creation => 0 }) } or return 0;
                my $t = $answer->{topics}[0];
                return !$t->{error_code} && !grep { $_->{leader_id} != 1 } @{ $t->{partitions} };
            }, 60);
            1;
        };
        ok($up, 'starts and leads our partitions') or diag($@, slurp("$dir/out"));
        if ($up) {
            my $k = Ottla::Test::Api->new($node);
            my $end = $k->offset_at('read-by-kafka', -1)->{offset};
            is($end, 600, 'the log ends where it ended');
            ok(read_all($k, 'read-by-kafka', 0, $end) eq join('', map { slurp($_) } sort glob "$log/read-by-kafka-0/*.log"), 'every byte');
            is($k->produce('read-by-kafka', batch(records => ['on'], producer_id => 5, epoch => 0, sequence => 600))->{base_offset}, 600, 'and its producer goes on');
        }
        kill KILL => $pid;
        waitpid $pid, 0;
    };
}
done_testing;
