#!/usr/bin/perl
# 875_service_scale.t - five thousand connections to the service in a real systemd (make check-long)
#
# Proves scenario 39 of shell-and-service.md: a backend each, within the limits of the unit, small and the first to be ended when
# memory is short. That the supervisor has its -900 depends on the machine that runs the lab.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;

plan skip_all => 'only in make check-long' if !$ENV{OTTLA_LONG};
require Ottla::Test::Lab;
my $out = Ottla::Test::Lab::run('test/t/875_service_scale_lab.sh', 240);
if ($out =~ /^ok skipped$/m) {
    note $out;
} else {
    like($out, qr/^ok connections$/m, 'shell 39: five thousand backends');
    like($out, qr/^ok memory$/m, 'small ones, with the score they shall have');
    like($out, qr/^ok stop$/m, 'and all end');
}
note $1 if $out =~ /^(# private .*)$/m;
done_testing;
