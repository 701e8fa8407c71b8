# The check of what a group accepted (test/perl: GroupCheck) finds each fault that it is there for, and no other.
use strict;
use warnings;
use Ottla::Test::GroupCheck qw(group_faults);
use Test::More;

# Commits of partition 0, in words "TENURE OFFSET START END".
sub members { return [ { commits => [ map { my %c = (partition => 0); @c{qw(tenure offset start end)} = split; \%c } @_ ] } ] }
sub fetches { return [ map { my ($offset, $start, $end) = split; { offsets => { 0 => $offset }, start => $start, end => $end } } @_ ] }
sub faults { my ($members, $fetches) = @_; return scalar(() = group_faults($members, $fetches // [])) }

is(faults(members('a 10 1 2', 'a 20 3 4', 'b 30 5 6', 'b 40 7 8', 'a2 50 9 10')), 0, 'one after the other');
is(faults(members('a 10 1 2', 'b 10 3 4', 'a 20 5 6')), 1, 'accepted between two commits of another');
is(faults(members('a 10 1 2', 'b 10 3 4', 'a2 20 5 6')), 0, 'owned anew');
is(faults(members('a 10 1 2', 'a 20 3 9', 'b 20 8 10')), 0, 'calls that overlap may have been accepted in order');
is(faults(members('a 10 1 5', 'b 10 4 6', 'a 20 7 8')), 0, 'accepted before the first of the other, perhaps');
is(faults(members('a 20 1 2', 'b 10 3 4')), 1, 'a step back');
is(faults(members('a 20 1 4', 'b 10 3 5')), 0, 'perhaps none: they overlap');
is(faults(members('a 20 1 2'), fetches('20 3 4', '20 5 6')), 0, 'fetched as committed');
is(faults(members('a 20 1 2'), fetches('10 3 4')), 1, 'forgotten');
is(faults(members('a 20 1 2'), fetches('-1 3 4')), 1, 'forgotten altogether');
is(faults(members('a 10 1 2'), fetches('30 3 4', '20 5 6')), 1, 'seen and gone');
is(faults(members('a 20 3 6'), fetches('10 4 5')), 0, 'fetched while it was committed');
done_testing;
