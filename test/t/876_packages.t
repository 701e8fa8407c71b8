#!/usr/bin/perl
# 876_packages.t - what is installed: make install and uninstall, the sample of settings, the Debian packages
#
# Proves: install and uninstall are each other's opposite; the sample has every setting with a valid value; the packages hold every
# program and page once, and lintian finds no fault. 877_packages_installed.t installs them.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Cwd qw(getcwd);
use Test::More;
use File::Temp qw(tempdir);
use Ottla::Test::Node;

my $build = $ENV{OTTLA_BUILD};
my ($bin) = Ottla::Test::Node::binary() =~ m{^(.*)/};
my @programs = sort map { m{src/bin/([^/]+)/files\.mk$} } glob 'src/bin/*/files.mk';
my @pages = sort map { m{([^/]+)$} } glob 'doc/man/*.[1-8]';

sub slurp { return Ottla::Test::Node::slurp(@_) }

# Names of files below a folder.
sub files_of { my ($dir) = @_; return map { s{^\Q$dir\E/}{}r } grep { $_ ne '' } split /\n/, `find $dir -type f -o -type l` }

subtest 'install and uninstall' => sub {
    my $root = tempdir(CLEANUP => 1);
    my ($given) = $build =~ m{^\Q@{[ getcwd() ]}\E/(.*)}; # in the words of make check: other flags would build everything again
    my @make = ('make', '-s', 'BUILD=' . ($given // $build), "DESTDIR=$root", 'prefix=/opt/ottla');
    local $ENV{MAKEFLAGS} = '';
    is(system("@make install >$root.log 2>&1"), 0, 'install') or diag slurp("$root.log");
    my %there = map { $_ => 1 } files_of($root);
    ok($there{ 'opt/ottla/' . ($_ eq 'ottlad' ? "lib/ottla/bin/$_" : "bin/$_") }, "program $_") for @programs;
    ok($there{"opt/ottla/bin/$_"}, "script $_") for qw(ottla-createinstance ottla-dropinstance ottla-lsinstances);
    ok($there{ 'opt/ottla/share/man/man' . substr($_, -1) . "/$_" }, "page $_") for @pages;
    ok($there{"opt/ottla/$_"}, $_) for 'share/ottla/ottla.conf.sample', 'share/doc/ottla/html/index.html',
        'share/bash-completion/completions/ottla', 'lib/systemd/system/ottlad.service', 'lib/sysusers.d/ottla.conf';
    like(slurp("$root/opt/ottla/lib/systemd/system/ottlad\@.service"), qr{^ExecStart=/opt/ottla/lib/ottla/bin/ottlad }m, 'units name the place');
    like(`$root/opt/ottla/bin/ottla-lsinstances --version`, qr/^ottla-lsinstances \d+\.\d+/, 'a script finds its parts');
    like(`$root/opt/ottla/bin/ottlactl --version`, qr/^ottlactl /, 'a program runs');
    is(system("@make uninstall >$root.log 2>&1"), 0, 'uninstall') or diag slurp("$root.log");
    is(join("\n", files_of($root)), '', 'leaves no file');
    ok(!-e "$root/opt/ottla/$_", "nor $_") for qw(lib/ottla share/ottla share/doc/ottla);
    unlink "$root.log";
};

subtest 'the sample of settings' => sub {
    my $sample = slurp("$build/ottla.conf.sample");
    my $dir = tempdir(CLEANUP => 1);
    my @rows = map { [ split / \| / ] } grep { /^[a-z]/ } split /\n/, slurp('src/common/settings.txt');
    my @wanted = sort map { $_->[0] } grep { $_->[1] eq 'broker' && $_->[6] ne 'dynamic' && $_->[8] ne 'internal' && $_->[7] !~ /^(?:later|none)$/ && $_->[0] ne 'config_file' } @rows;
    my @there = sort $sample =~ /^#([a-z][a-z0-9._]*) =/mg;
    is_deeply(\@there, \@wanted, 'has each setting of a node that does something, once');
    is(() = $sample =~ /^[^#\n]/mg, 0, 'and sets none');
    my %default = map { $_->[0] => $_->[4] } grep { $_->[1] eq 'broker' } @rows;
    my @set = grep { /^#[a-z][a-z0-9._]* = ./ } split /\n/, $sample;
    cmp_ok(scalar @set, '>', 80, 'many have a value');
    open my $fh, '>', "$dir/ottla.conf" or die $!;
    print $fh map { s/^#//r . "\n" } @set;
    close $fh;
    my $said = `$bin/ottlad -c config_file=$dir/ottla.conf --check 2>&1`;
    is($?, 0, 'all of them at once are valid') or diag $said;
    my @wrong = grep { my $v = `$bin/ottlad -c config_file=$dir/ottla.conf -C $_`; chomp $v; $v ne ($default{$_} =~ s/^'(.*)'$/$1/r) }
        map { /^#(\S+)/ } @set[ map { $_ * 7 } 0 .. $#set / 7 ];    # one in seven: each is a run of its own
    is("@wrong", '', 'and the defaults');
};

subtest 'rules for logcheck' => sub {
    my ($ignored, $violations) = map { [ map { chomp; qr/$_/ } split /^/, slurp("contrib/debian/ottla-server.logcheck.$_") ] } 'ignore.server', 'violations';
    my $node = Ottla::Test::Node->new->start;
    open my $fh, '>', $node->dir . '/ottla.conf' or die $!;
    print $fh "num.partitions = 2\n";
    close $fh;
    $node->reload;
    $node->wait_for_log(qr/Reloaded/);
    $node->stop;
    my $in_order = $node->log_text;
    $node->start;
    $node->kill_child(KILL => 'retention');
    $node->wait_for_log(qr/recovered after a crash/);
    $node->stop;
    my $crash = substr $node->log_text, length $in_order;
    my $lines = sub { map { "Nov 21 12:00:00 host ottlad[4711]: $_" } $_[0] =~ /(?:LOG|NOTICE|ERROR|WARNING):  (.*)/g };
    my $match = sub { my ($line, $rules) = @_; return scalar grep { $line =~ $_ } @$rules };
    for my $line ($lines->($in_order)) {
        ok($match->($line, $ignored), "not worth a mail: $line");
        ok(!$match->($line, $violations), 'and no violation');
    }
    is(scalar grep({ $match->($_, $violations) } $lines->($crash)), 2, 'a death and what followed are') or diag $crash;
    $node->clean_up;
};

my @debs = glob "$build/deb/*.deb";
my $skipped = slurp("$build/deb/skipped");

subtest 'packages' => sub {
    plan skip_all => $skipped =~ s/\n//r if !@debs && $skipped ne '';
    is_deeply([ map { m{/([a-z-]+)_} } @debs ], [qw(ottla-client ottla-doc ottla-server)], 'are three') or diag "make deb makes them in $build/deb";
    my %in;
    for my $deb (@debs) {
        my ($name) = $deb =~ m{/([a-z-]+)_};
        push @{ $in{$_} }, $name for map { (split ' ', $_, 6)[5] =~ s{^\./}{}r } grep { /^-/ } split /\n/, `dpkg-deb -c $deb`;
    }
    is("@{ $in{ $_ eq 'ottlad' ? \"usr/lib/ottla/bin/$_\" : \"usr/bin/$_\" } // [] }", /^ottla(?:-bench|-dumpall)?$/ ? 'ottla-client' : 'ottla-server', "program $_") for @programs;
    for my $page (@pages) {
        my ($n) = $page =~ /(\d)$/;
        is(scalar @{ $in{"usr/share/man/man$n/$page.gz"} // [] }, 1, "page $page");
    }
    is(join(' ', grep { @{ $in{$_} } > 1 } sort keys %in), '', 'no file is in two');
    my @said = grep { /^[EWO]:/ } split /\n/, `lintian --no-cfg --show-overrides --tag-display-limit 0 @debs 2>/dev/null`;
    is(join("\n", grep { !/^O:/ } @said), '', 'lintian has neither error nor warning');
    my %overridden = map { /^O: (\S+ \S+)/ ? ($1 => 1) : () } @said;
    cmp_ok(scalar keys %overridden, '<=', 3, 'and at most three are overridden');
};

done_testing;
