# Pty.pm - a program at a pseudo terminal with nothing in between: for what has to be measured in milliseconds
#
#   my $pty = Ottla::Test::Pty->new(command => ['ottla', '-X'], env => { HOME => $dir });
#   $pty->type("SELECT 1;\r");
#   my $seconds = $pty->until(qr/\(1 row\)/);     # until the program has written it; dies after a while
#
# There is no screen: what the program writes is looked at as bytes, those before the last match are forgotten. What a user sees
# is tested with Terminal.pm.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Pty;

use strict;
use warnings;
use Carp qw(croak);
use Fcntl qw(O_NOCTTY O_RDWR);
use POSIX ();
use Time::HiRes qw(time);

# Of Linux (asm-generic/ioctls.h).
use constant { TIOCSCTTY => 0x540E, TIOCSWINSZ => 0x5414, TIOCGPTN => 0x80045430, TIOCSPTLCK => 0x40045431 };

our $PATIENCE = 20;

# Options: command, env (the whole environment), columns (80), rows (24).
sub new {
    my ($class, %o) = @_;
    sysopen my $master, '/dev/ptmx', O_RDWR | O_NOCTTY or croak "/dev/ptmx: $!";
    my $unlocked = pack 'i', 0;
    my $number = pack 'I', 0;
    ioctl $master, TIOCSPTLCK, $unlocked or croak "unlock: $!";
    ioctl $master, TIOCGPTN, $number or croak "number: $!";
    my $path = '/dev/pts/' . unpack 'I', $number;
    my $pid = fork() // croak "fork: $!";
    if (!$pid) {
        eval { become($path, \%o) };
        print STDERR $@;
        POSIX::_exit(127);
    }
    return bless { master => $master, pid => $pid, main => $$, seen => '' }, $class;
}

# In the child: the terminal is its own, and its three streams.
sub become {
    my ($path, $o) = @_;
    POSIX::setsid() > 0 or die "setsid: $!";
    sysopen my $slave, $path, O_RDWR or die "$path: $!";
    ioctl $slave, TIOCSCTTY, 0 or die "controlling terminal: $!";
    my $size = pack 'S4', $o->{rows} // 24, $o->{columns} // 80, 0, 0;
    ioctl $slave, TIOCSWINSZ, $size or die "size: $!";
    POSIX::dup2(fileno $slave, $_) // die "dup2: $!" for 0 .. 2;
    %ENV = %{ $o->{env} };
    exec { $o->{command}[0] } @{ $o->{command} } or die "exec: $!";
}

sub type {
    my ($self, $bytes) = @_;
    (syswrite($self->{master}, $bytes) // -1) == length $bytes or croak "typing: $!";
    return $self;
}

# Waits until the program has written what fits. Seconds that it took.
sub until {
    my ($self, $pattern, $seconds) = @_;
    my $began = time;
    my $limit = $began + ($seconds // $PATIENCE);
    while (1) {
        if ($self->{seen} =~ $pattern) {
            $self->{seen} = substr $self->{seen}, $+[0];
            return time - $began;
        }
        my $ready = '';
        vec($ready, fileno $self->{master}, 1) = 1;
        my $left = $limit - time;
        croak "$pattern never came, but: $self->{seen}" if $left <= 0 || !select $ready, undef, undef, $left;
        sysread $self->{master}, $self->{seen}, 65536, length $self->{seen} or croak "the program ended; $pattern never came, but: $self->{seen}";
    }
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{main};
    local ($?, $!);
    close $self->{master};    # its terminal hangs up
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
