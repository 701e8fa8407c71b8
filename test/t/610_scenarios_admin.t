#!/usr/bin/perl
# 610_scenarios_admin.t - the acceptance scenarios of administration, by their numbers: one plaintext node
#
# Each subtest is one scenario of the specification (admin 1 to admin 44), or a fault of Kafka that is not
# shared (observed 9). Those of settings, quotas in force, logins, rights and several nodes stand in the
# tests of these areas or come with them; 13 and 41 are unit tests (several brokers), 43 is 310_admin_tools.t.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;

my $node = Ottla::Test::Node->new->start;
my $c = Ottla::Test::Api->new($node);

# ---- asking ----

# Codes by topic of a CreateTopics; topics: name => fields.
sub create {
    my ($o, @topics) = @_;
    my @list;
    while (my ($name, $fields) = splice @topics, 0, 2) {
        push @list, { name => $name, num_partitions => 1, replication_factor => 1, %$fields };
    }
    my $answer = $c->ask(CreateTopics => $o->{version} // 7,
        { timeout_ms => 10000, validate_only => $o->{validate} // 0, topics => \@list });
    return { map { $_->{name} => $_->{error_code} } @{ $answer->{topics} } };
}

sub config { my ($name, $value) = @_; return { configs => [ { name => $name, value => $value } ] } }

# Replicas by partition, with counts left to them.
sub assigned {
    my (@pairs) = @_;
    return { num_partitions => -1, replication_factor => -1,
        assignments => [ map { { partition_index => $_->[0], broker_ids => $_->[1] } } @pairs ] };
}

sub partitions_of {
    my ($name) = @_;
    my $t = $c->ask(Metadata => 9, { topics => [ { name => $name } ], allow_auto_topic_creation => 0 })->{topics}[0];
    return $t->{error_code} ? -$t->{error_code} : scalar @{ $t->{partitions} };
}

sub id_of { my ($name) = @_; return $c->ask(Metadata => 12, { topics => [ { name => $name } ], allow_auto_topic_creation => 0 })->{topics}[0]{topic_id} }

sub grow {
    my ($name, $count, $assignments) = @_;
    my $answer = $c->ask(CreatePartitions => 3, { timeout_ms => 10000,
        topics => [ { name => $name, count => $count, assignments => $assignments && [ map { { broker_ids => $_ } } @$assignments ] } ] });
    return $answer->{results}[0]{error_code};
}

sub entity { my (@parts) = @_; return [ map { { entity_type => $_->[0], entity_name => $_->[1] } } @parts ] }

sub quota {
    my ($entity, $key, $value) = @_;
    my $answer = $c->ask(AlterClientQuotas => 1, { entries => [ { entity => $entity, ops => [ { key => $key, value => $value } ] } ] });
    return $answer->{entries}[0]{error_code};
}

# ---- topics ----

subtest 'admin 1: a bad name, an existing topic and a good one in one request' => sub {
    is_deeply(create({}, old => {}), { old => 0 }, 'made');
    is_deeply(create({}, 'a b' => {}, old => {}, good => {}), { 'a b' => 17, old => 36, good => 0 }, 'codes');
    is(partitions_of('good'), 1, 'the good one exists');
};

subtest 'admin 2: names that collide' => sub {
    is_deeply(create({}, 'a.b' => {}), { 'a.b' => 0 }, 'a.b');
    is_deeply(create({}, 'a_b' => {}), { 'a_b' => 17 }, 'a_b');
    is_deeply(create({}, 'a.b' => {}), { 'a.b' => 36 }, 'a.b again');
    is_deeply(create({}, 'a-b' => {}), { 'a-b' => 0 }, 'a-b');
    my $both = create({}, 'c.d' => {}, 'c_d' => {}); # Kafka makes both
    is_deeply([ sort values %$both ], [ 0, 17 ], 'two in one request: one of them');
};

subtest 'admin 3: validate only' => sub {
    my $answer = $c->ask(CreateTopics => 7, { timeout_ms => 10000, validate_only => 1,
        topics => [ { name => 'never', num_partitions => 4, replication_factor => 1 } ] })->{topics}[0];
    is("$answer->{error_code} $answer->{num_partitions} $answer->{replication_factor}", '0 4 1', 'code and counts');
    is(partitions_of('never'), -3, 'it does not exist');
};

subtest 'admin 4: assignments' => sub {
    my @cases = ([ 'an unknown broker beside', assigned([ 0, [ 1, 2 ] ], [ 1, [2] ]), 39 ], [ 'a broker twice', assigned([ 0, [ 1, 1 ] ]), 39 ],
        [ 'a gap', assigned([ 0, [1] ], [ 2, [1] ]), 39 ], [ 'a count, too', { %{ assigned([ 0, [1] ]) }, num_partitions => 2 }, 42 ],
        [ 'a good one', assigned([ 0, [1] ], [ 1, [1] ]), 0 ]);
    is(create({}, assigned => $_->[1])->{assigned}, $_->[2], $_->[0]) for @cases;
};

subtest 'admin 5: bad settings of a new topic' => sub {
    is(create({}, conf => config('segment.bytes', 'abc'))->{conf}, 40, 'no number');
    is(create({}, conf => config('nosuch', '1'))->{conf}, 40, 'no setting');
    is(create({}, conf => config('segment.bytes', undef))->{conf}, 40, 'no value');
};

subtest 'admin 7: deletion by ids' => sub {
    my $delete = sub { my (@t) = @_; return $c->ask(DeleteTopics => 6, { timeout_ms => 10000, topics => \@t })->{responses} };
    is_deeply(create({}, 'by-id' => {}), { 'by-id' => 0 }, 'made');
    my $gone = $delete->({ name => undef, topic_id => "\x11" x 16 });
    is("$gone->[0]{error_code} " . ($gone->[0]{name} // 'null'), '100 null', 'an unknown id');
    is($delete->({ name => undef, topic_id => id_of('by-id') })->[0]{error_code}, 0, 'a known one');
    is(partitions_of('by-id'), -3, 'it is gone');
    is($delete->({ name => 'by-id' })->[0]{error_code}, 3, 'by name, gone');
};

subtest 'admin 9: new partitions' => sub {
    is_deeply(create({}, grown => {}), { grown => 0 }, 'made');
    is(grow('grown', 1), 37, 'the same count');
    is(grow('grown', 2, [ [1], [1] ]), 39, 'two assignments for one');
    is(grow('grown', 2), 0, 'one more');
    is(partitions_of('grown'), 2, 'there are two');
    is(grow('grown', 10003), 44, 'more than 10,000 at once (observed 9: Kafka makes them)');
    is(partitions_of('grown'), 2, 'there are two still');
};

subtest 'admin 10: pages of partitions' => sub {
    is(create({}, "page$_" => { num_partitions => 5 })->{"page$_"}, 0, "page$_") for 1 .. 3;
    my ($cursor, %seen, @sizes);
    for (1 .. 5) {
        my $answer = $c->ask(DescribeTopicPartitions => 0, { topics => [ map { { name => "page$_" } } 1 .. 3 ],
            response_partition_limit => 7, cursor => $cursor });
        my @got = map { my $t = $_; map { "$t->{name}-$_->{partition_index}" } @{ $t->{partitions} } } @{ $answer->{topics} };
        $seen{$_}++ for @got;
        push @sizes, scalar @got;
        $cursor = $answer->{next_cursor} // last;
    }
    is("@sizes", '7 7 1', 'three pages');
    is(join(' ', grep { $seen{$_} != 1 } sort keys %seen), '', 'each once');
    is(scalar keys %seen, 15, 'all of them');
};

subtest 'admin 12: elections that nobody needs' => sub {
    my $answer = $c->ask(ElectLeaders => 2, { election_type => 0, topic_partitions => undef, timeout_ms => 10000 });
    is($answer->{error_code}, 0, 'no error');
    is(scalar(map { @{ $_->{partition_result} } } @{ $answer->{replica_election_results} }), 0, 'no partition');
};

subtest 'admin 13, one node: nothing to cancel' => sub {
    my $answer = $c->ask(AlterPartitionReassignments => 1, { timeout_ms => 10000,
        topics => [ { name => 'grown', partitions => [ { partition_index => 0, replicas => undef }, { partition_index => 1, replicas => [1] } ] } ] });
    is(join(' ', map { $_->{error_code} } @{ $answer->{responses}[0]{partitions} }), '85 0', 'codes');
    is_deeply($c->ask(ListPartitionReassignments => 0, { timeout_ms => 10000, topics => undef })->{topics}, [], 'none is under way');
};

# ---- quotas and users ----

subtest 'admin 25: strict and loose filters' => sub {
    is(quota(entity([ user => 'q' ]), 'producer_byte_rate', 1000), 0, 'a user');
    is(quota(entity([ user => 'q' ], [ 'client-id' => 'c' ]), 'producer_byte_rate', 2000), 0, 'a user and client');
    my $find = sub {
        my ($strict) = @_;
        return scalar @{ $c->ask(DescribeClientQuotas => 1, { strict => $strict, components => [ { entity_type => 'user', match_type => 2, match => undef } ] })->{entries} };
    };
    is($find->(1), 1, 'strict: the user alone');
    is($find->(0), 2, 'loose: both');
};

subtest 'admin 26: values of quotas' => sub {
    is(quota(entity([ ip => '10.0.0.1' ], [ user => 'a' ]), 'producer_byte_rate', 1), 42, 'ip and user');
    is(quota(entity([ user => 'a' ]), 'producer_byte_rate', 0), 42, 'zero');
    is(quota(entity([ user => 'a' ]), 'request_percentage', 12.5), 0, 'a fraction of a processor');
    is(quota(entity([ user => 'a' ]), 'producer_byte_rate', 1.5), 42, 'a fraction of a byte');
};

sub user { my ($name, $iterations, %o) = @_; return { name => $name, mechanism => $o{mechanism} // 1, iterations => $iterations, salt => 's', salted_password => 'p' } }

sub alter_users {
    my ($upsertions, $deletions) = @_;
    return join ' ', map { "$_->{user}:$_->{error_code}" } sort { $a->{user} cmp $b->{user} }
        @{ $c->ask(AlterUserScramCredentials => 0, { upsertions => $upsertions, deletions => $deletions // [] })->{results} };
}

subtest 'admin 28: iterations' => sub {
    is(alter_users([ user('u', 4095) ]), 'u:93', 'too few');
    is(alter_users([ user('u', 16385) ]), 'u:93', 'too many');
    is(alter_users([ user('u', 4096) ]), 'u:0', 'the fewest');
    is(alter_users([], [ { name => 'u', mechanism => 1 } ]), 'u:0', 'deleted');
};

subtest 'admin 29: a user twice' => sub {
    is(alter_users([ user('v', 4096) ]), 'v:0', 'made');
    is(alter_users([ user('v', 5000) ], [ { name => 'v', mechanism => 1 } ]), 'v:92', 'set and deleted');
    my $results = $c->ask(DescribeUserScramCredentials => 0, { users => [ { name => 'v' }, { name => 'none' } ] })->{results};
    my %by = map { $_->{user} => $_ } @$results;
    is($by{v}{credential_infos}[0]{iterations}, 4096, 'unchanged');
    is($by{none}{error_code}, 91, 'an unknown user');
};

subtest 'admin 30, without a login: no tokens' => sub {
    is($c->ask(CreateDelegationToken => 3, { renewers => [], max_lifetime_ms => -1 })->{error_code}, 64, 'made');
    is($c->ask(DescribeDelegationToken => 3, { owners => undef })->{error_code}, 64, 'seen');
};

subtest 'ACLs without an authorizer: UNKNOWN closes the connection, other numbers nobody knows do not' => sub {
    my %filter = (resource_type_filter => 2, pattern_type_filter => 3, operation => 1, permission_type => 1);
    my %acl = (resource_type => 2, resource_name => 'a', resource_pattern_type => 3, principal => 'User:a', host => '*', operation => 3, permission_type => 3);
    my %ask = (
        DescribeAcls => [ \%filter, sub { $_[0] }, sub { $_[0]{error_code} } ],
        DeleteAcls   => [ \%filter, sub { { filters => [ $_[0] ] } }, sub { $_[0]{filter_results}[0]{error_code} } ],
        CreateAcls   => [ \%acl, sub { { creations => [ $_[0] ] } }, sub { $_[0]{results}[0]{error_code} } ]);
    for my $api (sort keys %ask) {
        my ($fields, $body, $code) = @{ $ask{$api} };
        for my $key (grep { /type|operation/ } sort keys %$fields) {
            my $other = Ottla::Test::Api->new($node);
            is($code->($other->ask($api => 3, $body->({ %$fields, $key => 99 }))), 54, "$api: $key 99");
            ok(!$other->ask($api => 3, $body->({ %$fields, $key => 0 })), "$api: $key 0");
        }
    }
};

# ---- protocol ----

subtest 'admin 36, on a plain listener: no SASL' => sub {
    my $answer = $c->ask(SaslHandshake => 1, { mechanism => 'FOO' });
    is("$answer->{error_code} " . @{ $answer->{mechanisms} }, '34 0', 'an error, and no mechanism');
    ok($c->ask(Metadata => 9, { topics => [] }), 'the connection lives on');
};

subtest 'admin 40: versions' => sub {
    my $w = Ottla::Test::Wire->new($node);
    my $answer = $w->call(18, 99, "\0" . "\2a\2b\0");
    is(unpack('n', $answer), 35, 'an unknown version: 35, in the form of version 0');
    my %features = map { $_ => [ map { $_->{name} } @{ $c->ask(ApiVersions => $_, { client_software_name => 'a', client_software_version => '1' })->{supported_features} } ] } 3, 4;
    is("@{ $features{3} }", 'metadata.version', 'version 3 leaves out what begins at 0');
    ok((grep { $_ eq 'kraft.version' } @{ $features{4} }), 'version 4 does not');
};

subtest 'admin 42, without a receiver: telemetry' => sub {
    my $offered = $c->ask(ApiVersions => 3, { client_software_name => 'a', client_software_version => '1' })->{api_keys};
    is(scalar(grep { $_->{api_key} == 71 || $_->{api_key} == 72 } @$offered), 0, 'not offered');
    my $subscription = $c->ask(GetTelemetrySubscriptions => 0, { client_instance_id => "\0" x 16 });
    is("$subscription->{error_code} " . @{ $subscription->{requested_metrics} }, '0 0', 'answered: nothing is wanted');
    is($c->ask(PushTelemetry => 0, { client_instance_id => $subscription->{client_instance_id}, metrics => '' })->{error_code}, 42, 'what is pushed all the same');
};

subtest 'what only controllers serve closes the connection' => sub {
    for my $key (52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82) {
        my $w = Ottla::Test::Wire->new($node);
        $w->send($key, 0, "\0" x 64);
        ok(!defined $w->receive(10), "key $key");
    }
};

subtest 'what would keep the controller busy for everybody is refused before it gets there' => sub {
    my $began = time;
    my $answer = $c->ask(AlterPartitionReassignments => 1, { timeout_ms => 10000, topics => [ { name => 'grown', partitions => [
        map { { partition_index => 0, replicas => [ (1) x 9_000 ] } } 1 .. 250 ] } ] });
    is($answer && $answer->{error_code}, 44, 'nine megabytes of brokers: 44');
    # An answer that would be far larger than the request is not made: the connection ends.
    my $other = Ottla::Test::Api->new($node);
    $answer = $other->ask(ElectLeaders => 2, { election_type => 0, timeout_ms => 10000, topic_partitions => [ { topic => 'grown', partitions => [ (0) x 2_200_000 ] } ] });
    ok(!$answer || $answer->{error_code} == 44, 'two million elections');
    cmp_ok(time - $began, '<', 20, 'soon');
    # Below the bound: as many items as there is room for, each answered.
    $answer = $c->ask(AlterClientQuotas => 1, { validate_only => 1, entries => [ map { { entity => entity([ user => "u$_" ]),
        ops => [ { key => 'producer_byte_rate', value => 1 } ] } } 1 .. 10_001 ] });
    is(scalar(grep { $_->{error_code} == 44 } @{ $answer->{entries} }), 10_001, '10,001 quotas: 44 each');
    is(alter_users([ map { user('same', 4096) } 1 .. 20_000 ]), 'same:92', 'one user 20,000 times: one 92');
    ok($c->ask(Metadata => 9, { topics => [] }), 'the connection lives on');
};

# ---- faults of Kafka that are not shared (observed 9) ----

subtest 'observed 9: one bad item does not spoil the others' => sub {
    my $topics = $c->ask(DescribeTopicPartitions => 0, { topics => [ { name => '' }, { name => 'grown' } ], response_partition_limit => 100 })->{topics};
    is_deeply({ map { ($_->{name} // '') => $_->{error_code} } @$topics }, { '' => 17, grown => 0 }, 'DescribeTopicPartitions with an empty name');
    $topics = $c->ask(Metadata => 12, { topics => [ { name => undef, topic_id => "\0" x 16 }, { name => 'grown', topic_id => "\0" x 16 } ] })->{topics};
    is_deeply([ sort { $a <=> $b } map { $_->{error_code} } @$topics ], [ 0, 42 ], 'Metadata with neither name nor id');
    is_deeply(create({}, huge => { num_partitions => 2147483647 }, small => {}), { huge => 37, small => 0 }, 'CreateTopics with 2147483647 partitions');
};

is($node->stop('fast'), 0, 'the node ends in order');

subtest 'admin 8: deletion forbidden' => sub {
    my $other = Ottla::Test::Node->new(conf => { 'delete.topic.enable' => 'false' })->start;
    my $d = Ottla::Test::Api->new($other);
    $d->make_topic('t');
    is($d->ask(DeleteTopics => 5, { timeout_ms => 10000, topic_names => ['t'] })->{responses}[0]{error_code}, 73, 'version 5');
    is($d->ask(DeleteTopics => 2, { timeout_ms => 10000, topic_names => ['t'] })->{responses}[0]{error_code}, 42, 'version 2');
    $other->stop('fast');
};

done_testing();
