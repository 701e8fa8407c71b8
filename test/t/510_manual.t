#!/usr/bin/perl
# 510_manual.t - the manual is whole and true to the programs
#
# Proves: every page is correct mdoc and becomes HTML whose links lead somewhere; every program has a page
# that names each option of its --help and no other, and each exit code; every setting has its entry.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;

my $build = $ENV{OTTLA_BUILD} // 'build';
my $bin = $ENV{OTTLA_BIN} // "$build/release/bin";

sub slurp { my ($path) = @_; open my $f, '<', $path or die "$path: $!"; local $/; return scalar <$f> }

my @pages = glob "$build/doc/man/*.[1-8]";
ok(@pages >= 6, 'there are pages') or diag("make docs makes them in $build/doc");
for my $page (@pages) {
    my $said = `mandoc -T lint -W warning $page`;
    is($said, '', "$page: correct");
}

subtest 'links' => sub {
    my %anchor;
    my @html = glob "$build/doc/html/*.html";
    for my $html (@html) {
        my ($name) = $html =~ m{([^/]+)$};
        $anchor{"$name#$_"} = 1 for slurp($html) =~ /id="([^"]+)"/g;
        $anchor{$name} = 1;
    }
    my %foreign = map { $_ => 1 } qw(ps.1.html sd_notify.3.html systemd.1.html journalctl.1.html kcat.1.html); # of other packages
    for my $html (@html) {
        my ($name) = $html =~ m{([^/]+)$};
        my @dead = grep { !$foreign{$_} && !$anchor{ /^#/ ? "$name$_" : $_ } }
            grep { !/^https?:|\.css$/ } slurp($html) =~ /href="([^"]+)"/g;
        is("@dead", '', "$name: every link leads somewhere");
    }
    is(scalar @html, @pages + 1, 'every page and the index');
};

# Options of a text: single letters and long ones.
sub options_in_help { my ($t) = @_; return { map { $_ => 1 } $t =~ /(?<![\w-])(--[a-z][a-z-]+|-[A-Za-z])(?![\w-])/g } }

sub options_in_page {
    my ($source) = @_;
    my %seen;
    for my $line (grep { /^\./ } split /\n/, $source) {
        $line =~ s/-\\&//g;
        $seen{"--$1"} = 1 while $line =~ /\bFl -([a-z][a-z-]+)/g;
        while ($line =~ /\bFl ([A-Za-z]+)\b/g) { $seen{"-$_"} = 1 for split //, $1 }
        $seen{"--$1"} = 1 while $line =~ /, -([a-z][a-z-]+)/g;
        $seen{"-$1"} = 1 while $line =~ /\| ([A-Z]) Ar/g;
    }
    return \%seen;
}

for my $program (grep { -x } glob "$bin/ottla*") {
    my ($name) = $program =~ m{([^/]+)$};
    my ($page) = grep { m{/\Q$name\E\.[18]$} } @pages;
    ok($page, "$name has a page") or next;
    my $source = slurp($page);
    my $help = `$program --help`;
    is_deeply(options_in_page($source), options_in_help($help), "$name: page and --help name the same options");
    is(() = `$program --version` =~ /^\Q$name\E \d+\.\d+/, 1, "$name --version");
}

subtest 'settings' => sub {
    my $page = slurp("$build/doc/man/ottla-settings.5");
    my @rows = grep { /^[a-z]/ } split /\n/, slurp('src/common/settings.txt');
    my @missing = grep { index($page, ".It Cm $_\n") < 0 }
        map { (split / \| /)[0] } grep { (split / \| /)[8] ne 'internal' } @rows;
    is("@missing", '', 'every one has its entry');
    cmp_ok(scalar @rows, '>', 400, 'and there are many');
};

subtest 'README' => sub {
    my $readme = slurp('README.md');
    my @dead = grep { !-e } $readme =~ m{`((?:src|test|contrib|doc)/[\w./-]+)`}g;
    is("@dead", '', 'every file that it names is there');
    my $make = join '', map { slurp($_) } qw(GNUmakefile doc/files.mk contrib/files.mk);
    my @unknown = grep { $make !~ /^\Q$_\E:/m && $make !~ /\.PHONY:.*\b\Q$_\E\b/ } $readme =~ /\bmake ([a-z-]+)\b/g;
    is("@unknown", '', 'every make target that it names exists');
};
done_testing;
