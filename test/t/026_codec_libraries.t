#!/usr/bin/perl
# 026_codec_libraries.t - a codec whose library cannot be loaded is missed by batches in this codec alone
#
# Files that are no libraries stand for missing ones. The node starts without them, says in its log which one is
# needed, refuses what it cannot read or write, and serves everything else.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);
use Ottla::Test::Node;
use Test::More;

my %soname = (gzip => 'libz.so.1', snappy => 'libsnappy.so.1', lz4 => 'liblz4.so.1', zstd => 'libzstd.so.1');
my $broken = tempdir(CLEANUP => 1);
for my $name (values %soname) { open my $file, '>', "$broken/$name" or die $! }

my $node = Ottla::Test::Node->new(env => { LD_LIBRARY_PATH => $broken }, conf => { 'acks.durability' => 'memory' });
$node->start;
my $c = Ottla::Test::Api->new($node);

$c->make_topic('plain', 1);
for my $codec (sort keys %soname) {
    my $answer = $c->produce('plain', batch(records => ["in $codec"], codec => $codec));
    is($answer->{error_code}, -1, "$codec: refused");
    like($node->log_text, qr/ERROR.*storage: batches in one codec are refused: \Q$soname{$codec}\E cannot be loaded/, "$codec: a line");
    $c->make_topic("to-$codec", 1, 'compression.type' => $codec);
    isnt($c->produce("to-$codec", batch(records => ['plain']))->{error_code}, 0, "$codec: nothing is written in it either");
}
is($c->produce('plain', batch(records => ['as it is']))->{error_code}, 0, 'the connection goes on');
my ($b) = batches($c->fetch('plain', 0)->{records});
is($b->{records}[0]{value}, 'as it is', 'and what was written is read');
is($node->stop('fast'), 0, 'a clean stop');
done_testing;
