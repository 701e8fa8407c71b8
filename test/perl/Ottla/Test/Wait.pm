# Wait.pm - waits for a condition, with a limit; the only place where tests sleep to let something happen
#
#   comes_true(sub { -e $path }, $seconds) or die ...;
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Wait;

use strict;
use warnings;
use Exporter qw(import);
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(comes_true);

# Looks again and again, soon at first. False: it did not come true in so many seconds.
sub comes_true {
    my ($condition, $seconds) = @_;
    my $until = time + $seconds;
    my $pause = 0.001;
    until ($condition->()) {
        return 0 if time > $until;
        sleep $pause;
        $pause *= 1.3 if $pause < 0.05;
    }
    return 1;
}

1;
