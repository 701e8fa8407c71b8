# Batch.pm - record batches as bytes: built with any field wrong on purpose, and taken apart
#
#   batch(records => [ 'value', { key => 'k', value => undef, headers => [ [ h => 'v' ] ], timestamp => $ms } ],
#         codec => 'gzip', producer_id => 7, epoch => 0, sequence => 0)
#   my @batches = batches($bytes);     # hashes: base_offset last_offset codec crc_ok records => [...] ...
#
# Codecs: gzip by Compress::Zlib; lz4 and zstd by the commands of these names.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Batch;

use strict;
use warnings;
use Compress::Zlib ();
use Exporter 'import';
use File::Temp ();
use Ottla::Test::Wire;
our @EXPORT_OK = qw(batch batches reseal);

my %codec = (none => 0, gzip => 1, snappy => 2, lz4 => 3, zstd => 4);
my @codec = qw(none gzip snappy lz4 zstd);
my $V = \&Ottla::Test::Wire::varint;

sub filter {
    my ($bytes, @command) = @_;
    my $in = File::Temp->new;
    binmode $in;
    print $in $bytes;
    close $in;
    my $out = `@command < $in`;
    die "@command: $?\n" if $?;
    return $out;
}

sub compress {
    my ($name, $bytes) = @_;
    return $bytes if $name eq 'none';
    return Compress::Zlib::memGzip($bytes) if $name eq 'gzip';
    return filter($bytes, 'zstd', '-q', '-c') if $name eq 'zstd';
    return filter($bytes, 'lz4', '-q', '-c', '-BD') if $name eq 'lz4';
    # snappy: one literal (no compression is a valid stream)
    my $n = length $bytes;
    my $head = '';
    for (my $left = $n; ; $left >>= 7) { $head .= chr($left & 127 | ($left > 127 ? 128 : 0)); last if $left <= 127 }
    return $head . ($n ? chr(62 << 2) . substr(pack('V', $n - 1), 0, 3) . $bytes : '');
}

sub decompress {
    my ($name, $bytes) = @_;
    return $bytes if $name eq 'none';
    return Compress::Zlib::memGunzip($bytes) // die "gzip\n" if $name eq 'gzip';
    return filter($bytes, $name, '-q', '-d', '-c') if $name ne 'snappy';
    die "snappy is not read here\n";
}

sub blob { my ($b) = @_; return defined $b ? $V->(length $b) . $b : $V->(-1) }

sub record {
    my ($r, $delta, $base) = @_;
    my $body = "\0" . $V->(($r->{timestamp} // $base) - $base) . $V->($r->{offset_delta} // $delta)
        . blob($r->{key}) . blob($r->{value}) . $V->(scalar @{ $r->{headers} // [] })
        . join '', map { blob($_->[0]) . blob($_->[1]) } @{ $r->{headers} // [] };
    return $V->(length $body) . $body;
}

# Options: records, codec, timestamp (base), max_timestamp, attributes (beside the codec), base_offset, epoch,
# producer_id, sequence, count, last_offset_delta, magic, leader_epoch, payload (bytes instead of records).
sub batch {
    my (%o) = @_;
    my @records = map { ref $_ ? $_ : { value => $_ } } @{ $o{records} // [] };
    my $base = $o{timestamp} // (@records && defined $records[0]{timestamp} ? $records[0]{timestamp} : int(time * 1000));
    my ($max) = sort { $b <=> $a } $base, map { $_->{timestamp} // $base } @records;
    my $i = 0;
    my $payload = $o{payload} // compress($o{codec} // 'none', join '', map { record($_, $i++, $base) } @records);
    my $rest = pack('n l> q> q> q> s> l> l>', $codec{ $o{codec} // 'none' } | ($o{attributes} // 0),
        $o{last_offset_delta} // @records - 1, $base, $o{max_timestamp} // $max, $o{producer_id} // -1,
        $o{epoch} // -1, $o{sequence} // -1, $o{count} // scalar @records) . $payload;
    my $behind = pack('l> C N', $o{leader_epoch} // -1, $o{magic} // 2, Ottla::Test::Wire::crc32c($rest)) . $rest;
    return pack('q> N', $o{base_offset} // 0, length $behind) . $behind;
}

# The same batch with its checksum made right.
sub reseal { my ($b) = @_; substr($b, 17, 4) = pack 'N', Ottla::Test::Wire::crc32c(substr $b, 21); return $b }

sub get_varint {
    my ($s, $at) = @_;
    my ($n, $shift) = (0, 0);
    while (1) { my $c = ord substr $$s, $$at++, 1; $n |= ($c & 127) << $shift; last if $c < 128; $shift += 7 }
    return $n & 1 ? -(($n + 1) >> 1) : $n >> 1;
}

sub get_blob { my ($s, $at) = @_; my $n = get_varint($s, $at); return undef if $n < 0; $$at += $n; return substr $$s, $$at - $n, $n }

sub records_of {
    my ($b, $payload) = @_;
    my ($at, @records) = (0);
    for (1 .. $b->{count}) {
        my $len = get_varint(\$payload, \$at);
        my $end = $at + $len;
        $at++;
        my %r = (timestamp => $b->{base_timestamp} + get_varint(\$payload, \$at));
        $r{timestamp} = $b->{max_timestamp} if $b->{attributes} & 8;
        $r{offset} = $b->{base_offset} + get_varint(\$payload, \$at);
        $r{key} = get_blob(\$payload, \$at);
        $r{value} = get_blob(\$payload, \$at);
        $r{headers} = [ map { [ get_blob(\$payload, \$at), get_blob(\$payload, \$at) ] } 1 .. get_varint(\$payload, \$at) ];
        die "record of a wrong length\n" if $at != $end;
        push @records, \%r;
    }
    return \@records;
}

# Whole batches at the front of bytes; what is left over is dropped, as a client does.
sub batches {
    my ($bytes) = @_;
    my ($at, @batches) = (0);
    while ($at + 61 <= length($bytes // '')) {
        my ($base, $len) = unpack 'q> N', substr $bytes, $at, 12;
        last if $at + 12 + $len > length $bytes;
        my $raw = substr $bytes, $at, 12 + $len;
        my %b = (base_offset => $base, raw => $raw);
        (@b{qw(leader_epoch magic crc attributes delta base_timestamp max_timestamp producer_id epoch sequence count)}) =
            unpack 'x12 l> C N n l> q> q> q> s> l> l>', $raw;
        $b{last_offset} = $base + $b{delta};
        $b{codec} = $codec[ $b{attributes} & 7 ];
        $b{crc_ok} = $b{crc} == Ottla::Test::Wire::crc32c(substr $raw, 21);
        $b{payload} = substr $raw, 61;
        $b{records} = records_of(\%b, decompress($b{codec}, $b{payload})) if $b{codec} ne 'snappy';
        push @batches, \%b;
        $at += 12 + $len;
    }
    return @batches;
}

1;
