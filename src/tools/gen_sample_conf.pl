#!/usr/bin/perl
# gen_sample_conf.pl - the sample of ottla.conf, with every setting of a node at its default, from settings.txt
#
# Usage: gen_sample_conf.pl src/common/settings.txt OUT. Every line is a comment: what is there changes nothing until somebody takes a
# "#" away. Settings without effect and internal ones are left out.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use Text::Wrap qw(wrap);
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_settings write_if_changed);

my ($in, $out) = @ARGV;
my @rows = grep { $_->{scope} eq 'broker' && $_->{flags} ne 'internal' && $_->{change} ne 'dynamic' && $_->{used} !~ /^(?:later|none)$/ && $_->{name} ne 'config_file' }
    read_settings($in);
my %families = (
    'What people change first' => [qw(listeners advertised.listeners node.id log.dirs log.retention.hours log.retention.bytes
        log.segment.bytes num.partitions default.replication.factor auto.create.topics.enable message.max.bytes acks.durability)],
);
my @titles = (
    [ 'What people change first', undef ],
    [ 'Listeners and connections', qr/^(?:(?:advertised\.|controller\.)?listener|inter\.broker|max\.connection|connections?\.|socket|unix\.socket|superuser|backend\.|queued|ssl|sasl|principal|security|password)/ ],
    [ 'The log', qr/^(?:log\.(?!level|min|line|dest|conn|disc|auth|check|lock|slow|admin|sd|error)|compression|flush|num\.partitions|message|acks|producer|file\.delete|segment)/ ],
    [ 'Groups and offsets', qr/^(?:group|offsets)/ ],
    [ 'Quotas', qr/quota/ ],
    [ 'Messages of the server', qr/^(?:log\.|update\.process)/ ],
    [ 'The rest', qr/^/ ],
);

# A value as ottla.conf has it: amounts with the unit that makes them short.
sub shown {
    my ($r) = @_;
    my $v = $r->{default};
    return '' if $v eq 'null' || $v eq "''";
    $v =~ s/^'(.*)'$/$1/;
    my %steps = (ms => [ [ d => 86400000 ], [ h => 3600000 ], [ min => 60000 ], [ s => 1000 ] ], s => [ [ d => 86400 ], [ h => 3600 ], [ min => 60 ] ],
        min => [ [ d => 1440 ], [ h => 60 ] ], h => [ [ d => 24 ] ], B => [ [ TB => 1 << 40 ], [ GB => 1 << 30 ], [ MB => 1 << 20 ], [ kB => 1024 ] ]);
    if ($v =~ /^\d+$/ && $v > 0 && $steps{ $r->{unit} }) {
        for my $step (@{ $steps{ $r->{unit} } }) {
            return $v / $step->[1] . $step->[0] if $v % $step->[1] == 0;
        }
    }
    return $v =~ /^[\w.+-]+$/ ? $v : "'" . $v =~ s/'/''/gr . "'";
}

my %change = (start => 'needs a restart');
$Text::Wrap::columns = 110;
my %done;
my $text = "# The defaults of this version, made from its table of settings. Take away the \"#\" in front of a name to set it.\n"
    . "# Units: B kB MB GB TB, us ms s min h d. Everything else about these files: ottla.conf(5); about settings: ottla-settings(5).\n";
my %by_name = map { $_->{name} => $_ } @rows;
for my $title (@titles) {
    my ($name, $pattern) = @$title;
    my @family = defined $pattern ? grep { !$done{ $_->{name} } && $_->{name} =~ $pattern } @rows : grep { defined } map { $by_name{$_} } @{ $families{$name} };
    next if !@family;
    $text .= "\n# ---- $name " . '-' x (100 - length $name) . "\n";
    for my $r (@family) {
        $done{ $r->{name} } = 1;
        my $help = $r->{help} . ($change{ $r->{change} } ? " ($change{$r->{change}})" : '');
        $text .= "\n" . wrap('# ', '# ', $help) . "\n#$r->{name} = " . shown($r) . "\n";
        $text =~ s/ \n\z/\n/;
    }
}
write_if_changed($out, $text);
