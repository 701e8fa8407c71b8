#!/usr/bin/perl
# 311_admin_persistence.t - what admins set outlives kill -9, restarts and snapshots
#
# Proves: quotas, SCRAM credentials and feature levels are back as they were answered, after the whole
# node was killed the instant the answer was there, after a stop in order, and when they come from a
# snapshot instead of the log; what was taken away stays away; a node that was unregistered comes back.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;

# Snapshots after each few records, so that the last start reads one.
my $node = Ottla::Test::Node->new(conf => { 'metadata.log.max.record.bytes.between.snapshots' => 500 })->start;
my $c = Ottla::Test::Api->new($node);

sub entity { my (@parts) = @_; return [ map { { entity_type => $_->[0], entity_name => $_->[1] } } @parts ] }

# Sets (or, with undef, removes) quotas of one entity; the error code.
sub set_quota {
    my ($entity, %ops) = @_;
    my $answer = $c->ask(AlterClientQuotas => 1, { entries => [ { entity => $entity,
        ops => [ map { { key => $_, value => $ops{$_} // 0, remove => !defined $ops{$_} } } sort keys %ops ] } ] });
    return $answer->{entries}[0]{error_code};
}

# All quotas as text, sorted.
sub quotas {
    my $answer = $c->ask(DescribeClientQuotas => 1, { components => [], strict => 0 });
    return [ sort map {
        my $e = join '+', sort map { "$_->{entity_type}=" . ($_->{entity_name} // '<default>') } @{ $_->{entity} };
        map { "$e $_->{key}=$_->{value}" } @{ $_->{values} }
    } @{ $answer->{entries} } ];
}

sub set_user {
    my ($name, $mechanism, $iterations) = @_;
    my $answer = $c->ask(AlterUserScramCredentials => 0, { upsertions => [ { name => $name, mechanism => $mechanism,
        iterations => $iterations, salt => 'salt', salted_password => 'p' x 32 } ] });
    return $answer->{results}[0]{error_code};
}

sub delete_user {
    my ($name, $mechanism) = @_;
    return $c->ask(AlterUserScramCredentials => 0, { deletions => [ { name => $name, mechanism => $mechanism } ] })->{results}[0]{error_code};
}

sub users {
    my $answer = $c->ask(DescribeUserScramCredentials => 0, { users => undef });
    return [ sort map { my $u = $_->{user}; map { "$u $_->{mechanism}:$_->{iterations}" } @{ $_->{credential_infos} } } @{ $answer->{results} } ];
}

sub set_feature {
    my ($name, $level, $type) = @_;
    return $c->ask(UpdateFeatures => 1, { timeout_ms => 10000,
        feature_updates => [ { feature => $name, max_version_level => $level, upgrade_type => $type } ] })->{error_code};
}

sub features {
    my $answer = $c->ask(ApiVersions => 3, { client_software_name => 'test', client_software_version => '1' });
    return join ' ', map { "$_->{name}=$_->{max_version_level}" } sort { $a->{name} cmp $b->{name} } @{ $answer->{finalized_features} };
}

my ($bob, $any, $ip) = (entity([ user => 'bob' ], [ 'client-id' => 'c' ]), entity([ user => undef ]), entity([ ip => '10.0.0.1' ]));
my (@quotas, @users);
my $features = 'eligible.leader.replicas.version=1 group.version=1 kraft.version=1 metadata.version=30 share.version=1 streams.version=1 transaction.version=';
my $level = 2;

sub check {
    my ($when) = @_;
    is_deeply(quotas(), [ sort @quotas ], "$when: quotas");
    is_deeply(users(), [ sort @users ], "$when: users");
    is(features(), $features . $level, "$when: features");
    return;
}

sub again { my ($how) = @_; $how eq 'kill' ? $node->kill9->start : $node->restart($how); $c = Ottla::Test::Api->new($node); return }

is(set_quota($bob, producer_byte_rate => 1000, request_percentage => 12.5), 0, 'quotas of a user and client');
is(set_quota($any, consumer_byte_rate => 2000), 0, 'of the default user');
is(set_quota($ip, connection_creation_rate => 5), 0, 'of an address');
is(set_user('alice', 1, 4096), 0, 'a user');
is(set_user('alice', 2, 8192), 0, 'with a second mechanism');
is(set_user('bob', 2, 16384), 0, 'another user');
is(set_feature('transaction.version', 1, 2), 0, 'a feature goes down');
$level = 1;
@quotas = ('client-id=c+user=bob producer_byte_rate=1000', 'client-id=c+user=bob request_percentage=12.5',
    'user=<default> consumer_byte_rate=2000', 'ip=10.0.0.1 connection_creation_rate=5');
@users = ('alice 1:4096', 'alice 2:8192', 'bob 2:16384');
check('at once');
again('kill');
check('after kill -9');

is(set_quota($bob, producer_byte_rate => undef, request_percentage => 50), 0, 'one quota goes, one changes');
is(set_quota($ip, connection_creation_rate => undef), 0, 'another goes');
is(delete_user('alice', 1), 0, 'a credential goes');
is(delete_user('alice', 1), 91, 'once');
is(set_feature('transaction.version', 2, 1), 0, 'the feature goes up');
$level = 2;
@quotas = ('client-id=c+user=bob request_percentage=50', 'user=<default> consumer_byte_rate=2000');
@users = ('alice 2:8192', 'bob 2:16384');
again('kill');
check('after kill -9, with less');
again('fast');
check('after a stop');

# Enough records for a snapshot, and the log before it gone from the start.
$node->log_new;
set_quota(entity([ user => "u$_" ]), producer_byte_rate => $_ + 1) for 1 .. 20;
push @quotas, map { 'user=u' . $_ . ' producer_byte_rate=' . ($_ + 1) } 1 .. 20;
$node->wait_for_log(qr/wrote a snapshot of the metadata/);
again('kill');
check('from a snapshot');

subtest 'a node that is unregistered comes back' => sub {
    $c->make_topic('t');
    my $leader = sub {
        my $t = $c->ask(Metadata => 9, { topics => [ { name => 't' } ] });
        return "$t->{topics}[0]{error_code} " . ($t->{topics}[0]{partitions}[0]{leader_id} // '-') . ' of ' . @{ $t->{brokers} };
    };
    is($leader->(), '0 1 of 1', 'it leads');
    is($c->ask(UnregisterBroker => 0, { broker_id => 1 })->{error_code}, 0, 'unregistered');
    is($leader->(), '0 1 of 1', 'it leads again');
    again('kill');
    is($leader->(), '0 1 of 1', 'and after kill -9');
};

is($node->stop('fast'), 0, 'the node ends in order');
done_testing();
