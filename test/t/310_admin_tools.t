#!/usr/bin/perl
# 310_admin_tools.t - Kafka's own command-line tools against a node, unchanged
#
# Proves: topics, log-dirs, metadata-quorum, features, leader-election, reassign-partitions, configs (quotas
# and users), cluster and broker-api-versions do their work and print what they print for Kafka
# (admin-and-security.md 13; 14: 43 for one node). Each run is a JVM of half a second. Skipped where Kafka's
# jars or Java are not there: ../shared/peers/kafka fetch brings them.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Kafka qw(kafka_missing kafka_tool);
use Ottla::Test::Node;
use Test::More;

plan skip_all => kafka_missing() if kafka_missing();

my $node = Ottla::Test::Node->new->start;
my $work = tempdir(CLEANUP => 1);

# The tool ends with 0 (or exit), and says all of these.
sub says {
    my ($name, $args, @patterns) = @_;
    my $exit = ref $patterns[0] eq 'SCALAR' ? ${ shift @patterns } : 0;
    my ($got, $text) = kafka_tool($node->address, $name, @$args);
    my $what = "$name @$args";
    $what =~ s/\Q$work\E\///g;
    my @missing = grep { $text !~ $_ } @patterns;
    ok($got == $exit && !@missing, $what) or diag("exit $got, missing @missing in:\n$text");
    return $text;
}

# More of the same, where there is time.
sub also { return $ENV{OTTLA_LONG} ? says(@_) : () }

sub json { my ($name, $text) = @_; open my $f, '>', "$work/$name" or die $!; print {$f} $text; close $f; return "$work/$name" }

subtest topics => sub {
    says(topics => [qw(--create --topic t --partitions 2)], qr/^Created topic t\.$/m);
    also(topics => [qw(--create --topic t)], \1, qr/TopicExistsException/);
    says(topics => [qw(--alter --topic t --partitions 3)]);
    says(topics => [qw(--describe --topic t)], qr/PartitionCount: 3\s+ReplicationFactor: 1/, qr/Partition: 2\s+Leader: 1\s+Replicas: 1\s+Isr: 1/);
    also(topics => ['--list'], qr/^t$/m);
};

subtest 'log directories' => sub {
    my $dir = $node->dir . '/log';
    my $text = says('log-dirs' => ['--describe'], qr/"broker":1/, qr/"logDir":"\Q$dir\E"/);
    is(scalar(() = $text =~ /"partition":"t-\d","size":0,"offsetLag":0,"isFuture":false/g), 3, 'all partitions');
};

subtest 'the quorum' => sub {
    says('metadata-quorum' => [qw(describe --status)], qr/^LeaderId:\s+1$/m, qr/^MaxFollowerLag:\s+0$/m, qr/CurrentVoters:.*"id": 1/, qr/CONTROLLER:/);
    also('metadata-quorum' => [qw(describe --replication)], qr/^1\s+\S{22}\s+\d+\s+0\s+\d+\s+\d+\s+Leader/m);
};

subtest features => sub {
    says(features => ['describe'], qr/metadata\.version.*FinalizedVersionLevel: 4\.3-IV0/);
    says(features => [qw(downgrade --feature transaction.version=1)], qr/was downgraded to 1/);
    also(features => ['describe'], qr/transaction\.version.*FinalizedVersionLevel: 1\b/);
    says(features => [qw(upgrade --feature transaction.version=2)], qr/was upgraded to 2/);
    also(features => [qw(upgrade --feature group.version=9)], \1, qr/Could not upgrade group\.version/);
};

subtest 'elections' => sub {
    also('leader-election' => [qw(--election-type preferred --all-topic-partitions)]);
    says('leader-election' => [qw(--election-type preferred --topic t --partition 0)], qr/already elected for partitions t-0/);
    also('leader-election' => [qw(--election-type unclean --topic none --partition 0)], \1, qr/UnknownTopicOrPartition/);
};

subtest 'reassignments' => sub {
    my $dir = $node->dir . '/log';
    my $plan = json('plan.json', qq({"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":["any"]},)
        . qq({"topic":"t","partition":1,"replicas":[1],"log_dirs":["$dir"]}]}));
    my $topics = json('topics.json', '{"topics":[{"topic":"t"}],"version":1}');
    also('reassign-partitions' => [ '--topics-to-move-json-file', $topics, qw(--broker-list 1 --generate) ], qr/Proposed partition reassignment/);
    says('reassign-partitions' => [ '--reassignment-json-file', $plan, '--execute' ],
        qr/Successfully started partition reassignments for t-0,t-1/, qr/Successfully started moving log directory to \Q$dir\E/);
    says('reassign-partitions' => [ '--reassignment-json-file', $plan, '--verify' ], qr/t-0 is completed/, qr/replica t-1-1 completed/);
    also('reassign-partitions' => ['--list'], qr/No partition reassignments found/);
};

subtest 'quotas and users' => sub {
    my @bob = qw(--entity-type users --entity-name bob);
    says(configs => [ '--alter', '--add-config', 'producer_byte_rate=1000,request_percentage=12.5', @bob ], qr/Completed updating/);
    says(configs => [qw(--alter --add-config consumer_byte_rate=5000 --entity-type users --entity-default)], qr/Completed updating default/);
    says(configs => [qw(--describe --entity-type users)], qr/default user-principal are consumer_byte_rate=5000\.0/,
        qr/'bob' are .*producer_byte_rate=1000\.0/, qr/request_percentage=12\.5/);
    says(configs => [ '--alter', '--add-config', 'SCRAM-SHA-256=[iterations=5000,password=secret]', @bob ], qr/Completed updating/);
    says(configs => [ '--describe', @bob ], qr/SCRAM-SHA-256=iterations=5000/);
    also(configs => [ '--alter', '--delete-config', 'SCRAM-SHA-256', @bob ], qr/Completed updating/);
};

subtest 'cluster' => sub {
    also(cluster => ['list-endpoints'], qr/unfenced\s+broker/);
    says(cluster => [qw(unregister --id 55)], \1, qr/BrokerIdNotRegistered/);
    says('broker-api-versions' => [], qr/DescribeLogDirs\(35\): 1 to 5 \[usable: 5\]/, qr/AlterClientQuotas\(49\): 0 to 1/,
        qr/DescribeQuorum\(55\): 0 to 2/, qr/FindCoordinator\(10\): 0 to 6/, qr/EndTxn\(26\): UNSUPPORTED/);
    also(acls => ['--list'], \1, qr/SecurityDisabledException/);
};

is($node->stop('fast'), 0, 'the node ends in order');
done_testing();
