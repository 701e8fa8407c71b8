#!/usr/bin/perl
# 885_tools.t - the tools around a node: ottlactl, ottla-initdb, ottla-controldata, instances
#
# Proves shell-and-service.md 16 for them, on real nodes: what they print, their exit codes, and that what they did is true.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use Ottla::Test::Kafka qw(kafka_missing);
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);

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
sub spew { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; print $out $text; close $out or die "$path: $!"; return }

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
    ok(comes_true(sub { slurp($log) =~ /Reloaded/ }, 30), 'reaches it');

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
    like($said, qr/writes no log files.*\nHINT: .*journalctl/, 'says where the messages are');

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
    ok(comes_true(sub { (tool('ottlactl', 'status'))[1] =~ /running \(PID: \d+\)\n/ }, 30), 'it comes');
    is((tool('ottlactl', 'stop', '-m', 'immediate', '-t', 30))[0], 0, 'immediate stop');
    is((tool('ottlactl', 'restart', '-l', $log, '-o', join ' ', "-p $port", @user))[0], 0, 'restart when none runs starts');
    is((tool('ottlactl', 'stop', '-s'))[0], 0, 'stop');
};

# Names below a folder, without locks.
sub tree { my ($d) = @_; return join ' ', sort grep { !m{\.lock$} } map { s{^\Q$d\E/}{}r } split /\n/, `find $d -type f` }

# The records of a checkpoint, without times and offsets.
sub records_of {
    my ($file) = @_;
    my $text = `$bin/ottla-logdump -d --decode metadata $file`;
    return join "\n", map { s/"(?:salt|storedKey|serverKey)":"[^"]*"/X/gr } $text =~ /(?:payload|SnapshotHeader|SnapshotFooter|KRaftVersion|KRaftVoters): .*/g;
}

subtest 'ottla-initdb' => sub {
    my $data = "$dir/init";
    my $port = Ottla::Test::Node::free_port();
    my @as = $> == 0 ? ('--user', 'root') : ();
    my $id = 'MkU3OEVBNTcwNTJENDM2Qk';
    my ($code, $said) = tool('ottla-initdb', '-D', $data, @as, '-t', $id, '--node-id', 7, '-c', "listeners=PLAINTEXT://localhost:$port",
        '-c', "broker.rack=it's \\ here", '-r', '4.1', '-f', 'group.version=0', '-S', 'SCRAM-SHA-256=[name=alice,password="alice,secret"]') ;
    is($code, 1, 'a password with a comma ends where Kafka ends it');
    ok(!-e $data, 'nothing was made for options that are wrong');
    ($code, $said) = tool('ottla-initdb', '-D', $data, @as, '-t', $id, '--node-id', 7, '-c', "listeners=PLAINTEXT://localhost:$port",
        '-c', "broker.rack=it's \\ here", '-r', '4.1', '-f', 'group.version=0', '-S', 'SCRAM-SHA-256=[name=alice,password=alice-secret]');
    is($code, 0, 'formatted') or diag $said;
    is($said, "Formatting data directory $data/log with metadata.version 4.1-IV1.\nFormatting dynamic metadata voter directory $data/meta with metadata.version 4.1-IV1.\n", 'and says what');
    is(tree($data), 'log/bootstrap.checkpoint log/meta.properties meta/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint meta/bootstrap.checkpoint meta/meta.properties ottla.conf', 'its files');
    like(slurp("$data/$_/meta.properties"), qr/^version=1\ncluster\.id=$id\nnode\.id=7\ndirectory\.id=[\w-]{22}\n\z/, "$_/meta.properties") for qw(log meta);
    is(`$bin/ottlad -D $data -C broker.rack`, "it's \\ here\n", 'the file of settings reads as they were given');
    ($code, $said) = tool('ottla-initdb', '-D', $data, @as);
    is($code, 1, 'a second time');
    like($said, qr/$data\/log is formatted already/, 'is refused');
    is((tool('ottla-initdb', '-D', $data, @as, '-g'))[0], 0, 'or ignored');

    my ($start, $out) = tool('ottlactl', 'start', '-D', $data, '-l', "$dir/init.log", '-o', join ' ', @as);
    is($start, 0, 'a server starts on it') or diag slurp("$dir/init.log");
    like(slurp("$dir/init.log"), qr/ready; listeners=PLAINTEXT:\/\/localhost:$port.* cluster_id=$id node_id=7/, 'as the node it is');
    tool('ottlactl', 'stop', '-D', $data);
    my $log = `$bin/ottla-logdump -d --decode metadata $data/meta/__cluster_metadata-0/00000000000000000000.log`;
    like($log, qr/"name":"metadata\.version","featureLevel":27/, 'the cluster has the release');
    unlike($log, qr/"name":"group\.version","featureLevel"/, 'the feature that was turned off is off');
    like($log, qr/"UserScramCredentialRecord".*"name":"alice"/, 'and the credential is there');

    mkdir "$dir/full";
    open my $fh, '>', "$dir/full/precious" or die $!;
    close $fh;
    ($code, $said) = tool('ottla-initdb', '-D', "$dir/new", @as, '-c', "log.dirs=$dir/new/a,$dir/full");
    is($code, 1, 'a directory that is not empty');
    like($said, qr/full is not formatted and not empty \(there is "precious"\)/, 'is named');
    ok(!-e "$dir/new", 'and what was made beside it is taken away');
    is(tree("$dir/full"), 'precious', 'what was there stays');
    is((tool('ottla-initdb', '-D', "$dir/new", @as, '-n', '-c', "log.dirs=$dir/new/a,$dir/full"))[0], 1, 'with -n');
    ok(-d "$dir/new/a", 'it stays');

    my @wrong = ([ 'unknown feature', qr/no feature "nope"/, '-f', 'nope=1' ], [ 'level out of range', qr/levels from 7 to 30/, '-f', 'metadata.version=99' ],
        [ 'unknown release', qr/no release "9\.9"/, '-r', '9.9' ], [ 'two ways to say it', qr/exclude each other/, '-r', '4.1', '-f', 'metadata.version=20' ],
        [ 'credentials too early', qr/need metadata\.version 11/, '-r', '3.4', '-S', 'SCRAM-SHA-512=[name=a,password=b]' ],
        [ 'few iterations', qr/iterations go from 4096/, '-S', 'SCRAM-SHA-512=[name=a,password=b,iterations=10]' ],
        [ 'quorum of several', qr/several nodes/, '-I', '1@a:1:AAAAAAAAAAAAAAAAAAAAAQ,2@b:2:AAAAAAAAAAAAAAAAAAAAAg' ],
        [ 'two quorums', qr/exclude each other/, '-s', '-N' ], [ 'unknown setting', qr/did you mean "num\.partitions"/, '-c', 'num.partitons=1' ]);
    for my $case (@wrong) {
        my ($name, $like, @options) = @$case;
        my ($c, $s) = tool('ottla-initdb', '-D', "$dir/wrong", @as, @options);
        ok($c == 1 && $s =~ $like && !-e "$dir/wrong", $name) or diag "$c: $s";
    }
    is((tool('ottla-initdb', '-D', "$dir/own", @as, '-I', '3@localhost:9093:MvDxzVmcRsaTz33bUuRU6A'))[0], 0, 'a voter with the id of its directory');
    like(slurp("$dir/own/meta/meta.properties"), qr/^node\.id=3\ndirectory\.id=MvDxzVmcRsaTz33bUuRU6A$/m, 'which it gets');
    chmod 0600, "$dir/own/meta/bootstrap.checkpoint";
    open $fh, '+<', "$dir/own/meta/bootstrap.checkpoint" or die $!;
    seek $fh, 100, 0;
    print $fh 'X';
    close $fh;
    ($code, $said) = tool('ottlad', '-D', "$dir/own", '-p', Ottla::Test::Node::free_port(), @as);
    is($code, 1, 'a server does not begin a cluster with records that are damaged');
    like($said, qr/own\/meta\/bootstrap\.checkpoint: the file is not whole/, 'and names their file') or diag $said;
    is((tool('ottla-initdb', '-D', "$dir/none", @as, '-N'))[0], 0, 'no voters');
    ok(!-e "$dir/none/meta/__cluster_metadata-0", 'no quorum');
};

subtest 'ottla-initdb --from-properties' => sub {
    my @as = $> == 0 ? ('--user', 'root') : ();
    my $file = "$dir/server.properties";
    open my $fh, '>', $file or die $!;
    print $fh <<'END';
# of the year 2019
broker.rack = C:\\racks\\'1'
log.retention.hours=24

  ! sizes
num.partitions=4
log.segment.bytes=\
# no comment: 1073741824
no.such.name=kept
END
    close $fh;
    my ($code, $said) = tool('ottla-initdb', '-D', "$dir/conv", @as, '--from-properties', $file);
    is($code, 1, 'a bad value');
    like($said, qr/server\.properties:8: log\.segment\.bytes/, 'is found before anything is made');
    ok(!-e "$dir/conv", 'nothing was');
    my $text = slurp($file) =~ s/\\\n# no comment: //r;
    open $fh, '>', $file or die $!;
    print $fh $text;
    close $fh;
    ($code, $said) = tool('ottla-initdb', '-D', "$dir/conv", @as, '--from-properties', $file);
    is($code, 0, 'converted') or diag $said;
    like(slurp("$dir/conv/ottla.conf"), qr/# of the year 2019\nbroker\.rack = .*\nlog\.retention\.hours = '24'\n\n# sizes\nnum\.partitions = '4'\n.*# not known here: no\.such\.name = 'kept'\n/s, 'with its comments');
    for my $name (qw(broker.rack log.retention.hours num.partitions log.segment.bytes)) {
        is(`$bin/ottlad -D $dir/conv -C $name`, `$bin/ottlad -D $dir/none --properties $file -C $name 2>/dev/null`, "$name says the same");
    }
};

subtest 'ottla-initdb and kafka-storage' => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    my @as = $> == 0 ? ('--user', 'root') : ();
    my $file = "$dir/kafka.properties";
    open my $fh, '>', $file or die $!;
    print $fh map { "$_\n" } 'process.roles=broker,controller', 'node.id=4', 'listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
        'advertised.listeners=PLAINTEXT://localhost:9092', 'controller.listener.names=CONTROLLER', 'controller.quorum.bootstrap.servers=localhost:9093',
        'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT', "log.dirs=$dir/theirs";
    close $fh;
    my $kafka = ($ENV{OTTLA_SHARED} // '../shared') . '/peers/kafka';
    my @options = ('-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-r', '4.2', '-f', 'streams.version=0', '-S', 'SCRAM-SHA-512=[name=bob,iterations=8192,salt="N3E=",saltedpassword="YCE="]');
    local $ENV{JAVA_TOOL_OPTIONS} = '-XX:TieredStopAtLevel=1';
    my $said = `$kafka tool storage format -s -c $file @{[ map { "'$_'" } @options ]} 2>&1`;
    is($?, 0, 'Kafka formats') or diag $said;
    rename "$dir/theirs", "$dir/theirs-by-kafka" or die $!;
    my ($code, $ours) = tool('ottla-initdb', '-D', "$dir/ours", @as, '-s', '--config', $file, @options);
    is($code, 0, 'with the same options we do, too') or diag $ours;
    is($ours, join("\n", grep { /^Formatting/ } split /\n/, $said) . "\n", 'and say the same');
    is(records_of("$dir/theirs/bootstrap.checkpoint"), records_of("$dir/theirs-by-kafka/bootstrap.checkpoint"), 'bootstrap.checkpoint has the same records');
    my $exact = sub { my ($d) = @_; return `$bin/ottla-logdump -d --decode metadata $d/bootstrap.checkpoint` =~ /("UserScram.*)/ ? $1 : '' };
    is($exact->("$dir/theirs"), $exact->("$dir/theirs-by-kafka"), 'its credential the same keys');
    my $voters = sub { my ($d) = @_; my $r = records_of("$d/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"); $r =~ s/"voterDirectoryId":"[^"]*"/X/g; $r =~ s/Timestamp":\d+/Timestamp":T/; return $r };
    is($voters->("$dir/theirs"), $voters->("$dir/theirs-by-kafka"), 'the quorum the same voter');
    is(slurp("$dir/theirs/meta.properties") =~ s/directory\.id=.*//r, join('', sort { $b =~ /version/ <=> $a =~ /version/ || $a cmp $b } grep { !/^#|^directory/ } map { "$_\n" } split /\n/, slurp("$dir/theirs-by-kafka/meta.properties")) . "\n", 'meta.properties the same ids');
};

subtest 'ottla-controldata' => sub {
    my @as = $> == 0 ? ('--user', 'root') : ();
    my $data = "$dir/control";
    my $look = sub {
        my ($code, $said) = tool('ottla-controldata', '-D', $data, '--json');
        my $facts = eval { JSON::PP::decode_json($said =~ s/^ottla-controldata: WARNING.*\n//mgr) } // {};
        return { %$facts, code => $code, said => $said };
    };
    is((tool('ottla-controldata', '-D', $data))[0], 1, 'no directory');
    my $port = Ottla::Test::Node::free_port();
    tool('ottla-initdb', '-D', $data, @as, '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '--node-id', 5, '-c', "listeners=PLAINTEXT://localhost:$port", '-c', "log.dirs=$data/a,$data/b");
    my $facts = $look->();
    is("$facts->{code} $facts->{control_file}", '0 none: never started', 'a directory that was formatted');
    is_deeply([ @$facts{qw(cluster_id node_id format_version)} ], [ 'MkU3OEVBNTcwNTJENDM2Qk', 5, 1 ], 'its ids');
    is(join(' ', map { "$_->{path}:$_->{kind}" =~ s/^\Q$data\E//r } @{ $facts->{directories} }), '/a:both /b:log', 'its directories, by the settings in it');
    tool('ottlactl', 'start', '-s', '-D', $data, '-l', "$dir/control.log", '-o', join ' ', @as);
    ok(comes_true(sub { ($look->()->{state} // '') eq 'in production' }, 30), 'a server runs') or diag $look->()->{said};
    tool('ottlactl', 'stop', '-s', '-D', $data);
    $facts = $look->();
    is("$facts->{code} $facts->{state}", '0 shut down', 'it was stopped');
    cmp_ok(abs($facts->{checkpoint} / 1000 - time), '<', 100, 'with a checkpoint');
    is(join(' ', map { $_->{clean} } @{ $facts->{directories} }), 'yes yes', 'in order');
    is($facts->{'metadata.version'}, 30, 'features');
    cmp_ok($facts->{metadata_end_offset}, '>', 10, 'and the end of the metadata log');
    tool('ottlactl', 'start', '-s', '-D', $data, '-l', "$dir/control.log", '-o', join ' ', @as);
    ok(comes_true(sub { $look->()->{state} eq 'in production' }, 30), 'it runs again');
    is($look->()->{checkpoint}, $facts->{checkpoint}, 'the checkpoint of the run before is remembered');
    my ($pid) = slurp("$data/ottlad.pid") =~ /^(\d+)\n/;
    kill KILL => $pid;
    ok(comes_true(sub { (tool('ottlactl', 'status', '-D', $data))[1] =~ /no server running\n/ }, 30), 'it was killed');
    $facts = $look->();
    is($facts->{state}, 'in production', 'which shows');
    is(join(' ', map { $_->{clean} } @{ $facts->{directories} }), 'no no', 'in its directories, too');
    my ($code, $said) = tool('ottla-controldata', '-D', $data);
    like($said, qr/^State of the node: +in production\nSince: +20\d\d-.* UTC\n/m, 'for people');
    open my $fh, '>>', "$data/control" or die $!;
    print $fh 'x';
    close $fh;
    ($code, $said) = tool('ottla-controldata', '-D', $data);
    is($code, 1, 'a damaged control file');
    like($said, qr/WARNING: .*control is damaged/, 'is a warning');
    like($said, qr/^Cluster id: +MkU3OEVBNTcwNTJENDM2Qk$/m, 'and the rest is told');
};

subtest 'instances, without systemd' => sub {
    plan skip_all => 'systemd keeps the instances of this machine' if -d '/run/systemd/system';
    local $ENV{OTTLA_SETTINGS_ROOT} = "$dir/etc";
    local $ENV{OTTLA_DATA_ROOT} = "$dir/lib";
    local $ENV{OTTLA_LOG_ROOT} = "$dir/logs";
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
    like(slurp("$dir/etc/main/ottla.conf"), qr/^listeners = 'PLAINTEXT:\/\/localhost:$port[0]'\n#.*\nmetrics\.listen = '127\.0\.0\.1:@{[ $port[0] + 552 ]}'$/m, 'its settings');
    like(slurp("$dir/etc/main/ottla.conf"), qr/^log\.directory = '\Q$dir\E\/logs\/main'$/m, '... and a place for its log files');
    mkdir "$dir/etc/test" or die $!;
    mkdir "$dir/etc/test/conf.d" or die $!;
    spew("$dir/etc/test/conf.d/files.conf", "log.destination = file\n");
    ($code, $said) = $script->('createinstance', '-p', $port[1], '--start', 'test');
    is($code, 0, 'another, started') or diag $said, slurp("$dir/lib/test/ottlad.log");
    ($code, $said) = $script->('lsinstances');
    like($said, qr/^Instance .*\nmain +$port[0] +down +\S+ +ottlad\.service +\Q$dir\E\/lib\/main\ntest +$port[1] +online +\S+ +ottlad\@test\.service +\Q$dir\E\/lib\/test\n\z/, 'both are listed') or diag $said;
    like(join('', map { slurp($_) } glob "$dir/logs/test/*.log"), qr/supervisor: ready; /, 'log files where they are wanted');
    is_deeply([ map { (stat "$dir/$_/test")[2] & 07777 } qw(lib logs) ], [ 0750, 0750 ], '... which not everybody may read');
    is(($script->('createinstance', 'main'))[0], 1, 'what is there already is not made again');
    is(($script->('createinstance', '-p', $port[1], "'../x'"))[0], 1, 'a name that is none');
    ($code, $said) = $script->('createinstance', '-p', 70000, 'wrong');
    is($code, 1, 'a port that is none');
    ok(!-e "$dir/etc/wrong" && !-e "$dir/lib/wrong", 'leaves nothing');
    ($code, $said) = $script->('createinstance', '-p', $port[1], 'wrong', '--', '--no-such-option');
    is($code, 1, 'a step that fails');
    ok(!-e "$dir/etc/wrong" && !-e "$dir/lib/wrong" && !-e "$dir/logs/wrong", 'leaves nothing, either');
    mkdir $_ or die $! for "$dir/etc/held", "$dir/lib/held";
    symlink '/elsewhere', "$dir/etc/held/ottla.conf.old" or die $!;
    is(($script->('createinstance', '-p', $port[1], 'held', '--', '--no-such-option'))[0], 1, 'where somebody has files');
    is(join(' ', map { s{^\Q$dir\E/}{}r } glob "$dir/*/held $dir/*/held/*.*"), 'etc/held lib/held etc/held/conf.d etc/held/ottla.conf.old', 'they stay');
    ($code, $said) = $script->('dropinstance', 'test');
    is($code, 1, 'a running instance is not dropped');
    is(($script->('dropinstance', '--stop', 'test'))[0], 0, 'unless it is to be stopped');
    ok(!-e "$dir/etc/test" && !-e "$dir/lib/test" && !-e "$dir/logs/test", 'nothing of it is left');
    ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port[1]"), 'nor does it listen');
    spew("$dir/etc/main/conf.d/elsewhere.conf", "log.directory = $dir/elsewhere\n");
    ($code, $said) = $script->('dropinstance', '--keep-data', 'main');
    is($code, 0, 'settings alone');
    like($said, qr/^left in place: log\.directory \Q$dir\E\/elsewhere$/m, '... with log files elsewhere, which are named');
    ok(!-e "$dir/logs/main", '... but not its own');
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
