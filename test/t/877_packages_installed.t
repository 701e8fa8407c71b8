#!/usr/bin/perl
# 877_packages_installed.t - the Debian packages in a root with a systemd of its own
#
# Proves scenario 45 of shell-and-service.md but for the upgrade to another version: installed they give a running instance, an upgrade
# restarts it once, removed they leave settings and data, purged data alone, and with the answer yes nothing.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Cwd qw(abs_path);
use Ottla::Test::Node;

my $build = $ENV{OTTLA_BUILD};
my $skipped = Ottla::Test::Node::slurp("$build/deb/skipped") =~ s/\n//r;
my $lab = ($ENV{OTTLA_SHARED} // '../shared') . '/lab/systemd-lab';
plan skip_all => $skipped if $skipped ne '';
plan skip_all => 'no lab here' if !-x $lab;
plan skip_all => 'needs root' if $> != 0;
system("$lab check >/dev/null 2>&1") == 0 or plan skip_all => 'this machine cannot run the lab';
my $dir = abs_path("$build/deb");
my $out = `$lab run --ro --timeout 120 --bind '$dir:/opt/debs' -- sh test/t/877_packages_lab.sh /opt/debs 2>&1`;
my $code = $? >> 8;
is($code, 0, 'shell 45: packages installed, upgraded, removed, purged') or diag $out;
like($out, qr/^ok $_$/m, $_) for 'install', 'upgrade', 'remove', 'purge', 'nothing left', 'no instance';
done_testing;
