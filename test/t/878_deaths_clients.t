#!/usr/bin/perl
# 878_deaths_clients.t - processes of a node are killed while ordinary clients are at work
#
# Proves what scenario 29 of shell-and-service.md says of clients and views: kill -9 of a backend ends its connection alone, of
# a worker all of them; producers (acks=all and acks=1) and a consumer of librdkafka come back by themselves and lose nothing; a
# node that went through a crash counts the restarts of its workers anew. (What the log and systemd are told: 020, 021; under
# load: 100, 101; the exporter: 880.)
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Node;
use Ottla::Test::Wire;
use POSIX ();
use Test::More;

plan skip_all => 'no kcat' if !grep { -x "$_/kcat" } split /:/, $ENV{PATH};
my $node = Ottla::Test::Node->new->start;
my $out  = "$node->{base}/consumed";
is(Ottla::Test::Wire->new($node)->create_topic('t', 1), 0, 'a topic');

my @pids;
END { local $?; kill 'KILL', @pids if @pids }

# kcat as a client of a name; its input is what is written to the handle.
sub kcat {
    my ($name, @args) = @_;
    pipe my $read, my $write or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        close $write;
        open STDIN, '<&', $read;
        open STDOUT, '>', $name eq 'reader' ? $out : '/dev/null';
        open STDERR, '>', "$node->{base}/$name.err";
        exec 'kcat', '-E', '-b', $node->address, '-X', "client.id=$name", '-X', 'reconnect.backoff.max.ms=200', '-X', 'allow.auto.create.topics=false', @args or POSIX::_exit(127);
    }
    push @pids, $pid;
    $write->autoflush(1);
    return { pid => $pid, in => $write };
}

my %writer = map { ("w$_" => kcat("w$_", '-P', '-t', 't', '-X', "acks=$_")) } 'all', 1;
my $reader = kcat('reader', '-C', '-u', '-t', 't', '-o', 'beginning');
my (%sent, $n);

# Each writes some, and all of it arrives, behind whatever happens to the node.
sub goes_on {
    my ($when) = @_;
    for my $name (sort keys %writer) {
        for (1 .. 5) { my $line = "$name-" . ++$n; $sent{$line} = 1; print { $writer{$name}{in} } "$line\n" }
        print { $writer{$name}{in} } 'x' x 5000, "\n"; # kcat takes what fills its buffer
    }
    my @missing;
    my $came = eval { $node->wait_until($when, sub { my %got = map { $_ => 1 } split /\n/, Ottla::Test::Node::slurp($out); !(@missing = grep { !$got{$_} } sort keys %sent) }) };
    ok($came, "$when: everything arrives") or diag "missing: @missing\n", $node->log_tail;
    ok(!(grep { waitpid($_, POSIX::WNOHANG()) } @pids), "$when: the clients live");
    return;
}

sub own { return Ottla::Test::Wire->new($node->connect_unix, 'ottla') }

# Client => [pids of its backends].
sub backends {
    my %of;
    push @{ $of{ $_->{client_id} } }, $_->{pid}
        for sort { $a->{pid} <=> $b->{pid} } grep { ($_->{client_id} // '') =~ /^(?:w\w+|reader)$/ } @{ own()->stat('activity', [qw(pid client_id)]) };
    return \%of;
}

goes_on('at first');

subtest 'shell 29: kill -9 of a backend: only its own client reconnects' => sub {
    my $before = backends();
    is_deeply([ sort keys %$before ], [qw(reader w1 wall)], 'three clients');
    kill 'KILL', @{ $before->{wall} };
    like($node->wait_for_log(qr/backend died by signal 9/), qr/pid=(?:@{[ join '|', @{ $before->{wall} } ]})\b/, 'the log names it');
    like($node->wait_for_log(qr/DETAIL/), qr{last title "backend PLAINTEXT 127\.0\.0\.1:\d+ ANONYMOUS}, '... and what it ran');
    goes_on('behind the death of a backend');
    my $after = backends();
    is_deeply([ @$after{qw(reader w1)} ], [ @$before{qw(reader w1)} ], 'the others have their connections');
    isnt("@{ $after->{wall} }", "@{ $before->{wall} }", 'the one has another');
};

subtest 'shell 29: kill -9 of a worker: all clients reconnect, restarts are counted anew' => sub {
    my $before = backends();
    my $view = sub { return own()->stat('workers', undef, { kind => 'coordinator', index => 1 })->[0] };
    my $victim = $view->();
    kill 'KILL', $victim->{pid};
    $node->wait_until('another coordinator', sub { my $next = $view->(); $next && $next->{pid} != $victim->{pid} && $next->{restarts} == 1 });
    is_deeply(backends(), $before, 'of the death of a coordinator no client hears');
    $node->kill_child(KILL => 'checkpointer');
    $node->wait_for_log(qr/recovered after a crash/);
    goes_on('behind the death of a worker');
    my $after = backends();
    is(scalar(grep { my $pid = $_; grep { $_ == $pid } map { @$_ } values %$after } map { @$_ } values %$before), 0, 'no connection of before is left');
    is($view->()->{restarts}, 0, 'restarts are counted anew');
    is(($node->pid_file)[7], 'ready   ', 'the node is ready');
};

is($node->stop, 0, 'stop');
done_testing;
