#!/usr/bin/perl
# 400_quotas.t - clients are held to their quotas, and told so (admin-and-security.md 5, 14: 21 to 23)
#
# Proves: bytes of Produce and Fetch keep to the rate that was set, whatever the client does; the answer
# comes at once and says for how long, and nothing is read meanwhile; connections of one client share a
# pot, clients under a default do not; a change takes effect on a living connection; a fetch over its
# quota is empty and loses nothing; CPU time has a quota; librdkafka sees the throttle time; an address
# that opens too many connections has them held and closed; partitions cost tokens.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

# Few windows: the free burst of a second's worth is over soon. What follows comes in cycles of three seconds (Kafka's
# arithmetic: a burst, then silence until it has left the windows), so that is how long rates are measured.
my $node = Ottla::Test::Node->new(conf => { 'quota.window.num' => 2, 'acks.durability' => 'memory' })->start;
my $admin = Ottla::Test::Wire->new($node, 'admin');
is($admin->create_topic($_), 0, "topic $_") for qw(bytes other);

my $VALUE = 20_000;
my $BATCH = Ottla::Test::Wire::batch($VALUE);

sub title_of_port {
    my ($port) = @_;
    return (map { $_->{title} } grep { $_->{title} =~ /:$port\b/ } $node->children)[0] // '';
}

# Sends on all connections as fast as they are let; bytes a second behind the free burst, throttle times seen.
sub produce_rate {
    my ($seconds, @clients) = @_;
    my ($begin, $bytes, $from) = (time, 0, 0);
    my @throttles;
    $_->send(0, 7, Ottla::Test::Wire::produce_body('bytes', $BATCH)) for @clients;
    while (time - $begin < $seconds) {
        my @ready = IO::Select->new(map { $_->socket } @clients)->can_read(0.1);
        for my $client (grep { my $c = $_; grep { $_ == $c->socket } @ready } @clients) {
            my ($error, undef, $throttle) = Ottla::Test::Wire::produced($client->receive, 'bytes');
            die "error $error" if $error;
            push @throttles, $throttle if $throttle;
            $from += length $BATCH if time - $begin < 2;
            $bytes += length $BATCH;
            $client->send(0, 7, Ottla::Test::Wire::produce_body('bytes', $BATCH));
        }
    }
    return (($bytes - $from) / ($seconds - 2), @throttles);
}

sub near {
    my ($rate, $quota, $what) = @_;
    ok($rate > 0.85 * $quota && $rate < 1.15 * $quota, sprintf '%s: %.0f of %d bytes a second', $what, $rate, $quota);
}

subtest 'admin 22: bytes of Produce' => sub {
    is($admin->alter_quota({ 'client-id' => undef }, { producer_byte_rate => 400_000 }), 0, 'a default for client-ids');
    my ($one, $two) = map { Ottla::Test::Wire->new($node, 'loud') } 1 .. 2;
    my ($rate, @throttles) = produce_rate(5, $one, $two);
    near($rate, 400_000, 'two connections of one client');
    cmp_ok(scalar @throttles, '>', 2, 'the answers say so');
    my $other = Ottla::Test::Wire->new($node, 'quiet');
    my (undef, undef, $throttle) = Ottla::Test::Wire::produced(
        $other->call(0, 7, Ottla::Test::Wire::produce_body('other', $BATCH)), 'other');
    is($throttle, 0, 'another client has a pot of its own');
};

subtest 'admin 22: who is throttled is not read' => sub {
    my $client = Ottla::Test::Wire->new($node, 'eager');
    $admin->alter_quota({ 'client-id' => 'eager' }, { producer_byte_rate => 5_000 });
    my $throttle = 0;
    for (1 .. 20) {
        last if $throttle;
        (undef, undef, $throttle) = Ottla::Test::Wire::produced(
            $client->call(0, 7, Ottla::Test::Wire::produce_body('bytes', $BATCH)), 'bytes');
    }
    cmp_ok($throttle, '>', 500, 'over the quota');
    my $begin = time;
    $client->send(18, 0, '');
    $node->wait_until('title', sub { title_of_port($client->port) =~ /throttled \d+ms/ });
    ok(defined $client->receive, 'the next request is answered');
    cmp_ok(time - $begin, '>', 0.9 * $throttle / 1000, 'when the time is over');
    cmp_ok(time - $begin, '<', 0.5 + 2 * $throttle / 1000, 'and not much later');
    $admin->alter_quota({ 'client-id' => 'eager' }, { producer_byte_rate => 50_000_000 });
    (undef, undef, $throttle) = Ottla::Test::Wire::produced(
        $client->call(0, 7, Ottla::Test::Wire::produce_body('bytes', $BATCH)), 'bytes');
    is($throttle, 0, 'a higher quota counts at once');

    $admin->alter_quota({ 'client-id' => 'eager' }, { producer_byte_rate => 2_000 });
    $client->send(0, 7, Ottla::Test::Wire::produce_body('bytes', $BATCH, 0));    # acks=0: no answer
    $node->wait_until('mute without an answer', sub { title_of_port($client->port) =~ /throttled/ });
    my $port = $client->port;
    $client->close;
    # A hang-up does not free it, a reset does.
    my $gone = Ottla::Test::Wire->new($node, 'eager');
    $gone->send(0, 7, Ottla::Test::Wire::produce_body('bytes', $BATCH, 0));
    $node->wait_until('mute', sub { title_of_port($gone->port) =~ /throttled/ });
    $port = $gone->port;
    setsockopt $gone->socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'II', 1, 0;
    $gone->close;
    $node->wait_until('its end', sub { title_of_port($port) eq '' });
    pass('a throttled connection that was reset ends');
};

subtest 'admin 23: bytes of Fetch' => sub {
    $admin->alter_quota({ 'client-id' => undef }, { producer_byte_rate => undef });
    $admin->alter_quota({ user => undef }, { consumer_byte_rate => 300_000 });
    my $client = Ottla::Test::Wire->new($node, 'reader');
    my ($begin, $bytes, $from, $offset, $empty, $lost) = (time, 0, 0, 0, 0, 0);
    while (time - $begin < 5) {
        my ($throttle, $topics, $records) = Ottla::Test::Wire::fetched(
            $client->call(1, 4, Ottla::Test::Wire::fetch_body('bytes', $offset, 100, 25_000)), 'bytes');
        $empty++ if $throttle;
        $lost++ if $throttle && $topics;
        $from += length $records if time - $begin < 2;
        $bytes += length $records;
        $offset = 0 if $offset > 50;
        $offset += int(length($records) / length $BATCH);    # batches are equal
    }
    near(($bytes - $from) / 3, 300_000, 'a consumer');
    cmp_ok($empty, '>', 2, 'throttled answers');
    is($lost, 0, '... are empty');
    $admin->alter_quota({ user => undef }, { consumer_byte_rate => undef });
};

subtest 'CPU time' => sub {
    $admin->alter_quota({ user => undef, 'client-id' => 'busy' }, { request_percentage => 0.5 });
    my $client = Ottla::Test::Wire->new($node, 'busy');
    my ($begin, $count, $throttle, $most) = (time, 0, 0, 0);
    while (time - $begin < 8 && $throttle < 100) {
        # Metadata v3: the throttle time is first.
        $throttle = unpack 'N', $client->call(3, 3, pack 'N', 0xffffffff);
        $most = $throttle if $throttle > $most;
        $count++;
    }
    cmp_ok($most, '>', 0, "throttled after $count requests");
    cmp_ok($most, '<=', 1000, '... for a window at most');
    my $other = Ottla::Test::Wire->new($node, 'calm');
    is(unpack('N', $other->call(3, 3, pack 'N', 0xffffffff)), 0, 'others are not');
};

{
    $admin->alter_quota({ 'client-id' => 'rdkafka' }, { producer_byte_rate => 100_000 });
    my $line = 'y' x 999;
    my $begin = time;
    my $out = qx(for i in \$(seq 300); do echo $line; done | timeout 30 kcat -P -b @{[ $node->address ]} -t other \\
        -X client.id=rdkafka -X batch.size=20000 -X linger.ms=5 2>&1);
    is($? >> 8, 0, 'kcat delivers everything');
    my $seconds = time - $begin;
    # 300 KB at 100 KB/s, of which one to two seconds' worth are free.
    ok($seconds > 0.7 && $seconds < 5, sprintf 'in %.1f s', $seconds);
    my @told = $out =~ /throttled request for (\d+)ms/g;
    cmp_ok(scalar @told, '>', 1, 'librdkafka sees the throttle time');
    ok(!(grep { $_ > 3000 } @told), "... @told");
}

subtest 'admin 24: partitions made and deleted' => sub {
    my $client = Ottla::Test::Wire->new($node, 'maker');
    $admin->alter_quota({ 'client-id' => 'maker' }, { controller_mutation_rate => 10 });
    # The bucket of the controller's own windows: 11 x 1 s x 10 tokens.
    my $create = sub {
        my ($version, $name) = @_;
        my $flexible = $version >= 5;
        my $text = $flexible ? chr(1 + length $name) . $name : pack 'n/a*', $name;
        my $none = $flexible ? "\1" : pack 'N', 0;
        my $body = ($flexible ? "\0\2" : pack 'N', 1) . $text . pack('N n', 120, 1) . $none . $none
            . ($flexible ? "\0" : '') . pack('N C', 10000, 0) . ($flexible ? "\0" : '');
        my $answer = $client->call(19, $version, $body);
        return unpack 'N x4 x' . (2 + length $name) . ' n', $answer if !$flexible;
        # v6: tags of the header, throttle, count, name, error
        return unpack 'x N x x' . (1 + length $name) . ' n', $answer;
    };
    my ($throttle, $error) = $create->(6, 'first');
    is("$error $throttle", '0 0', 'who owes nothing may make more than there are tokens');
    ($throttle, $error) = $create->(6, 'second');
    is($error, 89, 'then a request is refused');
    ok($throttle > 300 && $throttle <= 1000, "... and says for how long: $throttle ms");
    ($throttle, $error) = $create->(4, 'third');
    is($error, 0, 'an older one is carried out');
    cmp_ok($throttle, '>', 11000, '... and waits');
    $client->close;
    $node->wait_until('title', sub { (grep { $_->{title} =~ /throttled/ } $node->children) > 0 });
};

subtest 'admin 27: connections of an address' => sub {
    is($admin->alter_quota({ ip => 'no.such.host.invalid' }, { connection_creation_rate => 4 }), 42, 'a name without an address');
    is($admin->alter_quota({ ip => 'localhost' }, { connection_creation_rate => 4 }), 0, 'any notation of an address');
    my ($begin, $served, @held) = (time, 0);
    while (time - $begin < 2.2) {
        my $client = Ottla::Test::Wire->new($node, 'many');
        my $opened = time;
        if (defined $client->call(18, 0, '')) {
            $served++;
        } else {
            push @held, time - $opened;
        }
    }
    cmp_ok($served, '>', 3, 'some are served');
    cmp_ok($served, '<=', 8 + 4 * 3 + 2, "not more than the burst and the rate: $served");
    cmp_ok(scalar @held, '>', 0, 'others are closed');
    ok(!(grep { $_ > 1.5 } @held), '... within a window');
    $node->wait_for_log(qr/too many connections a second/);
    ok(defined $admin->call(18, 0, ''), 'those that are open stay');
};

is($node->stop('fast'), 0, 'the node stops');
done_testing;
