# Member.pm - one member of a consumer group: a program of test/clients that is started, killed, stopped, and listened to
#
#   my $m = Ottla::Test::Member->new(flavour => 'java-consumer', address => $node->address,
#       arguments => { group => 'g', topic => 't' });
#   $m->pump;                           # reads what it printed since
#   keys %{ $m->{owned} };              # partitions that it says it owns
#   $m->leave; $m->kill9; $m->stop; $m->continue; $m->ended
#   @{ $m->{commits} }                  # what checks look at (GroupCheck)
#
# Flavours are clients with a protocol and an assignor. Members that a test forgot are killed at its end.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Member;

use strict;
use warnings;
use Fcntl qw(F_SETFL O_NONBLOCK);
use Ottla::Test::Clients;
use POSIX qw(WNOHANG);

my $SESSION_MS   = 3000;
my $HEARTBEAT_MS = 300;

# client: whose program (Clients); static: it knows group instance ids.
our %flavour = (
    'c-range'         => { client => 'librdkafka', static => 1, arguments => { assignor => 'range' } },
    'c-cooperative'   => { client => 'librdkafka', static => 1, arguments => { assignor => 'cooperative-sticky' } },
    'c-new-range'     => { client => 'librdkafka-new', static => 1, arguments => { assignor => 'range' } },
    'c-consumer'      => { client => 'librdkafka-new', static => 1, consumer => 1 },
    'c-consumer-range' => { client => 'librdkafka-new', static => 1, consumer => 1, arguments => { assignor => 'range' } },
    'java-range'      => { client => 'java', static => 1 },
    'java-cooperative' => { client => 'java', static => 1,
        arguments => { assignor => 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor' } },
    'java-consumer'   => { client => 'java', static => 1, consumer => 1 },
    'kafka-python'    => { client => 'python', static => 1, arguments => { client => 'kafka-python' } },
    'confluent-consumer' => { client => 'python', static => 1, consumer => 1, arguments => { client => 'confluent' } },
    'go-cooperative'  => { client => 'go', static => 1 },
    'go-range'        => { client => 'go', static => 1, arguments => { assignor => 'range' } },
    'kafkajs'         => { client => 'node' },
);

my %all;
my $main_pid = $$;

# undef: the flavour's client is there; else why not.
sub missing { my ($flavour) = @_; return Ottla::Test::Clients::missing($flavour{$flavour}{client}) }

sub new {
    my ($class, %o) = @_;
    my $flavour = $flavour{ $o{flavour} };
    my %arguments = (server => $o{address}, session => $SESSION_MS, heartbeat => $HEARTBEAT_MS,
        $flavour->{consumer} ? (protocol => 'consumer') : (), %{ $flavour->{arguments} // {} }, %{ $o{arguments} });
    my @command = (Ottla::Test::Clients::member($flavour->{client}), map { "$_=$arguments{$_}" } sort keys %arguments);
    pipe my $from_test, my $in or die "pipe: $!";
    pipe my $out, my $to_test or die "pipe: $!";
    my $pid = fork() // die "fork: $!";
    if (!$pid) {
        open STDIN,  '<&', $from_test or POSIX::_exit(127);
        open STDOUT, '>&', $to_test   or POSIX::_exit(127);
        open STDERR, '>&', $to_test   or POSIX::_exit(127);
        { no warnings; exec { $command[0] } @command; }
        POSIX::_exit(127);
    }
    fcntl $out, F_SETFL, O_NONBLOCK or die "fcntl: $!";
    my $self = bless { name => $o{name} // 'member', pid => $pid, id => $pid, in => $in, out => $out, rest => '', owned => {}, tenure => 0,
        of => {}, commits => [], refused => {}, said => [] }, $class;
    $all{ $self + 0 } = $self;
    return $self;
}

# Partitions that it newly owns begin a tenure; a commit belongs to its partition's last one.
sub owns {
    my ($self, @partitions) = @_;
    my %now = map { $_ => 1 } @partitions;
    for (grep { !$self->{owned}{$_} } @partitions) { $self->{of}{$_} = ++$self->{tenure} }
    $self->{owned} = \%now;
    return;
}

sub line {
    my ($self, $line) = @_;
    my ($what, @words) = split ' ', $line;
    push @{ $self->{said} }, $line if ($what // '') !~ /^(commit|refused)$/;
    return if !defined $what;
    if ($what eq 'commit') {
        my ($start, $end, @offsets) = @words;
        for (@offsets) {
            my ($partition, $offset) = split /:/;
            push @{ $self->{commits} }, { partition => $partition, offset => $offset, start => $start, end => $end,
                tenure => $self->{id} . '/' . ($self->{of}{$partition} // 0) };
        }
    }
    elsif ($what eq 'refused') { $self->{refused}{ $words[2] }++ }
    elsif ($what eq 'owns')    { shift @words; $self->owns(@words) }
    elsif ($what eq 'started') { $self->{started} = 1 }
    elsif ($what eq 'fatal')   { $self->{fatal} = $line; $self->owns }
    elsif ($what eq 'end')     { $self->owns }
    return;
}

sub pump {
    my ($self) = @_;
    return if !$self->{out};
    while (1) {
        my $n = sysread $self->{out}, $self->{rest}, 65536, length $self->{rest};
        last if !defined $n;
        if (!$n) { close $self->{out}; delete $self->{out}; last }
    }
    $self->line($1) while $self->{rest} =~ s/^([^\n]*)\n//;
    return;
}

# True: the process is gone, and all that it said was read.
sub ended {
    my ($self) = @_;
    if ($self->{pid} && waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
        $self->{status} = $?;
        delete $self->{pid};
    }
    return !$self->{pid} && !$self->{out};
}

sub leave { my ($self) = @_; local $SIG{PIPE} = 'IGNORE'; syswrite $self->{in}, "leave\n"; return }
# One that ended by itself meanwhile is left alone.
sub stop { my ($self) = @_; kill 'STOP', $self->{pid} if $self->{pid}; return }
sub continue { my ($self) = @_; kill 'CONT', $self->{pid} if $self->{pid}; return }

sub kill9 {
    my ($self) = @_;
    kill 'KILL', $self->{pid} if $self->{pid};
    $self->owns;
    return;
}

# What it said, the last lines of it.
sub describe {
    my ($self) = @_;
    my @said = @{ $self->{said} };
    splice @said, 0, -30 if @said > 30;
    my $refused = join ', ', map { "$_ $self->{refused}{$_} times" } sort keys %{ $self->{refused} };
    return join "\n", "member $self->{name}: " . @{ $self->{commits} } . " commits; refused: $refused", map { "  $_" } @said;
}

END {
    if ($$ == $main_pid) {
        local $?;
        for (values %all) { kill 'KILL', $_->{pid} if $_->{pid} }
    }
}

1;
