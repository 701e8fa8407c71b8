#!/usr/bin/perl
# 030_conformance.t - Ottla answers what Apache Kafka 4.3.1 answered, request by request
#
# Runs the reference's cases (../shared/conformance) against a node of its own: exact requests, valid
# and not, in every version. Left out are the cases of test/conformance/later-apis.txt, each with
# the API it needs; differences that are meant stand in deviations.tsv with their reason. Skipped
# where there is no reference. CONFORM_CASES=produce,frames/header_tags runs some.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Cwd qw(abs_path);
use Test::More;

my $shared = $ENV{OTTLA_SHARED} // '../shared';
my $conform = "$shared/conformance/conform";
plan skip_all => "no reference cases in $shared/conformance" if !-x $conform;

my $ottlad = ($ENV{OTTLA_BIN} // 'build/release/bin') . '/ottlad';
plan skip_all => "no $ottlad" if !-x $ottlad;

my @files = qw(frames apiversions metadata produce idempotence fetch fetch_sessions
    offsets_by_time epochs delete_records topics configs topic_configs cluster log_dirs
    partitions coordinators classic_groups static_members offsets group_admin consumer_groups);
@files = split /,/, $ENV{CONFORM_CASES} if $ENV{CONFORM_CASES};

sub lines_of {
    my (@command) = @_;
    open my $out, '-|', @command or die "$command[0]: $!";
    chomp(my @lines = <$out>);
    close $out;
    return @lines;
}

my %later;
open my $list, '<', 'test/conformance/later-apis.txt' or die "later-apis.txt: $!";
while (<$list>) {
    /^(\S+) (\w+)$/ or die "later-apis.txt: not 'CASE API': $_";
    $later{$1} = $2;
}
close $list;

my %wanted = map { $_ => 1 } @files;
my @all = grep { m{^(\w+)/} && $wanted{$1} || $wanted{$_} } lines_of($conform, 'list');
my @cases = grep { !$later{$_} } @all;
plan tests => scalar @cases;
note("left out, needs $later{$_}: $_") for grep { $later{$_} } @all;

my $start = abs_path($ottlad) . ' -D {dir} -p {port}'
    . join '', map { " -c $_" } lines_of($conform, 'settings');
open my $run, '-|', $conform, 'check', '--start', $start, '--deviations',
    'test/conformance/deviations.tsv', @cases
    or die "$conform: $!";
my ($name, $good, @why);
my $seen = 0;
my $report = sub {
    return if !defined $name;
    ok($good, $name) or diag(join "\n", @why);
    $seen++;
    @why = ();
};
while (<$run>) {
    chomp;
    if (/^(ok|not ok) \d+ - (.*)/) {
        $report->();
        ($good, $name) = ($1 eq 'ok', $2);
    } elsif (/^#/) {
        push @why, $_;
    }
}
$report->();
close $run;
fail("the run ended early") for $seen + 1 .. @cases;
