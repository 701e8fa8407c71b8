#!/usr/bin/perl
# 404_silent_names.t - a name server that does not answer while the node starts
#
# Proves: the supervisor waits for nobody. An order to stop is obeyed while addresses of listeners are asked for, those of
# the settings and those that a request has added before; the node is ready with all of them once there is an answer.
# The silence is a library's between the node and the resolver (test/fault).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use IO::Socket::INET;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my ($first, $extra) = map { Ottla::Test::Node::free_port() } 1, 2;
my $listeners = "PLAINTEXT://127.0.0.1:$first";
my $map       = 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT';
my $node      = Ottla::Test::Node->new(port => $first, conf => {
    'listeners' => $listeners, 'advertised.listeners' => $listeners, 'listener.security.protocol.map' => $map });
$node->{env} = { LD_PRELOAD => "$ENV{OTTLA_BUILD}/release/fault/libfault.so", FAULT_RULES => "$node->{base}/faults" };

sub silent {
    my ($yes) = @_;
    my $file = $node->{env}{FAULT_RULES};
    open my $fh, '>', "$file.new" or die $!;
    print $fh "getaddrinfo localhost wait\n" if $yes;
    close $fh;
    rename "$file.new", $file or die $!;
    return;
}

# The exit code, or 256 and the signal; the stop must not take long.
sub ends {
    my $since = time;
    $node->signal('TERM')->wait_exit;
    cmp_ok(time - $since, '<', 5, 'SIGTERM is obeyed at once');
    return $node->{exit};
}

silent(0);
$node->start;
my $answer = Ottla::Test::Api->new($node)->ask(IncrementalAlterConfigs => 1, { validate_only => 0,
    resources => [ { resource_type => 4, resource_name => '1', configs => [
        { name => 'listeners', config_operation => 0, value => "$listeners,EXTRA://localhost:$extra" },
        { name => 'listener.security.protocol.map', config_operation => 0, value => "$map,EXTRA:PLAINTEXT" } ] } ] });
is($answer->{responses}[0]{error_code}, 0, 'a listener is added');
is($node->stop('fast'), 0, 'clean stop');

subtest 'of a listener that was added' => sub {
    silent(1);
    $node->launch->wait_for_log(qr/active controller of the quorum/);
    is(ends(), 0, 'in order');
    unlike($node->log_text =~ s/.*starting;//sr, qr/ready;/, 'it was not ready');
    $node->launch->wait_for_log(qr/active controller of the quorum/);
    silent(0);
    $node->wait_ready;
    ok(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $extra), 'ready with it when the answer is there');
    is($node->stop('fast'), 0, 'clean stop');
};

subtest 'of a listener in the settings' => sub {
    silent(1);
    $node->set(listeners => "PLAINTEXT://localhost:$first")->launch->wait_for_log(qr/starting;/);
    $node->wait_until('the directories to be open', sub { -e $node->dir . '/ottlad.pid' });
    is(ends(), 256 + 15, 'by the signal');
    silent(0);
    $node->start;
    is($node->stop('fast'), 0, 'the next start takes over');
};

done_testing;
