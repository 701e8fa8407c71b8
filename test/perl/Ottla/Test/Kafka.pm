# Kafka.pm - Apache Kafka and its tools beside a node, where they can be had
#
#   plan skip_all => kafka_missing() if kafka_missing();
#   my ($exit, $text) = kafka_tool($node->address, 'consumer-groups', '--list');
#   my $peer = kafka_node();    # a real broker of its own; ends with the variable
#   $peer->{address};
#   Ottla::Test::Api->new($peer);
#
# ../shared/peers/kafka brings the jars. A tool is a JVM of half a second.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Kafka;

use strict;
use warnings;
use Exporter qw(import);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Ottla::Test::Wait qw(comes_true);
use POSIX ();

our @EXPORT_OK = qw(kafka_missing kafka_tool kafka_node);

my $kafka = ($ENV{OTTLA_SHARED} // '../shared') . '/peers/kafka';
my $cache = $ENV{PEERS_CACHE} // ($ENV{HOME} // '/root') . '/.cache/ottla-peers';

# Why there is no Kafka here; undef: there is one.
sub kafka_missing {
    return "no $kafka"                  if !-x $kafka;
    return "no jars of Kafka in $cache" if !(() = glob "$cache/kafka-*/.complete"); # all of them: asked again it is the same
    return 'no java'                    if !grep { -x "$_/java" } split /:/, $ENV{PATH};
    return undef;
}

# Exit code and output of a tool that talks to a server.
sub kafka_tool {
    my ($address, $name, @args) = @_;
    my @first = $name eq 'cluster' ? shift @args : (); # its command goes in front
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $ENV{JAVA_TOOL_OPTIONS} = '-XX:TieredStopAtLevel=1'; # half the time of so short a run
        exec 'timeout', 60, $kafka, 'tool', $name, @first, '--bootstrap-server', $address, @args or POSIX::_exit(127);
    }
    my $text = join '', grep { !/^Picked up/ } <$out>;
    close $out;
    return ($? >> 8, $text);
}

# Two ports side by side: of the broker and of its controller.
sub two_ports {
    for (1 .. 100) {
        my $one = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or next;
        my $two = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $one->sockport + 1) or next;
        return $one->sockport;
    }
    die 'no two ports';
}

# A broker on a folder of its own; settings "name=value" besides. Dies when it does not come up within a minute.
sub kafka_node {
    my (@settings) = @_;
    my $dir = tempdir(CLEANUP => 1);
    my $port = two_ports();
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', "$dir/log" or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT;
        $ENV{KAFKA_HEAP} //= '512m';
        exec $kafka, 'node', "$dir/node", $port, @settings or POSIX::_exit(127);
    }
    my $self = bless { pid => $pid, owner => $$, dir => $dir, address => "127.0.0.1:$port" }, __PACKAGE__;
    my $up = comes_true(sub { waitpid($pid, POSIX::WNOHANG) == $pid || IO::Socket::INET->new(PeerAddr => $self->{address}) }, 60);
    kill 0, $pid and $up or die "Kafka does not come up: " . qx(tail -n 5 $dir/log);
    return $self;
}

sub connect_tcp { return IO::Socket::INET->new(PeerAddr => $_[0]{address}) // die "Kafka: $!" }

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner};
    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
