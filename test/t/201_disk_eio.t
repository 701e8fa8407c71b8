#!/usr/bin/perl
# 201_disk_eio.t - a disk is broken: writes, flushes and reads fail (design.md 6 "Errors")
#
# Errors come from a library between the node and the kernel (test/fault), but for the lost write-back, which is a
# real one on a real file system. Whatever was acknowledged is read back in the end.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Test::More;
use Ottla::Test::Disk;
use Ottla::Test::Acked;
use Ottla::Test::Api;
use Ottla::Test::Node;

my $STORAGE_ERROR = 56;
my $library = "$ENV{OTTLA_BUILD}/release/fault/libfault.so";

# A node with two log directories a and b; rules of faults are set by break_it.
sub node_of_two {
    my (%conf) = @_;
    my $node = Ottla::Test::Node->new(env => { LD_PRELOAD => $library }, conf => {
        'checkpoint.interval.ms' => 3600000, 'log.segment.bytes' => 1 << 20, 'log.retention.ms' => -1,
        'acks.durability' => 'memory', %conf });
    mkdir $node->dir, 0750 or die $!;
    $node->{env}{FAULT_RULES} = "$node->{base}/faults";
    break_it($node);
    $node->set('log.dirs' => join(',', map { $node->dir . "/$_" } qw(a b)), 'metadata.log.dir' => $node->dir . '/meta');
    return $node->start;
}

# Each rule: "call pattern error"; none: all is well again.
sub break_it {
    my ($node, @rules) = @_;
    my $file = "$node->{base}/faults";
    open my $fh, '>', "$file.new" or die $!;
    print $fh map { "$_\n" } @rules;
    close $fh;
    rename "$file.new", $file or die $!;
    return;
}

# Two topics in a and one in b.
sub topics_of {
    my ($node, $acked) = @_;
    my %in;
    for (1 .. 20) {
        $acked->make_topic("t$_");
        $acked->produce("t$_", 10) == 0 or die "not taken\n";
        push @{ $in{ -d $node->dir . "/a/t$_-0" ? 'a' : 'b' } }, "t$_";
        last if @{ $in{a} // [] } > 1 && @{ $in{b} // [] };
    }
    return ($in{a}[0], $in{a}[1], $in{b}[0]);
}

# The error codes of DescribeLogDirs by directory.
sub log_dirs {
    my ($c) = @_;
    my $answer = $c->ask(DescribeLogDirs => 4, { topics => undef });
    return { map { $_->{log_dir} =~ s{.*/}{}r => $_->{error_code} } @{ $answer->{results} } };
}

# Leader and offline replicas of the topics' first partitions.
sub offline {
    my ($c, @topics) = @_;
    my $answer = $c->ask(Metadata => 12, { topics => [ map { { name => $_ } } @topics ] });
    my %said = map { $_->{name} => $_->{partitions}[0] } @{ $answer->{topics} };
    return join ', ', map { "$_: leader $said{$_}{leader_id} offline @{ $said{$_}{offline_replicas} }" } @topics;
}

for my $error (qw(EIO EROFS)) {
    subtest "a write fails: $error" => sub {
        my $node = node_of_two();
        my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
        my ($one, $two, $fine) = topics_of($node, $acked);
        break_it($node, 'pwritev ' . $node->dir . "/a/$one-0/*.log $error");
        is($acked->produce($one, 10), $STORAGE_ERROR, 'error 56');
        $node->wait_for_log(qr/log directory failed, no appends until the node starts again: $one-0: .*failure=write/);
        break_it($node);
        is($acked->produce($one, 10), $STORAGE_ERROR, 'not tried again');
        is($acked->produce($two, 10), $STORAGE_ERROR, 'nor are the other topics of the directory');
        is($acked->produce($fine, 10), 0, 'the other directory goes on');
        $acked->read_back('while the directory has failed');
        is_deeply(log_dirs($acked->{c}), { a => $STORAGE_ERROR, b => 0 }, 'admin 15: DescribeLogDirs says so');
        is(offline($acked->{c}, $one, $fine), "$one: leader 1 offline 1, $fine: leader 1 offline ", 'and so does Metadata');
        $acked->make_topic("new$_"), $acked->produce("new$_", 10) for 1 .. 5;
        is(join(' ', grep { -d $node->dir . "/b/new$_-0" } 1 .. 5), '1 2 3 4 5', 'new topics go to the other directory');
        $node->wait_until('the record', sub { -s $node->dir . '/control' && -s $node->dir . '/a/.ottla_failed' }, 10);
        like(Ottla::Test::Node::slurp($node->dir . '/control'), qr{^failed\t\S+\twrite\t\d+\t\S+/a\t$one-0}m, 'DIR/control tells');
        is($node->stop('fast'), 1, 'no clean end');
        ok(!-e $node->dir . '/a/.kafka_cleanshutdown', 'nor a clean mark there');
        ok(-e $node->dir . '/b/.kafka_cleanshutdown', 'but in the other directory');
        $node->start;
        $node->wait_for_log(qr{log directory is repaired; dir=\S+/a$}m);
        $acked->connect($node);
        is($acked->produce($one, 10), 0, 'the next start takes appends');
        $acked->read_back('in the end');
        ok(!-e $node->dir . '/a/.ottla_failed', 'the record is gone');
        unlike(Ottla::Test::Node::slurp($node->dir . '/control'), qr/failed/, 'from DIR/control, too');
        is($node->stop('fast'), 0, 'clean stop');
    };
}

subtest 'a flush fails under acks=all' => sub {
    my $node = node_of_two('acks.durability' => 'disk');
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    my ($one, $two, $fine) = topics_of($node, $acked);
    break_it($node, 'fsync ' . $node->dir . '/a* EIO');
    isnt($acked->produce($one, 10, acks => -1, timeout_ms => 3000), 0, 'not acknowledged');
    $node->wait_for_log(qr/log directory failed, no appends until the node starts again: .*failure=flush/);
    break_it($node);
    is($acked->produce($one, 10), $STORAGE_ERROR, 'then 56, although a flush would succeed now');
    is($acked->produce($two, 10, acks => 1), $STORAGE_ERROR, '56 for acks=1, too');
    is($acked->produce($fine, 10), 0, 'the other directory goes on');
    $acked->read_back('while the directory has failed');
    $node->wait_until('the record', sub { -s $node->dir . '/control' }, 10);
    $node->kill9->start;
    $node->wait_for_log(qr{log directory failed before: its logs are verified and written again; dir=\S+/a failure=flush});
    $node->wait_for_log(qr{log directory is repaired; dir=\S+/a$}m);
    $acked->connect($node);
    is($acked->produce($one, 10), 0, 'the next start takes appends');
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
};

subtest 'a crash of a process is no way around' => sub {
    my $node = node_of_two();
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    my ($one) = topics_of($node, $acked);
    break_it($node, 'fsync ' . $node->dir . '/a* EIO', 'pwritev ' . $node->dir . '/a/* EIO');
    is($acked->produce($one, 10), $STORAGE_ERROR, 'error 56');
    $node->wait_for_log(qr/log directory failed/);
    $node->kill_child(KILL => 'retention');
    $node->wait_for_log(qr/node recovered after a crash/);
    $node->wait_until('the repair to fail, too', sub { 1 < (() = $node->log_text =~ /log directory failed/g) });
    $acked->connect($node);
    is($acked->produce($one, 10), $STORAGE_ERROR, 'still 56');
    break_it($node);
    $node->kill_child(KILL => 'retention');
    $node->wait_for_log(qr/log directory is repaired/);
    $acked->connect($node);
    is($acked->produce($one, 10), 0, 'a cycle repairs when the disk is well');
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
};

subtest 'a read fails: that partition alone' => sub {
    my $node = node_of_two();
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    my ($one, $two, $fine) = topics_of($node, $acked);
    my $c = $acked->{c};
    my $at = $c->offset_at($one, -1)->{offset};
    is($c->fetch($one, $at)->{error_code}, 0, 'one waits at the end');
    $acked->produce($_, 3000) for ($one, $two) x 5;
    break_it($node, map { "$_ " . $node->dir . "/a/$one-0/*.log EIO" } qw(pread sendfile));
    ok(!$c->fetch($one, $at), 'an answer that is half sent ends with its connection');
    $node->wait_for_log(qr/a segment cannot be read, the connection is closed; topic=$one partition=0/);
    $acked->connect($node);
    $c = $acked->{c};
    is($c->fetch($one, $at)->{error_code}, $STORAGE_ERROR, 'error 56') for 1, 2;
    my $both = $c->ask(Fetch => 12, { max_bytes => 1 << 25, topics => [ map { { topic => $_, partitions => [
        { partition => 0, fetch_offset => 0, partition_max_bytes => 1 << 20, current_leader_epoch => -1 } ] } } $one, $two ] });
    is(join(' ', map { "$_->{topic}:$_->{partitions}[0]{error_code}" } @{ $both->{responses} }), "$one:$STORAGE_ERROR $two:0",
        'for that partition alone');
    $acked->read_back('from the others', $two, $fine);
    is($acked->produce($one, 10), 0, 'appends go on');
    is($acked->produce($two, 10), 0, 'everywhere');
    break_it($node);
    $acked->read_back('in the end');
    unlike($node->log_text, qr/log directory failed/, 'the directory has not failed');
    is($node->stop('fast'), 0, 'clean stop');
};

subtest 'a directory cannot be read at the start' => sub {
    my $node = node_of_two();
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    my ($one, $two, $fine) = topics_of($node, $acked);
    is($node->stop('fast'), 0, 'clean stop');
    break_it($node, map { "$_ " . $node->dir . '/a/* EIO' } qw(open pread));
    $node->start;
    $node->wait_for_log(qr{log directory cannot be used: .*Input/output error; dir=\S+/a$}m);
    $acked->connect($node);
    is($acked->produce($one, 10), $STORAGE_ERROR, 'error 56 for what lies there');
    is($acked->{c}->fetch($one, 0)->{error_code}, $STORAGE_ERROR, 'to who reads, too');
    ok(!-d $node->dir . "/b/$one-0", 'it is not made anew in the other directory');
    is($acked->produce($fine, 10), 0, 'which goes on');
    $acked->read_back('from there', $fine);
    $node->stop('fast');
    break_it($node, 'open ' . $node->dir . '/a/log-start-offset-checkpoint EIO');
    $node->start;
    $acked->connect($node);
    is($acked->produce($one, 10), $STORAGE_ERROR, 'nor are there appends when only its checkpoints cannot be read');
    $acked->read_back('but what is there is read');
    $node->stop('fast');
    break_it($node);
    $node->start;
    $node->wait_for_log(qr{log directory is repaired; dir=\S+/a$}m);
    $acked->connect($node);
    is($acked->produce($one, 10), 0, 'appends again');
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
    break_it($node, map { "$_ " . $node->dir . '/[ab]/* EIO' } qw(open pread));
    isnt(eval { $node->start; 0 } // $node->wait_exit(20), 0, 'without any directory it does not start');
};

subtest 'a flush of a failed directory never comes back: the node does not wait for it' => sub {
    my $node = node_of_two('acks.durability' => 'disk');
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    my ($one, $two, $fine) = topics_of($node, $acked);
    break_it($node, 'fsync ' . $node->dir . '/a* EIO');
    isnt($acked->produce($one, 10, acks => -1, timeout_ms => 3000), 0, 'not acknowledged');
    $node->wait_until('the record', sub { -s $node->dir . '/control' }, 10);
    break_it($node, 'fsync ' . $node->dir . '/a* wait');
    $node->kill_child('KILL', 'retention');
    $node->wait_for_log(qr/node recovered after a crash/);
    $acked->connect($node);
    is($acked->produce($fine, 10), 0, 'the other directory goes on after a crash of a worker');
    isnt($acked->{c}->fetch($one, 0)->{error_code}, 0, 'what lies there is not served yet');
    break_it($node);
    $node->wait_for_log(qr{log directory is repaired; dir=\S+/a$}m);
    is($acked->produce($one, 10), 0, 'it is repaired when the disk answers');
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
};

subtest 'the metadata cannot be flushed: the node ends, and starts again' => sub {
    my $node = node_of_two();
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    topics_of($node, $acked);
    break_it($node, 'fsync ' . $node->dir . '/meta/* EIO');
    my $answer = $acked->{c}->ask(CreateTopics => 7, { timeout_ms => 5000,
        topics => [ { name => 'new', num_partitions => 1, replication_factor => 1 } ] });
    isnt($answer ? $answer->{topics}[0]{error_code} : 'none', 0, 'the change is not acknowledged');
    is($node->wait_exit(20), 1, 'the node ends with 1');
    like($node->log_text, qr/controller FATAL.*gives up: .*Input\/output error/, 'and says why');
    ok(-e $node->dir . "/$_/.kafka_cleanshutdown", "the logs of $_ are closed in order") for qw(a b);
    isnt(eval { $node->start; 0 } // $node->wait_exit(20), 0, 'it does not start on such a disk');
    like(Ottla::Test::Node::slurp($node->dir . '/control'), qr{^failed\t\S+\tflush\t\d+\t\S+/meta\t}m, 'DIR/control tells');
    break_it($node);
    $node->start;
    unlike(Ottla::Test::Node::slurp($node->dir . '/control'), qr/failed/, 'and no longer when the next start was good');
    $acked->connect($node);
    $acked->read_back('after the next start');
    is($node->stop('fast'), 0, 'clean stop');
};

# The real thing: what a failed flush loses is in the kernel's memory until the power goes. Only who writes it again
# keeps it.
SKIP: {
    my $why = Ottla::Test::Disk::missing();
    skip $why, 2 if $why;
    subtest 'a lost write-back, a start, a power cut' => sub {
        my $disk = Ottla::Test::Disk->new(size_mb => 40);
        my $node = Ottla::Test::Node->new(conf => { 'checkpoint.interval.ms' => 3600000, 'log.segment.bytes' => 1 << 20 });
        $node->set('log.dirs' => $disk->dir . '/log', 'metadata.log.dir' => $node->dir . '/meta');
        mkdir $disk->dir . '/log' or die $!;
        $node->start;
        my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
        $acked->make_topic('t');
        is($acked->produce('t', 1000), 0, 'on the disk');
        $disk->fail_writeback;
        is($acked->produce('t', 200_000, acks => 1), 0, 'acks=1: in the memory of the kernel') for 1 .. 5;
        isnt($acked->produce('t', 1000, timeout_ms => 3000), 0, 'acks=all: not acknowledged');
        $node->wait_for_log(qr/log directory failed, no appends until the node starts again/);
        $node->wait_until('the record', sub { -s $node->dir . '/control' }, 10);
        $acked->read_back('while the directory has failed');
        is($node->stop('fast'), 1, 'no clean end');
        $disk->heal;
        $node->start;
        $node->wait_for_log(qr/log directory is repaired/);
        $acked->connect($node);

        # The kernel may drop what it could not write, and then only a part of acks=1 is served. That part stays.
        if ($node->log_text =~ /recovery cut the tail/) {
            my $first = $acked->{topics}{t}{0};
            $acked->take_stock('t');
            is($acked->{topics}{t}{0}, $first, 'what acks=all was answered for is there');
        }
        is($acked->produce('t', 1000), 0, 'on the disk again');
        $node->kill9;
        $disk->power_cut;
        $node->start;
        $acked->connect($node);
        $acked->read_back('after the power cut');
        is($node->stop('fast'), 0, 'clean stop');
    };

    subtest 'a lost write-back of the metadata, a start, a power cut' => sub {
        my $disk = Ottla::Test::Disk->new(size_mb => 40);
        my $node = Ottla::Test::Node->new(conf => { 'metadata.log.dir' => $disk->dir . '/meta' });
        mkdir $disk->dir . '/meta' or die $!;
        $node->start;
        my $c = Ottla::Test::Api->new($node);
        $c->make_topic('before', 10);
        $disk->fail_writeback;
        my $code = 0;
        for (1 .. 50) {    # until the log needs a block that the device does not have
            $code = eval { $c->make_topic("lost$_", 100); 0 } // 1;
            last if $code;
        }
        is($code, 1, 'a change is not acknowledged');
        is($node->wait_exit(20), 1, 'the node ends');
        $disk->heal;
        $node->start;
        $c = Ottla::Test::Api->new($node);
        $c->make_topic('after', 10);
        $node->kill9;
        $disk->power_cut;
        $node->start;
        $c = Ottla::Test::Api->new($node);
        my $answer = $c->ask(Metadata => 12, { topics => [ map { { name => $_ } } qw(before after) ] });
        is(join(' ', sort map { "$_->{name}:$_->{error_code}" } @{ $answer->{topics} }), 'after:0 before:0',
            'what was acknowledged before and after is there');
        is($node->stop('fast'), 0, 'clean stop');
    };
}

done_testing;
