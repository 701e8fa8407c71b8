#!/usr/bin/perl
# 405_quota_hosts.t - quotas of ips that are names of hosts (admin-and-security.md 5.1)
#
# Proves: a name that has an address is taken, others are refused, and what begins like an address is not asked for; the
# quota counts for connections from that address with the answer, and DescribeClientQuotas names it as it was given; set
# anew the name is looked up anew. After a restart it is looked up again while the node serves: until there is an answer nobody is
# limited, then its address is. A name server that is silent holds up the request that names the host, nobody else,
# and no order to stop. The answers are a library's between the node and the resolver (test/fault).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use IO::Socket::INET;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my $node = Ottla::Test::Node->new(conf => { 'quota.window.num' => 2 });
$node->{env} = { LD_PRELOAD => "$ENV{OTTLA_BUILD}/release/fault/libfault.so", FAULT_RULES => "$node->{base}/faults" };

# What the resolver says of names: an address, EIO, wait.
sub names {
    my (%answers) = @_;
    my $file = $node->{env}{FAULT_RULES};
    open my $fh, '>', "$file.new" or die $!;
    print $fh "getaddrinfo $_ $answers{$_}\n" for sort keys %answers;
    close $fh;
    rename "$file.new", $file or die $!;
    return;
}

sub entries {
    my ($name, $rate) = @_;
    return { validate_only => 0, entries => [ { entity => [ { entity_type => 'ip', entity_name => $name } ],
        ops => [ { key => 'connection_creation_rate', value => $rate // 0, remove => !defined $rate } ] } ] };
}

my $admin;    # the Unix socket: no quota of an address holds for it
sub admin { return $admin = Ottla::Test::Api->new($node->connect_unix, 'admin') }
sub set { return $admin->ask(AlterClientQuotas => 1, entries(@_))->{entries}[0]{error_code} }

sub described {
    my $answer = $admin->ask(DescribeClientQuotas => 1, { components => [], strict => 0 });
    return join ' ', sort map { "$_->{entity}[0]{entity_name}=$_->{values}[0]{value}" } @{ $answer->{entries} };
}

# Is a connection from this address served?
sub served {
    my ($from) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port, LocalAddr => $from, Proto => 'tcp')
        or die "connect: $@";
    my $client = Ottla::Test::Api->new($socket, 'many');
    $client->send(18, 0, '');
    my $ok = defined $client->receive(5);
    $client->close;
    return $ok;
}

# Of so many in a row from an address, is one closed?
sub limited {
    my ($from) = @_;
    for (1 .. 12) { return 1 if !served($from) }
    return 0;
}

names('db.test' => '=127.0.0.1', 'no.test' => 'EIO', '0x7f.0.0.1' => '=127.0.0.3', '*:*' => '=127.0.0.3');
$node->start;
admin();

subtest 'set' => sub {
    is(set('no.test', 1), 42, 'a name that has no address');
    is(set($_, 1), 42, "not a name: $_") for '0x7f.0.0.1', 'x::y', '[db.test]', 'db test', '%1';
    ok(!limited('127.0.0.1'), 'nobody is limited');
    is(set('db.test', 1), 0, 'a name that has one');
    ok(limited('127.0.0.1'), 'its address is limited at once');
    ok(!limited('127.0.0.2'), 'another is not');
    is(described(), 'db.test=1', 'described as it was given');
    names('db.test' => '=127.0.0.2');
    is(set('db.test', 2), 0, 'set anew when its address is another');
    ok(!limited('127.0.0.1'), 'the old one is free');
    ok(limited('127.0.0.2'), 'the new one is limited');
};

subtest 'silence' => sub {
    names('db.test' => '=127.0.0.2', 'slow.test' => 'wait');
    my $other = Ottla::Test::Api->new($node->connect_unix, 'slow');
    $other->tell(AlterClientQuotas => 1, entries('slow.test', 5));
    $node->wait_until('the request to wait', sub { grep { $_->{title} =~ /AlterClientQuotas waiting/ } $node->children });
    is(set('db.test', 1), 0, 'another request is decided meanwhile');
    names('db.test' => '=127.0.0.2', 'slow.test' => '=127.0.0.4');
    ok(defined $other->receive(5), 'answered when the resolver answers');
    is(described(), 'db.test=1 slow.test=5', '... and done');
    names('later.test' => 'wait');
    $other->tell(AlterClientQuotas => 1, entries('later.test', 5));
    $node->wait_until('the request to wait', sub { grep { $_->{title} =~ /AlterClientQuotas waiting/ } $node->children });
    my $since = time;
    is($node->stop('fast'), 0, 'the node stops');
    cmp_ok(time - $since, '<', 5, '... at once');
};

subtest 'restart' => sub {
    names('*.test' => 'wait');
    $node->start;
    admin();
    is(described(), 'db.test=1 slow.test=5', 'both are there');
    ok(!limited('127.0.0.2'), 'without an answer nobody is limited');
    names('db.test' => '=127.0.0.5', 'slow.test' => 'EIO');
    $node->wait_until('the address', sub { limited('127.0.0.5') });
    ok(!limited('127.0.0.2'), 'the answer of now counts');
    $node->wait_for_log(qr/no address of slow\.test: its quota limits nobody/);
    is(set('slow.test', undef), 42, 'a name without an address is refused, whatever is asked for');
    is(set('db.test', undef), 0, 'the quota is taken away');
    ok(!limited('127.0.0.5'), '... and limits nobody');
    is($node->stop('fast'), 0, 'the node stops');
};

done_testing;
