# Link.pm - a way from members of groups to a node that can be cut while both go on running
#
#   my ($settings, @links) = Ottla::Test::Link::several($count, $node_port);    # the node must listen with these settings
#   my @links = Ottla::Test::Link::to_peer($count, '127.0.0.1:9092');           # Rebalances tells what that must listen on
#   Member->new(address => $links[0]->address, ...)
#   $links[0]->cut;        # nothing gets through, and new connections get no answer
#   $links[0]->deafen;     # what members say arrives, what they are told does not
#   $links[0]->heal;       # whatever was held back arrives now, late
#
# Of a connection that a member gave up meanwhile nothing arrives: it could overtake what the member says by the next one, and an
# older commit of the same member come after a newer one, which no server can tell.
#
# Each link is a process between a listener of the node and a port of its own, which that listener advertises: so all
# connections of a member use it. The process ends with the test.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Link;

use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_INFO);
use Ottla::Test::Node;
use POSIX ();

my $HELD_MAX = 1 << 18;    # bytes of one direction of a connection; more stay with the sender
my $PEER_TO  = 10;         # listeners LINK0, LINK1, ... of a peer: its port and this, and so on
my $PEER_AT  = 40;         # and what they advertise

sub new {
    my ($class, %o) = @_;
    pipe my $from_test, my $in or die "pipe: $!";
    pipe my $out, my $to_test or die "pipe: $!";
    my $pid = fork() // die "fork: $!";
    if (!$pid) {
        open STDIN,  '<&', $from_test or POSIX::_exit(127);
        open STDOUT, '>&', $to_test   or POSIX::_exit(127);
        { no warnings; exec $^X, '-Itest/perl', '-MOttla::Test::Link', '-e', 'Ottla::Test::Link::serve(@ARGV)', $o{at}, $o{to} }
        POSIX::_exit(127);
    }
    my $self = bless { at => $o{at}, in => $in, out => $out }, $class;
    $self->hear('ready');
    return $self;
}

sub several {
    my ($count, $port) = @_;
    my ($listeners, $told, $map) = ("PLAINTEXT://127.0.0.1:$port") x 2;
    $map = 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT';
    my (%taken, @links) = ($port => 1);
    for my $i (0 .. $count - 1) {
        my ($to, $at) = map { my $p; do { $p = Ottla::Test::Node::free_port() } while $taken{$p}++; $p } 1 .. 2;
        push @links, __PACKAGE__->new(at => $at, to => $to);
        $listeners .= ",LINK$i://127.0.0.1:$to";
        $told      .= ",LINK$i://127.0.0.1:$at";
        $map       .= ",LINK$i:PLAINTEXT";
    }
    return ({ 'listeners' => $listeners, 'advertised.listeners' => $told, 'listener.security.protocol.map' => $map }, @links);
}

sub to_peer {
    my ($count, $address) = @_;
    my ($port) = $address =~ /:(\d+)$/;
    return map { __PACKAGE__->new(at => $port + $PEER_AT + $_, to => $port + $PEER_TO + $_) } 0 .. $count - 1;
}

sub address { return "127.0.0.1:$_[0]{at}" }

sub hear {
    my ($self, $what) = @_;
    my $line = readline $self->{out};
    die "link on port $self->{at}: " . ($line // 'gone') . "\n" if ($line // '') ne "$what\n";
    return;
}

sub tell { my ($self, $what) = @_; syswrite $self->{in}, "$what\n"; return $self->hear($what) }
sub cut { $_[0]->tell('cut') }
sub deafen { $_[0]->tell('deafen') }
sub heal { $_[0]->tell('heal') }

# ---- the process ----

# End: { socket, answers: it is the node's, held: what it is to be sent, other, ended: nothing more comes from it }.
my (%end, $state);

sub passes { my ($from) = @_; return $state eq 'heal' || $state eq 'deafen' && !$from->{answers} }

sub drop {
    my ($e) = @_;
    my @both = ($e, $e->{other});
    for (@both) { delete $end{ fileno $_->{socket} }; close $_->{socket}; delete $_->{other} }
    return;
}

# Its other side has ended it, whatever of it is still to be read: states CLOSE and CLOSE_WAIT.
sub given_up { my ($e) = @_; return unpack('C', getsockopt($e->{socket}, IPPROTO_TCP, TCP_INFO) // "\7") =~ /^[78]$/ }

sub take_connection {
    my ($listener, $to) = @_;
    my $member = $listener->accept or return;
    my $node = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to, Proto => 'tcp') or return;    # it is away
    my ($m, $n) = map { { socket => $_, held => '' } } $member, $node;
    @{$m}{qw(other answers)} = ($n, 0);
    @{$n}{qw(other answers)} = ($m, 1);
    for ($m, $n) { $_->{socket}->blocking(0); $end{ fileno $_->{socket} } = $_ }
    return;
}

sub receive {
    my ($e) = @_;
    my $got = sysread $e->{socket}, $e->{other}{held}, 65536, length $e->{other}{held};
    $e->{ended} = 1 if defined $got ? !$got : !$!{EAGAIN};    # one that was reset has said its last, too
    return;
}

sub send_on {
    my ($e) = @_;
    my $sent = syswrite $e->{socket}, $e->{held};
    if (defined $sent) { substr $e->{held}, 0, $sent, '' }
    elsif (!$!{EAGAIN}) { $e->{held} = ''; $e->{other}{ended} = $e->{ended} = 1 }
    return;
}

# What one side ended goes on to the other when all before it did.
sub pass_ends_on {
    for my $e (my @all = values %end) {
        my $other = $e->{other} // next;
        next if !$e->{ended} || $other->{held} ne '';
        if ($e->{answers} || $other->{ended}) { drop($e) }
        elsif (!$e->{told}++) { shutdown $other->{socket}, 1 }
    }
    return;
}

sub serve {
    my ($at, $to) = @_;
    local $SIG{PIPE} = 'IGNORE';
    local $| = 1;
    my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => $at, ReuseAddr => 1)
        or die "port $at: $@\n";
    $state = 'heal';
    print "ready\n";
    while (1) {
        my ($in, $out) = ('', '');
        vec($in, 0, 1) = 1;
        vec($in, fileno $listener, 1) = 1 if $state ne 'cut';
        for my $e (values %end) {
            vec($in,  fileno $e->{socket}, 1) = 1 if !$e->{ended} && length $e->{other}{held} < $HELD_MAX && passes($e);
            vec($out, fileno $e->{socket}, 1) = 1 if $e->{held} ne '' && passes($e->{other});
        }
        next if select($in, $out, undef, undef) < 0;
        if (vec $in, 0, 1) {
            my $word = '';
            sysread STDIN, $word, 100 or return;    # the test is gone
            chomp $word;
            for (grep { !$_->{answers} && $word eq 'heal' && given_up($_) } my @all = values %end) { drop($_) }
            $state = $word;
            print "$word\n";
            next;
        }
        take_connection($listener, $to) if vec $in, fileno $listener, 1;
        for my $e (my @all = values %end) {
            receive($e) if $e->{other} && vec $in,  fileno $e->{socket}, 1;
            send_on($e) if $e->{other} && vec $out, fileno $e->{socket}, 1;
        }
        pass_ends_on();
    }
}

1;
