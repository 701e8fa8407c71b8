#!/usr/bin/perl
# 866_locks.t - who holds a lock that others wait for: the view locks
#
# Proves: while nobody waits there are no rows; a producer that stops with its partition's append lock in its hand is named as
# the holder, with how many wait for it and for how long; the query of ottla-sql(7) says so in the shell; when it goes on, all
# is answered and the rows are gone; a lock whose holder was killed has none, until the next one takes it.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use Ottla::Test::Crashpoints;
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wire;
use POSIX qw(SIGKILL SIGSTOP);
use Test::More;

my $base = tempdir(CLEANUP => 1);
chmod 0755, $base;
my $points = Ottla::Test::Crashpoints->new("$base/crashpoints");
my $node = Ottla::Test::Node->new($points->node)->start;
my $own = Ottla::Test::Wire->new($node->connect_unix, 'viewer');
my $LOCK = 'append orders-0';

sub producer { my ($id) = @_; return Ottla::Test::Wire->new($node, $id) }
sub send_one { my ($wire) = @_; $wire->send(0, 7, Ottla::Test::Wire::produce_body('orders', Ottla::Test::Wire::batch(100))); return $wire }
sub code_of { my ($wire) = @_; return (Ottla::Test::Wire::produced($wire->receive, 'orders'))[0] }
sub lock_row { return $own->stat('locks', undef, { lock => $LOCK })->[0] }

is($own->create_topic('orders'), 0, 'a topic');
is(code_of(send_one(producer('first'))), 0, 'its log is open');
$node->wait_until('no lock to be held', sub { !@{ $own->stat('locks') } });

subtest 'a holder that is stopped' => sub {
    $points->arm(0, 'plog.append.written', 1, SIGSTOP);
    my $holder = send_one(producer('holder'));
    $node->wait_until('it to stop', sub { $points->died(0) });
    my $pid = $points->died(0);
    my $row = lock_row();
    is_deeply([ @$row{qw(node_id mode holder_pid waiters waited_us)} ], [ 1, 'exclusive', $pid, 0, undef ], 'held, nobody waits');
    is($own->stat('activity', undef, { pid => $pid })->[0]{client_id}, 'holder', 'by whom');
    my @waiting = map { send_one(producer("waiting-$_")) } 1, 2;
    $node->wait_until('two to wait', sub { ($row = lock_row())->{waiters} == 2 });
    is($row->{holder_pid}, $pid, 'for the same');
    cmp_ok($row->{waited_us}, '>', 0, "one has waited for $row->{waited_us} us");
    cmp_ok($row->{held_us}, '>=', $row->{waited_us}, "... held for $row->{held_us}");
    my $then = $row;
    $node->wait_until('time to pass', sub { ($row = lock_row())->{held_us} >= $then->{held_us} + 100_000 });
    cmp_ok($row->{waited_us}, '>=', $then->{waited_us} + 50_000, 'both grow');
    my @at_it = @{ $own->stat('activity', undef, { wait_event => 'PartitionLock' }) };
    is_deeply([ sort map { $_->{client_id} } @at_it ], [qw(waiting-1 waiting-2)], 'activity tells the same of those who wait');
    my ($query) = Ottla::Test::Shell::slurp('doc/man/ottla-sql.7') =~ /^(SELECT l\.lock.*?)\n\.Ed$/ms;
    my $told = Ottla::Test::Shell->new(node => $node)->run([qw(-X -At -f -)], stdin => $query);
    like($told->{out}, qr/^\Q$LOCK\E\|2\|\d+\|$pid\|backend\|holder\|/, 'the query of the manual');
    kill 'CONT', $pid;
    is(code_of($_), 0, 'answered') for $holder, @waiting;
    $node->wait_until('the lock to be free', sub { !lock_row() });
};

subtest 'a holder that was killed' => sub {
    $points->arm(1, 'plog.append.written', 1, SIGKILL);
    my $holder = send_one(producer('killed'));
    $node->wait_until('it to die', sub { $points->died(1) });
    $node->wait_until('its death to be known', sub { !@{ $own->stat('activity', ['pid'], { pid => $points->died(1) }) } });
    is_deeply([ @{ lock_row() }{qw(holder_pid waiters held_us)} ], [ undef, 0, undef ], 'nobody holds it, nobody let it go');
    is(code_of(send_one(producer('next'))), 0, 'the next one repairs');
    $node->wait_until('the lock to be free', sub { !lock_row() });
};
done_testing;
