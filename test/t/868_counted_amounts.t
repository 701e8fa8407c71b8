#!/usr/bin/perl
# 868_counted_amounts.t - metrics of bytes and of times: each grows by what was sent, used or waited, and never goes back
#
# Proves: bytes that a topic refused because they are too many, and no others; bytes of requests by API; CPU time of backends is
# what the kernel says of them, also of those that ended or were killed -9; a listener at a limit counts the time until it is
# below, the Unix socket none; requests to the controller are counted once each with their wait and their decision, and its
# changes with their commit.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $node = Ottla::Test::Node->new->start;
my $c = Ottla::Test::Api->new($node);
my $viewer = Ottla::Test::Wire->new($node->connect_unix);

# The samples of a metric: the value by its labels in alphabetical order, joined by blanks; without labels that of ''.
sub samples {
    my ($name) = @_;
    return { map { my %l = $_->{labels} =~ /"(\w+)":"([^"]*)"/g; (join(' ', @l{ sort keys %l }) => $_->{value}) } @{ $viewer->stat('metrics', undef, { name => "ottla_$name" }) } };
}

sub metric { my ($name, $of) = @_; return samples($name)->{ $of // '' } // 0 }

$c->make_topic('small', 2, 'max.message.bytes' => 1000);

subtest 'bytes that are refused' => sub {
    my $send = sub {
        my ($size, $code, $partition) = @_;
        my $batch = batch(records => [ { value => 'x' x $size } ]);
        is($c->produce('small', $batch, acks => 1, partition => $partition // 0)->{error_code}, $code, "a record of $size bytes: $code");
        return length $batch;
    };
    $send->(100, 0);
    is(metric('topic_bytes_rejected_total', 'small'), 0, 'none');
    my $sum = $send->(2000, 10) + $send->(3000, 10, 1);
    is(metric('topic_bytes_rejected_total', 'small'), $sum, 'all of what is too large');
    my $broken = batch(records => ['x']);
    substr($broken, -1, 1) = "\x7e";
    is($c->produce('small', $broken, acks => 1)->{error_code}, 2, 'a broken one');
    is(metric('topic_bytes_rejected_total', 'small'), $sum, '... is not');
};

subtest 'bytes of requests' => sub {
    my $wire = Ottla::Test::Wire->new($node, 'measured');
    my @before = map { metric("request_bytes_$_", 'Metadata') } qw(sum count);
    my $bytes = 0;
    for my $topics (1, 7, 40) {
        my $frame = $wire->frame(3, 1, pack('N', $topics) . pack('n/a*', 'small') x $topics);
        $wire->send_bytes($frame);
        $wire->receive;
        $bytes += length($frame) - 4;
    }
    $node->wait_until('the last to be counted', sub { metric('request_bytes_count', 'Metadata') >= $before[1] + 3 }); # behind its answer
    is(metric('request_bytes_count', 'Metadata') - $before[1], 3, 'three');
    is(metric('request_bytes_sum', 'Metadata') - $before[0], $bytes, "$bytes bytes");
};

# CPU seconds of processes by the kernel's ticks.
sub ticks {
    my $sum = 0;
    for my $pid (@_) { my @f = split ' ', Ottla::Test::Node::slurp("/proc/$pid/stat") =~ s/.*\)//sr; $sum += ($f[11] + $f[12]) / 100 }
    return $sum;
}

subtest 'CPU time of backends' => sub {
    my $busy = Ottla::Test::Wire->new($node, 'busy');
    my $frame = $busy->frame(18, 0, '');
    $busy->send_bytes($frame);
    my $answer = 4 + length $busy->receive_frame;
    my $pid = $viewer->stat('activity', ['pid'], { client_port => $busy->port })->[0]{pid};
    my ($own) = map { $_->{pid} } @{ $viewer->stat('activity', ['pid'], { client_id => 'test', principal => 'User:' . getpwuid $> }) };
    my $work = sub {
        my ($seconds) = @_;
        my $from = ticks($pid);
        $node->wait_until("$seconds s of work", sub {
            $busy->send_bytes($frame x 200);
            my $got = 0;
            while ($got < 200 * $answer) { $got += sysread($busy->socket, my $bytes, 65536) || die "no answer\n" }
            ticks($pid) - $from >= $seconds;
        });
        return ticks($pid) - $from;
    };
    my @backends = grep { $_ && $_ != $pid } $own;
    my ($metric, $others) = (metric('backend_cpu_seconds_total'), ticks(@backends));
    cmp_ok($metric, '>', 0, "$metric s so far");
    my $used = $work->(0.2);
    my $now = metric('backend_cpu_seconds_total');
    $others = ticks(@backends) - $others;
    cmp_ok($now - $metric, '>=', $used - 0.02, sprintf '%.3f s more for %.2f s of work', $now - $metric, $used);
    cmp_ok($now - $metric, '<', $used + $others + 0.15, '... and no more than that, our own and a little for others');
    $used = $work->(0.1);
    kill KILL => $pid;
    $node->wait_until('it to be gone', sub { !grep { $_->{pid} == $pid } $node->children });
    $metric = metric('backend_cpu_seconds_total');
    cmp_ok($metric - $now, '>=', $used - 0.02, 'what it used until it was killed stays');
    my $fell = 0;
    for (1 .. 30) {
        my $short = Ottla::Test::Wire->new($node);
        $short->call(18, 0, '');
        $short->close;
        $now = metric('backend_cpu_seconds_total');
        $fell ||= $now < $metric;
        $metric = $now;
    }
    ok(!$fell, 'never less while connections come and go');
};

subtest 'a listener that does not accept' => sub {
    my $limit = sub {
        my ($value) = @_;
        my $answer = $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 4, resource_name => '1',
            configs => [ { name => 'max.connections', config_operation => defined $value ? 0 : 1, value => $value } ] } ] });
        is($answer->{responses}[0]{error_code}, 0, 'max.connections: ' . ($value // 'no limit'));
    };
    my $told = sub { my $before = time; my $value = metric('acceptor_blocked_seconds_total', 'PLAINTEXT'); return ($before, $value, time) };
    is_deeply(samples('acceptor_blocked_seconds_total'), { PLAINTEXT => 0, LOCAL => 0 }, 'none so far');
    my $begin = time;
    $limit->(1);
    $node->wait_until('the limit', sub { ($told->())[1] > 0 });
    my $waits = Ottla::Test::Wire->new($node);
    $waits->send(18, 0, '');
    my ($before, $first, $after) = $told->();
    my ($before2, $second, $after2);
    $node->wait_until('time to pass', sub { ($before2, $second, $after2) = $told->(); $before2 - $after > 0.5 });
    cmp_ok($second - $first, '>=', $before2 - $after - 0.001, sprintf 'it grows with the time: %.3f s', $second - $first);
    cmp_ok($second - $first, '<=', $after2 - $before + 0.001, '... as fast');
    $limit->(undef);
    ok($waits->receive, 'who waited is served');
    my ($until, $end) = $told->();
    cmp_ok($end, '>=', $second, 'no less');
    cmp_ok($end, '<=', $until - $begin, '... and no more than since the limit was set');
    is(($told->())[1], $end, 'it stands still');
    is(metric('acceptor_blocked_seconds_total', 'LOCAL'), 0, 'the Unix socket was open all the time');
};

subtest 'the controller' => sub {
    my @names = map { "controller_event_$_" } qw(queue_seconds processing_seconds);
    my $tell = sub { my ($part) = @_; return map { metric("${_}_$part") } @names, 'raft_commit_seconds' };
    my $grown = sub { my ($part, @before) = @_; my @now = $tell->($part); return map { $now[$_] - $before[$_] } 0 .. 2 };
    my (@count, @sum) = ();
    @count = $tell->('count');
    @sum = $tell->('sum');
    $c->make_topic("made$_", 1) for 1 .. 3;
    is(join(' ', $grown->('count', @count)), '3 3 3', 'three topics: three requests, decisions and commits');
    my @grown = $grown->('sum', @sum);
    cmp_ok($grown[$_], '>', 0, "... which take time: $grown[$_]") for 0 .. 2;
    is($c->ask(DescribeQuorum => 1, { topics => [ { topic_name => '__cluster_metadata', partitions => [ { partition_index => 0 } ] } ] })->{error_code}, 0, 'a question');
    is(join(' ', $grown->('count', @count)), '4 4 3', '... changes nothing');
    my ($pid) = map { $_->{pid} } $node->children_of_kind('controller');
    kill STOP => $pid;
    $node->wait_until('it to stand', sub { Ottla::Test::Node::slurp("/proc/$pid/stat") =~ /\) T / });
    @sum = $tell->('sum');
    my $begin = time;
    $c->tell(CreateTopics => 7, { timeout_ms => 30000, topics => [ { name => 'late', num_partitions => 1, replication_factor => 1 } ] });
    my $sent;
    $node->wait_until('it to wait', sub { $sent ||= metric('delayed_operations', 'other') > 0 && time; $sent && time - $sent > 0.3 });
    kill CONT => $pid;
    is($c->hear->{topics}[0]{error_code}, 0, 'a topic that had to wait');
    my $end = time;
    @grown = $grown->('sum', @sum);
    cmp_ok($grown[0], '>=', 0.3, sprintf '... for %.3f s', $grown[0]);
    cmp_ok($grown[0] + $grown[1] + $grown[2], '<=', $end - $begin, '... all together no longer than it took');
    for my $name (@names, 'raft_commit_seconds') {
        my $buckets = samples("${name}_bucket");
        is(scalar keys %$buckets, 32, "$name has buckets");
        is($buckets->{'+Inf'}, metric("${name}_count"), '... which hold all');
    }
};

is($node->stop, 0, 'stop');
done_testing;
