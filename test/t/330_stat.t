#!/usr/bin/perl
# 330_stat.t - OttlaStat: views of what a node knows of itself
#
# Proves: ApiVersions names the key on the Unix socket and to clients called "ottla" alone, for others it
# does not exist; views have typed columns, selected and filtered ones, pages that a cursor links;
# partitions, segments (with the reason why each is kept), log directories and processes say what is
# true; what is asked wrongly is answered with 42 and why; the manual page names every view and column.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Node;
use Ottla::Test::Sql;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $KEY = 20000;
my $NOW = int(time * 1000);
my $node = Ottla::Test::Node->new(conf => { 'log.segment.bytes' => 1 << 20 })->start;
my $tcp  = Ottla::Test::Wire->new($node);
my $own  = Ottla::Test::Wire->new($node->connect_unix);

# ---- who may ask ----------------------------------------------------------------------------------

# Keys that ApiVersions v3 names to a program of this name.
sub keys_for {
    my ($client, $software) = @_;
    my $answer = $client->call(18, 3, "\0" . Ottla::Test::Wire::compact($software) . Ottla::Test::Wire::compact('1.0') . "\0");
    my $count = ord(substr $answer, 2, 1) - 1;
    return map { unpack 'n', substr $answer, 3 + 7 * $_, 2 } 0 .. $count - 1;
}

ok(!(grep { $_ == $KEY } keys_for($tcp, 'apache-kafka-java')), 'clients over TCP do not see it');
is($tcp->stat_page('columns'), undef, 'and cannot use it: the connection ends');
ok((grep { $_ == $KEY } keys_for($own, 'anything')), 'on the Unix socket it is offered');
my $shell = Ottla::Test::Wire->new($node);
ok((grep { $_ == $KEY } keys_for($shell, 'ottla')), 'to our own programs, too');
is($shell->stat_page('columns')->{error}, 0, 'who may use it');
$tcp = Ottla::Test::Wire->new($node);

# ---- the frame ------------------------------------------------------------------------------------

my %columns;
push @{ $columns{ $_->{view} } }, $_->{column} for @{ $own->stat('columns') };
is_deeply([ sort keys %columns ], [qw(activity brokers columns connections_by coordinator_shards coordinators file_settings group_lag groups locks log_dirs metrics partitions processes quota_usage rebalances requests segments server_log settings shmem workers)], 'the views');
open my $man, '<', 'doc/man/ottla-statistics.7' or die "doc/man/ottla-statistics.7: $!";
my (%told, $view);
/^\.Ss (\w+)/ ? $view = $1 : /^\.It Cm (\w+)/ ? push @{ $told{$view} }, $1 : () for <$man>;
is_deeply(\%told, \%columns, 'the manual has every column');
my $page = $own->stat_page('columns', [qw(type position)], { view => 'columns', position => 1 });
is_deeply($page->{rows}, [ { position => 1, type => 'integer' } ], 'columns selected, rows filtered');
is_deeply($page->{types}, { position => 0, type => 1 }, 'types of the columns');
for (
    [ 'no view',     'nothing',    undef,     {} ],
    [ 'no column',   'partitions', ['wrong'], {} ],
    [ 'no filter',   'partitions', undef,     { wrong     => 1 } ],
    [ 'not a number', 'partitions', undef,    { partition => 'one' } ],
    [ 'not a boolean', 'segments', undef,     { active    => 1 } ],
    [ 'bad cursor',  'processes',  undef,     {}, -2 ],
) {
    my ($what, @ask) = @$_;
    my $got = $own->stat_page(@ask);
    is($got->{error}, 42, "$what: error 42");
    isnt($got->{message}, undef, "$what: $got->{message}");
}
is($own->stat_page('processes', undef, {}, 1e12)->{next}, -1, 'a cursor behind the end');

# ---- partitions -----------------------------------------------------------------------------------

is($tcp->create_topic('many', 1500), 0, 'a topic of 1,500 partitions');
is($tcp->create_topic('orders', 2, 'retention.ms' => 3_600_000), 0, 'a topic');
my $batch = Ottla::Test::Wire::batch(400_000, $NOW - 60_000);
$tcp->call(0, 7, Ottla::Test::Wire::produce_body('orders', $batch)) for 1 .. 5;
$tcp->call(0, 7, Ottla::Test::Wire::produce_body('orders', Ottla::Test::Wire::batch(10, $NOW)), -1);

$page = $own->stat_page('partitions', ['topic']);
is(scalar @{ $page->{rows} }, 1000, 'a page has 1,000 rows');
cmp_ok($page->{next}, '>', 0, 'and says where the next begins');
is(scalar @{ $own->stat('partitions', ['topic']) }, 1502, 'all pages have all partitions');
is(scalar @{ $own->stat('partitions', ['partition'], { topic => 'many' }) }, 1500, 'a filter over pages');
my $asked = sub { my ($r) = @{ $own->stat('requests', ['count'], { api => 'ListOffsets' }) }; return $r ? $r->{count} : 0 };
is_deeply([ Ottla::Test::Sql->new($node->address)->rows(q{SELECT count(*) FROM messages('many')}) ], [0], 'the shell reads all of them');
$node->wait_until('its requests to be counted', sub { $asked->() > 0 });
is($asked->(), 4, '... and asks for where they begin and end 1,000 partitions at a time');

my ($p) = @{ $own->stat('partitions', undef, { topic => 'orders', partition => 0 }) };
is_deeply([ sort keys %$p ], [ sort @{ $columns{partitions} } ], 'no columns named: all');
is($p->{$_->[0]}, $_->[1], "$_->[0]") for [ state => 'open' ], [ role => 'leader' ], [ n_replicas => 1 ], [ n_isr => 1 ],
    [ start_offset => 0 ], [ end_offset => 6 ], [ high_watermark => 6 ], [ last_stable_offset => 6 ], [ segments => 3 ],
    [ max_timestamp => $NOW ], [ node_id => 1 ], [ directory => $node->dir . '/log' ];
$node->wait_until('the log to be durable', sub {
    $tcp->call(0, 7, Ottla::Test::Wire::produce_body('orders', Ottla::Test::Wire::batch(10, $NOW), -1));
    my ($now) = @{ $own->stat('partitions', [qw(durable_offset end_offset)], { topic => 'orders', partition => 0 }) };
    $now->{durable_offset} == $now->{end_offset};
});
pass('acks=all: the durable offset is the end');
my $bytes = 0;
$bytes += -s for glob $node->dir . '/log/orders-0/*.log';
is($own->stat('partitions', ['size_bytes'], { topic => 'orders', partition => 0 })->[0]{size_bytes}, $bytes, 'size_bytes');
my ($empty) = @{ $own->stat('partitions', undef, { topic => 'orders', partition => 1 }) };
is_deeply([ @$empty{qw(state end_offset)} ], [ 'unopened', undef ], 'a log nobody opened: null');

# ---- segments -------------------------------------------------------------------------------------

my @segments = @{ $own->stat('segments', undef, { topic => 'orders', partition => 0 }) };
is(scalar @segments, 3, 'three segments');
is_deeply([ map { $_->{base_offset} } @segments ], [ 0, 2, 4 ], 'where they begin');
is_deeply([ map { $_->{next_offset} } @segments[0, 1] ], [ 2, 4 ], 'where they end');
is_deeply([ map { $_->{active} } @segments ], [ 0, 0, 1 ], 'which is active');
is($_->{size_bytes}, -s $_->{path}, "size of $_->{path}") for @segments;
is($segments[0]{deletable_from}, $NOW - 60_000 + 3_600_001, 'when time will take the first');
like($segments[0]{deletable_reason}, qr/^stays: within the limits; by time from 20\d\d-/, 'why it stays');
is($segments[1]{deletable_reason} =~ s/;.*//r, 'stays: an older segment does', 'why the next one does');
is($segments[0]{first_timestamp}, $NOW - 60_000, 'the timestamp it begins with');
is($segments[0]{min_timestamp}, undef, 'the least one is not known: producers give them');
is($segments[0]{deletable}, 0, 'not now');
is_deeply([ map { $_->{base_offset} } @{ $own->stat('segments', ['base_offset'], { topic => 'orders', active => 'true' }) } ],
    [4], 'a boolean filter');

# ---- the node -------------------------------------------------------------------------------------

my ($dir) = @{ $own->stat('log_dirs') };
is_deeply([ @$dir{qw(directory state failure partitions used_bytes)} ],
    [ $node->dir . '/log', 'online', undef, 1502, $bytes ], 'the log directory');
cmp_ok($dir->{usable_bytes}, '<=', $dir->{total_bytes}, 'its file system');
my %title = map { $_->{pid} => $_->{title} } @{ $own->stat('processes') };
my @children = $node->children;
is_deeply([ sort grep { $title{$_} !~ /spare/ } keys %title ], [ sort map { $_->{pid} } grep { $_->{kind} ne 'spare' } @children ],
    'all processes by pid');
my ($retention) = grep { $_->{title} =~ /^retention/ } @{ $own->stat('processes') };
is_deeply([ @$retention{qw(state wait_event_type wait_event)} ], [ 'running', 'Activity', 'RetentionMain' ], 'what one waits for');
is($tcp->create_topic('stamped', 1, 'message.timestamp.type' => 'LogAppendTime'), 0, 'a topic whose node gives them');
$tcp->call(0, 7, Ottla::Test::Wire::produce_body('stamped', Ottla::Test::Wire::batch(10, 1))) for 1 .. 2;
my ($stamped) = @{ $own->stat('segments', undef, { topic => 'stamped' }) };
cmp_ok($stamped->{min_timestamp}, '>=', $NOW, 'there it is the first');
cmp_ok($stamped->{min_timestamp}, '<=', $stamped->{max_timestamp}, '... up to the last');

is($node->stop, 0, 'stop');
done_testing;
