# Shell.pm - the shell ottla under test: run by a script, or at a real terminal
#
#   my $shell = Ottla::Test::Shell->new(node => $node);
#   my $r = $shell->run(['-c', 'SELECT 1'], stdin => '');     # { out, err, code, seconds }
#   my $t = $shell->terminal(args => ['-X']);                 # an Ottla::Test::Terminal, with
#   $t->line("SELECT 1;");
#   $t->sees(qr/\(1 row\)/);                                  # waits; false after the deadline
#
# The home directory is a new one, the environment has nothing of the user's.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Shell;

use strict;
use warnings;
use Carp qw(croak);
use Cwd qw(abs_path getcwd);
use File::Temp qw(tempdir);
use Ottla::Test::Pty;
use Ottla::Test::Terminal;
use Ottla::Test::Wait qw(comes_true);
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time);

$ENV{OTTLA_BUILD} //= getcwd() . '/build';    # of a test that is run by hand

my $dir = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";    # now: the environment changes in children
my $binary = abs_path("$dir/ottla");
sub binary { return $binary // croak "no ottla in $dir" }

# Options: node (the connection goes to its socket), env (hash, undef removes), home (a directory).
sub new {
    my ($class, %o) = @_;
    my $home = $o{home} // tempdir('ottla-shell-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my %env = map { $_ => $ENV{$_} } grep { defined $ENV{$_} } qw(PATH TMPDIR ASAN_OPTIONS UBSAN_OPTIONS);
    %env = (%env, HOME => $home, LC_ALL => 'C.UTF-8', TZ => 'UTC', SHELL => '/bin/sh', TERM => 'xterm');
    if ($o{node}) {
        $env{OTTLA_HOST} = $o{node}->dir;
        $env{OTTLA_PORT} = $o{node}->port;
    }
    %env = (%env, %{ $o{env} // {} });
    delete $env{$_} for grep { !defined $env{$_} } keys %env;
    return bless { home => $home, env => \%env }, $class;
}

sub home { $_[0]{home} }

# Starts it with files as its streams; stdin: text, or a handle. Returns its pid.
sub start {
    my ($self, $args, %o) = @_;
    my $pid = fork() // croak "fork: $!";
    return $pid if $pid;
    eval {
        open STDIN,  '<', $o{in} // '/dev/null' or die "stdin: $!";
        open STDOUT, '>', $o{out} or die "stdout: $!";
        open STDERR, '>', $o{err} or die "stderr: $!";
        chdir $o{dir} or die "chdir: $!" if defined $o{dir};
        %ENV = %{ $self->{env} };
        exec { binary() } 'ottla', @$args or die "exec: $!";
    };
    print STDERR $@;
    POSIX::_exit(127);
}

# Runs it to its end. Options: stdin (text), dir, seconds (deadline), while (code that gets the pid as it runs).
sub run {
    my ($self, $args, %o) = @_;
    my $base = tempdir('ottla-run-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    spew("$base/in", $o{stdin} // '');
    my $began = time;
    my $pid = $self->start($args, in => "$base/in", out => "$base/out", err => "$base/err", dir => $o{dir});
    $o{while}->($pid, "$base/out", "$base/err") if $o{while};
    my $status;
    comes_true(sub { waitpid($pid, WNOHANG) == $pid && ($status = $?, 1) }, $o{seconds} // 30);
    if (!defined $status) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        croak "ottla @$args did not end: " . slurp("$base/out") . slurp("$base/err");
    }
    return {
        out     => slurp("$base/out"),
        err     => slurp("$base/err"),
        code    => WIFEXITED($status) ? WEXITSTATUS($status) : 256 + WTERMSIG($status),
        seconds => time - $began,
    };
}

sub slurp { my ($p) = @_; open my $f, '<', $p or return ''; local $/; return <$f> // '' }
sub spew { my ($p, $text) = @_; open my $f, '>', $p or croak "$p: $!"; print $f $text; close $f or croak "$p: $!" }

# ---- at a terminal ----

# Options: args, columns (100), lines (40).
sub terminal {
    my ($self, %o) = @_;
    my $t = Ottla::Test::Terminal->new(
        command => ['env', '-i', (map { "$_=$self->{env}{$_}" } sort keys %{ $self->{env} }), 'TERM=screen', binary(), @{ $o{args} // [] }],
        columns => $o{columns} // 100, rows => $o{lines} // 40);
    return bless $t, 'Ottla::Test::Shell::Terminal';
}

# At a terminal without a screen, whose times are its own. Options: args.
sub pty {
    my ($self, %o) = @_;
    return Ottla::Test::Pty->new(command => [ binary(), @{ $o{args} // [] } ], env => { %{ $self->{env} }, TERM => 'dumb' });
}

package Ottla::Test::Shell::Terminal;

use strict;
use warnings;
use parent -norequire, 'Ottla::Test::Terminal';
use Ottla::Test::Wait qw(comes_true);

# Waits until the screen shows it. False: it did not; the screen goes to the test's diagnostics.
sub sees {
    my ($self, $pattern, $seconds) = @_;
    my $screen = '';
    return 1 if comes_true(sub { $screen = $self->screen =~ s/\s+\z/\n/r; $screen =~ $pattern }, $seconds // 10);
    main::diag("the terminal does not show $pattern but:\n$screen");
    return 0;
}

# Forgets what the screen shows.
sub clear { my ($self) = @_; $self->tmux('send-keys', '-R'); $self->tmux('clear-history'); return $self }

# The exit code of the shell, once it has ended; undef: it runs on.
sub code {
    my ($self, $seconds) = @_;
    my $code;
    comes_true(sub { ($code) = $self->screen =~ /^ended with (\d+)$/m }, $seconds // 10);
    return $code;
}

1;
