#!/usr/bin/perl
# 010_protocol_tables.t - the message tables agree, field by field, with the reference beside the tree
#
# Proves that src/protocol/messages describes the same messages as ../shared/protocol: names, kinds,
# numbers, versions, flexible versions, and for each field its type, versions, null, tag, default,
# key, ignorable and entity. Names of structs are ours, and so are the messages that begin with Ottla. apis.h
# offers what Kafka 4.3 does. Skipped where there is no reference.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'src/tools/lib';
use Ottla::ProtocolTables qw(load_dir NEVER);
use Test::More;

my $REFERENCE = $ENV{OTTLA_SHARED} // '../shared';
plan skip_all => "no reference tables in $REFERENCE" if !-d "$REFERENCE/protocol/rpc";

# ---- the reference's notation --------------------------------------------------------------------

sub range {
    my ($text) = @_;
    return [1, 0] if !defined $text || $text eq 'none';
    return [$1, $2] if $text =~ /^(\d+)-(\d+)$/;
    return [$1, NEVER] if $text =~ /^(\d+)\+$/;
    return [$text, $text];
}

sub read_reference {
    my ($path, $all) = @_;
    my (@stack, $message);
    open my $in, '<', $path or die "$path: $!";
    while (<$in>) {
        chomp;
        next if /^\s*(#|$)/;
        my ($indent) = /^( *)/;
        my ($name, @words) = split ' ';
        if (!length $indent) {
            my ($n, @attrs) = @words;
            my %attr = map { /^(\w+)=(.*)$/ ? ($1, $2) : die "$path: $_" } @attrs;
            $message = $all->{$n} = {%attr, path => $path, fields => []};
            @stack = ($message->{fields});
            next;
        }
        my ($type, $versions, @attrs) = @words;
        my %attr = map { /^(\w+)=(.*)$/ ? ($1, $2) : ($_, 1) } @attrs;
        my $depth = length($indent) / 2;
        splice @stack, $depth;
        my $field = {%attr, name => $name, type => $type, versions => range($versions), fields => []};
        push @{$stack[-1]}, $field;
        push @stack, $field->{fields};
    }
    return;
}

# ---- one line for each field and version ----------------------------------------------------------

sub in_range { my ($v, $range) = @_; return $v >= $range->[0] && $v <= $range->[1] }

sub describe {
    my ($where, %f) = @_;
    return join ' ', $where, $f{type}, $f{null} ? 'null' : 'not-null', 'tag=' . ($f{tag} // '-'),
        'default=' . ($f{default} // '-'), 'entity=' . ($f{entity} // '-'),
        grep { $f{$_} } qw(key ignorable rigid);
}

sub lines_of_reference {
    my ($fields, $version, $where) = @_;
    my @lines;
    for my $f (@$fields) {
        next if !in_range($version, $f->{versions});
        my $struct = @{$f->{fields}} > 0;
        my $tagged = defined $f->{tag} && in_range($version, range($f->{tagged}));
        push @lines, describe("$where.$f->{name}",
            type => $struct ? ($f->{type} =~ /^\[\]/ ? '[struct]' : 'struct')
                : $f->{type} =~ s/^\[\](.*)/[$1]/r,
            null => in_range($version, range($f->{null})), tag => $tagged ? $f->{tag} : undef,
            default => $f->{default}, entity => $f->{entity} && $f->{entity} =~ s/([A-Z])/_\l$1/gr,
            key => $f->{key}, ignorable => $f->{ignorable},
            rigid => $f->{flexible} && $f->{flexible} eq 'none');
        push @lines, lines_of_reference($f->{fields}, $version, "$where.$f->{name}") if $struct;
    }
    return @lines;
}

sub lines_of_ours {
    my ($fields, $version, $where) = @_;
    my @lines;
    for my $f (@$fields) {
        next if !in_range($version, [$f->{lo}, $f->{hi}]);
        my $type = $f->{struct} ? 'struct' : $f->{base};
        push @lines, describe("$where.$f->{json}",
            type => $f->{array} ? "[$type]" : $type,
            null => in_range($version, [$f->{nlo}, $f->{nhi}]), tag => $f->{tag},
            default => $f->{default}, entity => $f->{entity}, key => $f->{key},
            ignorable => $f->{ignorable}, rigid => $f->{rigid});
        push @lines, lines_of_ours($f->{struct}{fields}, $version, "$where.$f->{json}")
            if $f->{struct};
    }
    return @lines;
}

# ---- heads ---------------------------------------------------------------------------------------

my %KIND = (remote_log => 'metadata', control => 'data', key => 'record-key', value => 'record-value');

sub head_of_reference {
    my ($m) = @_;
    my $range = range($m->{versions});
    return join ' ', $m->{kind}, $m->{key} // $m->{record} // $m->{control} // '-', "@$range",
        $m->{kind} eq 'request' ? "listeners=$m->{listeners}" : (),
        ($m->{unstable} // 'no') eq 'yes' ? 'unstable' : ();
}

sub head_of_ours {
    my ($m) = @_;
    return join ' ', $KIND{$m->{kind}} // $m->{kind}, $m->{number} // '-', "$m->{lo} $m->{hi}",
        $m->{kind} eq 'request' ? 'listeners=' . join(',', @{$m->{listeners}}) : (),
        $m->{unstable} && $m->{kind} eq 'request' ? 'unstable' : ();
}

my %theirs;
read_reference($_, \%theirs)
    for glob("$REFERENCE/protocol/rpc/*.txt"), glob("$REFERENCE/protocol/records/*/*.txt");
# OttlaStat and what passes between our own processes is in no table of Kafka's.
my %ours = map { $_->{name} => $_ } grep { $_->{name} !~ /^(?:Ottla|GroupWalk)/ } load_dir('src/protocol/messages');

is(join(' ', sort keys %ours), join(' ', sort keys %theirs), 'the same messages');
for my $name (sort grep { $theirs{$_} } keys %ours) {
    my ($our, $their) = ($ours{$name}, $theirs{$name});
    my (@got, @want);
    push @got, head_of_ours($our);
    push @want, head_of_reference($their);
    for my $version ($our->{lo} .. $our->{hi}) {
        push @got, "$version flexible: " . ($version >= $our->{flex} ? 1 : 0),
            lines_of_ours($our->{fields}, $version, $version);
        push @want, "$version flexible: " . (in_range($version, range($their->{flexible})) ? 1 : 0),
            lines_of_reference($their->{fields}, $version, $version);
    }
    is_deeply(\@got, \@want, $name);
}

# ---- the versions that are offered ---------------------------------------------------------------

# Telemetry (71, 72) is not offered without a plug-in; the reference shows such a node.
my (%offered, %ranges);
open my $apis, '<', 'include/ottla/protocol/apis.h' or die "apis.h: $!";
while (<$apis>) {
    my ($key, $name, $lo, $hi, undef, undef, $where, @rest) = /^    X\((.*)\)/ ? split /,\s*/, $1 : next;
    next if $rest[-1] eq 'QUIET' || $rest[-1] eq 'PRIVATE';
    $offered{$key} = "$name $lo-$hi on $where";
}
open my $releases, '<', "$REFERENCE/protocol/releases.tsv" or die "releases.tsv: $!";
my @columns = split ' ', scalar <$releases>;
while (<$releases>) {
    my %row;
    @row{@columns} = split ' ';
    my ($broker, $controller) = @row{qw(kafka-4.3 kafka-4.3-controller)};
    my $range = $broker ne '-' ? $broker : $controller;
    next if $range eq '-';
    $range = "$range-$range" if $range !~ /-/;
    my $where = $broker eq '-' ? 'CONTROLLER' : $controller eq '-' ? 'BROKER' : 'BOTH';
    $ranges{$row{key}} = "$row{name} $range on $where";
}
is_deeply(\%offered, \%ranges, 'apis.h has the ranges of Kafka 4.3');
done_testing();
