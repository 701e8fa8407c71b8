# Node.pm - one ottlad under test: start, wait until ready, stop, kill, look at it
#
#   my $node = Ottla::Test::Node->new(conf => { 'num.partitions' => 3 });
#   $node->start;                          # returns when it is ready, or dies with its log
#   my $port = $node->port;
#   $node->kill_child(KILL => 'retention');
#   $node->wait_for_log(qr/recovered after a crash/);
#   is($node->stop('fast'), 0);            # exit code
#
# Nothing here sleeps for a fixed time: every wait is for a condition, has a deadline, and says what
# it saw when it gives up. Nodes that a test forgot are killed and their directories removed at its
# end; the directory of a failed test is kept when OTTLA_KEEP is set.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Node;

use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path getcwd);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Ottla::Test::Wait qw(comes_true);

our $PATIENCE = 60;    # seconds for what takes milliseconds on a machine that is not loaded
my %all;               # living nodes, to be ended with the test
my $main_pid = $$;

$ENV{OTTLA_BUILD} //= getcwd() . '/build';    # of a test that is run by hand

# The binary under test.
sub binary {
    my $dir = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
    return abs_path("$dir/ottlad") // croak "no ottlad in $dir";
}

# A TCP port nobody listens on now. Ports below the range of outgoing connections: those could take
# it before the node does.
sub free_port {
    for (1 .. 200) {
        my $port = 10000 + int(rand(20000));
        my @sockets = map {
            IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $_, ReuseAddr => 1)
        } $port, $port + 1;
        return $port if 2 == grep { defined } @sockets;
    }
    croak 'no free port';
}

# Options: conf (hash of settings, by -c), args (more arguments), dir (an existing data directory),
# port, binary, env (hash), name (last part of the directory, shown in titles).
sub new {
    my ($class, %o) = @_;
    my $base = tempdir('ottla-test-XXXXXX', TMPDIR => 1);
    chmod 0755, $base;    # root's nodes change their user
    my $self = bless {
        base   => $base,
        dir    => $o{dir} // "$base/" . ($o{name} // 'data'),
        port   => $o{port} // free_port(),
        conf   => { 'metrics.listen' => '', %{ $o{conf} // {} } },    # one address for all of a machine's nodes
        args   => [ @{ $o{args} // [] } ],
        env    => { %{ $o{env} // {} } },
        binary => $o{binary} // binary(),
        log    => "$base/log",
        out    => "$base/out",
        log_seen => 0,
    }, $class;
    $all{ $self + 0 } = $self;
    return $self;
}

sub dir  { $_[0]{dir} }
sub port { $_[0]{port} }
sub pid  { $_[0]{pid} }
sub address { '127.0.0.1:' . $_[0]{port} }
sub instance { ($_[0]{dir} =~ m{([^/]+)$})[0] }
sub unix_socket { "$_[0]{dir}/.s.ottla.$_[0]{port}" }
sub set { my ($self, %conf) = @_; $self->{conf}{$_} = $conf{$_} for keys %conf; return $self }

# The whole command line.
sub command {
    my ($self) = @_;
    my @user = $> == 0 && !grep({ $_ eq '--user' } @{ $self->{args} }) ? ('--user', 'root') : ();
    return ($self->{binary}, '-D', $self->{dir}, '-p', $self->{port}, @user,
        (map { ('-c', "$_=$self->{conf}{$_}") } sort keys %{ $self->{conf} }), @{ $self->{args} });
}

# Starts without waiting. prepare: code run in the child before exec (descriptors, environment).
sub launch {
    my ($self, %o) = @_;
    croak 'runs already' if $self->{pid};
    unlink $self->{out};
    $self->{log_seen} = $self->{log_start} = $self->log_size;
    my @command = $self->command;
    my $pid = fork() // croak "fork: $!";
    if (!$pid) {
        eval {
            open STDIN,  '<',  '/dev/null'   or die;
            open STDOUT, '>',  $self->{out}  or die;
            open STDERR, '>>', $self->{log}  or die;
            $ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} };
            $o{prepare}->() if $o{prepare};
            exec { $command[0] } @command or die "exec: $!";
        };
        print STDERR $@;
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    delete $self->{exit};
    return $self;
}

# Starts and waits for the line "ready ADDRESS".
sub start {
    my ($self, %o) = @_;
    return $self->launch(%o)->wait_ready;
}

sub wait_ready {
    my ($self) = @_;
    $self->wait_until('ready', sub {
        croak 'node ended with ' . $self->{exit} . " instead of getting ready\n" . $self->log_tail
            if defined $self->poll_exit;
        slurp($self->{out}) =~ /^ready (\S+)$/m;
    });
    return $self;
}

# True when it answers "ready"; the address it printed.
sub ready_address { slurp($_[0]{out}) =~ /^ready (\S+)$/m ? $1 : undef }

# Exit code (or 256 + signal) when it has ended, else undef.
sub poll_exit {
    my ($self) = @_;
    return $self->{exit} if defined $self->{exit};
    return undef if !$self->{pid};
    my $got = waitpid($self->{pid}, WNOHANG);
    return undef if $got != $self->{pid};
    $self->{exit} = WIFEXITED($?) ? WEXITSTATUS($?) : 256 + WTERMSIG($?);
    delete $self->{pid};
    return $self->{exit};
}

sub wait_exit {
    my ($self, $patience) = @_;
    $self->wait_until('the end of the node', sub { defined $self->poll_exit }, $patience);
    return $self->{exit};
}

# Sends a signal to the supervisor.
sub signal { my ($self, $name) = @_; kill $name, $self->{pid} or croak "kill: $!"; return $self }

# mode: smart, fast or immediate. Returns the exit code.
sub stop {
    my ($self, $mode) = @_;
    my %signal = (smart => 'TERM', fast => 'INT', immediate => 'QUIT');
    my $name = $signal{ $mode // 'fast' } // croak "mode $mode";
    return $self->{exit} if !$self->{pid};
    $self->signal($name);
    return $self->wait_exit;
}

# kill -9 of the supervisor and of everybody it left; waits until all are gone.
sub kill9 {
    my ($self) = @_;
    return $self if !$self->{pid};
    my @pids = ($self->{pid}, map { $_->{pid} } $self->children);
    kill 'KILL', @pids;
    $self->wait_exit;
    $self->wait_until('children to be gone', sub { !grep { process_lives($_) } @pids });
    return $self;
}

sub restart { my ($self, $mode) = @_; $self->stop($mode); return $self->start }

sub reload { $_[0]->signal('HUP') }

# ---- what it looks like from outside ----

# A process that is no zombie.
sub process_lives {
    my ($pid) = @_;
    my $stat = slurp("/proc/$pid/stat");
    return $stat ne '' && $stat !~ /\) Z /;
}

# Living children: { pid, kind, comm, title, detail }, by pid. Kind "spare": a backend that waits for its
# connection.
sub children {
    my ($self) = @_;
    my $parent = $self->{pid} // return ();
    my @found;
    for my $pid (split ' ', slurp("/proc/$parent/task/$parent/children")) {
        my $title = slurp("/proc/$pid/cmdline") =~ s/\s*\0.*//sr;
        my $comm  = slurp("/proc/$pid/comm") =~ s/\n//r;
        next if $comm eq '' || !process_lives($pid);
        my ($kind, $detail) = $title =~ /^ottlad: \S+: (\S+)\s*(.*)$/ ? ($1, $2) : ('', '');
        $kind = 'spare' if $kind eq 'backend' && $detail eq 'spare';    # no connection yet
        push @found, { pid => $pid, title => $title, comm => $comm, kind => $kind, detail => $detail };
    }
    return sort { $a->{pid} <=> $b->{pid} } @found;
}

sub children_of_kind { my ($self, $kind) = @_; return grep { $_->{kind} eq $kind } $self->children }

# The one child of a kind, waited for; other_than: a pid it must not have.
sub wait_child {
    my ($self, $kind, $other_than) = @_;
    my $found;
    $self->wait_until("a $kind", sub {
        ($found) = grep { $_->{pid} != ($other_than // 0) } $self->children_of_kind($kind);
        $found;
    });
    return $found;
}

# Sends a signal to the first child of a kind; returns its pid.
sub kill_child {
    my ($self, $signal, $kind) = @_;
    my $child = $self->wait_child($kind);
    kill $signal, $child->{pid} or croak "kill: $!";
    return $child->{pid};
}

# The lines of ottlad.pid.
sub pid_file { split /\n/, slurp("$_[0]{dir}/ottlad.pid") }

# ---- connections ----

sub connect_tcp {
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp',
        Timeout => $PATIENCE) or croak "connect: $@";
    $socket->autoflush(1);
    return $socket;
}

sub connect_unix {
    my ($self) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->unix_socket) or croak "connect: $!";
    return $socket;
}

# ---- log ----

sub log_text { slurp($_[0]{log}) }
# What was logged since the last launch: long logs of many starts are not read again and again.
sub log_of_this_start { slurp($_[0]{log}, $_[0]{log_start}) }
sub log_size { -s $_[0]{log} // 0 }
sub log_tail { my @l = split /\n/, $_[0]->log_text; return join "\n", @l[ ($#l > 60 ? $#l - 60 : 0) .. $#l ] }

# What was logged since the last call of wait_for_log or log_new (or the start).
sub log_new {
    my ($self) = @_;
    my $text = substr $self->log_text, $self->{log_seen};
    $self->{log_seen} += length $text;
    return $text;
}

# Waits for a line since the last one waited for; returns it.
sub wait_for_log {
    my ($self, $pattern, $patience) = @_;
    my $line;
    $self->wait_until("log line $pattern", sub {
        my $text = substr $self->log_text, $self->{log_seen};
        return 0 if $text !~ /^(.*$pattern.*)$/m;
        $line = $1;
        $self->{log_seen} += $+[0];
        return 1;
    }, $patience);
    return $line;
}

# ---- help ----

sub slurp {
    my ($path, $from) = @_;
    open my $fh, '<', $path or return '';
    seek $fh, $from // 0, 0;
    local $/;
    return scalar(<$fh>) // '';
}

# Waits for a condition; dies with what the node looks like.
sub wait_until {
    my ($self, $what, $condition, $patience) = @_;
    comes_true($condition, $patience // $PATIENCE) or croak "waited in vain for $what\n" . $self->describe;
    return 1;
}

sub describe {
    my ($self) = @_;
    return join "\n", 'node ' . $self->{dir} . ', pid ' . ($self->{pid} // 'none'),
        (map { "$_->{pid} $_->{title}" } $self->children), '--- log', $self->log_tail, '';
}

# Ends the node and removes what it left.
sub clean_up {
    my ($self) = @_;
    delete $all{ $self + 0 };
    $self->kill9 if $self->{pid};
    my $failed = Test::Builder->can('new') && !Test::Builder->new->is_passing;
    if ($ENV{OTTLA_KEEP} && $failed) {
        print STDERR "# kept $self->{base}\n";
    } else {
        remove_tree($self->{base});
    }
    return;
}

END {
    if ($$ == $main_pid) {
        local $?;
        $_->clean_up for values %all;
    }
}

1;
