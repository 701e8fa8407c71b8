#!/usr/bin/perl
# 013_scenarios.t - every acceptance scenario that is claimed has the test that is named for it
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;

my %seen;
open my $list, '<', 'test/t/SCENARIOS' or die "SCENARIOS: $!";
while (<$list>) {
    next if /^#/;
    my ($name, $file) = /^((?:log|admin|groups|shell) \d+) (\S+)$/ or die "SCENARIOS:$.: not 'NAME FILE'\n";
    ok(!$seen{$name}++, "$name: once");
    open my $test, '<', $file or do { fail("$name: $file: $!"); next };
    local $/;
    like(<$test>, qr/(?<!\w)\Q$name\E(?!\d)/, "$name: $file");
}
cmp_ok(scalar keys %seen, '>=', 70, 'and there are many');
done_testing;
