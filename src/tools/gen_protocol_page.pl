#!/usr/bin/perl
# gen_protocol_page.pl - puts the table of APIs into the manual page ottla-protocol(7)
#
# Usage: gen_protocol_page.pl include/ottla/protocol/apis.h PAGE OUT. Lines of PAGE that read
# .\" @NOW@, .\" @QUIET@ or .\" @LATER@ become the APIs whose rows say so.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_file write_if_changed);

my ($apis, $page, $out) = @ARGV;
my %rows;
for (split /\n/, read_file($apis)) {
    next if !/^    X\((\d+),\s*(\w+),\s*(\d+),\s*(\d+),.*,\s*(\w+)\)/;
    push @{ $rows{$5} }, { key => $1, name => $2, lo => $3, hi => $4 };
}
die "$apis: no rows\n" if !$rows{NOW};

my $text = '';
for my $line (split /\n/, read_file($page)) {
    if ($line !~ /^\.\\" \@(\w+)\@\z/) { $text .= "$line\n"; next }
    my @of = @{ $rows{$1} // [] };
    if ($1 eq 'NOW') {
        $text .= ".Bl -column \"DescribeUserScramCredentials\" \"999\" \"versions\"\n.It Em API Ta Em key Ta Em versions\n";
        $text .= ".It $_->{name} Ta $_->{key} Ta $_->{lo}" . ($_->{hi} > $_->{lo} ? " to $_->{hi}" : '') . "\n" for @of;
        $text .= ".El\n";
    } else {
        $text .= join(",\n", map { "$_->{name} ($_->{key})" } @of) . ".\n";
    }
}
write_if_changed($out, $text);
