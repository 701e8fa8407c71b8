#!/usr/bin/perl
# 862_control.t - OttlaControl: what a super user tells a node to do
#
# Proves: the settings are read again, with the words of the log as an answer; a backend that waits is
# cancelled (its request is answered) or terminated (its connection ends), and nobody else, also not when its pid
# or the generation of its slot is another's; workers are left alone; ottla.auto.conf is changed as a whole
# or not at all, by what the table of settings allows, and counts after a reload and a restart; several at
# a time lose no change; who is no super user is refused; each order leaves a line without values.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;

my ($RELOAD, $TERMINATE, $CANCEL, $ALTER) = 0 .. 3;
my $node = Ottla::Test::Node->new->start;
my $own = Ottla::Test::Wire->new($node->connect_unix, 'admin');
my $client = Ottla::Test::Wire->new($node, 'app');
is($client->create_topic('orders'), 0, 'a topic');
my $auto = $node->dir . '/ottla.auto.conf';

sub setting { my ($name) = @_; return $own->control(order => $ALTER, settings => [ [ $name->[0], $name->[1] ] ]) }

sub auto_lines { return grep { !/^#/ } split /\n/, Ottla::Test::Node::slurp($auto) }

sub waiting {
    my ($wire) = @_;
    my $row;
    $wire->send(1, 4, Ottla::Test::Wire::fetch_body('orders', 0, 60_000));
    $node->wait_until('a fetch to wait',
        sub { ($row) = @{ $own->stat('activity', undef, { client_port => $wire->port }) }; $row && $row->{state} eq 'waiting' });
    return $row;
}

subtest 'cancel and terminate' => sub {
    my $row = waiting($client);
    my $other = waiting(my $bystander = Ottla::Test::Wire->new($node, 'other'));
    my %it = (pid => $row->{pid}, generation => $row->{generation});
    is($own->control(order => $CANCEL, %it, generation => $row->{generation} + 1)->[0], 91, 'another generation: no process');
    is($own->control(order => $TERMINATE, %it, pid => $other->{pid}, generation => 7777)->[0], 91, 'nor another pid of it');
    is($own->control(order => $TERMINATE, pid => 1, generation => 1)->[0], 91, 'nor a stranger');
    is($own->stat('activity', ['state'], { pid => $row->{pid} })->[0]{state}, 'waiting', 'it waits on');
    is_deeply($own->control(order => $CANCEL, %it), [ 0, undef ], 'cancel');
    isnt($client->receive, undef, 'its fetch is answered before its time');
    $row = waiting($client);
    is_deeply($own->control(order => $TERMINATE, %it), [ 0, undef ], 'terminate');
    isnt($client->receive, undef, 'what it had begun is answered');
    is($client->call(18, 0, ''), undef, 'then its connection ends');
    is($own->stat('activity', ['state'], { pid => $other->{pid} })->[0]{state}, 'waiting', 'the other waits as before');
    $node->wait_until('the process to be gone', sub { !@{ $own->stat('activity', ['pid'], { pid => $it{pid} }) } });
    is($own->control(order => $TERMINATE, %it)->[0], 91, 'who is gone is no process');
    my ($worker) = @{ $own->stat('processes', undef, { title => 'retention idle' }) };
    my $refused = $own->control(order => $TERMINATE, pid => $worker->{pid}, generation => $worker->{generation});
    is_deeply($refused, [ 42, "process $worker->{pid} serves no connection" ], 'workers are left alone');
    is($own->control(order => $CANCEL)->[0], 42, 'an order without pid');
    is($own->control(order => 9)->[0], 42, 'no such order');
    ok(kill(0, $worker->{pid}), 'it lives');
};

subtest 'reload' => sub {
    open my $f, '>>', $node->dir . '/ottla.conf' or die $!;
    print $f "log.min.messages = notice\nmax.connections.per.ip = 77\n";
    close $f;
    is_deeply($own->control(order => $RELOAD), [ 0, 'Reloaded' ], 'the settings are read again');
    $node->wait_for_log(qr/max\.connections\.per\.ip: 2147483647 -> 77 \(.*ottla\.conf:\d+\)/);
    open $f, '>>', $node->dir . '/ottla.conf' or die $!;
    print $f "no.such.setting = 1\n";
    close $f;
    my $failed = $own->control(order => $RELOAD);
    is($failed->[0], 40, 'not when they are wrong');
    like($failed->[1], qr/^Reload failed, nothing applied/, "... $failed->[1]");
    my $text = Ottla::Test::Node::slurp($node->dir . '/ottla.conf') =~ s/^no\.such.*\n//mr;
    open $f, '>', $node->dir . '/ottla.conf' or die $!;
    print $f $text;
    close $f;
    is($own->control(order => $RELOAD)->[0], 0, 'mended');
};

subtest 'ALTER SYSTEM' => sub {
    is_deeply(setting([ 'Log_Retention_MS', '7d' ]), [ 0, undef ], 'a setting as people write it');
    is_deeply([ auto_lines() ], ["log.retention.ms = '7d'"], 'stands in the file under its name');
    is((stat $auto)[2] & 0777, 0600, 'which is nobody else\'s');
    is_deeply(setting([ 'backend.slots', '2000' ]), [ 0, undef, 'backend.slots' ], 'one that needs a restart');
    for (
        [ [ 'log.retention.ms', '7x' ], qr/log\.retention\.ms/, 'a bad value' ],
        [ [ 'log.retention.mss', '1' ], qr/did you mean "log\.retention\.ms"/, 'an unknown name' ],
        [ [ 'log.retention.ms', "1\n2" ], qr/control byte/, 'a line feed' ],
        [ [ "include", 'x' ], qr/unknown setting/, 'an include' ],
        [ [ 'compression.type', '' ], qr/compression\.type/, 'nothing' ],
    ) {
        my ($what, $why, $name) = @$_;
        my $got = setting($what);
        is($got->[0], 40, "$name: refused");
        like($got->[1], $why, "... $got->[1]");
    }
    is($own->control(order => $ALTER, settings => [ [ 'num.partitions', 3 ], [ 'num.partitions.', 3 ] ])->[0], 40, 'two, one of them wrong');
    is($own->control(order => $ALTER, validate_only => 1, settings => [ [ 'num.partitions', 3 ] ])->[0], 0, 'judged alone');
    is($own->control(order => $ALTER, validate_only => 1, settings => [ [ 'num.partitions', 'x' ] ])->[0], 40, '... and refused');
    is(scalar(auto_lines()), 2, 'nothing of that was written');
    is(setting([ 'log.line.prefix', q{%m '\\ } ])->[0], 0, 'a value with quotes');
    is(setting([ 'num.partitions', 5 ])->[0], 0, 'and another one');
    is($own->control(order => $RELOAD)->[0], 0, 'reload');
    ok((grep { $_ eq q{log.line.prefix = '%m ''\\\\ '} } auto_lines()), 'it is read as it was written') or diag auto_lines();
    $node->wait_for_log(qr/^20\S+ \S+ UTC '\\ LOG: .*num\.partitions: 1 -> 5 \(.*ottla\.auto\.conf:\d+\)/m);
    is_deeply(setting([ 'log.line.prefix', undef ]), [ 0, undef ], 'taken out');
    ok(!(grep { /prefix/ } auto_lines()), 'it is gone');
    $own->control(order => $RELOAD);
    $node->restart('fast');
    $own = Ottla::Test::Wire->new($node->connect_unix, 'admin');
    is($own->control(order => $RELOAD)->[0], 0, 'it starts with that');
    is_deeply($own->control(order => $ALTER, reset_all => 1), [ 0, undef ], 'all taken out');
    is(scalar(auto_lines()), 0, 'the file is empty');
    open my $f, '>>', $auto or die $!;
    print $f "broken 'line\n";
    close $f;
    like(setting([ 'num.partitions', 2 ])->[1], qr/mend the file first: .*ottla\.auto\.conf:2/, 'a file that cannot be read is not lost');
    is($own->control(order => $ALTER, reset_all => 1)->[0], 0, 'but taken out');
};

subtest 'many at a time' => sub {
    my @wires = map { Ottla::Test::Wire->new($node->connect_unix, "w$_") } 1 .. 8;
    my @names = map { "log.level.$_" } qw(backend checkpointer controller datadir exporter listen raft replica);
    for my $round (1 .. 10) {
        $wires[$_]->send(20001, 0, "\0" . Ottla::Test::Wire::control_body(order => $ALTER, settings => [ [ $names[$_], $round % 2 ? 'info' : 'debug' ] ]))
            for 0 .. $#wires;
        is_deeply([ map { Ottla::Test::Wire::control_answer($_->receive)->[0] } @wires ], [ (0) x @wires ], "round $round");
    }
    is_deeply([ sort(auto_lines()) ], [ sort map { "$_ = 'debug'" } @names ], 'no change is lost');
    $own->control(order => $ALTER, reset_all => 1);
};

subtest 'who may' => sub {
    my $tcp = Ottla::Test::Wire->new($node, 'shell');
    is($tcp->control(order => $RELOAD), undef, 'not over TCP as somebody else\'s program');
    $tcp = Ottla::Test::Wire->new($node, 'shell');
    $tcp->call(18, 3, "\0" . Ottla::Test::Wire::compact('ottla') . Ottla::Test::Wire::compact('1.0') . "\0");
    is($tcp->control(order => $_)->[0], 31, "order $_ of who is no super user: refused") for 0 .. 3;
    is(setting([ 'super.users', 'User:alice; User:ANONYMOUS' ])->[0], 0, 'made one');
    $own->control(order => $RELOAD);
    $node->wait_until('the change', sub { $tcp->control(order => $ALTER, validate_only => 1)->[0] == 0 });
    is(setting([ 'super.users', 'User:ANONYMOUS2;User:ANON' ])->[0], 0, 'others alone');
    $own->control(order => $RELOAD);
    $node->wait_until('the change', sub { $tcp->control(order => $ALTER, validate_only => 1)->[0] == 31 });
    pass('and no longer');
    my $me = getpwuid $<;
    like($node->log_text, qr/LOG:  request: change by OttlaControl; principal="User:$me" peer=\[local\] .*what="alter system \(super\.users\)"/, 'a line');
    like($node->log_text, qr/change by OttlaControl; .*what="terminate pid \d+"/, 'of an order about a process');
    like($node->log_text, qr/change by OttlaControl; .*what="alter system \(-log\.line\.prefix\)"/, 'of a setting taken out');
    like($node->log_text, qr/change by OttlaControl; .*what="alter system reset all"/, 'and of all');
    like($node->log_text, qr/order not carried out: reload; principal="User:ANONYMOUS".* code=31/, 'of refused ones, too');
    unlike($node->log_text, qr/(?:order not|change by).*alice/, 'no values');
    unlike($node->log_text, qr/change by.*num\.partitions\./, 'what was refused is no change');
};

is($node->stop, 0, 'stop');
done_testing;
