#!/usr/bin/perl
# 865_quota_usage.t - what clients have used of their quotas: the view quota_usage
#
# Proves: without a quota there are no rows; a client that is throttled has one that says its rate, its limit, and how long it
# takes until it is below; two clients under a default have a row each, two connections of one share one; a quota of users
# names users; a name that is too long is cut and its limit is not guessed; a limit that was taken away is not shown; the
# shell has the view as a table.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wire;
use Test::More;

my $node = Ottla::Test::Node->new->start;
my $own = Ottla::Test::Wire->new($node->connect_unix, 'viewer');
my $admin = Ottla::Test::Wire->new($node, 'admin');
is($admin->create_topic('orders'), 0, 'a topic');

# Produces so many bytes as this client; what the answer says about its throttling.
sub produce {
    my ($client, $bytes) = @_;
    my $wire = Ottla::Test::Wire->new($node, $client);
    my ($error, undef, $throttle) = Ottla::Test::Wire::produced(
        $wire->call(0, 7, Ottla::Test::Wire::produce_body('orders', Ottla::Test::Wire::batch($bytes))), 'orders');
    is($error, 0, "$bytes bytes of " . substr $client, 0, 10);
    return $throttle;
}

sub rows { my (%filter) = @_; return @{ $own->stat('quota_usage', undef, \%filter) } }

produce('free', 1000);
is(scalar rows(), 0, 'no quota, no rows');

subtest 'a client that is throttled' => sub {
    is($admin->alter_quota({ 'client-id' => 'loud' }, { producer_byte_rate => 1_000 }), 0, 'a quota');
    my $throttle = produce('loud', 60_000);
    cmp_ok($throttle, '>', 1000, "it is told to wait for $throttle ms");
    my ($row, @more) = rows(client_id => 'loud');
    is(scalar @more, 0, 'one row');
    is_deeply([ @$row{qw(node_id quota user limit tokens samples ip)} ], [ 1, 'producer_byte_rate', undef, 1000, undef, 1, undef ], 'whose, and of what');
    cmp_ok($row->{rate}, '>', 4000, "its rate: $row->{rate}");
    cmp_ok($row->{rate}, '<=', 60_500 / 10, '... over the windows');
    cmp_ok($row->{throttle_ms}, '>', 0, 'over its limit');
    cmp_ok($row->{throttle_ms}, '<=', $throttle, '... for no longer than it was told');
    my $told = Ottla::Test::Shell->new(node => $node)->run([qw(-X -At -f -)],
        stdin => 'SELECT quota, client_id, "limit", rate > "limit" FROM quota_usage WHERE throttle_ms > 0;');
    my ($metric, @others) = @{ $own->stat('metrics', undef, { name => 'ottla_quota_usage' }) };
    like($metric->{labels}, qr/"quota":"producer_byte_rate".*"client_id":"loud"/, 'a metric of it');
    cmp_ok(abs($metric->{value} - $row->{rate}), '<', 600, "... as high: $metric->{value}");
    is(scalar @others, 0, '... and of nobody else');
    is($told->{out}, "producer_byte_rate|loud|1000.0|1\n", 'in the shell') or diag $told->{err};
};

subtest 'who shares what' => sub {
    $admin->alter_quota({ 'client-id' => undef }, { producer_byte_rate => 1_000_000 });
    produce($_, 5_000) for qw(one one two);
    my %rate = map { $_->{client_id} => $_->{rate} } rows(quota => 'producer_byte_rate');
    is_deeply([ sort keys %rate ], [qw(loud one two)], 'a row for each client');
    cmp_ok($rate{one}, '>', 1.5 * $rate{two}, 'two connections of one add up');
    is((rows(client_id => 'one'))[0]{throttle_ms}, 0, 'below its limit');
    my $long = 'x' x 200;
    produce($long, 5_000);
    is_deeply([ map { $_->{limit} } rows(client_id => substr $long, 0, 127) ], [undef], 'a long name is cut, its limit not guessed');
    is_deeply([ sort map { $_->{labels} =~ /"client_id":"(\w+)"/ } @{ $own->stat('metrics', undef, { name => 'ottla_quota_usage' }) } ],
        [qw(loud one two)], 'no metric of half a name');
    $admin->alter_quota({ 'client-id' => 'loud' }, { producer_byte_rate => undef });
    is((rows(client_id => 'loud'))[0]{limit}, 1_000_000, 'the limit is that of now');
    $admin->alter_quota({ 'client-id' => undef }, { producer_byte_rate => undef });
    is_deeply([ @{ (rows(client_id => 'loud'))[0] }{qw(limit throttle_ms)} ], [ undef, undef ], 'none any more');
    $admin->alter_quota({ user => undef }, { producer_byte_rate => 1_000_000 });
    produce('any', 5_000);
    is_deeply([ map { $_->{client_id} } rows(user => 'ANONYMOUS') ], [undef], 'of a user, whatever the client');
};
done_testing;
