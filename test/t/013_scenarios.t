#!/usr/bin/perl
# 013_scenarios.t - every acceptance scenario that is claimed has the test that is named for it
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;

sub slurp { my ($path) = @_; open my $f, '<', $path or return "$path: $!"; local $/; return scalar <$f> }

my %seen;
open my $list, '<', 'test/t/SCENARIOS' or die "SCENARIOS: $!";
while (my $line = <$list>) {
    next if $line =~ /^#/;
    my ($name, $files) = $line =~ /^((?:log|admin|groups|shell) \d+)((?: \S+)+)$/ or die "SCENARIOS:$.: not 'NAME FILE...'\n";
    ok(!$seen{$name}++, "$name: once");
    like(slurp($_), qr/(?<!\w)\Q$name\E(?!\d)/, "$name: $_") for split ' ', $files;
}
cmp_ok(scalar keys %seen, '>=', 70, 'and there are many');
done_testing;
