#!/usr/bin/perl
# gen_settings_page.pl - the manual page of all settings, ottla-settings(5), from settings.txt
#
# Usage: gen_settings_page.pl src/common/settings.txt OUT. One entry per row: type, default, bounds, when a
# change acts, help. A setting cannot be undocumented: its row is its documentation.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_settings write_if_changed);

my ($in, $out) = @ARGV;
my @rows = grep { $_->{flags} ne 'internal' } read_settings($in);

my @sections = (
    [ broker => 'Settings of a node', 'These stand in ottla.conf, in a server.properties, or behind -c.' ],
    [ topic => 'Settings of a topic',
      'These belong to one topic; clients set them when they create or alter it. What is not set follows the setting of the node that is named.' ],
    [ group => 'Settings of a group', 'These belong to one consumer group.' ],
    [ metrics => 'Settings of a client metrics subscription', 'These belong to one subscription.' ],
);
my %change = (
    start => 'restart', reload => 'reload (SIGHUP)', broker => 'at once, for one node, by request; and reload',
    cluster => 'at once, for all nodes, by request; and reload', dynamic => 'at once, by request only',
    topic => 'at once, by request', group => 'at once, by request', subscription => 'at once, by request',
);
my %unit = (ms => 'milliseconds', s => 'seconds', min => 'minutes', h => 'hours', B => 'bytes', '-' => '');

# Text as mdoc running text: no line may begin with a dot or an apostrophe.
sub text {
    my ($t) = @_;
    $t =~ s/\\/\\e/g;
    $t =~ s/([.:;?!]) +(?=[A-Z0-9"])/$1 eq '.' ? ".\n" : "$1 "/ge; # a new sentence begins a line
    $t =~ s/^([.'])/\\&$1/mg;
    return $t;
}

# An argument of a macro.
sub argument { my ($t) = @_; $t = text($t); $t =~ s/"/""/g; return "\"$t\"" }

sub facts {
    my ($r) = @_;
    my @f = ("type $r->{type}" . ($unit{$r->{unit}} ? ", in $unit{$r->{unit}}" : ''));
    push @f, 'default ' . ($r->{default} eq 'null' ? 'not set' : $r->{default} eq "''" ? 'empty' : $r->{default});
    my @valid = grep { !/^(?:-|nodup|nonempty|nullable|nonnull|throttle|offsetreset|regex.*)$/ } split /\s*;\s*/, $r->{valid};
    push @f, map { s/^in(?:-nocase)? /one of /r =~ s/\.\.$/ and more/r =~ s/\.\./ to /r } @valid;
    push @f, "changed by $change{$r->{change}}" if $change{$r->{change}};
    push @f, "follows $r->{synonyms}" if $r->{scope} ne 'broker' && $r->{synonyms} ne '-';
    push @f, 'kept and checked, acts from a later version on' if $r->{used} eq 'later';
    push @f, 'accepted for Kafka\'s sake, without effect' if $r->{used} eq 'none';
    push @f, 'not one of Kafka\'s' if $r->{flags} eq 'ottla';
    return join('; ', @f) . '.';
}

my $page = <<'HEAD';
.\" ottla-settings(5): generated from src/common/settings.txt, do not edit
.Dd November 21, 2026
.Dt OTTLA-SETTINGS 5
.Os Ottla
.Sh NAME
.Nm ottla-settings
.Nd every setting of a node, a topic, a group and a subscription
.Sh DESCRIPTION
Settings carry Kafka's names and mean what they mean there; those that Kafka does not have are marked.
How files of settings are written is in
.Xr ottla.conf 5 .
HEAD
for my $section (@sections) {
    my ($scope, $title, $intro) = @$section;
    $page .= '.Ss ' . argument($title) . "\n" . text($intro) . "\n.Bl -tag -width Ds\n";
    for my $r (sort { $a->{name} cmp $b->{name} } grep { $_->{scope} eq $scope } @rows) {
        $page .= ".It Cm $r->{name}\n" . text($r->{help}) . "\n.br\n" . text(ucfirst facts($r)) . "\n";
    }
    $page .= ".El\n";
}
$page .= ".Sh SEE ALSO\n.Xr ottla.conf 5 ,\n.Xr ottlad 8\n";
write_if_changed($out, $page);
