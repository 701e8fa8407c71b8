#!/usr/bin/perl
# gen_layers.pl - turns the layer table of src/README.md into make variables
#
# Usage: gen_layers.pl README.md OUT. The table stands between the lines "<!-- layers" and "-->":
# one line "folder: folders it may include directly" each, lowest first. OUT gets LAYERS (lowest
# first) and BELOW_folder (all below, directly or not). Dies when a line names a folder above itself.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_layers write_if_changed);

my ($readme, $out) = @ARGV;
my ($order, $below) = read_layers($readme);
my $text = "LAYERS := @$order\n";
for my $folder (@$order) {
    $text .= "BELOW_$folder := " . join(' ', grep { $below->{$folder}{$_} } @$order) . "\n";
}
write_if_changed($out, $text);
utime undef, undef, $out;
