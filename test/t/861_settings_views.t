#!/usr/bin/perl
# 861_settings_views.t - settings and file_settings (shell-and-service.md 12.4)
#
# Proves: settings shows every setting with its value, bounds and where it comes from, and says the same as
# DescribeConfigs; what requests set is told apart from what the files say; a changed setting that needs a
# restart is pending until the restart; file_settings reads the files as they are now and says what a reload
# would do before it does; passwords are hidden, places in files are for super users.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;

my $node = Ottla::Test::Node->new(conf => { 'log.segment.bytes' => 1 << 20 })->start;
my $conf = $node->dir . '/ottla.conf';
append("num.partitions = 3\nlog.retention.ms = 7d\n");
$node->restart;
my $own = Ottla::Test::Wire->new($node->connect_unix, 'viewer');
my $api = Ottla::Test::Api->new($node);

sub setting { my ($name, $wire) = @_; return ($wire // $own)->stat('settings', undef, { name => $name })->[0] }

sub append { my ($text) = @_; open my $f, '>>', $conf or die $!; print $f $text; close $f }

sub lines_of { my ($name) = @_; return @{ $own->stat('file_settings', undef, { name => $name }) } }

sub reload_and_wait {
    my ($name, $value) = @_;
    $node->reload;
    $node->wait_until("$name to be $value", sub { (setting($name)->{setting} // '') eq $value });
}

subtest 'a setting' => sub {
    my $s = setting('log.retention.ms');
    is($s->{ $_->[0] }, $_->[1], $_->[0]) for [ setting => 604800000 ], [ unit => 'ms' ], [ category => 'log' ],
        [ context => 'dynamic' ], [ vartype => 'integer' ], [ source => 'configuration file' ], [ boot_val => undef ],
        [ reset_val => 604800000 ], [ sourcefile => $conf ], [ sourceline => 2 ], [ pending_restart => 0 ],
        [ cluster_value => undef ];
    like($s->{short_desc}, qr/\.$/, "what it is: $s->{short_desc}");
    is(setting('compression.type')->{enumvals}, 'uncompressed,zstd,lz4,snappy,gzip,producer', 'values that are allowed');
    is(setting('compression.type')->{vartype}, 'enum', '... of an enum');
    is_deeply([ @{ setting('num.partitions') }{qw(min_val max_val)} ], [ 1, undef ], 'bounds');
    is_deeply([ @{ setting('backend.slots') }{qw(context source setting)} ], [ 'startup', 'default', 16384 ], 'a default');
    is_deeply([ @{ setting('log.segment.bytes') }{qw(source sourcefile)} ], [ 'command line', undef ], 'of the command line');
    append("log.segment.bytes = 2MB\n");
    is((lines_of('log.segment.bytes'))[0]{error}, 'the command line weighs more', 'which weighs more than files');
};

subtest 'DescribeConfigs says the same' => sub {
    my $answer = $api->ask(DescribeConfigs => 4, { include_synonyms => 0, include_documentation => 0,
        resources => [ { resource_type => 4, resource_name => '1', configuration_keys => undef } ] });
    my %view = map { $_->{name} => $_ } @{ $own->stat('settings') };
    my @told = @{ $answer->{results}[0]{configs} };
    cmp_ok(scalar @told, '>', 200, 'it lists many');
    my @missing = grep { !$view{ $_->{name} } } @told;
    is(join(' ', map { $_->{name} } @missing), '', 'all of them are in the view');
    my @differ = grep { $view{ $_->{name} } && !$_->{is_sensitive} && ($view{ $_->{name} }{setting} // 'null') ne ($_->{value} // 'null') } @told;
    is(join("\n", map { "$_->{name}: " . ($_->{value} // 'null') . ' is not ' . ($view{ $_->{name} }{setting} // 'null') } @differ), '', 'with these values');
    my @defaults = grep { ($_->{config_source} == 5) != ($view{ $_->{name} }{source} eq 'default') } grep { $view{ $_->{name} } } @told;
    is(join(' ', map { "$_->{name}/$_->{config_source}/$view{$_->{name}}{source}" } @defaults), '', 'and the same are defaults');
};

subtest 'set by request' => sub {
    my $alter = sub {
        my ($resource, $value) = @_;
        return $api->ask(IncrementalAlterConfigs => 1, { validate_only => 0, resources => [ { resource_type => 4, resource_name => $resource,
            configs => [ { name => 'log.retention.ms', config_operation => defined $value ? 0 : 1, value => $value } ] } ] })->{responses}[0]{error_code};
    };
    is($alter->('', 1_000_000), 0, 'for all nodes');
    $node->wait_until('it to be in force', sub { setting('log.retention.ms')->{setting} eq '1000000' });
    my $s = setting('log.retention.ms');
    is_deeply([ @$s{qw(source cluster_value cluster_source reset_val)} ], [ 'cluster metadata', 1000000, 'all nodes', 604800000 ], 'and told apart');
    is($alter->('1', 2_000_000), 0, 'for this one');
    $node->wait_until('it to be in force', sub { setting('log.retention.ms')->{setting} eq '2000000' });
    is(setting('log.retention.ms')->{cluster_source}, 'node', 'weighs more');
    is($alter->($_, undef), 0, 'taken back') for '', '1';
    $node->wait_until('the file to be in force', sub { setting('log.retention.ms')->{setting} eq '604800000' });
};

subtest 'shell 34: what needs a restart' => sub {
    append("backend.slots = 2000\nlog.retention.ms = 8d\n");
    is(setting('backend.slots')->{pending_restart}, 0, 'not before the reload');
    my ($line) = lines_of('backend.slots');
    is_deeply([ @$line{qw(setting applied error)} ], [ 2000, 0, 'needs a restart' ], 'file_settings knows');
    reload_and_wait('log.retention.ms', 8 * 86400_000);
    my $s = setting('backend.slots');
    is_deeply([ @$s{qw(setting pending_restart)} ], [ 16384, 1 ], 'the old value, and pending');
    is_deeply([ map { $_->{name} } @{ $own->stat('settings', ['name'], { pending_restart => 'true' }) } ], ['backend.slots'], 'nothing else is');
    $node->restart;
    $own = Ottla::Test::Wire->new($node->connect_unix, 'viewer');
    $s = setting('backend.slots');
    is_deeply([ @$s{qw(setting pending_restart)} ], [ 2000, 0 ], 'in force after the restart');
};

subtest 'shell 33: an edit is tried before the reload' => sub {
    append("log.retention.ms = 9x\nnum.partitions = 4\n");
    my @retention = lines_of('log.retention.ms');
    is(scalar @retention, 3, 'all lines about it');
    is_deeply([ map { $_->{applied} } @retention ], [ 0, 0, 0 ], 'the last counts, and is bad');
    like($retention[2]{error}, qr/log\.retention\.ms = "9x"/, "why: $retention[2]{error}");
    is($retention[0]{error}, undef, 'an earlier line is no fault');
    cmp_ok($retention[0]{seqno}, '<', $retention[2]{seqno}, 'they are in order');
    is($retention[2]{sourcefile}, $conf, 'the file');
    is(scalar(split /\n/, Ottla::Test::Node::slurp($conf)), $retention[2]{sourceline} + 1, 'the line');
    is((lines_of('num.partitions'))[-1]{applied}, 1, 'the other line would be applied');
    is(setting('num.partitions')->{setting}, 3, '... and is not yet');
    append("num.partitions 'five\n");
    my ($broken) = grep { !defined $_->{name} } @{ $own->stat('file_settings') };
    like($broken->{error}, qr/closing quote/, 'a line that cannot be read');
    is((lines_of('num.partitions'))[-1]{applied}, 0, 'nothing would be applied');
    my $text = Ottla::Test::Node::slurp($conf) =~ s/^num\.partitions 'five\n//mr;
    open my $f, '>', $conf or die $!;
    print $f $text;
    close $f;
    reload_and_wait('num.partitions', 4);
    is(setting('log.retention.ms')->{setting}, 8 * 86400_000, 'the reload did what was told');
};

subtest 'what is hidden' => sub {
    append("log.level.raft = debug1\nssl.key.password = hushhush1\nlistener.name.internal.ssl.key.password = hushhush2\n");
    $own->control(order => 0);
    my @all = (@{ $own->stat('settings') }, @{ $own->stat('file_settings') });
    is(scalar(grep { join("\0", map { $_ // '' } %$_) =~ /hushhush/ } @all), 0, 'no password is shown');
    is((lines_of('ssl.key.password'))[0]{setting}, '[hidden]', 'that there is one is');
    is(setting('log.level.raft')->{setting}, 'debug1', 'a setting beside the table');
    my $tcp = Ottla::Test::Wire->new($node, 'shell');
    $tcp->call(18, 3, "\0" . Ottla::Test::Wire::compact('ottla') . Ottla::Test::Wire::compact('1.0') . "\0");
    my $s = setting('num.partitions', $tcp);
    is_deeply([ @$s{qw(setting source sourcefile sourceline)} ], [ 4, 'configuration file', undef, undef ], 'no places for who is no super user');
    is($tcp->stat('file_settings')->[0]{sourcefile}, undef, 'nor in file_settings');
};

is($node->stop, 0, 'stop');
done_testing;
