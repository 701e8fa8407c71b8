#!/usr/bin/perl
# 871_settings_files.t - files of settings of a real node: sources, includes, reload, Kafka's server.properties
#
# Proves shell-and-service.md 12: which source wins, what a reload says and does, scenarios 33 (on a node of its own; under
# systemd in 870_service.t), 34 (its file half) and 35.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use Ottla::Test::Api;
use Ottla::Test::Node;

my $dir = tempdir(CLEANUP => 1);

sub write_file {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
}

# Runs ottlad until it ends; (exit code, all it said).
sub ottlad {
    my (@arguments) = @_;
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die "dup: $!";
        exec 'timeout', 30, Ottla::Test::Node::binary(), @arguments or die "exec: $!";
    }
    my $said = join '', <$out>;
    close $out;
    return ($? >> 8, $said);
}

sub value { my ($name, @args) = @_; my ($code, $said) = ottlad(@args, '-C', $name); return $code == 0 ? $said =~ s/\n$//r : "exit $code: $said" }

subtest 'which source wins' => sub {
    my $d = "$dir/sources";
    mkdir $d;
    my @name = ('num.partitions', '-D', $d);
    is(value(@name), 1, 'the default');
    local $ENV{OTTLA_CONF_NUM_PARTITIONS} = 2;
    is(value(@name), 2, 'the environment over it');
    write_file("$d/kafka.properties", "num.partitions=3\n");
    my @properties = ('--properties', "$d/kafka.properties");
    is(value(@name, @properties), 3, '--properties over it');
    write_file("$d/ottla.conf", "NUM_PARTITIONS 4 # loose\n");
    is(value(@name, @properties), 4, 'ottla.conf over it');
    mkdir "$d/conf.d";
    write_file("$d/ottla.conf", "num.partitions = 4\ninclude_dir 'conf.d'\n");
    write_file("$d/conf.d/20-b.conf", "num.partitions = 6\n");
    write_file("$d/conf.d/10-a.conf", "num.partitions = 5\n");
    write_file("$d/conf.d/.30-c.conf", "num.partitions = 7\n");
    write_file("$d/conf.d/30-c.conf~", "num.partitions = 8\n");
    is(value(@name), 6, 'the last file of include_dir in the order of names; hidden and other files are none of them');
    write_file("$d/ottla.conf", "include_dir 'conf.d'\nnum.partitions = 9\ninclude_if_exists 'none.conf'\n");
    is(value(@name), 9, 'a later line over an included one');
    write_file("$d/ottla.conf", "include_properties 'kafka.properties'\n");
    is(value(@name), 3, 'include_properties');
    write_file("$d/ottla.auto.conf", "num.partitions = '10'\n");
    is(value(@name), 10, 'ottla.auto.conf over them');
    is(value(@name, '-c', 'num.partitions=11'), 11, '-c over all');
    write_file("$d/a.conf", "include 'b.conf'\n");
    write_file("$d/b.conf", "\ninclude 'a.conf'\n");
    my ($code, $said) = ottlad('-D', $d, '-c', "config_file=$d/a.conf", '--check');
    is($code, 78, 'files that include each other');
    like($said, qr{b\.conf:2: \Q$d\E/a\.conf includes itself}, 'are named');
};

my $node = Ottla::Test::Node->new(name => 'files');
mkdir $node->dir, 0750;
my $conf = $node->dir . '/ottla.conf';

subtest 'shell 33: a reload with a typo in one value, and with a syntax error' => sub {
    write_file($conf, "num.partitions = 2\nlog.retention.ms = 7d\ngroup.max.size = 5\n");
    $node->start;
    write_file($conf, "num.partitions = 3\nlog.retention.ms = 7days\n\nlog.level.backend = debug2\n");
    $node->reload;
    my $text = '';
    $node->wait_until('the end of the reload', sub { $text .= $node->log_new; $text =~ /Reloaded/ });
    like($text, qr{ERROR: .*\Q$conf\E:2: log\.retention\.ms = "7days".*units: }, 'the typo by file and line, with the units there are');
    like($text, qr{LOG: .*num\.partitions: 2 -> 3 \(\Q$conf\E:1\)}, 'another change is applied');
    like($text, qr{LOG: .*log\.level\.backend: null -> debug2 \(\Q$conf\E:4\)}, 'one beside the table, too');
    like($text, qr{LOG: .*group\.max\.size: 5 -> 2147483647 \(default\)}, 'a line that is gone brings back the default');
    unlike($text, qr{log\.retention\.ms: \d}, 'the bad one keeps its value');
    like($text, qr{Reloaded, but for 1 bad values; all else was applied}, 'the last line says so');
    my $tries = 0;
    my $partitions = sub {    # of a topic that the request makes
        my ($topic) = @_;
        my $answer = Ottla::Test::Api->new($node)->ask(CreateTopics => 7,
            { timeout_ms => 10000, topics => [ { name => $topic, num_partitions => -1, replication_factor => -1 } ] });
        return $answer->{topics}[0]{num_partitions};
    };
    $node->wait_until('the new value', sub { 3 == $partitions->('typo-' . ++$tries) });
    pass('requests see the new value');

    write_file($conf, "num.partitions = 8\nlog.retention.ms = '7d\n");
    $node->reload;
    $text = $node->wait_for_log(qr{ottla\.conf:2: log\.retention\.ms: the closing quote is missing});
    $node->wait_for_log(qr{Reload failed, nothing applied: 1 errors in the settings});
    is($partitions->('after-syntax'), 3, 'nothing of that file is in force');
};

subtest 'shell 34: a setting that needs a restart' => sub {
    write_file($conf, "num.partitions = 3\nlog.retention.ms = 7d\nbackend.slots = 500\n");
    $node->reload;
    $node->wait_for_log(qr/LOG: .*backend\.slots needs a restart, still 16384/);
    $node->wait_for_log(qr/Reloaded$/);
    is($node->stop, 0, 'stop');
    $node->start;
    write_file($conf, "num.partitions = 3\nlog.retention.ms = 7d\nbackend.slots = 400\n");
    $node->reload;
    $node->wait_for_log(qr/LOG: .*backend\.slots needs a restart, still 500/);
    is($node->stop, 0, 'and the next start has put it into force');
    $node->clean_up;
};

# As an administrator of Kafka has it: the file that comes with Apache Kafka, grown over the years.
my $jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required';

sub server_properties {
    my ($logs, $port) = @_;
    return <<"END";
############################# Server Basics #############################
process.roles=broker,controller
node.id=7
controller.quorum.bootstrap.servers=localhost:@{[ $port + 1 ]}

! two listeners for clients, one for controllers
listeners=PLAINTEXT://localhost:$port,\\
          REPL://localhost:@{[ $port + 2 ]},\\
          CONTROLLER://localhost:@{[ $port + 1 ]}
inter.broker.listener.name = REPL
advertised.listeners: PLAINTEXT://localhost:$port,REPL://localhost:@{[ $port + 2 ]}
controller.listener.names CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,REPL:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
listener.name.sasl_ssl.plain.sasl.jaas.config=$jaas \\
    username="admin" \\
    password="admin-\\u0073ecret";
sasl.enabled.mechanisms=PLAIN
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=$logs
num.partitions=2
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
metric.reporters=
auto.leader.rebalence.enable=true
END
}

subtest 'shell 35: a real server.properties' => sub {
    my $kafka = Ottla::Test::Node->new(name => 'kafka');
    my ($port, $logs) = ($kafka->port, "$kafka->{base}/kafka-logs");
    my $file = "$dir/server.properties";
    write_file($file, server_properties($logs, $port));
    push @{ $kafka->{args} }, '--properties', $file;
    $kafka->start;
    my $text = $kafka->log_new;
    like($text, qr{WARNING: .*server\.properties:\d+: unknown setting "auto\.leader\.rebalence\.enable" is kept without effect; did you mean "auto\.leader\.rebalance\.enable"}, 'an unknown name, and what was meant');
    unlike($text, qr/admin-secret/, 'no password in the log');
    like($text, qr/ready; listeners=PLAINTEXT:[^ ]*,REPL:.* node_id=7/, 'both listeners');
    like(Ottla::Test::Node::slurp("$logs/meta.properties"), qr/^node\.id=7$/m, 'its log.dirs');
    is($kafka->stop, 0, 'stop');
    $kafka->clean_up;
    write_file($file, "log.retention.hours=1d\n");
    my ($code, $said) = ottlad('-D', "$dir/none", '--properties', $file, '--check');
    is($code, 78, 'a unit is refused there');
    like($said, qr/server\.properties:1: log\.retention\.hours = "1d"/, 'by line');
    write_file("$dir/unit.conf", "log.retention.ms = 1d\n");
    is(value('log.retention.ms', '-c', "config_file=$dir/unit.conf"), 86400000, 'and fine in ottla.conf');
    write_file($file, "broker.id=1\nzookeeper.connect=zk1:2181/kafka\nlog.dirs=/none\n");
    ($code, $said) = ottlad('-D', "$dir/none", '--properties', $file, '--check');
    is($code, 78, 'the file of a broker under ZooKeeper is refused');
    like($said, qr/server\.properties:2: zookeeper\.connect without process\.roles: .*ottla\.conf\(5\)/, 'with where to read on');
};

done_testing;
