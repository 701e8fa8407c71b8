#!/usr/bin/perl
# 403_live_listeners.t - listeners are opened and closed while the node runs (admin-and-security.md 4.5, 8.7)
#
# Proves: a listener that a request adds answers, with the address of its own in Metadata; connections on
# others go on; validate-only opens nothing; one that a request takes away is closed with its
# connections; a port in use costs a line and nothing else; what may not be is refused with 42, as Apache
# Kafka 4.3.1 does; all of it outlives kill -9 of the controller, and restarts.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use IO::Socket::INET;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;

my ($first, $extra, $busy) = map { Ottla::Test::Node::free_port() } 1 .. 3;
my $listeners = "PLAINTEXT://localhost:$first";
my $map       = 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT';
my $node = Ottla::Test::Node->new(port => $first, conf => {
    'listeners' => $listeners, 'advertised.listeners' => $listeners, 'listener.security.protocol.map' => $map,
})->start;

sub connect_to {
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') or return;
    $socket->autoflush(1);
    return Ottla::Test::Api->new($socket, 'listeners');
}

# A connection on a listener that may be about to open.
sub connected {
    my ($port) = @_;
    my $client;
    $node->wait_until("port $port to open", sub { $client = connect_to($port) });
    return $client;
}

sub is_closed { my ($port) = @_; $node->wait_until("port $port to close", sub { !connect_to($port) }); return 1 }

sub alter {
    my ($settings, %o) = @_;
    my $answer = connect_to($first)->ask(IncrementalAlterConfigs => 1, {
        validate_only => $o{validate_only} ? 1 : 0,
        resources => [ { resource_type => 4, resource_name => $o{node} // '1',
            configs => [ map { { name => $_, config_operation => defined $settings->{$_} ? 0 : 1, value => $settings->{$_} } }
                sort keys %$settings ] } ] });
    return $answer->{responses}[0]{error_code};
}

# listeners beside the first one, and a map in which all of them have a protocol.
sub with {
    my (%more) = @_;
    return { 'listeners' => join(',', $listeners, map { "$_://localhost:$more{$_}" } sort keys %more),
        'listener.security.protocol.map' => join(',', $map, map { "$_:PLAINTEXT" } sort keys %more) };
}

# Ports of the brokers that Metadata names.
sub brokers {
    my ($client) = @_;
    my $answer = $client->ask(Metadata => 9, { topics => [] }) // return 'closed';
    return join ' ', map { $_->{port} } @{ $answer->{brokers} };
}

my $held = connect_to($first);

subtest 'added' => sub {
    is(alter(with(EXTRA => $extra), validate_only => 1), 0, 'would do');
    ok(!connect_to($extra), '... and nothing is opened');
    is(alter(with(EXTRA => $extra)), 0, 'added');
    my $client = connected($extra);
    $node->wait_until('the registration', sub { brokers($client) eq $extra });
    pass('who asks on it hears its address');
    is(brokers($held), $first, 'who asks on the other hears that one, on a connection of before');
};

subtest 'kept' => sub {
    my $client = connected($extra);
    is(alter(with(EXTRA => $busy)), 0, 'another port of the same listener');
    is(brokers($client), $extra, '... changes nothing now, as in Kafka');
    is(alter(with(EXTRA => $extra)), 0, 'back');
    my ($controller) = $node->children_of_kind('controller');
    kill 'KILL', $controller->{pid};
    $node->wait_for_log(qr/node recovered after a crash/);
    is(brokers(connected($extra)), $extra, 'a crash cycle keeps it');
    $node->restart('fast');
    $client = connect_to($extra);
    ok($client, 'open when the node is ready again');
    $node->wait_until('the registration', sub { brokers($client) eq $extra });
    $node->kill9->start;
    $client = connect_to($extra);
    ok($client, 'after kill -9, too');
    $node->wait_until('the registration', sub { brokers($client) eq $extra });
};

subtest 'refused' => sub {
    my $two = with(EXTRA => $extra, MORE => $busy);
    my @refused = (
        [ 'no protocol', { 'listeners' => $two->{listeners} } ],
        [ 'no such protocol', { 'listener.security.protocol.map' => "$map,EXTRA:FOO" } ],
        [ 'another protocol', { 'listener.security.protocol.map' => "$map,EXTRA:SASL_PLAINTEXT" } ],
        [ 'no address', { 'listeners' => "$listeners,EXTRA" } ],
        [ 'a port twice', { 'listeners' => "$listeners,EXTRA://localhost:$first" } ],
        [ 'a name twice', { 'listeners' => "$listeners,EXTRA://localhost:$extra,EXTRA://localhost:$busy" } ],
        [ 'without that of brokers', { 'listeners' => "EXTRA://localhost:$extra" } ],
        [ 'none', { 'listeners' => '' } ],
        [ 'the map without one in use', { 'listener.security.protocol.map' => undef } ],
        [ 'what is advertised', { 'advertised.listeners' => $listeners } ],
    );
    is(alter($_->[1]), 42, $_->[0]) for @refused;
    is(alter({ 'listeners' => $listeners }, node => ''), 42, 'for all nodes');
    ok(!connect_to($busy), 'nothing was opened');
    ok(connect_to($extra), 'nothing was closed');
};

subtest 'in use' => sub {
    my $other = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $busy, ReuseAddr => 1);
    ok($other, 'somebody else has the port');
    is(alter(with(EXTRA => $extra, MORE => $busy)), 0, 'accepted, as in Kafka');
    $node->wait_for_log(qr/listener not opened: .*MORE/);
    is(brokers(connected($extra)), $extra, 'the others serve');
    close $other;
    is(alter(with(EXTRA => $extra, MORE => $busy)), 0, 'said again');
    ok(connected($busy), '... it is opened');
};

subtest 'taken away' => sub {
    my @clients = map { connected($_) } $extra, $busy;
    brokers($_) for @clients;
    is(alter(with(MORE => $busy)), 0, 'one of them');
    is_closed($extra);
    $clients[0]->send(18, 0, '');
    ok(!defined $clients[0]->receive(10), 'its connection is closed');
    is(brokers($clients[1]), $busy, 'one on another is not');
    is(alter({ 'listeners' => undef }), 0, 'as the files say');
    is_closed($busy);
    is(alter({ 'listener.security.protocol.map' => undef }), 0, 'the map, too');
    is(alter(with(EXTRA => $extra)), 0, 'and again');
    my $client = connected($extra);
    $node->wait_until('the registration', sub { brokers($client) eq $extra });
    pass('a row is used again');
};

subtest 'advertised by default' => sub {
    is($node->stop('fast'), 0, 'stopped');
    delete $node->{conf}{'advertised.listeners'};
    $node->start;
    ok(connected($extra), 'open');
    is(alter({ 'listeners' => undef }), 42, 'clients may know it: it cannot go, as in Kafka');
    ok(connect_to($extra), '... and has not');
};
is($node->stop('fast'), 0, 'the node stops');
done_testing;
