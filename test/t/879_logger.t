#!/usr/bin/perl
# 879_logger.t - log lines in files: the logger of a real node
#
# Proves shell-and-service.md 9 and 11: lines of all processes arrive whole and once, whoever writes at once, through rotation by
# size, age, signal and ottlactl, through a crash of all others and kill -9 of the logger; the view server_log shows the same
# ones; the logger is the last to go. A reload changes where lines go. A full disk and a logger that stands still keep nobody from
# serving requests, and what is missing is counted.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Disk;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Ottla::Test::Wire;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $prefix = qr/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\] [a-z]+ /;
my $line   = qr/$prefix(?:LOG|INFO|NOTICE|WARNING|ERROR):  [a-z.]+: .*|\t$prefix(?:DETAIL|HINT|CONTEXT):  .*/;

sub files { my ($node) = @_; return sort glob $node->dir . '/server_log/*' }
sub text { my ($node) = @_; return join '', map { Ottla::Test::Node::slurp($_) } files($node) }
sub logger { my ($node) = @_; return ($node->children_of_kind('logger'))[0] }
sub view { my ($node, @what) = @_; return Ottla::Test::Wire->new($node->connect_unix)->stat(@what) }
sub said { my ($node, $pattern) = @_; $node->wait_until("line $pattern", sub { text($node) =~ $pattern }); return }
sub whole { my ($text) = @_; return grep { !/^$line$/ } split /\n/, $text }

sub collecting { my (%conf) = @_; return Ottla::Test::Node->new(conf => { 'log.destination' => 'file', 'log.connections' => 'true', %conf }) }

# So many processes connect so many times each, at once; the ports they had.
sub crowd {
    my ($node, $processes, $times) = @_;
    my @from = map {
        my $pid = open(my $from, '-|') // die "fork: $!";
        if (!$pid) {
            for (1 .. $times) {
                my $socket = $node->connect_tcp;
                syswrite STDOUT, $socket->sockport . "\n";
            }
            POSIX::_exit(0);
        }
        $from;
    } 1 .. $processes;
    my @ports = map { my $from = $_; my @of = <$from>; close $from or die 'a client failed'; map { s/\n//r } @of } @from;
    return @ports;
}

# How often each of these connections was told of.
sub told {
    my ($text) = @_;
    my %times;
    $times{$1}++ while $text =~ /connection begins; peer=127\.0\.0\.1:(\d+) /g;
    return \%times;
}

sub told_once {
    my ($node, $ports, $what) = @_;
    my (%wanted, $times);
    $wanted{$_}++ for @$ports;
    $node->wait_until($what, sub { $times = told(text($node)); !grep { ($times->{$_} // 0) < $wanted{$_} } keys %wanted });
    is_deeply([ grep { $times->{$_} != $wanted{$_} } keys %wanted ], [], $what);
    return;
}

subtest 'lines of many processes, and files that follow one another' => sub {
    my $node = collecting('log.rotation.size' => 3000, 'log.rotation.age' => 1000)->start;
    unlike($node->log_text, qr/ready;/, 'stderr says nothing more');
    like($node->log_text, qr/log lines from here on go to files; directory=server_log$/m, 'and where they are');
    said($node, qr/supervisor LOG:  supervisor: ready;/);
    my $logger = logger($node);
    my @ports = (crowd($node, 20, 10));
    my $began = time;
    while (time - $began < 2.5) {
        kill 'USR1', $logger->{pid};
        push @ports, crowd($node, 5, 2);
    }
    told_once($node, \@ports, scalar(@ports) . ' connections are told of, each once');
    cmp_ok(scalar(() = files($node)), '>=', 3, 'in files by age and size');
    is(logger($node)->{pid}, $logger->{pid}, 'of one logger');
    kill $_, $logger->{pid} for qw(TERM INT QUIT);
    my $rows = view($node, 'server_log');
    my %seen = map { $_->{message} => 1 } @$rows;
    is(scalar(grep { /peer=127\.0\.0\.1:$ports[0] / } keys %seen), 1, 'the view server_log has them, too');
    my ($worker) = grep { $_->{kind} eq 'logger' } @{ view($node, 'workers') };
    is($worker->{pid}, $logger->{pid}, 'the view workers names it, which ignored orders to end');
    is($worker->{restarts}, 0, 'never restarted');
    is($node->stop, 0, 'stop');
    ok(!Ottla::Test::Node::process_lives($logger->{pid}), 'the logger is gone');
    my $text = text($node);
    like($text, qr/supervisor: stopped; exit_code=0\n\z/, 'its last line is that of the supervisor');
    is_deeply([ whole($text) ], [], 'every line is whole');
    $node->clean_up;
};

subtest 'levels that requests set reach every process' => sub {
    my $metrics = Ottla::Test::Node::free_port();
    my $node = collecting('log.filename' => 'node.log', 'log.rotation.age' => 0, 'metrics.listen' => "127.0.0.1:$metrics", 'checkpoint.interval.ms' => 300)->start;
    my $scraper;
    $node->wait_until('metrics', sub { $scraper = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $metrics) });
    $node->wait_child($_) for qw(checkpointer controller coordinator exporter retention);
    my @others = grep { $_->{kind} !~ /^(?:logger|backend|spare|)$/ } $node->children;
    my $c = Ottla::Test::Wire->new($node);
    my $level = sub {
        my ($logger, $value) = @_;
        my $body = pack('N c n/a* N n/a* c', 1, 8, '1', 1, $logger, defined $value ? 0 : 1) . (defined $value ? pack 'n/a*', $value : pack 'n', 0xffff);
        is(unpack('n', substr $c->call(44, 0, $body . "\0"), 8), 0, "level of $logger: " . ($value // 'no longer its own'));
    };
    my $turn = 0;
    my $file = $node->dir . '/server_log/node.log';
    my $rotated = sub {    # what the next file begins with
        rename $file, $file . ++$turn or die "$file: $!";
        is(system(Ottla::Test::Node::binary() =~ s/ottlad$/ottlactl/r, 'logrotate', '-s', '-D', $node->dir), 0, 'another file');
        $node->wait_until('the file anew', sub { -e $file });
        crowd($node, 1, 1);
        $node->wait_until('lines in it', sub { Ottla::Test::Node::slurp($file) =~ /connection begins/ });
        return Ottla::Test::Node::slurp($file) =~ /logger DEBUG1:  logger: log lines go to a file; path=\Q$file\E$/m;
    };
    ok(!$rotated->(), 'the logger says nothing of its file');
    $level->('root', 'DEBUG');
    $c->call(16, 0, '');    # the coordinators are asked
    $scraper->syswrite("GET /metrics HTTP/1.0\r\n\r\n");
    for my $other (@others, { pid => $node->pid, kind => 'supervisor' }, { pid => '\d+', kind => 'backend' }) {
        said($node, qr/\[$other->{pid}\] $other->{kind} DEBUG1:  settings: what requests have set is taken over$/m);
        pass("$other->{kind} has taken it over");
    }
    ok($rotated->(), '... and so has the logger');
    $level->('logger', 'INFO');
    ok(!$rotated->(), 'a level of its own');
    $level->('logger', undef);
    ok($rotated->(), '... and none again');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'kill -9 of the logger, and of others' => sub {
    my $node = collecting()->start;
    my $logger = logger($node);
    kill 'STOP', $logger->{pid};
    my @ports = crowd($node, 4, 10);    # lie in the pipe
    kill 'KILL', $logger->{pid};
    push @ports, crowd($node, 4, 10);
    told_once($node, \@ports, 'what was in the pipe is written by the next one');
    said($node, qr/WARNING:  supervisor: logger ended by signal 9, it is started again; pid=$logger->{pid}$/m);
    is((grep { $_->{kind} eq 'logger' } @{ view($node, 'workers') })[0]{last_error}, 'died by signal 9: SIGKILL', 'the view workers says so');
    unlike(text($node), qr/stopping all processes/, 'nobody else noticed');
    my $second = logger($node);
    $node->kill_child('KILL', 'retention');
    said($node, qr/node recovered after a crash; cycle=1 /);
    is(logger($node)->{pid}, $second->{pid}, 'a crash of others leaves it alone');
    is((grep { $_->{kind} eq 'logger' } @{ view($node, 'workers') })[0]{pid}, $second->{pid}, 'and known');
    push @ports, crowd($node, 4, 5);
    told_once($node, \@ports, 'lines go on');
    $node->signal('KILL')->wait_exit;
    ok(comes_true(sub { !Ottla::Test::Node::process_lives($second->{pid}) }, 10), 'kill -9 of the supervisor: it ends by itself');
    is_deeply([ whole(text($node)) ], [], 'every line is whole');
    $node->clean_up;
};

subtest 'ottlactl logrotate, after somebody has moved the file' => sub {
    my $node = collecting('log.filename' => 'node.log', 'log.rotation.age' => 0, 'log.directory' => 'said')->start;
    my $file = $node->dir . '/said/node.log';
    my $ottlactl = Ottla::Test::Node::binary() =~ s/ottlad$/ottlactl/r;
    my @ports;
    for my $turn (1 .. 5) {
        push @ports, crowd($node, 4, 3);
        rename $file, "$file.$turn" or die "$file: $!";
        push @ports, crowd($node, 4, 3);
        is(system($ottlactl, 'logrotate', '-s', '-D', $node->dir), 0, 'ottlactl logrotate');
        $node->wait_until('the file anew', sub { -e $file });
    }
    is($node->stop, 0, 'stop');
    my $text = join '', map { Ottla::Test::Node::slurp($_) } glob "$file*";
    my $times = told($text);
    is_deeply([ grep { !$times->{$_} } @ports ], [], scalar(@ports) . ' connections are told of in all of the files together');
    is_deeply([ whole($text) ], [], 'every line is whole');
    $node->clean_up;
};

subtest 'a reload changes where lines go' => sub {
    my $node = Ottla::Test::Node->new;
    mkdir $node->dir, 0750;
    my $conf = sub {
        my ($text) = @_;
        open my $to, '>', $node->dir . '/ottla.conf' or die $!;
        print $to $text;
        close $to or die $!;
        $node->reload if $node->pid;
    };
    $conf->('');
    $node->start;
    is(logger($node), undef, 'without files there is no logger');
    $conf->("log.destination = file\nlog.connections = on\n");
    said($node, qr/LOG:  settings: log\.destination: auto -> file /);
    my $logger = $node->wait_child('logger');
    my @ports = crowd($node, 3, 3);
    told_once($node, \@ports, 'lines of new and old processes go to files');
    $conf->("log.destination = file\nlog.connections = on\nlog.filename = 'other-%Y.log'\n");
    $node->wait_until('another name', sub { grep { /other-\d{4}\.log$/ } files($node) });
    $conf->("log.connections = on\n");
    $node->wait_for_log(qr/LOG:  settings: log\.destination: file -> auto /);
    my ($port) = crowd($node, 1, 1);
    $node->wait_for_log(qr/connection begins; peer=127\.0\.0\.1:$port /);
    pass('and back to stderr');
    is(logger($node)->{pid}, $logger->{pid}, 'the logger stays for those who know it not yet');
    is($node->stop, 0, 'stop');
    ok(!Ottla::Test::Node::process_lives($logger->{pid}), 'and is gone then');
    $node->clean_up;
};

subtest 'a logger that stands still' => sub {
    my $node = collecting()->start;
    my $logger = logger($node);
    kill 'STOP', $logger->{pid};
    my $c = Ottla::Test::Wire->new($node);
    my $began = time;
    crowd($node, 4, 150);
    $c->create_topic('t');
    is(scalar Ottla::Test::Wire::produced($c->call(0, 7, Ottla::Test::Wire::produce_body('t', Ottla::Test::Wire::batch(10))), 't'), 0, 'produce goes on');
    cmp_ok(time - $began, '<', 20, 'nobody waits for the log');
    kill 'CONT', $logger->{pid};
    my $told = 0;
    $node->wait_until('all are told of or counted', sub {
        crowd($node, 1, 1);    # somebody says something
        my $text = text($node);
        $told = () = $text =~ /connection begins/g;
        my $lost = 0;
        $lost += $1 while $text =~ /log lines were lost, nobody took them; lines=(\d+)/g;
        $lost > 0 && $told + $lost > 600;
    });
    cmp_ok($told, '>', 100, 'the pipe keeps some');
    is_deeply([ whole(text($node)) ], [], 'every line is whole');
    is($node->stop, 0, 'stop');
    $node->clean_up;
};

subtest 'a full disk' => sub {
    plan skip_all => Ottla::Test::Disk::missing() if Ottla::Test::Disk::missing();
    my $disk = Ottla::Test::Disk->new(size_mb => 32);
    chmod 0777, $disk->dir;
    my $node = collecting('log.directory' => $disk->dir . '/logs', 'log.filename' => 'f')->start;
    my $text = sub { Ottla::Test::Node::slurp($disk->dir . '/logs/f') };
    my $c = Ottla::Test::Wire->new($node);
    $c->create_topic('t');
    $disk->fill(0);
    crowd($node, 4, 40);
    is(scalar Ottla::Test::Wire::produced($c->call(0, 7, Ottla::Test::Wire::produce_body('t', Ottla::Test::Wire::batch(10))), 't'), 0, 'produce goes on');
    $node->wait_for_log(qr/ERROR:  logger: log lines are lost: /);
    $disk->make_room;
    $node->wait_until('the count of what is missing', sub { crowd($node, 1, 1); $text->() =~ /WARNING:  logger: log lines were lost, the disk did not take them; lines=\d+$/m });
    is_deeply([ whole($text->()) ], [], 'every line is whole');
    is($node->stop, 0, 'stop');
    $node->clean_up;
    $disk->remove;
};

done_testing;
