#!/usr/bin/perl
# 022_topic_settings.t - what settings of topics do to the files, seen from outside
#
# Proves that segment size and time, index interval, message size, timestamps and compression, given to the
# node as defaults of its topics, act on what kcat produces.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Ottla::Test::Node;
use Ottla::Test::Wire;

my $node = Ottla::Test::Node->new(conf => {
        'log.segment.bytes'          => '1MB',
        'log.index.interval.bytes'   => 500,
        'message.max.bytes'          => 100_000,
        'compression.type'           => 'zstd',
        'log.message.timestamp.type' => 'LogAppendTime',
})->start;

sub produce {    # lines to a topic; the exit code of kcat
    my ($topic, @lines) = @_;
    open my $fh, '|-', 'kcat', '-P', '-b', $node->address, '-t', $topic, '-X', 'batch.num.messages=20', '-X',
        'message.max.bytes=1000000', '-X', 'message.timeout.ms=5000', '-q'
        or die;
    print {$fh} "$_\n" for @lines;
    close $fh;
    return $? >> 8;
}

sub noise {      # text that does not compress
    my ($bytes) = @_;
    return join '', map { chr(33 + int rand 90) } 1 .. $bytes;
}

sub files {
    my ($topic, $kind) = @_;
    return sort glob $node->dir . "/log/$topic-0/*.$kind";
}

is(produce('rolled', map { noise(3000) } 1 .. 1000), 0, 'three megabytes');
my @logs = files('rolled', 'log');
cmp_ok(scalar @logs, '>=', 3, 'several segments');
is(scalar(grep { -s > 1 << 20 } @logs), 0, 'none above segment.bytes');
cmp_ok((-s $logs[0]) / ((-s((files('rolled', 'index'))[0])) / 8), '<', 80_000, 'an index entry per batch');
my $first = Ottla::Test::Node::slurp($logs[0]);
my $attributes = unpack 'n', substr $first, 21, 2;
is($attributes & 7, 4, 'zstd');
is($attributes & 8, 8, 'LogAppendTime');
isnt(produce('rolled', noise(200_000)), 0, 'a batch above message.max.bytes is refused');
my $read = qx(kcat -C -e -q -b @{[ $node->address ]} -t rolled | wc -l);
is($read + 0, 1000, 'all is read back');
is($node->stop, 0, 'stop');

$node = Ottla::Test::Node->new(conf => { 'log.roll.ms' => 300 })->start;
my $wire = Ottla::Test::Wire->new($node);
is($wire->create_topic('aged'), 0, 'a topic');
for my $age (9000, 8500, 8000) {
    my $batch = Ottla::Test::Wire::batch(10, int(time * 1000) - $age);
    is((Ottla::Test::Wire::produced($wire->call(0, 7, Ottla::Test::Wire::produce_body('aged', $batch)), 'aged'))[0], 0, "$age ms old");
}
is(scalar(@{[ files('aged', 'log') ]}), 3, 'segment.ms rolls');
is($node->stop, 0, 'stop');
done_testing;
