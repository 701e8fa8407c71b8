#!/usr/bin/perl
# 872_watchdog.t - the watchdog of a real systemd ends a server whose checkpointer hangs, within 12 s of six
#
# Proves scenario 38 of shell-and-service.md as design.md 11 puts it. That a long flush triggers nothing under the real 90 s is
# arithmetic: half of it is what a worker may take for a turn (postmaster.c: workers_turn).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Ottla::Test::Lab;

my $out = Ottla::Test::Lab::run('test/t/872_watchdog_lab.sh', 60);
like($out, qr/^ok restart$/m, 'shell 38: a stopped checkpointer ends in a restart');
like($out, qr/^ok abort$/m, 'by an abort of the watchdog, with a line that says why, and recovery loses nothing');
done_testing;
