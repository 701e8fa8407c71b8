#!/usr/bin/perl
# 314_move_failures.t - moves of logs that the disk or a tool has to do with
#
# Proves: Kafka's reassign-partitions moves a log to the directory that its plan names, log-dirs shows the future replica, and
# --verify tells that the move goes on and that it is complete; a write or a flush that fails in the target, and a read that
# fails in the source, end the move with a line: the log goes on where it is, nothing of the copy is left where the
# directory still lives, and the move can be asked for again (admin-and-security.md 2.10, design.md 6).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Acked;
use Ottla::Test::Api;
use Ottla::Test::Kafka qw(kafka_missing kafka_tool);
use Ottla::Test::Node;
use Test::More;

my $library = "$ENV{OTTLA_BUILD}/release/fault/libfault.so";
my $base    = tempdir(CLEANUP => 1);
my @dirs    = map { "$base/$_" } qw(a b);
mkdir $_ or die "$_: $!" for @dirs;
my $node = Ottla::Test::Node->new(env => { LD_PRELOAD => $library, FAULT_RULES => "$base/faults" }, conf => {
    'log.dirs' => join(',', @dirs), 'log.segment.delete.delay.ms' => 100, 'log.segment.bytes' => 1 << 20, 'log.retention.ms' => -1 });
break_it();
$node->start;
my $c     = Ottla::Test::Api->new($node);
my $acked = Ottla::Test::Acked->new($c);

# Each rule: "call pattern error"; none: all is well again.
sub break_it {
    my @rules = @_;
    open my $fh, '>', "$base/faults.new" or die $!;
    print $fh map { "$_\n" } @rules;
    close $fh;
    rename "$base/faults.new", "$base/faults" or die $!;
    return;
}

sub limit {
    my ($rate) = @_;
    return $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 4, resource_name => '1',
        configs => [ { name => 'replica.alter.log.dirs.io.max.bytes.per.second', config_operation => 0, value => $rate } ] } ] })->{responses}[0]{error_code};
}

sub move {
    my ($path, $topic) = @_;
    return $c->ask(AlterReplicaLogDirs => 2, { dirs => [ { path => $path, topics => [ { name => $topic, partitions => [0] } ] } ] })->{results}[0]{partitions}[0]{error_code};
}

# Where a log is, and where it is to be.
sub place {
    my ($topic) = @_;
    my @at;
    for my $d (@{ $c->ask(DescribeLogDirs => 4, { topics => undef })->{results} }) {
        for my $t (grep { $_->{name} eq $topic } @{ $d->{topics} }) {
            $at[ $_->{is_future_key} ? 1 : 0 ] = $d->{log_dir} for @{ $t->{partitions} };
        }
    }
    return @at;
}

sub arrived { my ($topic, $dir) = @_; return $node->wait_until("$topic in $dir", sub { my @p = place($topic); ($p[0] // '') eq $dir && !defined $p[1] }, 20) }

sub make { my ($topic) = @_; $acked->make_topic($topic); $acked->produce($topic, 300) == 0 or die "not taken\n"; return (place($topic))[0] }

sub other { my ($dir) = @_; return grep { $_ ne $dir } @dirs }

sub given_up { my ($topic) = @_; return $node->wait_for_log(qr/log cannot be moved and stays where it is: .*topic=$topic /) }

subtest 'no space in the target' => sub {
    my $here = make('full');
    my ($to) = other($here);
    break_it("pwritev $to/full-0.*-future/*.log ENOSPC");
    is(move($to, 'full'), 0, 'is asked for');
    given_up('full');
    is_deeply([ place('full') ], [$here], 'the log stays where it is');
    is(scalar(() = glob "$to/full-*"), 0, 'nothing is left in the target');
    is($acked->produce('full', 10), 0, 'and goes on');
    is($acked->produce($_, 10), 0, "$_ goes on, too") for make_in($to);
    break_it();
    is(move($to, 'full'), 0, 'asked again');
    arrived('full', $to);
    $acked->read_back('there');
};

# A topic whose log is in this directory.
sub make_in {
    my ($dir) = @_;
    for my $n (1 .. 20) {
        my $topic = 'in-' . substr($dir, -1) . $n;
        return $topic if make($topic) eq $dir;
    }
    die "no topic in $dir\n";
}

subtest 'the source cannot be read' => sub {
    my $here = make('unread');
    my ($to) = other($here);
    break_it("pread $here/unread-0/*.log EIO");
    is(move($to, 'unread'), 0, 'is asked for');
    given_up('unread');
    break_it();
    is_deeply([ place('unread') ], [$here], 'the log stays');
    is(scalar(() = glob "$to/unread-*"), 0, 'nothing is left in the target');
    is($acked->produce('unread', 10), 0, 'and goes on');
    is(move($to, 'unread'), 0, 'asked again');
    arrived('unread', $to);
};

subtest "Kafka's tools" => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    my $here = make('tool');
    my ($to) = other($here);
    my $tool = sub {
        my ($name, @args) = @_;
        my ($exit, $text) = kafka_tool($node->address, $name, @args);
        is($exit, 0, "$name $args[-1]") or diag $text;
        return $text;
    };
    open my $plan, '>', "$base/plan.json" or die $!;
    print $plan qq({"version":1,"partitions":[{"topic":"tool","partition":0,"replicas":[1],"log_dirs":["$to"]}]});
    close $plan;
    limit(0);    # nothing at all
    my @reassign = ('reassign-partitions', '--reassignment-json-file', "$base/plan.json");
    like($tool->(@reassign, '--execute'), qr/Successfully started moving log directory to \Q$to\E/, 'the tool says so');
    my $text = $tool->('log-dirs', '--topic-list', 'tool', '--describe');
    like($text, qr/"partition":"tool-0","size":0,"offsetLag":[1-9]\d*,"isFuture":true\}\],"error":null,"logDir":"\Q$to\E"/, 'the future replica');
    like($text, qr/"partition":"tool-0","size":[1-9]\d*,"offsetLag":0,"isFuture":false/, 'and the present one');
    like($tool->(@reassign, '--verify'), qr/is still in progress/, 'not complete');
    limit(1 << 40);
    arrived('tool', $to);
    like($tool->(@reassign, '--verify'), qr/replica tool-0-1 completed successfully/, 'complete');
};

subtest 'the target breaks' => sub {
    my $here = make('broken');
    my ($to) = other($here);
    break_it("fsync $to/broken-0.*-future/*.log EIO");
    is(move($to, 'broken'), 0, 'is asked for');
    given_up('broken');
    break_it();
    is_deeply([ place('broken') ], [$here], 'the log stays');
    is($acked->produce('broken', 10), 0, 'and goes on');
    is(move($to, 'broken'), 56, 'nothing goes to a directory that failed');
    is(scalar(() = glob "$to/broken-*"), 0, 'nothing is left in the target');
    is($node->stop('fast'), 1, 'no clean end');
    $node->start;
    $node->wait_for_log(qr{log directory is repaired; dir=\Q$to\E$}m);
    $acked->connect($node);
    $c = $acked->{c};
    is_deeply([ place('broken') ], [$here], 'after a start, too');
    is(move($to, 'broken'), 0, 'asked again');
    arrived('broken', $to);
    $acked->read_back('in the end');
};

is($node->stop('fast'), 0, 'the node ends in order');
done_testing();
