#!/usr/bin/perl
# 401_connection_limits.t - how many connections, from where, how fast (admin-and-security.md 9)
#
# Proves: at max.connections, of the node or of a listener, whoever comes waits and is served when one ends
# or the limit is raised while the node runs; the Unix socket goes on, with superuser.reserved.connections at the
# node's limit; beginnings and ends of connections are logged if that is wanted; the inter-broker listener is let in, and
# the connection idle for longest makes room; over max.connections.per.ip a connection is closed at
# once, exceptions count; rates of new connections are kept, per node and per listener; without a slot
# connections are closed with a line a second.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp;
use IO::Socket::INET;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $second = Ottla::Test::Node::free_port();
my $first  = Ottla::Test::Node::free_port();

sub connect_to {
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') or die "connect: $@";
    $socket->autoflush(1);
    return Ottla::Test::Api->new($socket, 'limits');
}

# A connection that sends a request at once (only then is it accepted), answered or not.
sub open_one {
    my ($port) = @_;
    my $client = connect_to($port // $first);
    $client->send(18, 0, '');
    return $client;
}

sub is_served { my ($client, $seconds) = @_; return defined $client->receive($seconds) }

# What the broker's dynamic settings become, by a connection that is open.
sub alter {
    my ($client, %settings) = @_;
    my $answer = $client->ask(IncrementalAlterConfigs => 1, {
        resources => [ { resource_type => 4, resource_name => '1',
            configs => [ map { { name => $_, config_operation => defined $settings{$_} ? 0 : 1, value => $settings{$_} } }
                sort keys %settings ] } ] });
    return $answer->{responses}[0]{error_code};
}

my $node = Ottla::Test::Node->new(port => $first, conf => {
    'listeners' => "CLIENTS://localhost:$first,PEERS://localhost:$second",
    'listener.security.protocol.map' => 'CLIENTS:PLAINTEXT,PEERS:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name' => 'PEERS',
    'max.connections' => 6,
    'listener.name.clients.max.connections' => 4,
    'quota.window.num' => 3,
})->start;
my @clients;

subtest 'numbers' => sub {
    @clients = map { open_one() } 1 .. 4;
    is(scalar(grep { is_served($_) } @clients), 4, 'as many as the listener may have');
    my $waiting = open_one();
    ok(!is_served($waiting, 0.4), 'the next one waits');
    ok($node->connect_unix, 'the Unix socket does not');
    $clients[3]->close;
    ok(is_served($waiting), '... until one ends');
    push @clients, $waiting;
    splice @clients, 3, 1;

    $waiting = open_one();
    ok(!is_served($waiting, 0.3), 'at the limit again');
    is(alter($clients[0], 'listener.name.clients.max.connections' => 5), 0, 'the limit of the listener is raised');
    ok(is_served($waiting), '... and counts at once');
    push @clients, $waiting;
};

# The file of settings holds these and nothing else.
sub reload {
    my (%settings) = @_;
    open my $file, '>', $node->dir . '/ottla.conf' or die;
    print $file "$_ = $settings{$_}\n" for sort keys %settings;
    close $file or die;
    $node->reload;
}

sub local_one {
    my $client = Ottla::Test::Api->new($node->connect_unix, 'operator');
    $client->send(18, 0, '');
    return $client;
}

subtest 'the Unix socket' => sub {
    is(alter($clients[0], 'max.connections' => 5), 0, 'the node is full');
    my $waiting = open_one();
    ok(!is_served($waiting, 0.3), '... for clients');
    my @local = map { local_one() } 1 .. 3;
    is(scalar(grep { is_served($_) } @local), 3, 'superuser.reserved.connections are let in');
    my $more = local_one();
    ok(!is_served($more, 0.3), 'the next one waits');
    reload('superuser.reserved.connections' => 4);
    ok(is_served($more), '... until more are reserved');
    $_->close for @local, $more, $waiting;
    is(alter($clients[0], 'max.connections' => undef), 0, 'the limit of the file again');
};

subtest 'log lines' => sub {
    reload('log.connections' => 'on', 'log.disconnections' => 'on');
    $node->wait_for_log(qr/Reloaded/);
    my $client = Ottla::Test::Api->new($node->connect_unix, 'logged');
    $client->send(18, 0, ''), is_served($client) for 1 .. 3;
    $node->wait_for_log(qr/connection begins; peer=\S+ listener=LOCAL/);
    $client->close;
    $node->wait_for_log(qr/connection ends; peer=\S+ listener=LOCAL ms=\d+ requests=3 bytes_in=[1-9]\d* bytes_out=[1-9]/);
    reload();
    pass('are written');
};

subtest 'the inter-broker listener' => sub {
    $_->send(18, 0, ''), is_served($_) for @clients[ 1 .. $#clients ];    # the first is idle for longest
    my @peers = map { open_one($second) } 1 .. 3;
    is(scalar(grep { is_served($_) } @peers), 3, 'is let in beyond max.connections');
    $node->wait_for_log(qr/idle for longest: max.connections reached/);
    ok(!is_served($clients[0], 10), 'the client that was idle for longest is gone');
    $clients[-1]->send(18, 0, '');
    ok(is_served($clients[-1]), 'others stay');
    my $waiting = open_one();
    ok(!is_served($waiting, 0.3), 'clients wait: the node is full');
    is(alter($peers[0], 'max.connections' => 100, 'listener.name.clients.max.connections' => 50), 0,
        'the limit of the node is raised');
    ok(is_served($waiting), '... and counts at once');
};

subtest 'one address' => sub {
    my $admin = open_one();
    ok(is_served($admin), 'connected');
    is(alter($admin, 'max.connections.per.ip' => 12), 0, 'twelve of an address');
    my @more = map { open_one() } 1 .. 16;
    my $served = grep { is_served($_) } @more;
    ok($served > 0 && $served < 12, "some are served, the others are closed: $served");
    my $of_address = grep { $_->{detail} =~ /127\.0\.0\.1:/ } $node->children_of_kind('backend');
    is($of_address, 12, 'twelve are connected');
    $node->wait_for_log(qr/max.connections.per.ip reached/);
    is(alter($admin, 'max.connections.per.ip.overrides' => "127.0.0.1:1000"), 0, 'an exception');
    ok(is_served(open_one()), '... counts');
    is(alter($admin, 'max.connections.per.ip.overrides' => 'no.such.host.invalid:3'), 0, 'a host that has no address');
    $node->wait_for_log(qr/no address of no\.such\.host\.invalid/);
    ok(!is_served(open_one()), 'has no effect');
    is(alter($admin, 'max.connections.per.ip.overrides' => 'no.such.host.invalid:3,localhost:1000'), 0, 'a host by name');
    $node->wait_until('its address', sub { is_served(open_one(), 1) });
    is(alter($admin, 'max.connections.per.ip.overrides' => '127.1:1000'), 0, 'another way to write an address');
    ok(is_served(open_one()), '... counts at once');
    is(alter($admin, 'max.connections.per.ip' => 0, 'max.connections.per.ip.overrides' => ''), 42, '0 needs exceptions');
    is(alter($admin, map { $_ => undef } qw(max.connections.per.ip max.connections.per.ip.overrides)), 0, 'as before');
};

# Seconds that opening so many connections takes.
sub time_of {
    my ($count, $port) = @_;
    my $begin = time;
    for (1 .. $count) {
        my $client = open_one($port);
        is_served($client) or die 'not served';
        $client->close;
    }
    return time - $begin;
}

# Opens connections one after the other for a while; how many were served.
sub opened_in {
    my ($seconds, $port) = @_;
    my ($begin, $count) = (time, 0);
    while (time - $begin < $seconds) {
        my $client = open_one($port);
        $count++ if is_served($client, $seconds - (time - $begin));
        $client->close;
    }
    return $count;
}

subtest 'rates' => sub {
    my $admin = open_one();
    is_served($admin);
    is(alter($admin, 'listener.name.clients.max.connection.creation.rate' => 10), 0, 'ten a second for clients');
    my $count = opened_in(2.5);
    ok($count >= 5 && $count <= 60, "in 2.5 s with a free burst of at most 30: $count");
    cmp_ok(time_of(100, $second), '<', 7, 'the other listener is as fast as ever');
    is(alter($admin, 'listener.name.clients.max.connection.creation.rate' => undef), 0, 'no limit');
    $node->wait_until('the pause to end', sub { is_served(open_one(), 1) });
    is(alter($admin, 'max.connection.creation.rate' => 10), 0, 'ten a second for the node');
    $count = opened_in(2);
    ok($count <= 55, "clients wait: $count");
    cmp_ok(time_of(100, $second), '<', 7, 'the inter-broker listener is exempt');
};
is($node->stop('fast'), 0, 'the node stops');

# The bound on processes counts those of a user, and does not hold for root: the node changes to one that no other test uses.
subtest 'without a process' => sub {
    plan skip_all => 'needs root and a user "news"' if $> != 0 || !getpwnam('news');
    my $dir = File::Temp::tempdir(CLEANUP => 1);
    open my $script, '>', "$dir/bounded" or die $!;
    print $script "#!/bin/bash\nulimit -Su 20\nexec @{[ Ottla::Test::Node::binary() ]} \"\$@\"\n";
    close $script;
    chmod 0755, "$dir/bounded";
    $node = Ottla::Test::Node->new(binary => "$dir/bounded", args => [ '--user', 'news' ], conf => { 'backend.spare' => 0 })->start;
    $first = $node->port;
    my @held;
    while (@held < 20) {
        push @held, open_one();
        is_served($held[-1]) or last;
    }
    cmp_ok($#held, '>', 2, "connections until no process can be made: $#held");
    cmp_ok($#held, '<', 19, '... by the bound');
    my ($begin, $refused) = (time, 0);
    while (time - $begin < 2.5) { $refused += !is_served(open_one(), 5) }
    cmp_ok($refused, '>', 3, "each of the others is closed: $refused");
    my $lines = () = $node->log_text =~ /connection from \S+ closed: fork of a backend/g;
    ok($lines >= 1 && $lines <= 5, "lines about it in 2.5 s: $lines");
    $held[0]->send(18, 0, '');
    ok(is_served($held[0]), 'who was connected goes on');
    $_->close for @held[ 1 .. $#held ];
    $node->wait_until('a process', sub { is_served(open_one(), 5) });
    pass('connections again, when there are processes again');
    is($node->stop('fast'), 0, 'the node stops');
};

$node = Ottla::Test::Node->new(conf => { 'backend.slots' => 128, 'backend.spare' => 0 })->start;
$first = $node->port;
subtest 'without a slot' => sub {
    my @open = map { open_one() } 1 .. 70;
    my $served = grep { is_served($_) } @open;
    is($served, 64, 'the others of 128 slots are kept for the Unix socket and peers');
    my @local = map { Ottla::Test::Api->new($node->connect_unix, 'limits') } 1 .. 5;
    $_->send(18, 0, '') for @local;
    is(scalar(grep { is_served($_) } @local), 5, 'the Unix socket has its own');
    $_->close for @local;
    my $lines = () = $node->log_text =~ /no backend slot is free/g;
    ok($lines >= 1 && $lines <= 6, "lines about it: $lines");
    $open[0]->close;
    $node->wait_until('a free slot', sub { is_served(open_one(), 2) });
    pass('served when a slot is free');
};
is($node->stop('fast'), 0, 'the node stops');
done_testing;
