#!/usr/bin/perl
# seed_requests.pl - makes the corpus of fuzz_requests from test/vectors
#
# Usage: test/fuzz/seed_requests.pl [OUTDIR]    (default test/fuzz/corpus/requests)
#
# One file for each seed, a request frame without its size: the first frame of each API and version
# that a real client sent, all fields set in the oldest, the first flexible and the newest version of
# each API, unknown tags in the newest, and the malformed requests.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'src/tools/lib';
use Ottla::ProtocolTables qw(load_dir);

my $BYTES_MAX = 1500;
my $out = $ARGV[0] // 'test/fuzz/corpus/requests';
system('mkdir', '-p', $out) == 0 or die "mkdir $out failed\n";

my %seeds;
sub seed {
    my ($name, $bytes) = @_;
    $seeds{$name} //= $bytes if length $bytes <= $BYTES_MAX;
}

sub rows {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    my @rows = map { chomp; [split /\t/, $_, -1] } <$in>;
    shift @rows;
    return @rows;
}

my %request = map { $_->{name} => $_ } grep { $_->{kind} eq 'request' } load_dir('src/protocol/messages');

# A header of the right version before a body.
sub frame {
    my ($m, $version, $body) = @_;
    my $head = pack 'n n N n/a*', $m->{number}, $version, 7, 'fuzz';
    $head .= "\0" if $version >= $m->{flex};
    return $head . $body;
}

for my $path (glob 'test/vectors/captured/*.tsv') {
    for (rows($path)) {
        my ($kind, $key, $version, undef, $hex) = @$_;
        seed("client-$key-$version", substr pack('H*', $hex), 4) if $kind eq 'request';
    }
}
for my $path (glob 'test/vectors/messages/*.tsv') {
    for (rows($path)) {
        my ($name, $version, $case, $hex) = @$_;
        my $m = $request{$name} or next;
        my $newest = $version == $m->{hi};
        next if !($case eq 'full' && ($newest || $version == $m->{lo} || $version == $m->{flex}))
            && !($case eq 'tags' && $newest);
        seed("$case-$m->{number}-$version", frame($m, $version, pack 'H*', $hex));
    }
}
if (my $m = $request{OttlaStatRequest}) {    # ours: nobody else has vectors of it
    my $text = sub { chr(1 + length $_[0]) . $_[0] };
    my $cursor = pack 'q>', 0;
    seed('ottla-stat-all', frame($m, 0, $text->('segments') . "\0\1" . $cursor . "\0"));
    seed('ottla-stat-some', frame($m, 0, $text->('partitions') . "\3" . $text->('topic') . $text->('partition')
        . "\3" . $text->('topic') . $text->('t') . "\0" . $text->('leader') . "\0\0" . $cursor . "\0"));
}
my $number = 0;
for (rows('test/vectors/malformed.tsv')) {
    my ($name, $version, undef, $hex) = @$_;
    my $m = $request{$name} or next;
    seed('malformed-' . ++$number, frame($m, $version, pack 'H*', $hex));
}

for my $name (sort keys %seeds) {
    open my $fh, '>:raw', "$out/$name" or die "$out/$name: $!\n";
    print $fh $seeds{$name};
    close $fh or die "$out/$name: $!\n";
}
print scalar(keys %seeds), " seeds\n";
