#!/usr/bin/perl
# seed_stat.pl - makes the corpus of fuzz_stat: requests of OttlaStat that people may ask, and odd ones
#
# Usage: test/fuzz/seed_stat.pl [OUTDIR]    (default test/fuzz/corpus/stat)
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Wire;

my $out = $ARGV[0] // 'test/fuzz/corpus/stat';
system('mkdir', '-p', $out) == 0 or die "mkdir $out failed\n";

my @views = qw(activity brokers columns connections_by coordinator_shards coordinators file_settings group_lag groups locks log_dirs metrics partitions processes quota_usage rebalances requests segments server_log settings shmem workers);
my @seeds = (
    (map { [ $_, $_ ] } @views, 'nothing'),
    [ 'lag',       'group_lag',  [qw(group_id lag)], { partition => 3 } ],
    [ 'lag-bytes', 'group_lag',  [qw(lag_bytes lag_ms)] ],
    [ 'lag-next',  'group_lag',  undef,             {}, (1 << 32) + 1000 ],
    [ 'lag-member', 'group_lag', undef,             { member_id => 'member' } ],
    [ 'one-group', 'groups',     undef,             { group_id  => 'app' } ],
    [ 'no-total',  'groups',     ['group_id'] ],
    [ 'old-rebalances', 'rebalances', ['group_id'], {}, 9_223_372_036_854_775_807 - 1001 * 1024 ],
    [ 'selected',  'partitions', [qw(topic end_offset)] ],
    [ 'text',      'segments',   undef,             { topic     => 'orders' } ],
    [ 'number',    'segments',   ['base_offset'],   { partition => 0, base_offset => 0 } ],
    [ 'boolean',   'segments',   undef,             { active    => 'true' } ],
    [ 'null',      'partitions', ['topic'],         { end_offset => undef } ],
    [ 'not-null',  'partitions', ['topic'],         { topic     => undef } ],
    [ 'no-column', 'partitions', ['wrong'] ],
    [ 'no-filter', 'partitions', undef,             { wrong     => 1 } ],
    [ 'no-number', 'partitions', undef,             { partition => 'one' } ],
    [ 'overflow',  'partitions', undef,             { partition => '9223372036854775808' } ],
    [ 'no-boolean', 'segments',  undef,             { active    => 1 } ],
    [ 'by-pid',    'activity',   undef,             { pid => 0, state => 'active' } ],
    [ 'by-topic',  'activity',   [qw(topic cpu_ms)], { topic => 'orders', client_port => 4711, wait_event => undef } ],
    [ 'by-api',    'requests',   undef,             { api => 'Fetch', api_version => 1 } ],
    [ 'real',      'requests',   undef,             { p50_ms => '0.5' } ],
    [ 'pending',   'settings',   [qw(name setting)], { pending_restart => 'false', unit => undef } ],
    [ 'one-name',  'settings',   undef,             { name => 'log.retention.ms' } ],
    [ 'settings-next', 'settings', undef,           {}, 400 ],
    [ 'region',    'shmem',      undef,             { name => 'proc_slot' } ],
    [ 'retention', 'workers',    undef,             { kind => 'retention', restarts => 1 } ],
    [ 'none',      'partitions', [] ],
    [ 'twice',     'partitions', [qw(topic topic)] ],
    [ 'negative',  'partitions', undef,             {}, -1 ],
    [ 'next',      'segments',   undef,             {}, 3 ],
    (map { [ "far-$_", $_, undef, {}, 9_223_372_036_854_775_807 ] } @views),
    (map { [ "wrap-$_", $_, undef, {}, 2**37 ] } @views),
);
for my $seed (@seeds) {
    my ($name, @ask) = @$seed;
    open my $file, '>:raw', "$out/$name" or die "$out/$name: $!\n";
    print $file Ottla::Test::Wire::stat_body(@ask);
    close $file or die;
}
