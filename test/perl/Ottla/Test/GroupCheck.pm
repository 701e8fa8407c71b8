# GroupCheck.pm - what must hold of the commits that members of one group were told were accepted
#
#   my @wrong = group_faults($members, $watched);       # texts; none: all holds
#   my @lines = history($members, $watched, $wrong[0]);  # what was accepted and seen of its partition about that time
#
# A commit of a member (Member): partition, offset, start and end of the call (us), tenure: the time for which its member
# owned the partition without a break. watched: answers to OffsetFetch, each { start, end, offsets => { PARTITION => OFFSET } }.
# The group decided somewhere between start and end; a fault is only what no choice of these moments can explain:
#
# - one owner: between two commits accepted of one tenure, none of another tenure was
# - no step back: what was accepted later is not smaller
# - nothing forgotten: a fetch sees at least what was accepted before it, and not less than a fetch before
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::GroupCheck;

use strict;
use warnings;
use Exporter 'import';
use List::Util qw(max min);
our @EXPORT_OK = qw(group_faults history);

sub text { my ($c) = @_; return "$c->{offset} by $c->{tenure} in [$c->{start}, $c->{end}]" }

sub one_owner {
    my ($partition, @commits) = @_;
    my (%tenure, @wrong);
    push @{ $tenure{ $_->{tenure} } }, $_ for @commits;
    for my $name (sort keys %tenure) {
        my $from = min map { $_->{end} } @{ $tenure{$name} };      # accepted by then
        my $to   = max map { $_->{start} } @{ $tenure{$name} };    # not accepted before
        my ($other) = grep { $_->{tenure} ne $name && $_->{start} > $from && $_->{end} < $to } @commits;
        push @wrong, "partition $partition: $name was its owner from $from to $to, and this was accepted: " . text($other) if $other;
    }
    return @wrong;
}

# Both lists in time; each "seen" must not be below what was surely accepted or seen before it began.
sub steps_back {
    my ($partition, $known, $seen) = @_;
    my @known = sort { $a->{end} <=> $b->{end} } @$known;
    my ($floor, $by, @wrong) = (-1);
    for my $s (sort { $a->{start} <=> $b->{start} } @$seen) {
        while (@known && $known[0]{end} < $s->{start}) {
            my $k = shift @known;
            ($floor, $by) = ($k->{offset}, $k) if $k->{offset} > $floor;
        }
        push @wrong, "partition $partition: " . text($s) . ' after ' . text($by) if $s->{offset} < $floor;
    }
    return @wrong;
}

sub history {
    my ($members, $watched, $wrong) = @_;
    my ($p, $at) = $wrong =~ /^partition (\d+): .*?(\d{16})/ or return;
    my @all = grep { $_->{partition} == $p } map { @{ $_->{commits} } } @$members;
    my $last = '';
    for my $w (grep { exists $_->{offsets}{$p} } @$watched) {
        push @all, { start => $w->{start}, end => $w->{end}, offset => $w->{offsets}{$p}, tenure => 'a fetch' } if $last ne $w->{offsets}{$p};
        $last = $w->{offsets}{$p};
    }
    my @before = grep { $_->{start} <= $at } sort { $a->{start} <=> $b->{start} } @all;
    splice @before, 0, -40 if @before > 40;
    return map { text($_) } @before;
}

sub group_faults {
    my ($members, $watched) = @_;
    my (%commits, %fetches, @wrong);
    push @{ $commits{ $_->{partition} } }, $_ for map { @{ $_->{commits} } } @$members;
    for my $w (@$watched) {
        push @{ $fetches{$_} }, { start => $w->{start}, end => $w->{end}, offset => $w->{offsets}{$_}, tenure => 'a fetch' } for keys %{ $w->{offsets} };
    }
    for my $p (sort { $a <=> $b } keys %commits) {
        my ($commits, $fetches) = ($commits{$p}, $fetches{$p} // []);
        push @wrong, one_owner($p, @$commits), steps_back($p, $commits, $commits), steps_back($p, [ @$commits, @$fetches ], $fetches);
    }
    return @wrong;
}

1;
