# Terminal.pm - a program at a real terminal: keys go in, the screen is looked at
#
#   my $t = Ottla::Test::Terminal->new(command => ['ottla', '-X'], env => { HOME => $dir }, columns => 80, rows => 24);
#   $t->wait_for(qr/main=# $/);             # the screen, blanks at the ends of its lines cut; dies with it after a while
#   $t->type('SELECT 1;'); $t->keys('Enter');
#   print $t->screen;
#
# The terminal is tmux's, on a socket of its own in a directory of its own; it ends with the object.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Terminal;

use strict;
use warnings;
use Carp qw(croak);
use Encode qw(decode encode);
use File::Temp qw(tempdir);
use IPC::Open3 qw(open3);
use Ottla::Test::Wait qw(comes_true);

our $PATIENCE = 20;

sub new {
    my ($class, %o) = @_;
    my $self = bless { dir => tempdir('ottla-terminal-XXXXXX', TMPDIR => 1, CLEANUP => 1), main => $$ }, $class;
    my %env = (LC_ALL => 'C.UTF-8', PAGER => undef, OTTLA_PAGER => undef, HISTFILE => undef, INPUTRC => '/dev/null', %{ $o{env} // {} });
    # The variables stand in the command, since tmux has an environment of its own.
    my @unset = map { ('-u', $_) } grep { !defined $env{$_} } sort keys %env;
    my @set = map { "$_=$env{$_}" } grep { defined $env{$_} } sort keys %env;
    my $command = join ' ', map { quoted($_) } 'env', @unset, @set, @{ $o{command} };
    $self->tmux('-f', '/dev/null', 'new-session', '-d', '-x', $o{columns} // 80, '-y', $o{rows} // 24,
        "$command; code=\$?; echo; echo \"ended with \$code\"; exec sleep 1000");
    $self->tmux('set-option', '-g', 'escape-time', '0');
    return $self;
}

sub quoted { my ($word) = @_; $word =~ s/'/'\\''/g; return "'$word'" }

sub tmux {
    my ($self, @words) = @_;
    delete local $ENV{TMUX};
    local $ENV{LC_ALL} = 'C.UTF-8';
    my $pid = open3(my $in, my $out, undef, 'tmux', '-S', "$self->{dir}/socket", @words);
    close $in;
    my $text = do { local $/; <$out> };
    waitpid $pid, 0;
    croak "tmux $words[0]: $text" if $?;
    return decode('UTF-8', $text);
}

# Text as it is typed; keys by tmux's names (Enter, Tab, C-c, Up, BSpace).
# A semicolon at the end of a word would end tmux's command.
sub type {
    my ($self, $text) = @_;
    $text =~ s/;\z/\\;/;
    $self->tmux('send-keys', '-l', '--', encode('UTF-8', $text));
    return $self;
}

sub keys { my ($self, @keys) = @_; $self->tmux('send-keys', '--', @keys); return $self }

# A line with its Enter.
sub line { my ($self, $text) = @_; return $self->type($text)->keys('Enter') }

# The screen without blanks at the ends of lines and empty lines at the bottom.
sub screen {
    my ($self) = @_;
    my $text = $self->tmux('capture-pane', '-p');
    $text =~ s/[ \t]+$//mg;
    $text =~ s/\n+\z/\n/;
    return $text;
}

sub clear { my ($self) = @_; $self->keys('C-l'); return $self }

sub wait_for {
    my ($self, $pattern, $seconds) = @_;
    my $screen = '';
    comes_true(sub { $screen = $self->screen; $screen =~ $pattern }, $seconds // $PATIENCE)
        or croak "$pattern never came; the screen:\n$screen";
    return $screen;
}

sub resize { my ($self, $columns, $rows) = @_; $self->tmux('resize-window', '-x', $columns, '-y', $rows); return $self }

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{main};
    local ($?, $@, $!);
    eval { $self->tmux('kill-server') };
}

1;
