#!/usr/bin/perl
# 889_bench_tool.t - ottla-bench: what it says is what happened
#
# Proves: produce, consume and latency count the records that the topic holds, as text and as JSON; keys, sizes and warm-up
# are as asked; a group is joined and commits; a stall of the server makes records late by the length of the stall,
# although they were sent behind it (no coordinated omission); records that fail, nobody to connect to, no topic and
# a signal have their exit codes; what is said wrongly is refused.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use IPC::Open3;
use JSON::PP;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Symbol qw(gensym);
use Test::More;
use Time::HiRes qw(time);

my $bench = ($ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin") . '/ottla-bench';
my $node  = Ottla::Test::Node->new(conf => { 'offsets.topic.num.partitions' => 1, 'group.initial.rebalance.delay.ms' => 0 })->start;
my $wire  = Ottla::Test::Wire->new($node);

# (exit code, stdout, stderr)
sub run {
    my ($in, $out, $err) = (undef, undef, gensym);
    my $pid = open3($in, $out, $err, $bench, @_);
    my ($stdout, $stderr) = do { local $/; (scalar(<$out>) // '', scalar(<$err>) // '') };
    waitpid $pid, 0;
    return ($? >> 8, $stdout, $stderr);
}

sub json { my ($code, $out, $err) = run(@_, '-h', $node->address, '--json'); diag $err if $code; return { exit => $code, %{ $out =~ /^\{/ ? decode_json($out) : {} } } }

# Ends of a topic's partitions, added up.
sub records_in { my ($topic, $partitions) = @_; my $sum = 0; $sum += $wire->list_offset($topic, $_, -1) for 0 .. $partitions - 1; return $sum }

subtest 'produce' => sub {
    my $r = json(qw(produce -t load --create 3 -n 5000 -s 100 --keys 10));
    is_deeply([ @$r{qw(exit mode topic records bytes failed)} ], [ 0, 'produce', 'load', 5000, 500_000, 0 ], 'what it says');
    is(records_in('load', 3), 5000, 'what happened');
    my $l = $r->{latency_us};
    my @order = @$l{qw(min p50 p75 p90 p95 p99 p99.9 p99.99 max)};
    is_deeply(\@order, [ sort { $a <=> $b } @order ], 'percentiles rise');
    cmp_ok($l->{mean}, '>', 0, 'a mean');
    my ($code, $out, $err) = run('produce', '-h', $node->address, '-t', 'load', '-n', 100, '-R', 400, '-P', 0.1);
    is($code, 0, 'as text');
    like($out, qr/^records produced: 100\nfailed: 0\ntime: 0\.\d+ s\nrate: \d+\.\d records\/s, .*\nscheduled: 400 records\/s\n(?:.*\n)*  p99\.9\s+\d+\.\d{3}\n/, 'the report');
    like($err, qr/^(?:progress: \d+\.\d s, \d+\.\d records\/s, \d+\.\d+ MB\/s, ms p50 \d+\.\d{3} p99 \d+\.\d{3} max \d+\.\d{3}, 0 failed\n)+$/, 'progress');
    $r = json(qw(produce -t load -R 100 -T 0.5 --warmup 0.5 -X linger.ms=0));
    cmp_ok($r->{records}, '<', 80, 'the warm-up is not measured');
    cmp_ok($r->{records}, '>', 20, '... what follows is');
};

subtest 'consume' => sub {
    my $all = records_in('load', 3);
    my $r = json(qw(consume -t load));
    is_deeply([ @$r{qw(exit records failed)} ], [ 0, $all, 0 ], 'all there is');
    is(json(qw(consume -t load -n 1234))->{records}, 1234, 'some of it');
    is(json(qw(consume -t load --group readers))->{records}, $all, 'as a group');
    my ($group) = @{ Ottla::Test::Wire->new($node->connect_unix)->stat('groups', undef, { group_id => 'readers' }) };
    is($group->{total_lag}, 0, '... that has committed');
};

subtest 'latency' => sub {
    my $r = json(qw(latency -t echo --create 2 -R 500 -n 500));
    is_deeply([ @$r{qw(exit records missing failed scheduled_per_second)} ], [ 0, 500, 0, 0, 500 ], 'all came back');
    is(records_in('echo', 2), 500, 'through the topic');
    cmp_ok(abs($r->{seconds} - 1), '<', 0.5, 'on schedule');
};

subtest 'a stall is measured' => sub {
    my ($in, $out, $err) = (undef, undef, gensym);
    my $pid = open3($in, $out, $err, $bench, qw(produce -t stall --create 1 -R 500 -T 3 -P 0.1 -X linger.ms=0 --json -h), $node->address);
    my @stopped;
    my $lines = 0;
    while (my $line = <$err>) { # lines come all the time: sending goes on
        $lines++;
        if ($lines == 5) {
            @stopped = map { $_->{pid} } $node->children_of_kind('backend');
            kill 'STOP', @stopped;
        }
        kill 'CONT', @stopped if $lines == 15;
    }
    my $r = decode_json(do { local $/; <$out> });
    waitpid $pid, 0;
    is($? >> 8, 0, 'nothing is lost');
    is($r->{records}, 1500, 'every record of the schedule was sent');
    cmp_ok($r->{latency_us}{max}, '>=', 800_000, 'the first ones were late by the length of the stall');
    cmp_ok($r->{latency_us}{p90}, '>=', 400_000, 'those that were due during it, too');
    cmp_ok($r->{latency_us}{p50}, '<', 400_000, 'those before and behind it were not');
};

subtest 'what goes wrong' => sub {
    my ($code, $out, $err) = run(qw(produce -h localhost:1 -n 1));
    is($code, 2, 'nobody there');
    like($err, qr/^ottla-bench: nobody answers at localhost:1\n/m, '... says so');
    ($code, $out, $err) = run('consume', '-h', $node->address, '-t', 'nope', '-X', 'allow.auto.create.topics=false');
    is($code, 2, 'no such topic');
    like($err, qr/topic nope cannot be used: .*Unknown topic/, '... says so');
    ($code, $out, $err) = run('produce', '-h', $node->address, '-t', 'load', '-s', 2_000_000, '-n', 3, '-X', 'message.max.bytes=10000000', '--json');
    is($code, 1, 'records that are refused');
    is(decode_json($out)->{failed}, 3, '... are counted');
    like(decode_json($out)->{first_fault}, qr/too large/, '... with the reason');
    for ([], ['nonsense'], [qw(produce extra)], [qw(produce -n x)], [qw(produce -T 0)], [qw(produce -s -1)], [qw(produce --rate 0)],
        [qw(produce --create 0)], [qw(consume --rate 5)], [qw(produce --group g)], [qw(latency -s 10)], [qw(produce --wrong)],
        [qw(produce -X nonsense)], [qw(produce -X no.such=1)]) {
        ($code, $out, $err) = run(@$_);
        is($code, 2, "refused: @$_");
        like($err, qr/^\S*ottla-bench: /, '... and says why');
    }
    my ($in, $pipe, $errors) = (undef, undef, gensym);
    my $pid = open3($in, $pipe, $errors, $bench, qw(produce -t load -R 100 -T 100 -P 0.1 --json -h), $node->address);
    <$errors>;
    kill 'INT', $pid;
    my $r = decode_json(do { local $/; <$pipe> });
    waitpid $pid, 0;
    is($? >> 8, 1, 'stopped by a signal');
    cmp_ok($r->{records}, '>', 0, '... it tells what it has');
};

my ($code, $help) = run('--help');
my $man = Ottla::Test::Node::slurp('doc/man/ottla-bench.1');
is($code, 0, 'help');
my %flags = map { $_ => 1 } $help =~ /^  (?:-\w, )?(--?[\w-]+)/mg;
is_deeply([ grep { my $f = s/^-//r; $man !~ /^\.It Fl (?:\w , )?\Q$f\E\b/m && $man !~ /^\.It Fl -version , -help/m } sort keys %flags ], [], 'the manual has every option');
is($node->stop, 0, 'stop');
done_testing;
