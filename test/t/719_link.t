# The link by which tests part members from a node (test/perl: Link) holds back what it is told to, and nothing else.
use strict;
use warnings;
use IO::Socket::INET;
use Ottla::Test::Link;
use Ottla::Test::Node;
use Test::More;

sub arrives { my ($socket, $seconds) = @_; my $in = ''; vec($in, fileno $socket, 1) = 1; return select $in, undef, undef, $seconds }
sub received { my ($socket) = @_; return undef if !arrives($socket, 10); sysread $socket, my $text, 100; return $text }
sub silent { my ($socket, $what) = @_; return ok(!arrives($socket, 0.05), $what) }

my ($at, $to) = map { Ottla::Test::Node::free_port() } 1 .. 2;
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $to, ReuseAddr => 1) or die "$to: $@";
my $link = Ottla::Test::Link->new(at => $at, to => $to);
sub connected { return IO::Socket::INET->new(PeerAddr => $link->address, Proto => 'tcp') // die "connect: $@\n" }

my $member = connected();
my $node   = $listener->accept;
syswrite $member, 'one';
is(received($node), 'one', 'to the node');
syswrite $node, 'two';
is(received($member), 'two', 'and back');

$link->cut;
syswrite $member, 'three';
syswrite $node, 'four';
my $second = connected();
syswrite $second, 'five';
silent($node, 'cut: nothing arrives there');
silent($member, 'nor here');
silent($listener, 'nor a new connection');
$link->heal;
is(received($node), 'three', 'healed: it arrives late');
is(received($member), 'four', 'both ways');
my $of_second = $listener->accept;
is(received($of_second), 'five', 'and the connection that was made meanwhile');

$link->deafen;
syswrite $member, 'six';
is(received($node), 'six', 'deaf: what it says arrives');
syswrite $node, 'seven';
silent($member, 'but not what it is told');
$link->heal;
is(received($member), 'seven', 'until it is healed');

$link->cut;
syswrite $second, 'eight';
close $second;
syswrite $member, 'nine';
$link->heal;
is(received($of_second), '', 'a connection given up meanwhile ends, and nothing more of it arrives');
is(received($node), 'nine', 'the others go on');
close $member;
is(received($node), '', 'an end is passed on');
done_testing;
