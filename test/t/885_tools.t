#!/usr/bin/perl
# 885_tools.t - the tools around a node: ottlactl, instances
#
# Proves shell-and-service.md 16 for them, on real nodes: what they print, their exit codes, and that what they did is true.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Ottla::Test::Node;
use Ottla::Test::Wait;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my ($bin) = Ottla::Test::Node::binary() =~ m{^(.*)/};
my @user = $> == 0 ? ('--user root') : ();

# Runs a tool until it ends; (exit code, all it said).
sub tool {
    my ($name, @arguments) = @_;
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die "dup: $!";
        exec 'timeout', 60, "$bin/$name", @arguments or die "exec: $!";
    }
    my $said = join '', <$out>;
    close $out;
    return ($? >> 8, $said);
}

sub slurp { return Ottla::Test::Node::slurp(@_) }

subtest 'ottlactl' => sub {
    my $data = "$dir/with space'and quote";
    my $port = Ottla::Test::Node::free_port();
    my @d = ('-D', $data);
    my $log = "$dir/server.log";
    my ($code, $said) = tool('ottlactl', 'status', @d);
    is($code, 4, 'status without a data directory');
    ($code, $said) = tool('ottlactl', 'start', @d, '-l', $log, '-o', join ' ', "-p $port", "-c 'num.partitions=3'", @user);
    is($code, 0, 'start') or diag $said, slurp($log);
    like($said, qr/^waiting for server to start\.+ done\nserver started\n\z/, 'as pg_ctl says it');
    ok(IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"), 'it listens when start returns');
    my ($pid) = slurp("$data/ottlad.pid") =~ /^(\d+)\n/;
    is((split ' ', slurp("/proc/$pid/stat") =~ s/.*\) //r)[3], $pid, 'it has a session of its own');
    ($code, $said) = tool('ottlactl', 'status', @d);
    is($code, 0, 'status of a server');
    like($said, qr/^ottlactl: server is running \(PID: $pid\)\n\S*ottlad -D \Q$data\E -p $port -c num\.partitions=3/, 'names it');
    ($code, $said) = tool('ottlactl', 'start', @d, '-o', "-p $port");
    is($code, 1, 'a second start');
    like($said, qr/another server runs on .*PID: $pid/, 'is refused');
    ($code, $said) = tool('ottlactl', 'reload', @d);
    is("$code $said", "0 server signaled\n", 'reload');
    ok(Ottla::Test::Wait::comes_true(sub { slurp($log) =~ /Reloaded/ }, 30), 'reaches it');

    ($code, $said) = tool('ottlactl', 'restart', @d, '-s');
    is("$code$said", '0', 'restart, silent');
    my ($new) = slurp("$data/ottlad.pid") =~ /^(\d+)\n/;
    isnt($new, $pid, 'another process');
    like(slurp("/proc/$new/cmdline"), qr/\0num\.partitions=3\0/, 'has the same command line');
    is(() = slurp($log) =~ /supervisor: ready;/g, 2, 'and log file');

    ($code, $said) = tool('ottlactl', 'kill', 'HUP', $new);
    is("$code$said", '0', 'kill');
    is((tool('ottlactl', 'kill', 'NONE', $new))[0], 1, 'kill with a signal that there is not');
    my ($child) = split ' ', slurp("/proc/$new/task/$new/children");
    ($code, $said) = tool('ottlactl', 'logrotate', @d);
    is($code, 1, 'logrotate');
    like($said, qr/no log file of its own.*\nHINT: .*journalctl/, 'says where the messages are');

    ($code, $said) = tool('ottlactl', 'stop', @d, '-m', 'fast');
    like("$code $said", qr/^0 waiting for server to shut down\.+ done\nserver stopped\n\z/, 'stop');
    ok(!Ottla::Test::Node::process_lives($_), "process $_ is gone") for $new, $child;
    is(() = slurp($log) =~ /stopped; exit_code=0/g, 2, 'in order');
    is((tool('ottlactl', 'status', @d))[0], 3, 'status when none runs');
    is((tool('ottlactl', 'stop', @d))[0], 1, 'stop when none runs');

    ($code, $said) = tool('ottlactl', 'start', @d, '-l', $log, '-o', '-c no.such.name=1');
    is($code, 1, 'a start that fails');
    like($said, qr/stopped waiting\n.*could not start server \(exit code 78\)\nExamine the log output/, 'says so');
    local $ENV{OTTLA_DATA} = $data;
    open my $stale, '>', "$data/ottlad.pid" or die $!;
    print $stale "$$\n$data\n";
    close $stale;
    is((tool('ottlactl', 'status'))[0], 3, 'a stale file with the number of a living process is none');
    ($code, $said) = tool('ottlactl', 'start', '-W', '-l', $log, '-o', join ' ', "-p $port", @user);
    is("$code $said", "0 server starting\n", 'start without waiting, directory by OTTLA_DATA');
    ok(Ottla::Test::Wait::comes_true(sub { (tool('ottlactl', 'status'))[1] =~ /running \(PID: \d+\)\n/ }, 30), 'it comes');
    is((tool('ottlactl', 'stop', '-m', 'immediate', '-t', 30))[0], 0, 'immediate stop');
    is((tool('ottlactl', 'restart', '-l', $log, '-o', join ' ', "-p $port", @user))[0], 0, 'restart when none runs starts');
    is((tool('ottlactl', 'stop', '-s'))[0], 0, 'stop');
};

subtest 'instances, without systemd' => sub {
    plan skip_all => 'systemd keeps the instances of this machine' if -d '/run/systemd/system';
    local $ENV{OTTLA_SETTINGS_ROOT} = "$dir/etc";
    local $ENV{OTTLA_DATA_ROOT} = "$dir/lib";
    local $ENV{OTTLA_BIN_DIR} = $bin;
    local $ENV{OTTLA_USER} = 'nobody';
    my $script = sub {
        my ($name, @arguments) = @_;
        my $out = `contrib/instances/ottla-$name @arguments 2>&1`;
        return ($? >> 8, $out);
    };
    my @port = map { Ottla::Test::Node::free_port() } 1 .. 2;
    my ($code, $said) = $script->('createinstance', '-p', $port[0], 'main');
    is($code, 0, 'an instance') or diag $said;
    like(slurp("$dir/etc/main/ottla.conf"), qr/^listeners = 'PLAINTEXT:\/\/localhost:$port[0]'$/m, 'its settings');
    ($code, $said) = $script->('createinstance', '-p', $port[1], '--start', 'test');
    is($code, 0, 'another, started') or diag $said, slurp("$dir/lib/test/ottlad.log");
    ($code, $said) = $script->('lsinstances');
    like($said, qr/^Instance .*\nmain +$port[0] +down +\S+ +ottlad\.service +\Q$dir\E\/lib\/main\ntest +$port[1] +online +\S+ +ottlad\@test\.service +\Q$dir\E\/lib\/test\n\z/, 'both are listed') or diag $said;
    is(($script->('createinstance', 'main'))[0], 1, 'what is there already is not made again');
    is(($script->('createinstance', '-p', $port[1], "'../x'"))[0], 1, 'a name that is none');
    ($code, $said) = $script->('createinstance', '-p', 70000, 'wrong');
    is($code, 1, 'a port that is none');
    ok(!-e "$dir/etc/wrong" && !-e "$dir/lib/wrong", 'leaves nothing');
    ($code, $said) = $script->('dropinstance', 'test');
    is($code, 1, 'a running instance is not dropped');
    is(($script->('dropinstance', '--stop', 'test'))[0], 0, 'unless it is to be stopped');
    ok(!-e "$dir/etc/test" && !-e "$dir/lib/test", 'nothing of it is left');
    ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port[1]"), 'nor does it listen');
    ($code, $said) = $script->('dropinstance', '--keep-data', 'main');
    is($code, 0, 'settings alone');
    ok(!-e "$dir/etc/main" && -d "$dir/lib/main", 'are dropped');
};

subtest 'pages of scripts' => sub {
    for my $name (qw(createinstance dropinstance lsinstances)) {
        my $help = `OTTLA_BIN_DIR=$bin contrib/instances/ottla-$name --help`;
        my $page = slurp("doc/man/ottla-$name.1");
        my %help = map { $_ => 1 } $help =~ /(?<![\w-])(--[a-z][a-z-]+|-[A-Za-z])(?![\w-])/g;
        my %page = map { ("-$_" => 1) } $page =~ /^\.It Fl (-?[a-zA-Z-]+)/mg;
        is_deeply(\%page, \%help, "ottla-$name: page and --help name the same options");
        like(`OTTLA_BIN_DIR=$bin contrib/instances/ottla-$name --version`, qr/^ottla-$name \d+\.\d+/, 'and its version');
    }
};

done_testing;
