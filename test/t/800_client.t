#!/usr/bin/perl
# 800_client.t - the client library against real nodes: who is there, routing, offsets, scans, producing
#
# Proved: the Unix socket and TCP reach the same node; a scan fetches what its bounds ask for and ends although the topic
# grows; producing survives a node that is killed and started again without loss or repetition; partitions of keys are
# those of Java clients; batches move to another topic as they are. Against Apache Kafka: 843_streams_kafka.t.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);

my $probe = ($ENV{OTTLA_BUILD} // 'build') . '/release/client/client_probe';
my $node = Ottla::Test::Node->new(conf => { 'num.partitions' => 3 });
$node->start;
my $socket = 'host=' . $node->dir . ' port=' . $node->port;

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

# Topics come into being with their first record.
sub topic {
    my ($address, $name) = @_;
    open my $kcat, '|-', 'kcat', '-b', $address, '-t', $name, '-P', '-p', 0, '-k', 'first' or die "kcat: $!";
    print $kcat "first\n";
    close $kcat or die 'kcat failed';
}
topic($node->address, $_) for qw(plain copy live killed);

subtest 'who is there' => sub {
    my @by_socket = probe($socket, 'info');
    my @by_tcp = probe($node->address, 'info');
    is(value('server', @by_socket), 'Ottla', 'knows its own');
    is(value('transport', @by_socket), 'socket', 'by the socket');
    is(value('transport', @by_tcp), 'TCP', 'by TCP');
    is(value('address', @by_tcp), $node->address, 'address');
    is(value('cluster', @by_socket), value('cluster', @by_tcp), 'one cluster');
    is(value('node', $_->@*), 1, 'node id') for \@by_socket, \@by_tcp;
    is(value('node', probe($socket, 'controller')), 1, 'controller');
    is(value('node', probe($socket, 'coordinator', 'a group')), 1, 'coordinator');
    is(value('node', probe($socket, 'leader', 'plain', 2)), 1, 'leader');
    is(value('rows', probe($socket, 'stat', 'log_dirs')), 1, 'a view');
    like((probe($socket, 'leader', 'nope', 0))[0], qr/^fault 42P01 topic "nope" does not exist/, 'no topic');
    like((probe($socket, 'leader', 'plain', 3))[0], qr/^fault 42P01 .*0 to 2/, 'no partition');
    like((probe($socket, 'stat', 'nope'))[0], qr/^fault \w+ /, 'no view');
};

subtest 'records and their places' => sub {
    my @written = probe($socket, 'produce', 'plain', -1, 3000, 100);
    is(scalar(grep { /^produced \d \d+$/ } @written), 3000, 'all written');
    my %at = map { my ($p, $o) = /^produced (\d+) (\d+)/; ("$p $o" => 1) } @written;
    is(scalar(keys %at), 3000, 'each at its own place');
    my @read = grep { /^record/ } probe($socket, 'scan', 'plain', -1, '-', '-', '-', '-');
    is(scalar(@read), 3001, 'all read');
    my %key = map { /^record (\d+ \d+) (\S+)/ } @read;
    is(scalar(grep { !$key{$_} } keys %at), 0, 'where they were said to be');
    is($key{"$1 $2"}, 'k17', 'and in order') if $written[17] =~ /^produced (\d+) (\d+)/;
    my ($partition) = $written[17] =~ /^produced (\d+)/;
    is(value('partition', probe('-', 'murmur', 'k17', 3)), $partition, 'the partition of a key');
    open my $kcat, '|-', 'kcat', '-b', $node->address, '-t', 'plain', '-P', '-K:', '-X', 'partitioner=murmur2_random'
        or die "kcat: $!";
    print $kcat "k$_:again\n" for 0 .. 99;
    close $kcat;
    my %seen;
    for (grep { /^record/ } probe($socket, 'scan', 'plain', -1, '-', '-', '-', '-')) {
        $seen{$2}{$1} = 1 if /^record (\d+) \d+ (k\d{1,2}) /;
    }
    is(scalar(grep { keys $seen{$_}->%* != 1 } keys %seen), 0, 'another client gives keys the same partitions');
};

subtest 'bounds' => sub {
    probe($socket, 'produce', 'plain', 0, 100, 1000) for 1 .. 20;
    my @ends = probe($socket, 'offsets', 'plain', -1);
    my ($end) = $ends[0] =~ /^offset 0 (\d+)/;
    my @middle = probe($socket, 'scan', 'plain', 0, $end - 500, $end - 401, '-', '-');
    is(scalar(grep { /^record 0 / } @middle), 100, 'a range');
    cmp_ok(value('bytes', @middle), '<', 350_000, 'little more than its batches came');
    my @few = probe($socket, 'scan', 'plain', 0, $end - 2000, '-', '-', 5);
    is(scalar(grep { /^record 0 / } @few), 5, 'a limit');
    cmp_ok(value('bytes', @few), '<', 130_000, 'one batch came');
    my @last = probe($socket, 'scan', 'plain', 0, -3, '-', '-', '-');
    is(scalar(grep { /^record 0 / } @last), 3, 'from the end');
    is(scalar(grep { /^record/ } probe($socket, 'scan', 'plain', 0, $end, '-', '-', '-')), 0, 'behind the end');
    is(scalar(grep { /^record/ } probe($socket, 'scan', 'plain', 7, '-', '-', '-', '-')), 0, 'no such partition');
    my $later = 1000 * (time + 3600);
    is(scalar(grep { /^record/ } probe($socket, 'scan', 'plain', -1, '-', '-', $later, '-')), 0, 'nothing so young');
    cmp_ok(scalar(grep { /^record/ } probe($socket, 'scan', 'plain', -1, '-', '-', 1000 * (time - 3600), '-')),
        '>', 5000, 'all are younger');
};

subtest 'an end although the topic grows' => sub {
    my $pid = fork() // die;
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        exec $probe, $node->address, 'produce', 'live', 0, 10_000_000, 500 or POSIX::_exit(1);
    }
    comes_true(sub { (probe($socket, 'offsets', 'live', -1))[0] =~ /^offset 0 \d{4,}/ }, 30) or die 'nothing is written';
    my ($before) = (probe($socket, 'offsets', 'live', -1))[0] =~ /(\d+)$/;
    my @read = grep { /^record/ } probe($socket, 'scan', 'live', 0, '-', '-', '-', '-');
    my ($after) = (probe($socket, 'offsets', 'live', -1))[0] =~ /(\d+)$/;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    cmp_ok(scalar(@read), '>=', $before, 'all that was there');
    cmp_ok(scalar(@read), '<', $after, 'and it ended');
};

subtest 'a scan that follows' => sub {
    open my $out, '-|', $probe, $socket, 'wait', 'copy', 500 or die;
    is(<$out>, "waiting\n", 'nothing yet');
    my ($written) = probe($socket, 'produce', 'copy', 2, 1, 10);
    is(<$out>, $written =~ s/^produced/record/r . "\n", 'the record that came');
    close $out;
};

subtest 'batches as they are' => sub {
    is_deeply([ probe($socket, 'copy', 'plain', 'copy') ], [], 'copied');
    my $key = sub { [ sort map { /^batch (\d+) \d+ (\d+ \w+)/ ? "$1 $2" : $_ } @_ ] };
    my %own = map { $_ => 1 } $key->(probe($socket, 'batches', 'copy'))->@*;
    is_deeply([ grep { !$own{$_} } $key->(probe($socket, 'batches', 'plain'))->@* ], [], 'the same checksums');
    my $before = grep { /^record/ } probe($socket, 'scan', 'copy', -1, '-', '-', '-', '-');
    probe($socket, 'copy', 'plain', 'copy');
    my $after = grep { /^record/ } probe($socket, 'scan', 'copy', -1, '-', '-', '-', '-');
    my $plain = grep { /^record/ } probe($socket, 'scan', 'plain', -1, '-', '-', '-', '-');
    is($after, $before + $plain, 'once more is not taken for a repetition');
};

subtest 'every codec' => sub {
    for my $codec (1 .. 4) {
        my @written = probe($socket, 'produce', 'copy', 1, 50, 2000, $codec);
        is(scalar(@written), 50, "codec $codec written");
        my ($first) = $written[0] =~ /(\d+)$/;
        my @read = probe($socket, 'scan', 'copy', 1, $first, '-', '-', '-');
        is(scalar(grep { /^record 1 \d+ k\d+ 2000$/ } @read), 50, 'and read');
        cmp_ok(value('bytes', @read), '<', 50_000, 'small on its way');
    }
};

subtest 'a node that is killed while records are written' => sub {
    open my $out, '-|', $probe, $node->address, 'produce', 'killed', 1, 60_000, 100 or die;
    my @written = scalar <$out>;    # some have arrived
    $node->kill9;
    $node->start;
    push @written, <$out>;
    close $out;
    is(scalar(@written), 60_000, 'all were written');
    my @read = grep { /^record/ } probe($socket, 'scan', 'killed', 1, '-', '-', '-', '-');
    is(scalar(@read), 60_000, 'none is lost, none is there twice');
    is_deeply([ map { /^record 1 \d+ (k\d+)/ } @read[0, 1, 30_000, -1] ], [qw(k0 k1 k30000 k59999)], 'in order');
};

is($node->stop('fast'), 0, 'clean end');
done_testing();
