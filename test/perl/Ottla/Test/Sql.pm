# Sql.pm - statements in sessions of the shell, over TCP, against a node or another server
#
#   my $sql = Ottla::Test::Sql->new($node->address);
#   my ($exit, $text, $errors) = $sql->run('-c', '\l');
#   my @rows = $sql->rows('SELECT 1, 2');    # ('1|2'); several statements run in one session
#   $sql->state_of('SELECT nope');           # '42703'
#   $sql->asks('SELECT ...');                # the requests that it sends to the node, by the node's own count
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Sql;

use strict;
use warnings;
use Ottla::Test::Shell;

sub new {
    my ($class, $address) = @_;
    my ($host, $port) = $address =~ /^(.*):(\d+)$/ or die "no address: $address\n";
    return bless { shell => Ottla::Test::Shell->new(env => { OTTLA_HOST => $host, OTTLA_PORT => $port }) }, $class;
}

# Exit code, output, errors.
sub run {
    my ($self, @args) = @_;
    my $r = $self->{shell}->run([ '-X', @args ]);
    return @$r{qw(code out err)};
}

# Rows of statements of one session, columns joined by '|'; dies when one fails.
sub rows {
    my ($self, @statements) = @_;
    my ($exit, $text, $errors) = $self->run('-qAt', map { ('-c', $_) } @statements);
    die "@statements: $errors\n" if $exit != 0 || $errors ne '';
    return split /\n/, $text;
}

# SQLSTATEs of statements of one session; '' for one that does not fail.
sub states_of {
    my ($self, @statements) = @_;
    my (undef, $text) = $self->run('-qAt', map { ('-c', $_, '-c', '\\echo state :SQLSTATE') } @statements);
    return map { $_ eq '00000' ? '' : $_ } $text =~ /^state (\w{5})$/mg;
}

sub state_of { my ($self, $statement) = @_; return ($self->states_of($statement))[0] }

sub asks {
    my ($self, $statement) = @_;
    my $own = q{SELECT 'asks ' || requests FROM activity WHERE client_id = 'ottla' AND state = 'active'};
    my @asks = map { /^asks (\d+)$/ } $self->rows($own, $own, $statement, $own);
    die "no counts\n" if @asks != 3;
    return $asks[2] - $asks[1] - ($asks[1] - $asks[0]); # the question is a request itself
}

1;
