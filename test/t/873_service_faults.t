#!/usr/bin/perl
# 873_service_faults.t - the service in a real systemd when things go wrong: stops under load, deaths, starts that cannot succeed
#
# Proves scenarios 30, 32 (one node's part) and 36 of shell-and-service.md under the unit files of contrib/systemd.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Ottla::Test::Lab;

my $out = Ottla::Test::Lab::run('test/t/873_service_faults_lab.sh', 120);
my @proves = (
    [ load => 'shell 32: a stop under load costs no record and no error, and the next start has nothing to recover' ],
    [ quit => 'an immediate stop is recovered from' ],
    [ smart => 'a smart one ends with an idle client, after its time' ],
    [ orphans => 'shell 30: children of a killed supervisor are gone, and a start goes well' ],
    [ locked => 'a second service on the directory ends with 75 and names the holder' ],
    [ port => 'a port in use ends with 1 and a hint, and systemd gives up' ],
    [ settings => 'shell 36: settings that are wrong end with 78, and nobody tries again' ],
);
like($out, qr/^ok $_->[0]$/m, $_->[1]) for @proves;
done_testing;
