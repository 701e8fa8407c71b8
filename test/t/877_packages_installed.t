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
use Ottla::Test::Lab;
use Ottla::Test::Node;

my $build = $ENV{OTTLA_BUILD};
my $skipped = Ottla::Test::Node::slurp("$build/deb/skipped") =~ s/\n//r;
plan skip_all => $skipped if $skipped ne '';
my $out = Ottla::Test::Lab::run('test/t/877_packages_lab.sh', 120, abs_path("$build/deb"));
like($out, qr/^ok $_$/m, "shell 45: $_") for 'install', 'upgrade', 'remove', 'purge', 'nothing left', 'no instance';
done_testing;
