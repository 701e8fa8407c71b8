#!/usr/bin/perl
# 874_kafka_lock.t - a node and a broker of Apache Kafka never share a directory
#
# Proves scenario 31 of shell-and-service.md: whoever comes second fails on the lock, and the first goes on. Skipped where Kafka
# cannot be had.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Kafka qw(kafka_missing kafka_node);
use Ottla::Test::Node;

plan skip_all => kafka_missing() if kafka_missing();

my $kafka = kafka_node('process.roles=broker,controller');
my $dirs = "$kafka->{dir}/node/data";
my $node = Ottla::Test::Node->new(conf => { 'log.dirs' => $dirs, 'metadata.log.dir' => $dirs });
is($node->launch->wait_exit, 75, 'shell 31: a node on the directories of a running broker of Kafka ends with 75');
like($node->log_new, qr/\Q$dirs\E\/\.lock is locked by process \d+ \(\S*java /, 'and names it');
ok($kafka->connect_tcp, 'the broker goes on');
my ($port) = $kafka->{address} =~ /:(\d+)$/;
my ($home, $pid) = ($kafka->{dir}, $kafka->{pid});
kill KILL => $pid;
waitpid $pid, 0;    # with all its threads

$node->start;
my $c = Ottla::Test::Api->new($node);
$c->make_topic('ours');
is($c->produce('ours', batch(records => ['one']))->{error_code}, 0, 'a node takes them over');
my $starter = ($ENV{OTTLA_SHARED} // '../shared') . '/peers/kafka';
my $said = `KAFKA_HEAP=256m JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 timeout 60 $starter node $home/node $port 2>&1`;
isnt($? >> 8, 0, 'a broker of Kafka on the directories of a running node does not start');
like($said, qr/Failed to acquire lock on file \.lock in \Q$dirs\E/, 'and says why') or diag substr $said, -2000;
is($c->produce('ours', batch(records => ['two']))->{base_offset}, 1, 'the node goes on');
is($node->stop, 0, 'stop');
$node->clean_up;
done_testing;
