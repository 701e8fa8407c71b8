#!/usr/bin/perl
# 886_devices.t - programs that are told to write to a device write to it: its mode, owner and number stay
#
# Proves: output, session log, buffer, history, \copy, dumps and the log of a started server go to a null device, which is the same
# device afterwards, with the same mode. The device is one of the test's own: a mistake as root costs nobody's /dev/null.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my $null = "$dir/null";
plan skip_all => 'no devices can be made here' if system("mknod -m 666 $null c 1 3 2>$dir/why") != 0 || !open(my $try, '>>', $null);

my $node  = Ottla::Test::Node->new->start;
my $shell = Ottla::Test::Shell->new(node => $node, env => { HISTFILE => $null, HISTSIZE => 1 });
my $bin   = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
sub looks { return join ' ', (lstat $null)[ 1, 2, 4, 5, 6 ] } # inode, mode, owner, group, number
my $before = looks();

sub stays { my ($what) = @_; is(looks(), $before, $what) }

sub runs {
    my ($what, @args) = @_;
    my $r = $shell->run(\@args);
    is($r->{code}, 0, $what) or diag $r->{err};
    stays("... $what");
    return;
}

runs('a topic', '-c', "CREATE TOPIC t", '-c', "INSERT INTO messages (topic, value) VALUES ('t', 'x')");
runs('-o', '-o', $null, '-c', '\l');
runs('-L', '-L', $null, '-c', '\l');
runs('\o', '-c', "\\o $null", '-c', '\l');
runs('\g', '-c', "SELECT 1 \\g $null");
runs('\w', '-c', "\\w $null");
runs('\s', '-c', "\\s $null");
runs('\copy', '-c', "\\copy t TO '$null'");
is(system("$bin/ottla-dumpall -h @{[ $node->dir ]} -p @{[ $node->port ]} -o $null >$dir/out 2>&1"), 0, 'ottla-dumpall');
stays('... ottla-dumpall');

my $t = $shell->terminal(args => ['-X']);
ok($t->sees(qr{=[#>] ?$}m), 'a terminal');
$t->line($_) for 'SELECT 1;', 'SELECT 2;', '\q';
is($t->code, 0, 'it ends');
stays('HISTFILE');

my $port = Ottla::Test::Node::free_port();
my $user = $> == 0 ? '--user root' : '';
is(system("$bin/ottlactl start -D $dir/data -l $null -o '-p $port $user -c metrics.listen=' >$dir/out 2>&1"), 0, 'ottlactl start -l') or diag Ottla::Test::Node::slurp("$dir/out");
stays('... ottlactl start -l');
is(system("$bin/ottlactl restart -D $dir/data -o '-p $port $user -c metrics.listen=' >$dir/out 2>&1"), 0, 'ottlactl restart') or diag Ottla::Test::Node::slurp("$dir/out");
stays('... ottlactl restart');
is(system("$bin/ottlactl stop -D $dir/data >$dir/out 2>&1"), 0, 'ottlactl stop');
isnt(system("$bin/ottlad -D $null $user >$dir/out 2>&1"), 0, 'it is no data directory');
isnt(system("$bin/ottla-initdb -D $null >$dir/out 2>&1"), 0, 'for nobody');
stays('ottlad and ottla-initdb');
done_testing;
