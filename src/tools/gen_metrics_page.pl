#!/usr/bin/perl
# gen_metrics_page.pl - the manual page of all metrics, ottla-metrics(7), from metrics.txt
#
# Usage: gen_metrics_page.pl src/metrics/metrics.txt SOURCE OUT. SOURCE is the page with the line ".\" metrics" where
# the list belongs: a section per heading of the table, an entry per row.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_file read_metrics write_if_changed);

my ($in, $source, $out) = @ARGV;
my ($list, $heading) = ('', '');

# Running text: each sentence on a line of its own, no line begins with a dot or an apostrophe.
sub text {
    my ($t) = @_;
    $t =~ s/\\/\\e/g;
    $t =~ s/\. +(?=[A-Z0-9])/.\n/g;
    $t =~ s/^([.'])/\\&$1/mg;
    return $t;
}

for my $r (read_metrics($in)) {
    if ($r->{heading} ne $heading) {
        $heading = $r->{heading};
        $list .= ($list eq '' ? '' : ".El\n") . ".Ss $heading\n.Bl -tag -width Ds\n";
    }
    my @facts = ($r->{type});
    push @facts, 'labels ' . join(', ', split /,/, $r->{labels}) if $r->{labels} ne '-';
    push @facts, "in Kafka $r->{bean}" if $r->{bean} ne '-';
    push @facts, $r->{labels} eq '-' ? 'always 0 in this version' : 'no samples in this version' if $r->{from} eq 'none';
    $list .= ".It Cm $r->{name}\n" . text($r->{help}) . "\n.br\n" . text(ucfirst join('; ', @facts) . '.') . "\n";
}
$list .= ".El\n";
my $page = read_file($source);
$page =~ s/^\.\\" metrics\n/$list/m or die "$source: no line for the list\n";
write_if_changed($out, $page);
