# Lab.pm - runs a script inside a systemd that is booted for it
#
#   my $out = Ottla::Test::Lab::run('test/t/870_service_lab.sh', 90);    # skips all tests where no lab can be had
#
# The script gets the folder of the programs under test, or the one that is given behind the seconds, as its argument, and prints
# "ok NAME" for each of its proofs; what it said is shown when it fails.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Lab;

use strict;
use warnings;
use Test::More;
use Ottla::Test::Node;

sub run {
    my ($script, $seconds, $folder) = @_;
    my $lab = ($ENV{OTTLA_SHARED} // '../shared') . '/lab/systemd-lab';
    plan skip_all => 'no lab here' if !-x $lab;
    plan skip_all => 'needs root' if $> != 0;
    system("$lab check >/dev/null 2>&1") == 0 or plan skip_all => 'this machine cannot run the lab';
    ($folder) = Ottla::Test::Node::binary() =~ m{^(.*)/} if !defined $folder;
    my $out = `$lab run --ro --timeout $seconds --bind '$folder:/opt/ottla' -- sh $script /opt/ottla 2>&1`;
    my $code = $? >> 8;
    is($code, 0, $script) or diag $out;
    return $out;
}

1;
