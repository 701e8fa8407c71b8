#!/usr/bin/perl
# 870_service.t - the service in a real systemd: ready, hardened, reloaded, in the journal, several of it, activated by its socket
#
# Proves scenarios 33, 37, 40, 41 and 42 of shell-and-service.md under the unit files of contrib/systemd. Its steps are those of
# 870_service_lab.sh, which runs where a systemd of its own can be booted.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Ottla::Test::Lab;

my $out = Ottla::Test::Lab::run('test/t/870_service_lab.sh', 90);
my %proves = (
    ready => 'shell 37: a unit that is ordered after the server can produce at once',
    verify => 'the monthly check finds a running server clean, and damage where there is some',
    security => 'shell 40: systemd-analyze finds at most 2.0, and the server works with it',
    reload => 'shell 33: a reload with a typo, and with a syntax error',
    journal => 'shell 41: the journal finds messages by field, priority and id, explains them, and knows no secret',
    instances => 'shell 42: one of two instances is stopped, the socket of the other remains',
    files => 'log files of an instance, in its own folder: rotated by size, by order and by logrotate',
    activation => 'a connection to the socket starts the server; the socket outlives it',
);
like($out, qr/^ok $_$/m, $proves{$_}) for qw(ready verify security reload journal instances files activation);
done_testing;
