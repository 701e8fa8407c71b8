#!/usr/bin/perl
# 882_kafka_tools.t - which of Kafka's command-line tools work with a node, and with which options
#
# Proves: each tool of ottla-kafka-tools(7) does what the page says of it: those that work end with 0 and print what they print for
# Kafka, those that do not are refused cleanly. The page and the runs here name the same tools and the same options. All run in
# one virtual machine (test/clients/KafkaTools.java). Skipped where Kafka's jars or Java are not there: ../shared/peers/kafka
# fetch brings them.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use IPC::Open2;
use Ottla::Test::Kafka qw(kafka_missing);
use Ottla::Test::Node;
use Test::More;

my $kafka = ($ENV{OTTLA_SHARED} // '../shared') . '/peers/kafka';
my $work  = tempdir(CLEANUP => 1);
my %class = Ottla::Test::Node::slurp($kafka) =~ /^\s+\[([\w-]+)\]=(\S+)$/mg;

# ---- the runs -------------------------------------------------------------------------------------

sub file { my ($name, $text) = @_; open my $f, '>', "$work/$name" or die $!; print {$f} $text; close $f; return "$work/$name" }

my $node = kafka_missing() ? undef : Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'offsets.topic.num.partitions' => 1 })->start;
my $plan = file('plan.json', '{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":["any"]}]}');
my $move = file('move.json', '{"version":1,"topics":[{"topic":"t"}]}');
my $cut  = file('cut.json', '{"version":1,"partitions":[{"topic":"t","partition":2,"offset":1}]}');
my $adds = file('add.properties', "retention.ms=60000\n");
my $props = file('client.properties', "client.id=tools\n");
my $segment = $node ? $node->dir . '/log/t-2/00000000000000000000.log' : '';

# Records with the key k lie in partition 2. Tool, arguments, what it says, and more: exit (0), input, command (words in front of --bootstrap-server), plain (without it).
my @runs = (
    [ topics => '--create --topic t --partitions 2 --replication-factor 1 --config retention.ms=100000', qr/^Created topic t\.$/m ],
    [ topics => '--create --topic t --if-not-exists', undef ],
    [ topics => '--alter --topic t --partitions 3', undef ],
    [ topics => '--list --exclude-internal', qr/^t$/m ],
    [ topics => '--describe --topic t', qr/PartitionCount: 3\s+ReplicationFactor: 1\s+Configs:.*retention\.ms=100000/ ],
    [ topics => '--describe --under-replicated-partitions', undef ],
    [ topics => '--describe --unavailable-partitions', undef ],
    [ topics => '--create --topic gone', qr/Created/ ],
    [ topics => '--delete --topic gone', undef ],
    [ topics => '--delete --topic nothing --if-exists', undef ],
    [ configs => '--alter --entity-type topics --entity-name t --add-config cleanup.policy=compact,max.message.bytes=2000000', qr/Completed updating/ ],
    [ configs => "--alter --entity-type topics --entity-name t --add-config-file $adds", qr/Completed updating/ ],
    [ configs => '--alter --entity-type topics --entity-name t --delete-config cleanup.policy', qr/Completed updating/ ],
    [ configs => '--describe --entity-type topics --entity-name t', qr/max\.message\.bytes=2000000/ ],
    [ configs => '--describe --entity-type brokers --entity-name 1 --all', qr/log\.segment\.bytes=1073741824/ ],
    [ configs => '--alter --entity-type brokers --entity-default --add-config log.retention.ms=5000000', qr/Completed updating/ ],
    [ configs => '--describe --entity-type brokers --entity-default', qr/log\.retention\.ms=5000000/ ],
    [ configs => '--alter --entity-type users --entity-name bob --add-config producer_byte_rate=1000', qr/Completed updating/ ],
    [ configs => '--alter --entity-type clients --entity-name app --add-config consumer_byte_rate=2000', qr/Completed updating/ ],
    [ configs => '--describe --entity-type users --entity-name bob', qr/producer_byte_rate=1000/ ],
    [ 'console-producer' => '--topic t --reader-property parse.key=true --reader-property key.separator=:', undef, input => 'k:a\nk:b\nk:c\n' ],
    [ 'console-producer' => "--topic t --command-property acks=all --command-config $props", undef, input => 'd\n' ],
    [ 'console-consumer' => '--topic t --from-beginning --max-messages 4 --group readers --timeout-ms 15000', qr/^a\nb\nc$/m ],
    [ 'console-consumer' => '--topic t --partition 2 --offset earliest --max-messages 1 --formatter-property print.key=true --timeout-ms 15000', qr/^k\ta$/m ],
    [ 'console-consumer' => '--topic t --from-beginning --max-messages 4 --command-property group.protocol=consumer --timeout-ms 15000', qr/^a\nb\nc$/m ],
    [ 'verifiable-producer' => '--topic t --max-messages 5 --throughput -1 --acks -1', qr/startup_complete/ ],
    [ 'verifiable-consumer' => '--topic t --group-id readers --max-messages 5 --reset-policy earliest', qr/"records_consumed"/ ],
    [ 'producer-perf-test' => '--topic t --num-records 100 --record-size 100 --throughput -1', qr/^100 records sent/m ],
    [ 'consumer-perf-test' => '--topic t --num-records 50 --timeout 15000', qr/^\d{4}-.*, \d+\.\d+,/m ],
    [ 'e2e-latency' => '--topic t --num-records 5 --producer-acks all --record-size 100', qr/Avg latency/ ],
    [ 'get-offsets' => '--topic t --time -1', qr/^t:0:\d+$/m ],
    [ 'get-offsets' => '--topic-partitions t:2 --time earliest', qr/^t:2:0$/m ],
    [ 'delete-records' => "--offset-json-file $cut", qr/low_watermark: 1/ ],
    [ groups => '--list', qr/^readers\s+Classic\s+consumer/m ],
    [ 'consumer-groups' => '--list --state', qr/^readers\s+Empty/m ],
    [ 'consumer-groups' => '--describe --group readers --offsets', qr/^readers\s+t\s+2\s+\d+\s+\d+\s+\d+/m ],
    [ 'consumer-groups' => '--describe --group readers --members --verbose', qr/no active members/ ],
    [ 'consumer-groups' => '--describe --all-groups --state', qr/readers.*Empty\s+0/s ],
    [ 'consumer-groups' => '--reset-offsets --group readers --topic t --to-earliest --dry-run', qr/^readers\s+t\s+2\s+1/m ],
    [ 'consumer-groups' => '--reset-offsets --group readers --all-topics --shift-by -1 --execute', qr/^readers\s+t/m ],
    [ 'consumer-groups' => '--reset-offsets --group readers --topic t --to-latest --export --dry-run', qr/^t,2,\d+$/m ],
    [ 'consumer-groups' => '--delete-offsets --group readers --topic t:2', qr/Successful/ ],
    [ 'consumer-groups' => '--delete --group readers', qr/was successful/ ],
    [ 'streams-application-reset' => '--application-id app --input-topics t --to-earliest --dry-run --force', qr/t/ ],
    [ 'log-dirs' => '--describe --topic-list t --broker-list 1', qr/"partition":"t-0"/ ],
    [ 'reassign-partitions' => "--topics-to-move-json-file $move --broker-list 1 --generate", qr/Proposed partition reassignment/ ],
    [ 'reassign-partitions' => "--reassignment-json-file $plan --execute", qr/Successfully started/ ],
    [ 'reassign-partitions' => "--reassignment-json-file $plan --verify", qr/is completed/ ],
    [ 'reassign-partitions' => '--list', qr/No partition reassignments/ ],
    [ 'reassign-partitions' => "--reassignment-json-file $plan --cancel", qr/./ ],
    [ 'leader-election' => '--election-type preferred --topic t --partition 0', qr/already elected/ ],
    [ 'leader-election' => '--election-type preferred --all-topic-partitions', undef ],
    [ 'metadata-quorum' => 'describe --status', qr/^LeaderId:\s+1$/m ],
    [ 'metadata-quorum' => 'describe --replication', qr/Leader/ ],
    [ features => 'describe', qr/metadata\.version/ ],
    [ features => 'downgrade --feature transaction.version=1', qr/downgraded to 1/ ],
    [ features => 'upgrade --feature transaction.version=2', qr/upgraded to 2/ ],
    [ 'broker-api-versions' => '', qr/Produce\(0\): 0 to 13/ ],
    [ cluster => 'cluster-id', qr/Cluster ID: \S{22}/, command => 1 ],
    [ cluster => 'list-endpoints', qr/unfenced/, command => 1 ],
    [ cluster => 'unregister --id 55', qr/BrokerIdNotRegistered/, command => 1, exit => 1 ],
    [ 'client-metrics' => '--alter --name m --metrics org.apache.kafka.producer. --interval 5000 --match client_id=a', qr/Altered client metrics config/ ],
    [ 'client-metrics' => '--list', qr/^m$/m ],
    [ 'client-metrics' => '--describe --name m', qr/interval\.ms=5000/ ],
    [ 'client-metrics' => '--delete --name m', qr/Deleted/ ],
    [ 'dump-log' => "--files $segment --print-data-log --deep-iteration", qr/^baseOffset: 0 .* isvalid: true\n\| offset: 0 .* key: k payload: a$/m, plain => 1 ],
    [ acls => '--list', qr/SecurityDisabledException/, exit => 1 ],
    [ 'delegation-tokens' => "--describe --command-config $props", qr/DelegationToken|UnsupportedByAuthentication/, exit => 1 ],
    [ transactions => 'list', qr/does not support LIST_TRANSACTIONS/, exit => 1 ],
    [ 'share-groups' => '--list', undef ],
);

sub words {
    my ($tool, $args, undef, %o) = @_;
    my @words = split ' ', $args;
    my @to = $o{plain} ? () : ('--bootstrap-server', $node->address);
    return $o{command} ? (shift @words, @to, @words) : (@to, @words);
}

subtest 'the tools' => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    $ENV{JAVA_TOOL_OPTIONS} = '-XX:TieredStopAtLevel=1';
    my $list = file('runs', join '', map { join("\t", $_->[0], $class{ $_->[0] } // 'none', { @$_[3 .. $#$_] }->{input} // '', words(@$_)) . "\n" } @runs);
    my %said;
    my @out = `timeout 300 '$kafka' java test/clients/KafkaTools.java <'$list' 2>'$work/errors'`;
    my @got;
    for (@out) {
        if (/^=== (\S+) (\d+)$/) { push @got, { tool => $1, exit => $2, text => '' } }
        elsif (@got) { $got[-1]{text} .= $_ }
    }
    is(scalar @got, scalar @runs, 'each ran') or diag Ottla::Test::Node::slurp("$work/errors");
    for my $i (0 .. $#got) {
        my ($tool, $args, $pattern, %o) = @{ $runs[$i] };
        my $good = $got[$i]{exit} == ($o{exit} // 0) && (!$pattern || $got[$i]{text} =~ $pattern) && ($o{exit} || $got[$i]{text} !~ /Exception/);
        ok($good, "$tool $args" =~ s/\Q$work\E\///gr) or diag "exit $got[$i]{exit}\n$got[$i]{text}";
    }
};

# ---- the page -------------------------------------------------------------------------------------

subtest 'the page' => sub {
    my ($tool, %page, %run);
    for (split /\n/, Ottla::Test::Node::slurp('doc/man/ottla-kafka-tools.7')) {
        if (/^\.It Ic kafka-([\w-]+)\.sh/) { $tool = $1; $page{$tool} = { options => {} } }
        elsif (/^\.Sh/) { undef $tool }
        elsif (defined $tool && /^(Works|Refused|Works so far)\b/) { $page{$tool}{state} = $1 }
        elsif (defined $tool && /^\.Fl (.*)$/) { $page{$tool}{options}{$_} = 1 for map { s/^-//r } grep { /^-/ } split / , | ,|\s+/, $1 }
    }
    for (@runs) {
        my ($name, $args, undef, %o) = @$_;
        $run{$name}{options}{$_} = 1 for $args =~ /(?:^|\s)--([\w-]+)/g;
        $run{$name}{works} ||= !$o{exit};
    }
    is_deeply([ sort grep { !$run{$_} } keys %page ], [], 'every tool of the page is run');
    is_deeply([ sort grep { !$page{$_} } keys %run ], [], 'every tool that is run is on the page');
    for my $name (sort grep { $page{$_} } keys %run) {
        is_deeply([ sort keys %{ $page{$name}{options} } ], [ sort keys %{ $run{$name}{options} } ], "$name: the same options");
        is($page{$name}{state}, $run{$name}{works} ? 'Works' : 'Refused', "$name: the same verdict");
    }
};

is($node->stop, 0, 'the node ends in order') if $node;
done_testing;
