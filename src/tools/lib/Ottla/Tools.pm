# Ottla::Tools - what the generators and tidy.pl share
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Tools;
use strict;
use warnings;
use Exporter qw(import);
our @EXPORT_OK = qw(read_layers read_settings read_metrics write_if_changed read_file c_string);

sub read_file {
    my ($path) = @_;
    open my $fh, '<', $path or die "$path: $!\n";
    local $/;
    my $text = <$fh>;
    close $fh;
    return $text;
}

# Writes path only when its content would change, through a rename. True when written.
sub write_if_changed {
    my ($path, $text) = @_;
    return 0 if -f $path && read_file($path) eq $text;
    open my $fh, '>', "$path.new$$" or die "$path: $!\n";
    print $fh $text or die "$path: $!\n";
    close $fh or die "$path: $!\n";
    rename "$path.new$$", $path or die "$path: $!\n";
    return 1;
}

# The layer table of src/README.md: (names, lowest first), {name => {name below => 1}} with all that
# lies below, directly or not.
sub read_layers {
    my ($readme) = @_;
    my ($table) = read_file($readme) =~ /^<!-- layers\b[^\n]*\n(.*?)^-->/ms
        or die "$readme: no layer table\n";
    my (@order, %below);
    for my $line (split /\n/, $table) {
        next if $line =~ /^\s*(#.*)?$/;
        $line =~ /^(\w+):\s*([\w ]*)$/ or die "$readme: not a layer: $line\n";
        my ($name, @direct) = ($1, split ' ', $2);
        $below{$name} = {};
        for my $d (@direct) {
            die "$readme: $name stands on $d, which comes later\n" if !$below{$d};
            $below{$name}{$_} = 1 for $d, keys %{$below{$d}};
        }
        push @order, $name;
    }
    return (\@order, \%below);
}

# The rows of settings.txt: hashes with its columns (used, not "used by") and the line number.
sub read_settings {
    my ($path) = @_;
    my ($number, @rows) = (0);
    for my $line (split /\n/, read_file($path)) {
        $number++;
        next if $line =~ /^\s*(#.*)?$/;
        my %row = (line => $number);
        my @columns = qw(name scope type unit default valid change used flags synonyms help);
        my @fields = split / \| /, $line, -1;
        die "$path:$number: @{[scalar @fields]} columns, not @{[scalar @columns]}\n" if @fields != @columns;
        @row{@columns} = @fields;
        push @rows, \%row;
    }
    return @rows;
}

# The rows of metrics.txt: hashes with its columns, and the heading ("# Groups") they stand under.
sub read_metrics {
    my ($path) = @_;
    my ($number, $heading, %seen, @rows) = (0, '');
    for my $line (split /\n/, read_file($path)) {
        $number++;
        $heading = $1 if $line =~ /^# ([A-Z][\w ]+)$/;
        next if $line =~ /^\s*(#.*)?$/;
        my @columns = qw(name type labels from unit bean help);
        my @fields = split / \| /, $line, -1;
        die "$path:$number: @{[scalar @fields]} columns, not @{[scalar @columns]}\n" if @fields != @columns;
        my %row = (heading => $heading);
        @row{@columns} = @fields;
        my $where = "$path:$number: $row{name}";
        die "$where: a second time\n" if $seen{$row{name}}++;
        die "$where: no such name\n" if $row{name} !~ /^ottla_[a-z][a-z0-9_]*$/;
        die "$where: type $row{type}\n" if $row{type} !~ /^(?:counter|gauge|histogram|summary)$/;
        die "$where: counters, and they alone, end in _total\n" if ($row{type} eq 'counter') != ($row{name} =~ /_total$/);
        die "$where: labels $row{labels}\n" if $row{labels} !~ /^(?:-|[a-z_]+(?:,[a-z_]+)*)$/;
        die "$where: from $row{from}\n" if $row{from} !~ /^(?:none|(?:stat|fact|walk) \w+)$/;
        die "$where: unit $row{unit}\n" if $row{unit} !~ /^(?:-|us|ms|ppm)$/;
        push @rows, \%row;
    }
    return @rows;
}

# A C string literal with these bytes.
sub c_string {
    my ($s) = @_;
    $s =~ s/([\\"])/\\$1/g;
    $s =~ s/\n/\\n/g;
    $s =~ s/([^\x20-\x7e])/sprintf '\\%03o', ord $1/ge;
    return "\"$s\"";
}

1;
