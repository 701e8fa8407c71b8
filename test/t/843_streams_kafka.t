#!/usr/bin/perl
# 843_streams_kafka.t - Apache Kafka at the other end: the client library, and messages of transactions
#
# Proved: the client library tells it from Ottla, finds leaders and coordinators, writes, reads and copies there; messages of
# aborted transactions are invisible, and visible when they are asked for; \produce writes in transactions.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;
use Ottla::Test::Kafka qw(kafka_missing kafka_node);
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);

plan skip_all => kafka_missing() if kafka_missing();
my $bin = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
my $probe = ($ENV{OTTLA_BUILD} // 'build') . '/release/client/client_probe';
my $dir = tempdir(CLEANUP => 1);
my $kafka = kafka_node('num.partitions=3', 'transaction.state.log.num.partitions=1');
my ($host, $port) = split /:/, $kafka->{address};
my @there = ('-X', '-h', $host, '-p', $port);

# Topics come into being with their first record.
sub topic {
    my ($address, $name) = @_;
    open my $kcat, '|-', 'kcat', '-b', $address, '-t', $name, '-P', '-p', 0, '-k', 'first' or die "kcat: $!";
    print $kcat "first\n";
    close $kcat or die 'kcat failed';
}
topic($kafka->{address}, $_) for qw(plain copy t);

# Lines that the program prints.
sub probe {
    my ($target, @args) = @_;
    open my $out, '-|', $probe, $target, @args or die "$probe: $!";
    chomp(my @lines = <$out>);
    close $out;
    return @lines;
}

# A line's words behind its name.
sub value {
    my ($name, @lines) = @_;
    my ($line) = grep { /^$name / } @lines;
    return $line ? $line =~ s/^$name //r : "no $name in: @lines";
}

# Exit code, output and errors of a session with this input.
my $shell = Ottla::Test::Shell->new;
sub ottla { my ($input, @args) = @_; my $r = $shell->run(\@args, stdin => $input, dir => $dir, seconds => 40); return @$r{qw(code out err)} }

subtest 'the client library' => sub {
    my @info = probe($kafka->{address}, 'info');
    is(value('server', @info), 'Apache Kafka', 'is told from Ottla');
    like(value('version', @info), qr/^[34]\.\d$/, 'and its version judged');
    like((probe($kafka->{address}, 'stat', 'log_dirs'))[0], qr/^fault 0A000 .*This needs Ottla/, 'what it lacks');
    my @written = probe($kafka->{address}, 'produce', 'plain', -1, 1000, 1000);
    is(scalar(grep { /^produced/ } @written), 1000, 'written');
    my @read = probe($kafka->{address}, 'scan', 'plain', -1, '-', '-', '-', '-');
    is(scalar(grep { /^record/ } @read), 1001, 'read');
    is_deeply([ probe($kafka->{address}, 'copy', 'plain', 'copy') ], [], 'batches copied');
    is(scalar(grep { /^record/ } probe($kafka->{address}, 'scan', 'copy', -1, '-', '-', '-', '-')), 1002, 'and read');
    like(value('node', probe($kafka->{address}, 'coordinator', 'g')), qr/^\d+$/, 'a coordinator');
};

subtest 'shell 23: aborted transactions are invisible unless they are asked for' => sub {
    is_deeply([ (ottla("in\none\n", @there, '-c', '\produce t -p 0 --transactional-id tx -Z'))[0, 1] ], [ 0, "PRODUCE 2\n" ], 'is committed');
    # The markers of a transaction are written after the answer that it is committed.
    my $visible = sub { my ($value) = @_;
        comes_true(sub { (ottla('', @there, '-qAt', '-c', "SELECT count(*) FROM messages('t', 0) WHERE value = '$value'"))[1] eq "1\n" }, 30) };
    ok($visible->('one'), 'and comes to be seen');
    is((ottla('', @there, '-c', '\consume t -p 0 -e -o 1'))[1], "in\none\n", 'and seen');
    is((ottla('', @there, '-qAt', '-c', "SELECT value, transactional, control FROM messages('t', 0) WHERE offset > 0"))[1],
        "in|t|f\none|t|f\n", 'by SQL, too');
    like((ottla('', @there, '-qAt', '-c', "SELECT count(*) FROM messages('t', 0, 'read_uncommitted') WHERE control"))[1], qr/^1$/,
        'with its marker when asked for');
    # One that is aborted: the program ends with it open, and the next begins with aborting it.
    my $pid = open my $out, '|-' // die;
    exec "$bin/ottla", @there, '-qc', '\produce t -p 0 --transactional-id tx -X linger.ms=0' or POSIX::_exit(127) if !$pid;
    $out->autoflush(1);
    print $out "never\n";
    my $ask = "SELECT count(*) FROM messages('t', 0, 'read_uncommitted') WHERE value = 'never'";
    comes_true(sub { (ottla('', @there, '-qAt', '-c', $ask))[1] eq "1\n" }, 30);
    kill 'KILL', $pid;
    close $out;
    is((ottla("kept\n", @there, '-c', '\produce t -p 0 --transactional-id tx'))[1], "PRODUCE 1\n", 'another one');
    ok($visible->('kept'), 'which comes to be seen');
    is((ottla('', @there, '-qAt', '-c', "SELECT value FROM messages('t', 0) WHERE offset > 3"))[1], "kept\n",
        'aborted transactions are invisible');
    is((ottla('', @there, '-qAt', '-c', $ask))[1], "1\n", 'but with read_uncommitted they are there');
};

done_testing();
