#!/usr/bin/perl
# 203_readonly_start.t - a file system that is read-only already when the node starts (design.md 6 "Errors")
#
# A log directory that was closed in order is served as it lies, appends get 56, and nothing of it has to be repaired
# when it can be written again; one that was not closed is offline. The directory of the metadata ends the start.
# Needs root.
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
my $log  = $disk->dir . '/log';
mkdir $log or die $!;
my $node = Ottla::Test::Node->new(conf => { 'checkpoint.interval.ms' => 3600000, 'log.retention.ms' => -1 });
$node->set('log.dirs' => $log . ',' . $node->dir . '/log', 'metadata.log.dir' => $node->dir . '/meta')->start;
my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
$acked->make_topic("t$_") for 1 .. 4;
$acked->produce_all(5000) for 1 .. 3;
my @there     = grep { -d "$log/$_-0" } qw(t1 t2 t3 t4);
my ($there)   = @there;
my ($beside)  = grep { !-d "$log/$_-0" } qw(t1 t2 t3 t4);
ok(@there == 2 && $beside, 'topics in each directory');

sub fetch_error {
    my ($topic) = @_;
    my $answer = $acked->{c}->fetch($topic, 0, max_wait_ms => 0);
    return $answer ? $answer->{error_code} : -1;
}

my $mark = 0;

# What was said since the last start.
sub said { return substr $node->log_text, $mark }

sub start { $mark = $node->log_size; $node->start; return $acked->connect($node) }

sub complaints { return [grep { /(?:WARNING|ERROR|FATAL):/ && /\Q$log\E/ } split /\n/, said()] }

subtest 'closed in order' => sub {
    is($node->stop('fast'), 0, 'clean stop');
    $disk->mount_read_only;
    start();
    $acked->read_back('of the read-only directory', @there);
    is($acked->produce($there, 1000), $STORAGE_ERROR, 'appends get 56');
    is($acked->produce($there, 1000), $STORAGE_ERROR, 'each of them');
    is($acked->produce($beside, 1000), 0, 'the other directory goes on');
    $acked->make_topic('new');
    is($acked->produce('new', 10), 0, 'new topics go there');
    $node->kill_child('KILL', 'retention');
    $node->wait_for_log(qr/node recovered after a crash/);
    $acked->connect($node);
    $acked->read_back('after a crash of a worker', @there);
    is($acked->produce($there, 1000), $STORAGE_ERROR, 'appends get 56 still');
    is($node->stop('fast'), 0, 'a clean stop: nothing of it is open');
    my $said = complaints();
    is(scalar @$said, 1, 'one line about it') or diag join "\n", @$said;
    like($said->[0] // '', qr/log directory is read as it was closed: .*Read-only file system/, 'which says why');
};

subtest 'it can be written again' => sub {
    $disk->remount;
    start();
    is($acked->produce($there, 1000), 0, 'takes appends');
    $acked->read_back('of all');
    my $text = said();
    like($text, qr/clean_start=yes/, 'nothing was to be recovered');
    unlike($text, qr/repair|failed before/, 'or repaired');
};

subtest 'not closed in order' => sub {
    $node->kill9;
    $disk->mount_read_only;
    start();
    is(fetch_error($there), $STORAGE_ERROR, 'fetches get 56');
    is($acked->produce($there, 1000), $STORAGE_ERROR, 'appends get 56');
    $acked->read_back('of the other directory', $beside);
    $node->stop('fast');
    my $said = complaints();
    is(scalar @$said, 1, 'one line about it') or diag join "\n", @$said;
    like($said->[0] // '', qr/log directory cannot be used: .*Read-only file system/, 'which says why');
    $disk->remount;
    start();
    $node->wait_for_log(qr/log directory is repaired/);
    is($acked->produce($there, 1000), 0, 'takes appends when it can be written again');
    $acked->read_back('of all');
    is($node->stop('fast'), 0, 'clean stop');
};

subtest 'read-only here, written by another node' => sub {
    start();
    my $other = Ottla::Test::Node->new;
    $other->set('log.dirs' => $other->dir . '/log,' . $disk->read_only_view . '/log')->launch;
    is($other->wait_exit, 75, 'the start fails: the directory is locked');
    is($node->stop('fast'), 0, 'clean stop');
    $disk->remove_view;
};

subtest 'the directory of the metadata' => sub {
    my $alone = Ottla::Test::Node->new(dir => $disk->dir . '/data');
    $alone->start;
    $alone->stop('fast');
    $disk->mount_read_only;
    $alone->launch;
    is($alone->wait_exit, 1, 'the start fails');
    my @said = grep { /FATAL:/ } split /\n/, $alone->log_new;
    is(scalar @said, 1, 'one line');
    like($said[0] // '', qr/cannot start: .*Read-only file system/, 'which says why');
    $disk->remount;
};

done_testing;
