#!/usr/bin/perl
# 011_settings_tables.t - proves that our settings are those of Kafka 4.3.1, row by row
#
# Compares src/common/settings.txt with the tables read from Kafka's jars, where they are at hand
# (../shared/protocol/configs). What differs on purpose is listed here, and nothing else may.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../src/tools/lib";
use Ottla::Tools qw(read_settings read_file);
use Test::More;

my $root = "$FindBin::Bin/../..";
my $configs = "$root/../shared/protocol/configs";
plan skip_all => 'the tables of Kafka are not at hand (../shared/protocol/configs)' if !-d $configs;

# A node that is started with nothing but a directory works: Kafka wants these to be given. The others
# have their reasons in the documentation of the defaults.
my %other_default = (
    'listeners' => 'PLAINTEXT://localhost:9092',
    'process.roles' => 'broker,controller',
    'controller.listener.names' => 'CONTROLLER',
    'node.id' => 'null',
    'log.dir' => 'null',
    'broker.session.timeout.ms' => '3000',
    'broker.heartbeat.interval.ms' => '500',
    'socket.listen.backlog.size' => '4096',
);
my %change_of = (
    'read-only' => 'start', 'per-broker' => 'broker', 'cluster-wide' => 'cluster',
    'cluster-wide (dynamic only)' => 'dynamic', 'per subscription' => 'subscription',
);

# Kafka's description of what is valid in the words of settings.txt.
sub valid_of {
    my ($name, $text) = @_;
    return '100..3600000' if $name eq 'interval.ms';
    return 'ipcounts' if $name eq 'max.connections.per.ip.overrides';
    return 'throttle' if $text =~ /^\[partitionId\]/;
    return 'offsetreset' if $text =~ /by_duration/;
    my @rules;
    for my $rule (split /;\s*/, $text) {
        if ($rule =~ /^\[([^,]+),\.\.\.\]$/) {
            push @rules, "$1..";
        } elsif ($rule =~ /^\[([^,]+),\.\.\.,([^\]]+)\]( or -1)?$/) {
            push @rules, "$1..$2" . ($3 // '');
        } elsif ($rule =~ /^(\(case insensitive\) )?\[(.*)\]$/) {
            push @rules, ($1 ? 'in-nocase ' : 'in ') . join ' ', split /, /, $2;
        } else {
            my %words = ('no duplicates' => 'nodup', 'not empty' => 'nonempty', 'may be null' => 'nullable',
                'non-null string' => 'nonnull', 'non-empty string' => 'nonempty',
                'non-empty list' => '', '-' => '');
            die "$name: $rule\n" if !exists $words{$rule};
            push @rules, $words{$rule} if $words{$rule} ne '';
        }
    }
    return @rules ? join('; ', @rules) : '-';
}

my %ours;
$ours{$_->{scope}}{$_->{name}} = $_ for read_settings("$root/src/common/settings.txt");

for my $pair (['broker', 'broker.tsv'], ['topic', 'topic.tsv'], ['group', 'group.tsv'], ['metrics', 'client_metrics.tsv']) {
    my ($scope, $file) = @$pair;
    my ($head, @lines) = split /\n/, read_file("$configs/$file");
    my (@faults, %theirs);
    my @columns = split /\t/, $head;
    for my $line (@lines) {
        my %k;
        @k{@columns} = split /\t/, $line, -1;
        my $name = $k{name};
        my $row = $ours{$scope}{$name};
        $theirs{$name} = 1;
        if (!$row) {
            push @faults, "$name is missing";
            next;
        }
        my %want = (type => $k{type}, valid => valid_of($name, $k{valid}),
            default => $scope eq 'broker' ? $other_default{$name} // $k{default} : $k{default},
            flags => $k{internal} eq 'yes' ? 'internal' : '-');
        if (defined $k{broker_synonym}) {
            $want{synonyms} = $k{broker_synonym} =~ s/\(min\)/*60000/gr =~ s/\(hours\)/*3600000/gr =~ s/,/ /gr;
        } else {
            # A file that may be read again is no less than one that is read once.
            my $change = $change_of{$k{update}};
            $want{change} = $change eq 'start' && $row->{change} eq 'reload' ? 'reload' : $change;
        }
        for my $column (sort keys %want) {
            push @faults, "$name: $column is \"$row->{$column}\", not \"$want{$column}\""
                if $row->{$column} ne $want{$column};
        }
        push @faults, "$name: only passwords are sensitive" if ($k{sensitive} eq 'yes') ne ($row->{type} eq 'password');
    }
    for my $name (sort keys %{$ours{$scope}}) {
        push @faults, "$name is not Kafka's" if !$theirs{$name} && $ours{$scope}{$name}{flags} ne 'ottla';
    }
    is(join("\n", @faults), '', "@{[scalar keys %theirs]} settings of scope $scope");
}

my $errors = read_file("$root/src/common/errlist.txt");
my @faults;
for my $line (split /\n/, read_file("$configs/../errors.tsv")) {
    my ($code, $name, $retry, $refresh) = split /\t/, $line;
    next if $code eq 'code';
    my $flag = $refresh eq 'yes' ? 'm' : $retry eq 'yes' ? 'r' : '-';
    push @faults, "$name" if $errors !~ /^\Q$name\E\s+\Q$code\E\s+\Q$flag\E\s/m;
}
is(join(', ', @faults), '', 'error codes');

SKIP: {
    my $conform = "$root/../shared/conformance/conform";
    skip 'no conform', 1 if !-x $conform;
    my @unknown;
    for my $profile ('', 'secure') {
        for my $line (`$conform settings $profile`) {
            for my $word ($profile ? $line : split ' ', $line) {
                my ($name) = $word =~ /^([\w.\-]+)=/ or next;
                $name =~ s/^listener\.name\.[^.]+\.((plain|scram-sha-256|scram-sha-512)\.)?//;
                push @unknown, $name if !$ours{broker}{$name};
            }
        }
    }
    is("@unknown", '', 'all settings of the conformance runs are known');
}

done_testing;
