#!/usr/bin/perl
# seed_statement.pl - makes the corpus of fuzz_statement: the statements of its unit test, one of each form
#
# Usage: test/fuzz/seed_statement.pl [OUTDIR]    (default test/fuzz/corpus/statement)
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;

my $out = $ARGV[0] // 'test/fuzz/corpus/statement';
system('mkdir', '-p', $out) == 0 or die "mkdir $out failed\n";

open my $in, '<', 'test/unit/statement/test_parse.c' or die "test_parse.c: $!\n";
my $text = do { local $/; <$in> };
my $number = 0;
for my $rows ($text =~ /rows\[\] = \{\n(.*?)\n    \};/gs) {
    while ($rows =~ /\{(?:STATEMENT_\w+,\s*)?((?:"(?:\\.|[^"\\])*"\s*)+),/g) {
        my $statement = $1;
        $statement =~ s/"\s*"//g;
        $statement =~ s/\A"|"\s*\z//g;
        $statement =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
        open my $file, '>', sprintf '%s/%03d', $out, $number++ or die "$out: $!\n";
        print $file $statement;
        close $file or die "$out: $!\n";
    }
}
