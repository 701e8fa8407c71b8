#!/usr/bin/perl
# manual-index.pl - the first page of the HTML manual: every man page with its one-line description
#
# Usage: manual-index.pl PAGE... >index.html
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;

my %title = (1 => 'Commands', 5 => 'Files', 7 => 'How it works', 8 => 'The server');
my %of;
for my $path (@ARGV) {
    my ($name, $section) = $path =~ m{([^/]+)\.(\d)$} or die "$path: not NAME.SECTION\n";
    open my $in, '<', $path or die "$path: $!\n";
    my ($what) = map { /^\.Nd (.*)/ ? $1 : () } <$in>;
    die "$path: no .Nd\n" if !defined $what;
    push @{ $of{$section} }, [ $name, $what ];
}
print qq{<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Ottla: manual</title>\n},
    qq{<link rel="stylesheet" href="manual.css"></head><body>\n<h1>Ottla: manual</h1>\n};
for my $section (7, 8, 1, 5) {
    next if !$of{$section};
    print "<h2>$title{$section}</h2>\n<dl>\n";
    print qq{<dt><a href="$_->[0].$section.html">$_->[0]($section)</a></dt><dd>$_->[1]</dd>\n} for @{ $of{$section} };
    print "</dl>\n";
}
print "</body></html>\n";
