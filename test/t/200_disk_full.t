#!/usr/bin/perl
# 200_disk_full.t - a disk is full: 56 for what needs space, everything else goes on, and so does that when there is space again
#
# On small real file systems. Whatever was acknowledged is read back in the end, byte for byte; nothing torn is seen
# (design.md 6 "Errors"; log.md scenario 52). Needs root.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Test::More;
use Ottla::Test::Disk;
BEGIN { my $why = Ottla::Test::Disk::missing(); plan skip_all => $why if $why }
use Ottla::Test::Acked;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Wire;

my $STORAGE_ERROR = 56;

# Produces until the answer is another one; the last answer's code. At most so many requests of 100 kB.
sub produce_until {
    my ($acked, $topic, $wanted, $most) = @_;
    my $code;
    for (1 .. $most) {
        $code = $acked->produce($topic, 100_000);
        return $code if $wanted->($code);
    }
    return $code;
}

subtest 'one of two log directories is full (log 52)' => sub {
    my ($small, $other) = (Ottla::Test::Disk->new(size_mb => 40), Ottla::Test::Disk->new(size_mb => 40));
    mkdir "$_/log" or die $! for $small->dir, $other->dir;
    my $node = Ottla::Test::Node->new(conf => {
        'log.dirs' => join(',', map { $_->dir . '/log' } $small, $other), 'checkpoint.interval.ms' => 200,
        'log.segment.bytes' => 1 << 20, 'log.segment.delete.delay.ms' => 100, 'log.retention.ms' => -1,
    });
    $node->set('metadata.log.dir' => $node->dir . '/meta')->start;
    my $c = Ottla::Test::Api->new($node);
    my $acked = Ottla::Test::Acked->new($c);
    $acked->make_topic("t$_") for 1 .. 4;
    my %in_small = map { $_ => -d $small->dir . "/log/$_-0" } $acked->produce_all(1000);
    my ($full)   = grep { $in_small{$_} } sort keys %in_small;
    my ($fine)   = grep { !$in_small{$_} } sort keys %in_small;
    ok($full && $fine, 'the topics lie in both directories');
    ok(-s $small->dir . '/log/.ottla_reserve', 'space is held back');

    $small->fill(1 << 20);
    is(produce_until($acked, $full, sub { $_[0] }, 100), $STORAGE_ERROR, 'full: 56');
    is(produce_until($acked, $full, sub { !$_[0] }, 3), $STORAGE_ERROR, 'and again');
    $node->wait_for_log(qr/disk is full: appends are refused until there is space; dir=\Q${\ $small->dir}\E/);
    ok(!-s $small->dir . '/log/.ottla_reserve', 'what was held back is given up');
    my %dir = map { $_->{directory} => $_ } @{ Ottla::Test::Wire->new($node->connect_unix)->stat('log_dirs') };
    is($dir{ $small->dir . '/log' }{state}, 'full', 'so says the statistic');
    cmp_ok($dir{ $small->dir . '/log' }{full}, '>=', 4, 'and counts');
    is($dir{ $other->dir . '/log' }{state}, 'online', 'the other is online');
    is(produce_until($acked, $fine, sub { $_[0] }, 20), 0, 'the other directory takes records');
    $acked->read_back('while it is full');
    my $end = $c->offset_at($full, -1)->{offset};
    $node->wait_until('a checkpoint on the full disk', sub {
        Ottla::Test::Node::slurp($small->dir . '/log/recovery-point-offset-checkpoint') =~ /^$full 0 $end$/m }, 20);
    is($c->ask(DeleteTopics => 6, { timeout_ms => 10000, topics => [ { name => $full } ] })->{responses}[0]{error_code},
        0, 'a topic can be deleted');
    $acked->forget($full);
    my ($next) = grep { $in_small{$_} && $_ ne $full } sort keys %in_small;
    $acked->make_topic($next = 'again'), $acked->produce($next, 10) if !$next;
    $node->wait_until('space by the delete', sub { $acked->produce($next, 10_000) == 0 }, 20);
    pass('with the space of the deleted topic appends go on by themselves');
    $node->wait_for_log(qr/disk has space again: appends go on; dir=\Q${\ $small->dir}\E/);
    $acked->read_back('with space again');

    $small->fill(0);
    produce_until($acked, $next, sub { $_[0] }, 100);
    is($node->stop('fast'), 0, 'a clean stop on a full disk');
    $node->start;
    $acked->connect($node);
    $acked->read_back('after a start on a full disk');
    $node->kill9->start;
    $acked->connect($node);
    $acked->read_back('after a kill and a start on a full disk');
    $small->make_room;
    is(produce_until($acked, $next, sub { !$_[0] }, 3), 0, 'room: the next request is taken');
    $acked->read_back('in the end');
    $node->stop('fast');
};

subtest 'the disk with the metadata is full' => sub {
    my $disk = Ottla::Test::Disk->new(size_mb => 48);
    my $node = Ottla::Test::Node->new(dir => $disk->dir . '/node', conf => {
        'log.segment.bytes' => 1 << 20, 'log.segment.delete.delay.ms' => 100, 'checkpoint.interval.ms' => 200 })->start;
    my $c = Ottla::Test::Api->new($node);
    my $acked = Ottla::Test::Acked->new($c);
    $acked->make_topic($_) for qw(victim kept);
    $acked->produce_all(1000);
    produce_until($acked, 'victim', sub { $_[0] }, 20);
    $disk->fill(0);
    is(produce_until($acked, 'kept', sub { $_[0] }, 100), $STORAGE_ERROR, 'full: 56');
    $disk->fill(0);    # what the log directory gave up, too
    my ($created, $code) = (0, 0);
    for (1 .. 100) {    # each takes a few hundred bytes of the metadata log
        $code = eval { $c->make_topic("more$_", 50); 0 } // ($@ =~ /error (\d+)/)[0];
        last if $code;
        $created++;
    }
    is($code, $STORAGE_ERROR, "no change of the metadata any more, after $created");
    $node->wait_for_log(qr/disk is full: most changes of the metadata are refused/);
    $acked->read_back('while it is full');
    is($node->stop('fast'), 0, 'a clean stop');
    $node->start;
    $acked->connect($node);
    $c = $acked->{c};
    $acked->read_back('after a start');
    is($c->ask(DeleteTopics => 6, { timeout_ms => 10000, topics => [ { name => 'victim' } ] })->{responses}[0]{error_code},
        0, 'a topic can be deleted');
    $acked->forget('victim');
    $node->wait_until('space by the delete', sub { $acked->produce('kept', 1000) == 0 }, 20);
    ok(eval { $c->make_topic('after'); 1 }, 'and others be made again') or diag $@;
    $node->wait_for_log(qr/disk has space again: the metadata may be changed/);
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
};

# Whatever the node gave up when it was full, and all that was left: the next start has blocks of its own.
subtest 'filled to the last block while the node is down' => sub {
    my $disk = Ottla::Test::Disk->new(size_mb => 48);
    my $node = Ottla::Test::Node->new(dir => $disk->dir . '/node', conf => { 'log.segment.bytes' => 1 << 20 })->start;
    my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
    $acked->make_topic($_) for qw(victim kept);
    $acked->produce_all(1000);
    produce_until($acked, 'victim', sub { $_[0] }, 20);
    $disk->fill(0);
    for (1 .. 100) { last if !eval { $acked->{c}->make_topic("more$_", 50); 1 } }
    $node->wait_for_log(qr/disk is full: most changes of the metadata are refused/);
    for my $how (qw(stop kill9 kill9)) {
        $node->$how;
        $disk->fill(0);
        $node->start;
        $acked->connect($node);
        $acked->read_back("after $how and a start without a free block");
    }
    is($acked->{c}->ask(DeleteTopics => 6, { timeout_ms => 10000, topics => [ { name => 'victim' } ] })->{responses}[0]{error_code},
        0, 'a topic can be deleted');
    $acked->forget('victim');
    $disk->make_room;
    $node->wait_until('space', sub { $acked->produce('kept', 1000) == 0 }, 20);
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
};

done_testing;
