#!/usr/bin/perl
# 863_stat_cost.t - keeping statistics costs less than a hundredth of a produce request's instructions
#
# Proves: of what a backend does for a request of one small record, and for one of a mebibyte, less than 1 % is
# counting, timing and telling others what it does (test/bench/stat_cost.pl counts, under callgrind).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;

plan skip_all => 'valgrind is not installed' if system('command -v valgrind >/dev/null 2>&1') != 0;
my @lines = `$^X test/bench/stat_cost.pl -v 2>&1`;
my %share = map { /^(\d+) instructions=(\d+) statistics=(\d+) share=([\d.]+)%$/ ? ($1 => [ $2, $3, $4 ]) : () } @lines;
is(scalar keys %share, 2, 'two sizes of requests') or diag @lines;
for my $bytes (sort { $a <=> $b } keys %share) {
    my ($all, $statistics, $share) = @{ $share{$bytes} };
    cmp_ok($all, '>', 5_000, "$bytes bytes: $all instructions");
    cmp_ok($statistics, '>', 30, "... of them $statistics for statistics");
    cmp_ok($share, '<', 1, "... $share %") or diag @lines;
}
done_testing;
