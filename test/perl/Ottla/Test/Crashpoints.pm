# Crashpoints.pm - nodes whose processes die at marked points (ottla/common/crashpoint.h)
#
#   my $points = Ottla::Test::Crashpoints->new("$dir/crashpoints");
#   my $node = Ottla::Test::Node->new($points->node, conf => { ... })->start;
#   $points->arm(0, 'plog.roll.created');      # row 0: whoever comes by next
#   $node->wait_until('a death', sub { $points->died(0) });
#   $points->arm(1, 'pslot.durable', 1, SIGSTOP);    # who comes by there stops
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Crashpoints;

use strict;
use warnings;
use Carp qw(croak);

my $ROWS      = 4;      # CRASHPOINT_ROWS
my $ROW_BYTES = 128;    # CrashpointRow: passages left, pid of who died, name, signal

sub new {
    my ($class, $path) = @_;
    open my $file, '+>:raw', $path or croak "$path: $!";
    chmod 0666, $path;
    my $self = bless { path => $path, file => $file }, $class;
    $self->put(0, "\0" x ($ROWS * $ROW_BYTES));
    return $self;
}

# Options of a node that looks at the rows: its binary and environment.
sub node {
    my ($self) = @_;
    return (binary => "$ENV{OTTLA_BUILD}/asan/bin/ottlad",
        env => { OTTLA_CRASHPOINT_FILE => $self->{path}, ASAN_OPTIONS => 'abort_on_error=1:detect_leaks=0' });
}

sub put {
    my ($self, $at, $bytes) = @_;
    sysseek $self->{file}, $at, 0;
    syswrite $self->{file}, $bytes;
    return;
}

# Whoever is the nth (1) from now on to pass there dies, or gets that signal. The count comes last: it is what processes look at.
sub arm {
    my ($self, $row, $name, $nth, $signal) = @_;
    $self->put($row * $ROW_BYTES + 4, pack 'l a116 l', 0, $name, $signal // 0);
    $self->put($row * $ROW_BYTES, pack 'l', $nth // 1);
    return;
}

sub disarm { my ($self) = @_; $self->put($_ * $ROW_BYTES, pack 'l', 0) for 0 .. $ROWS - 1; return }

# How many are left to pass there until somebody dies.
sub passages {
    my ($self, $row) = @_;
    sysseek $self->{file}, $row * $ROW_BYTES, 0;
    sysread $self->{file}, my $bytes, 4;
    return unpack 'l', $bytes;
}

# The pid of who died by that row; 0: nobody.
sub died {
    my ($self, $row) = @_;
    sysseek $self->{file}, $row * $ROW_BYTES + 4, 0;
    sysread $self->{file}, my $bytes, 4;
    return unpack 'l', $bytes;
}

# All names in the C files of a folder (or in one file): name => file.
sub names {
    my ($path) = @_;
    my %file_of;
    for my $file (-d $path ? map { glob "$_/*.c" } $path, grep { -d } glob "$path/*" : $path) {
        next if $file =~ m{/crashpoint\.c$};
        open my $in, '<', $file or croak "$file: $!";
        while (my $line = <$in>) { $file_of{$_} = $file for $line =~ /\bcrashpoint\("([^"]+)"\)/g }
    }
    return %file_of;
}

1;
