#!/usr/bin/perl
# gen_testrules.pl - tells prove which tests need the machine alone
#
# Usage: gen_testrules.pl LIST OUT. LIST (it may be missing) names a test file of its folder per
# line; '#' starts a comment. Those run first and one by one, all others beside each other.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_file write_if_changed);

my ($list, $out) = @ARGV;
my $dir = dirname($list);
my @serial = -f $list ? grep { /\S/ } map { s/#.*//r =~ s/\s+//gr } split /\n/, read_file($list) : ();
my $text = "---\nseq:\n";
$text .= "  - seq: $dir/$_\n" for @serial;
$text .= "  - par: '**'\n";
write_if_changed($out, $text);
