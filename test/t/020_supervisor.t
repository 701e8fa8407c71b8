#!/usr/bin/perl
# 020_supervisor.t - processes, titles, exit codes, pid file, locks, stops, crashes of a real node
#
# Proves shell-and-service.md 9 and 13 for what exists: see the names of the subtests.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use Fcntl qw(:DEFAULT :mode F_SETFD F_GETFD FD_CLOEXEC);
use IO::Select;
use Ottla::Test::Node;

sub run_ottlad {    # exit code and output of a run that ends by itself
    my @args = @_;
    my $binary = Ottla::Test::Node::binary();
    my $pid = open my $fh, '-|';
    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die;
        exec { $binary } $binary, @args or POSIX::_exit(127);
    }
    my $text = do { local $/; <$fh> } // '';
    close $fh;
    return ($? >> 8, $text);
}

# A request that every version of everything answers: ApiVersions v0.
sub api_versions { return pack 'N n n N n a*', 8 + 2 + 4, 18, 0, 7, 4, 'test' }

sub ask {
    my ($socket) = @_;
    $socket->syswrite(api_versions());
    my $got = '';
    my $select = IO::Select->new($socket);
    while (length $got < 4 || length $got < 4 + unpack 'N', $got) {
        return undef if !$select->can_read($Ottla::Test::Node::PATIENCE);
        return undef if !$socket->sysread($got, 65536, length $got);
    }
    return unpack 'x4 N', $got;    # correlation id
}

subtest 'command line' => sub {
    my ($code, $text) = run_ottlad('--version');
    is($code, 0, 'version');
    like($text, qr/^ottlad \d+\.\d+\.\d+ \(.*\)$/, 'its text');
    ($code, $text) = run_ottlad('--help');
    is($code, 0, 'help');
    like($text, qr/-D DIR/, 'its text');
    is((run_ottlad())[0],                                      78, 'no directory');
    is((run_ottlad('--nonsense'))[0],                          78, 'unknown option');
    is((run_ottlad('-C', 'log.retention.hours'))[1],           "168\n", '-C prints a default');
    is((run_ottlad('-c', 'num.partitions=7', '-C', 'num_partitions'))[1], "7\n", 'loose names');
    is((run_ottlad('-c', 'num.partitions=7', '--check'))[0],   0,  '--check of good settings');
    ($code, $text) = run_ottlad('-c', 'num.partitons=7', '--check');
    is($code, 78, 'unknown setting');
    like($text, qr/num\.partitions/, 'the nearest name is offered');
    is((run_ottlad('-c', 'producer.state.entries=4000001', '--check'))[0], 78, 'more producers than shared memory has room for');
    is((run_ottlad('-c', 'producer.state.entries=4000000', '--check'))[0], 0, 'as many as there is room for');
    is((run_ottlad('-c', 'listeners=NONSENSE', '--check'))[0], 78, 'bad listeners');
    is((run_ottlad('-c', 'listeners=SSL://localhost:1', '--check'))[0], 78, 'TLS is not there yet');
    is((run_ottlad('-c', 'listeners=PLAINTEXT://0.0.0.0:9092', '--check'))[0], 78,
        'every address needs an advertised one');
};

subtest 'files of settings' => sub {
    my $dir = tempdir(CLEANUP => 1);
    my $write = sub {
        my ($name, $text) = @_;
        open my $fh, '>', "$dir/$name" or die;
        print $fh $text;
        close $fh;
    };
    is((run_ottlad('-c', 'log.segment.bytes=512MB', '-C', 'log.segment.bytes'))[1], "536870912\n", 'bytes with units');
    $write->('ottla.conf', "log.retention.ms = '3d'\n");
    is((run_ottlad('-D', $dir, '-C', 'log.retention.ms'))[1], "259200000\n", 'time with units, from ottla.conf');
    $write->('ottla.conf', "# one\nnum.partitions = 3\nlog.segment.byts = 4\n");
    my ($code, $text) = run_ottlad('-D', $dir, '--check');
    is($code, 78, 'ottla.conf with an unknown name');
    like($text, qr/ottla\.conf:3: unknown setting "log\.segment\.byts"; did you mean "log\.segment\.bytes"/, 'file, line, nearest');
    unlink "$dir/ottla.conf";
    $write->('server.properties', "num.partitions=3\n\nlog.segment.byts=4\n");
    ($code, $text) = run_ottlad('-D', $dir, '--properties', "$dir/server.properties", '--check');
    is($code, 0, 'properties with an unknown name');
    like($text, qr/WARNING.*server\.properties:3: .*"log\.segment\.byts".*"log\.segment\.bytes"/, 'a warning with file and line');
    $write->('server.properties', "num.partitions=x\n");
    ($code, $text) = run_ottlad('-D', $dir, '--properties', "$dir/server.properties", '--check');
    is($code, 78, 'properties with a bad value');
    like($text, qr/ERROR.*server\.properties:1: num\.partitions/, 'file and line');
};

subtest 'first start, titles, pid file, clean stop' => sub {
    my $node = Ottla::Test::Node->new(name => 'alpha');
    $node->start;
    like($node->ready_address, qr/^localhost:@{[ $node->port ]}$/, 'the line ready');
    my $socket = $node->connect_tcp;
    is(ask($socket), 7, 'TCP answers');
    my $local = $node->connect_unix;
    is(ask($local), 7, 'the Unix socket answers');

    $node->wait_until('startup to finish', sub { !$node->children_of_kind('startup') });
    $node->wait_until('spare backends', sub { 8 == scalar(() = $node->children_of_kind('spare')) });
    my %kinds;
    push @{ $kinds{ $_->{kind} } }, $_ for $node->children;
    is_deeply([ sort keys %kinds ], [qw(backend checkpointer controller coordinator exporter retention spare)], 'kinds');
    is(scalar @{ $kinds{coordinator} }, 4, 'four coordinators');
    is(scalar @{ $kinds{backend} }, 2, 'a backend per connection');
    for my $child (grep { $_->{kind} ne 'spare' } $node->children) {
        like($child->{title}, qr/^ottlad: alpha: $child->{kind}\b/, "title of $child->{kind}");
        is($child->{comm}, substr("ottlad-$child->{kind}", 0, 15), "comm of $child->{kind}");
    }
    my ($tcp) = grep { $_->{detail} =~ /^PLAINTEXT/ } @{ $kinds{backend} };
    my $from = $socket->sockport;
    like($tcp->{detail}, qr/^PLAINTEXT 127\.0\.0\.1:$from /, 'a backend names its client');
    like($kinds{checkpointer}[0]{detail}, qr/^idle$/, 'an idle checkpointer');
    like($kinds{retention}[0]{detail}, qr/^idle$/, 'an idle retention worker');
    like($kinds{controller}[0]{detail}, qr/^leader epoch \d+ offset \d+$/, 'the active controller');
    kill 'TERM', $kinds{checkpointer}[0]{pid};    # not its order to stop
    like(Ottla::Test::Node::slurp('/proc/' . $node->pid . '/cmdline'), qr/-D\0/,
        'the supervisor keeps its command line');

    my @lines = $node->pid_file;
    is($lines[0], $node->pid, 'pid file: pid');
    is($lines[1], $node->dir, 'pid file: directory');
    cmp_ok(abs($lines[2] - time), '<', 100, 'pid file: start time');
    is($lines[3], $node->port, 'pid file: port');
    is($lines[7], 'ready   ', 'pid file: status');
    is((stat $node->dir)[2] & 07777, 0750, 'mode of the directory');
    ok(-S $node->unix_socket, 'socket');
    is((stat $node->unix_socket)[2] & 0777, 0777, 'mode of the socket');

    for my $place (qw(meta log)) {
        my $text = Ottla::Test::Node::slurp($node->dir . "/$place/meta.properties");
        like($text, qr/^version=1\ncluster\.id=[\w-]{22}\nnode\.id=1\ndirectory\.id=[\w-]{22}\n$/,
            "$place/meta.properties");
    }
    is($node->wait_child('checkpointer')->{pid}, $kinds{checkpointer}[0]{pid}, 'SIGTERM does not end a checkpointer');
    is($node->stop('fast'), 0, 'fast stop');
    ok(!-e $node->dir . '/ottlad.pid', 'the pid file is gone');
    ok(!-e $node->unix_socket,         'the socket is gone');
    is($socket->sysread(my $byte, 1), 0, 'the client was hung up on');
    my $log = $node->log_new;
    like($log, qr/stopping; state=\S+ clients=2$/m, 'idle backends are no clients, at the end neither');
    like($log, qr/LOG: .*starting.*data_dir=/, 'first line');
    like($log, qr/LOG: .*ready.*listeners=PLAINTEXT:.*cluster_id=.*node_id=1/, 'ready line');
    like(Ottla::Test::Node::slurp($node->dir . '/log/.kafka_cleanshutdown'),
        qr/^\{"version":0,"brokerEpoch":\d+\}$/, 'clean marker');

    $node->start;
    like($node->log_new, qr/clean_start=yes/, 'the next start is a clean one');
    is($node->stop('smart'), 0, 'smart stop without clients');
    $node->clean_up;
};

subtest 'locks, owner, identity' => sub {
    my $node = Ottla::Test::Node->new->start;
    my $second = Ottla::Test::Node->new(dir => $node->dir);
    is($second->launch->wait_exit, 75, 'a second start in the same directory');
    my $pid = $node->pid;
    like($second->log_text, qr/locked by process $pid \(.*ottlad/, 'the holder is named');
    my $other = Ottla::Test::Node->new(port => $node->port);
    is($other->launch->wait_exit, 1, 'a port in use');
    is(ask($node->connect_tcp), 7, 'the first node is unharmed');
    is($node->stop, 0, 'stop');

    $node->set('node.id' => 5);
    is($node->launch->wait_exit, 78, 'another node.id');
    like($node->log_new, qr/belongs to node 1, but node\.id is 5/, 'and why');
    delete $node->{conf}{'node.id'};
    chmod 0777, $node->dir;
    is($node->launch->wait_exit, 77, 'a directory open to others');
    chmod 0750, $node->dir;
    $node->clean_up;

    my $strict = Ottla::Test::Node->new(args => ['--no-auto-format']);
    is($strict->launch->wait_exit, 1, 'no directory, none made');
    mkdir $strict->dir, 0750;
    mkdir $strict->dir . "/$_", 0750 for qw(meta log);
    is($strict->launch->wait_exit, 78, 'not formatted, not to be');
    @{ $strict->{args} } = ();
    open my $fh, '>', $strict->dir . '/log/precious' or die;
    close $fh;
    is($strict->launch->wait_exit, 78, 'a directory with strange files is not formatted');
    $strict->clean_up;
};

subtest 'stops' => sub {
    my $node = Ottla::Test::Node->new(conf => { 'smart.shutdown.timeout' => '60s' })->start;
    my $socket = $node->connect_tcp;
    is(ask($socket), 7, 'client');
    $node->signal('TERM');
    $node->wait_for_log(qr/stopping/);
    is(ask($socket), 7, 'smart: the client may stay');
    ok(!IO::Socket::INET->new(PeerAddr => $node->address), 'smart: nobody new');
    close $socket;
    is($node->wait_exit, 0, 'smart: ends with the last client');

    $node->start;
    $socket = $node->connect_tcp;
    ask($socket);
    $node->signal('TERM');
    $node->wait_for_log(qr/stopping/);
    $node->signal('TERM');
    is($node->wait_exit, 0, 'a second SIGTERM is fast');

    $node->set('smart.shutdown.timeout' => '300ms')->start;
    $socket = $node->connect_tcp;
    ask($socket);
    is($node->stop('smart'), 0, 'smart: ends after its timeout');

    $node->start;
    $socket = $node->connect_tcp;
    ask($socket);
    is($node->stop('immediate'), 1, 'immediate');
    ok(!-e $node->dir . '/log/.kafka_cleanshutdown', 'immediate: no clean marker');
    $node->start;
    like($node->log_new, qr/clean_start=no/, 'the next start recovers');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'death of a backend' => sub {
    my $node = Ottla::Test::Node->new->start;
    my ($one, $two) = ($node->connect_tcp, $node->connect_tcp);
    is(ask($_), 7, 'client') for $one, $two;
    my $port = $one->sockport;
    my ($victim) = grep { $_->{detail} =~ /:$port / } $node->children_of_kind('backend');
    my $controller = $node->wait_child('controller')->{pid};
    kill 'KILL', $victim->{pid};
    like($node->wait_for_log(qr/backend died by signal 9/), qr/pid=$victim->{pid}/, 'obituary');
    like($node->wait_for_log(qr/DETAIL/), qr/last title "backend PLAINTEXT/, 'what it did');
    is($one->sysread(my $byte, 1), 0, 'its connection ended');
    is(ask($two), 7, 'the other goes on');
    is($node->wait_child('controller')->{pid}, $controller, 'no cycle');
    $node->clean_up;
};

subtest 'death of a worker' => sub {
    my $node = Ottla::Test::Node->new->start;
    for my $kind (qw(controller checkpointer retention)) {
        my $socket = $node->connect_tcp;
        is(ask($socket), 7, "client before the death of the $kind");
        my $old = $node->kill_child(KILL => $kind);
        $node->wait_for_log(qr/$kind died by signal 9/);
        $node->wait_for_log(qr/recovered after a crash/);
        is($socket->sysread(my $byte, 1) // 0, 0, 'connections are lost');
        isnt($node->wait_child($kind)->{pid}, $old, "a new $kind");
        is(ask($node->connect_tcp), 7, 'and served again');
        is(($node->pid_file)[7], 'ready   ', 'status');
    }
    is($node->stop, 0, 'stop');
    $node->clean_up;

    $node = Ottla::Test::Node->new(conf => { 'restart.after.crash' => 'off' })->start;
    $node->kill_child(KILL => 'retention');
    is($node->wait_exit, 1, 'restart.after.crash=off ends the node');
    $node->clean_up;
};

subtest 'five crashes end the node' => sub {
    my $node = Ottla::Test::Node->new->start;
    for my $n (1 .. 5) {
        $node->kill_child(KILL => 'retention');
        $n < 5 ? $node->wait_for_log(qr/recovered after a crash/)
               : is($node->wait_exit, 1, 'the fifth cycle ends it');
    }
    $node->clean_up;
};

subtest 'death of the supervisor' => sub {
    my $node = Ottla::Test::Node->new->start;
    my $socket = $node->connect_tcp;
    ask($socket);
    my @pids = map { $_->{pid} } $node->children;
    kill STOP => $node->wait_child($_)->{pid} for qw(backend spare checkpointer);    # deaf to every pipe
    $node->signal('KILL');
    $node->wait_exit;
    my $began = Time::HiRes::time();
    $node->wait_until('children to end', sub { !grep { Ottla::Test::Node::process_lives($_) } @pids });
    cmp_ok(Time::HiRes::time() - $began, '<', 5, 'children are gone within 5 s');
    $node->start;
    is(ask($node->connect_tcp), 7, 'a new start works');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'started by root' => sub {
    plan skip_all => 'not root' if $> != 0;
    my $uid_of = sub { (Ottla::Test::Node::slurp("/proc/$_[0]/status") =~ /^Uid:\s+(\d+)\s+(\d+)/m)[1] };
    my $node = Ottla::Test::Node->new;
    $node->{args} = [ '--user', 'nobody' ];
    $node->start;
    is($uid_of->($node->pid), scalar getpwnam('nobody'), '--user');
    # The startup process may be about to end.
    is($uid_of->($_->{pid}), scalar getpwnam('nobody'), "user of the $_->{kind}") for grep { $_->{kind} ne 'startup' } $node->children;
    is((stat $node->dir)[4], scalar getpwnam('nobody'), 'owner of the directory it made');
    is(ask($node->connect_tcp), 7, 'it serves');
    is($node->stop, 0, 'stop');
    my ($code, $text) = run_ottlad('-D', $node->dir, '-p', $node->port, '--user', 'no-such-user');
    is($code, 78, 'unknown user');
    $node->{args} = [ '--user', 'root' ];
    is($node->launch->wait_exit, 77, 'a directory of somebody else');
    $node->clean_up;

    # A start as root without --user changes to another user, who cannot have a node's directory that is root's.
    $node = Ottla::Test::Node->new->start;
    ($code, $text) = run_ottlad('-D', $node->dir, '-p', Ottla::Test::Node::free_port());
    is($code, 77, 'the directory of a node of root, as another user');
    is((stat $node->dir)[4], 0, 'it stays whose it is');
    is($node->restart->stop, 0, 'and starts again');
    $node->clean_up;
};

subtest 'settings of the conformance run' => sub {
    my $conform = '../shared/conformance/conform';
    plan skip_all => 'no ../shared here' if !-x $conform;
    my @lines = grep { /^[\w.]+=/ } split /\n/, `$conform settings`;
    ok(@lines > 5, 'there are some');
    my $node = Ottla::Test::Node->new(args => [ map { ('-c', $_) } @lines ])->start;
    is(ask($node->connect_tcp), 7, 'the node serves with all of them');
    like($node->log_new, qr/nothing acts on them yet: .*transaction\.abort\.timed\.out\.transaction/,
        'one line names those of features to come');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'reload' => sub {
    my $node = Ottla::Test::Node->new(name => 'beta');
    mkdir $node->dir, 0750;
    my $write = sub {
        open my $fh, '>', $node->dir . '/ottla.conf' or die;
        print $fh @_;
        close $fh;
    };
    $write->("max.connections.per.ip = 1\n");
    $node->start;
    my $one = $node->connect_tcp;
    is(ask($one), 7, 'one connection');
    is(ask($node->connect_tcp), undef, 'the second is closed');
    $write->("max.connections.per.ip = 1\nnonsense nonsense =\n");
    $node->reload;
    like($node->wait_for_log(qr/ottla\.conf:2/), qr/ERROR/, 'a syntax error names file and line');
    $node->wait_for_log(qr/nothing applied/);
    is(ask($node->connect_tcp), undef, 'nothing was applied');
    $write->("max.connections.per.ip = 10\nbackend.slots = 500\n");
    $node->reload;
    $node->wait_for_log(qr/needs a restart/);
    $node->wait_for_log(qr/Reloaded/);
    is(ask($node->connect_tcp), 7, 'the new value is in force');
    is(ask($one), 7, 'the old connection lives');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

done_testing;
