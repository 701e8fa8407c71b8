#!/usr/bin/perl
# 312_log_dirs.t - a node with two log directories, described; replicas asked to be elsewhere
#
# Proves: DescribeLogDirs lists every directory with the replicas and bytes in it, sizes of the file system
# and none of what is not asked for (admin-and-security.md 2.10); what cannot move says so, and stays
# (what can is moved by 313_move_log_dirs.t).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Test::More;

my $base = tempdir(CLEANUP => 1);
chmod 0755, $base;
my @dirs = map { "$base/$_" } qw(a b);
mkdir $_ or die "$_: $!" for @dirs;
my (undef, undef, $uid) = getpwnam 'nobody';
chown $uid, -1, @dirs if $> == 0;
my $node = Ottla::Test::Node->new(conf => { 'log.dirs' => "$dirs[0],$dirs[1]" }, args => $> == 0 ? [ '--user', 'nobody' ] : [])->start;
my $c = Ottla::Test::Api->new($node);

# By directory: [ error, { "topic-partition" => bytes } ].
sub describe {
    my ($topics, $version) = @_;
    my $answer = $c->ask(DescribeLogDirs => $version // 5, { topics => $topics });
    return { map {
        my $d = $_;
        $d->{log_dir} => [ $d->{error_code}, { map { my $t = $_; map { ("$t->{name}-$_->{partition_index}" => $_->{partition_size}) } @{ $t->{partitions} } } @{ $d->{topics} } } ]
    } @{ $answer->{results} } };
}

sub move {
    my ($path, @parts) = @_; # topic, partition pairs
    my @topics;
    while (my ($name, $p) = splice @parts, 0, 2) { push @topics, { name => $name, partitions => [$p] } }
    my $answer = $c->ask(AlterReplicaLogDirs => 2, { dirs => [ { path => $path, topics => \@topics } ] });
    return join ' ', map { my $t = $_; map { "$t->{topic_name}-$_->{partition_index}:$_->{error_code}" } @{ $t->{partitions} } } sort { $a->{topic_name} cmp $b->{topic_name} } @{ $answer->{results} };
}

$c->make_topic('t', 4);
my $record = batch(records => ['x' x 100]);
is($c->produce('t', $record, partition => $_)->{error_code}, 0, "partition $_") for 0 .. 3;

my $all = describe(undef);
is(join(' ', sort keys %$all), "@dirs", 'both directories');
is(join(' ', map { $all->{$_}[0] } @dirs), '0 0', 'without error');
is(join(' ', map { scalar keys %{ $all->{$_}[1] } } @dirs), '2 2', 'two replicas in each');
my %where = map { my $d = $_; map { ($_ => $d) } keys %{ $all->{$d}[1] } } @dirs;
is(join(' ', map { $all->{ $where{"t-$_"} }[1]{"t-$_"} } 0 .. 3), join(' ', (length $record) x 4), 'sizes');
ok(-d "$where{'t-1'}/t-1", 'the folder is where it is said to be');
is_deeply([ map { scalar keys %{ describe([ { topic => 't', partitions => [ 1, 1, 9 ] }, { topic => 't', partitions => [1] }, { topic => 'none', partitions => [0] } ])->{$_}[1] } }
        $where{'t-1'}, grep { $_ ne $where{'t-1'} } @dirs ], [ 1, 0 ], 'one replica, asked for three times');
my $sizes = $c->ask(DescribeLogDirs => 4, { topics => [] })->{results}[0];
cmp_ok($sizes->{total_bytes}, '>=', $sizes->{usable_bytes}, 'sizes of the file system');
cmp_ok($sizes->{usable_bytes}, '>', 0, 'are known');

my ($here) = $where{'t-0'};
is(move($here, t => 0), 't-0:0', 'where it is');
is(move('/no/such', t => 0, none => 0), 'none-0:57 t-0:57', 'nowhere');
is(move($here, t => 9, none => 0), 'none-0:3 t-9:3', 'what does not exist');
is(move($here, 'n' x 220 => 0), 'n' x 220 . '-0:17', 'a name that is too long for the copy');
is_deeply(describe(undef), $all, 'nothing moved');

subtest 'a cordoned directory takes no new replicas' => sub {
    my $cordon = sub {
        my ($value) = @_;
        return $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 4, resource_name => '1',
            configs => [ { name => 'cordoned.log.dirs', config_operation => defined $value ? 0 : 1, value => $value } ] } ] })->{responses}[0]{error_code};
    };
    my $cordoned = sub { return join ' ', map { $_->{is_cordoned} ? 1 : 0 } sort { $a->{log_dir} cmp $b->{log_dir} } @{ $c->ask(DescribeLogDirs => 5, { topics => [] })->{results} } };
    is($cordoned->(), '0 0', 'none is');
    is($cordon->('/no/such'), 42, 'no directory');
    is($cordon->($dirs[0]), 0, 'the first one');
    is($cordoned->(), '1 0', 'is said to be');
    $c->make_topic('later', 3);
    is(join(' ', map { scalar grep { /^later-/ } keys %{ describe(undef)->{$_}[1] } } @dirs), '0 3', 'all new ones lie in the other');
    my ($other) = grep { $where{"t-$_"} eq $dirs[1] } 0 .. 3;
    is(move($dirs[0], t => $other), "t-$other:39", 'nothing may move there');
    $node->restart('fast');
    $c = Ottla::Test::Api->new($node);
    is($cordoned->(), '1 0', 'still, after a restart');
    is($cordon->(undef), 0, 'no longer');
    is($cordoned->(), '0 0', 'none is');
    $all = describe(undef);
};

$node->restart('fast');
$c = Ottla::Test::Api->new($node);
is_deeply(describe(undef), $all, 'the same after a restart');
is($node->stop('fast'), 0, 'the node ends in order');
done_testing();
