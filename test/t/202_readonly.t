#!/usr/bin/perl
# 202_readonly.t - a file system turns read-only under the node, as the kernel does after an error (design.md 6 "Errors")
#
# One of two log directories: appends to it get 56, everything else goes on, the node starts with such a directory,
# and when the disk was mended all that was acknowledged is there. Needs root.
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
use Ottla::Test::Node;

my $STORAGE_ERROR = 56;

my $disk = Ottla::Test::Disk->new(size_mb => 40);
my $node = Ottla::Test::Node->new(conf => { 'checkpoint.interval.ms' => 3600000, 'log.retention.ms' => -1 });
mkdir $disk->dir . '/log' or die $!;
$node->set('log.dirs' => $disk->dir . '/log,' . $node->dir . '/log', 'metadata.log.dir' => $node->dir . '/meta')->start;
my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
$acked->make_topic("t$_") for 1 .. 2;
$acked->produce_all(5000) for 1 .. 3;
my ($broken) = grep { -d $disk->dir . "/log/$_-0" } qw(t1 t2);
my ($fine)   = grep { !-d $disk->dir . "/log/$_-0" } qw(t1 t2);

subtest 'under the node' => sub {
    ok($broken && $fine, 'a topic in each directory');
    $disk->make_read_only;
    is($acked->produce($broken, 1000), $STORAGE_ERROR, 'error 56');
    $node->wait_for_log(qr/log directory failed, no appends until the node starts again: .*Read-only file system/);
    is($acked->produce($broken, 1000), $STORAGE_ERROR, 'and again');
    is($acked->produce($fine, 1000), 0, 'the other directory goes on');
    $acked->read_back('while it is read-only');
    $node->wait_until('the record', sub { -s $node->dir . '/control' }, 10);
    is($node->stop('fast'), 1, 'no clean end');
};

subtest 'a start beside it' => sub {
    $node->start;
    $node->wait_for_log(qr/log directory cannot be used: .*Read-only file system/);
    $acked->connect($node);
    is($acked->produce($broken, 1000), $STORAGE_ERROR, 'error 56');
    is($acked->produce($fine, 1000), 0, 'the other directory goes on');
    $acked->read_back('of the other directory', $fine);
    $acked->make_topic('new');
    is($acked->produce('new', 10), 0, 'a new topic, too');
    $node->stop('fast');
};

subtest 'the disk is mended' => sub {
    $disk->remount;
    $node->start;
    $node->wait_for_log(qr/log directory is repaired/);
    $acked->connect($node);
    is($acked->produce($broken, 1000), 0, 'takes appends');
    $acked->read_back('in the end');
    is($node->stop('fast'), 0, 'clean stop');
};

done_testing;
