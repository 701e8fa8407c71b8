#!/usr/bin/perl
# 014_settings_used.t - proves that "used by" in settings.txt is true
#
# A folder that is said to act on a setting reads it; what is said to act later, or not at all, is read by
# nobody. Of a topic's setting it is the member of TopicSettings that counts; a setting of nodes that gives a
# topic's default is used by whoever uses that. Checks of values are no use.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../src/tools/lib";
use Ottla::Tools qw(read_settings read_file);
use Test::More;

my $root = "$FindBin::Bin/../..";
my @rows = read_settings("$root/src/common/settings.txt");

# What judges values, and what only reads them for others.
my $judges = qr{/(decide_configs\w*|conf_put|topic_settings)\.c$};

# What the files of a folder name: identifiers, members of structures, texts.
my (%words, %members, %quoted);
for my $file (glob("$root/src/*/*.[ch]"), glob("$root/src/bin/*/*.[ch]"), glob("$root/include/ottla/*/*.h")) {
    next if $file =~ $judges;
    my ($folder) = $file =~ m{/(?:src|ottla)/(\w+)/};
    next if $folder =~ /^(?:client|shell|sql|statement)$/; # of programs beside the node: settings of clients have these names, too
    my $text = read_file($file) =~ s{/\*.*?\*/}{}gsr;
    $words{$1}{$folder} = 1 while $text =~ /\b([TGM]?CONF_\w+)/g;
    $members{$1}{$folder} = 1 while $text =~ /(?:->|\.)(\w+)/g;
    $quoted{$1}{$folder} = 1 while $text =~ /"([\w.]+)"/g;
}

my %prefix = (broker => 'CONF_', topic => 'TCONF_', group => 'GCONF_', metrics => 'MCONF_');
sub id_of { my ($row) = @_; return $prefix{$row->{scope}} . uc($row->{name} =~ tr/./_/r) }

# The member that a topic's setting becomes.
my %member = ('cleanup.policy' => 'cleanup_delete', 'internal.segment.bytes' => 'segment_bytes');
my $last;
for my $line (split /\n/, read_file("$root/src/common/topic_settings.c") =~ s/^.*\nfill\(//sr) {
    $last = $1 if $line =~ /(?:\.|ret->)(\w+)\s*=/;
    $member{$_} //= $last for map { lc tr/_/./r } $line =~ /\bTCONF_(\w+)/g;
}

# The folders that read a setting.
my %readers;
for my $row (@rows) {
    my $name = $row->{name};
    $readers{$row->{scope}}{$name} =
        $row->{scope} eq 'topic'
        ? { %{$members{$member{$name} // ''} // {}} }
        : { %{$words{id_of($row)} // {}}, %{ ($name =~ /\./ || $row->{scope} eq 'broker' ? $quoted{$name} : undef) // {} } }; # "metrics" is a word, too
}
for my $row (grep { $_->{scope} eq 'topic' } @rows) {
    for my $synonym (split ' ', $row->{synonyms}) {
        $readers{broker}{ $synonym =~ s/\*.*//r }{$_} = 1 for keys %{$readers{topic}{$row->{name}}};
    }
}

my $acts = 0;
my @faults;
for my $row (@rows) {
    my $who = $row->{used};
    my @readers = sort keys %{$readers{$row->{scope}}{$row->{name}}};
    if ($who eq 'later' || $who eq 'none') {
        push @faults, "$row->{scope} $row->{name}: $who, but read by @readers" if @readers;
        next;
    }
    $acts++;
    push @faults, "$row->{scope} $row->{name}: $who does not read it" . (@readers ? "; @readers does" : '')
        if !grep { $_ eq $who } @readers;
}
is(join("\n", @faults), '', "$acts settings are used where settings.txt says");
cmp_ok($acts, '>', 50, 'settings were found');
done_testing;
