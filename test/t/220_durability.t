#!/usr/bin/perl
# 220_durability.t - what is acknowledged before the disk has it, and what is not (design.md 2, 6)
#
# The disk of the log directory is held by a library between the node and the kernel (test/fault): no flush of
# it returns while it is held. So an answer that comes meanwhile left before the flush, and one that does
# not come waits for it; no clock is compared.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use IO::Select;
use Test::More;
use Ottla::Test::Acked;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Wire;

my $STORAGE_ERROR = 56;
my $library = "$ENV{OTTLA_BUILD}/release/fault/libfault.so";
my $node;

sub rule {
    my (@rules) = @_;
    my $file = "$node->{base}/faults";
    open my $fh, '>', "$file.new" or die $!;
    print $fh map { "$_\n" } @rules;
    close $fh;
    rename "$file.new", $file or die $!;
    return;
}

sub hold_disk { return rule('fsync ' . $node->dir . '/log* wait') }
sub release_disk { return rule() }

sub start_node {
    my (%conf) = @_;
    $node = Ottla::Test::Node->new(env => { LD_PRELOAD => $library },
        conf => { 'checkpoint.interval.ms' => 3600000, %conf });
    $node->{env}{FAULT_RULES} = "$node->{base}/faults";
    rule();
    return $node->start;
}

sub client { return Ottla::Test::Api->new($node) }

# A Produce of one record on its way; the client that waits for its answer.
sub send_one {
    my ($topic, %o) = @_;
    my $c = $o{client} // client();
    $c->tell(Produce => 9, { acks => $o{acks} // -1, timeout_ms => $o{timeout_ms} // 30000,
        topic_data => [ { name => $topic, partition_data => [ map {
            { index => $_, records => $o{records} // batch(records => ['x']) } } @{ $o{partitions} // [0] } ] } ] });
    return $c;
}

sub codes {
    my ($c) = @_;
    my $answer = $c->hear(20) or return 'none';
    return join ' ', map { $_->{error_code} } @{ $answer->{responses}[0]{partition_responses} };
}

sub is_silent { my ($c) = @_; return !IO::Select->new($c->socket)->can_read(0) }

# Sends what needs no disk behind it, on a connection of its own: when that is answered, the other was looked at.
sub no_answer {
    my ($c, $what) = @_;
    is(codes(send_one('memory')), '0', 'a topic with acks.durability=memory goes on');
    return ok(is_silent($c), $what);
}

sub durable_offset {
    my ($topic) = @_;
    my $own = Ottla::Test::Wire->new($node->connect_unix);
    my ($row) = @{ $own->stat('partitions', undef, { topic => $topic }) };
    return $row->{durable_offset};
}

start_node();
my $c = client();
$c->make_topic('auto', 1);
$c->make_topic('disk', 1, 'acks.durability' => 'disk');
$c->make_topic('memory', 1, 'acks.durability' => 'memory');
$c->make_topic('messages', 1, 'acks.durability' => 'memory', 'flush.messages' => 2);
$c->make_topic('ms', 1, 'acks.durability' => 'memory', 'flush.ms' => 50);
$c->make_topic('many', 200);
is(codes(send_one($_)), '0', "$_: the first record") for qw(auto disk memory messages ms);

subtest 'acks=all waits for the disk, acks=1 does not' => sub {
    for my $topic (qw(auto disk)) {
        hold_disk();
        my $waiting = send_one($topic);
        no_answer($waiting, "$topic: no answer before the flush");
        is(codes(send_one($topic, acks => 1)), '0', 'acks=1 is answered');
        my $seen = $c->fetch($topic, 1, max_wait_ms => 10000);
        is($seen->{high_watermark}, 3, 'consumers need not wait');
        is(durable_offset($topic), 1, 'the durable offset stays');
        release_disk();
        is(codes($waiting), '0', 'answered after the flush');
        cmp_ok(durable_offset($topic), '>=', 2, 'the durable offset moved');
    }
};

subtest 'a short timeout speaks of replicas, not of the disk' => sub {
    hold_disk();
    my $waiting = send_one('disk', timeout_ms => 1);
    no_answer($waiting, 'no answer 7 while the flush goes on');
    release_disk();
    is(codes($waiting), '0', 'answered after the flush');
};

subtest 'a change takes effect at once' => sub {
    my $set = sub {
        my ($value) = @_;
        my $answer = $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 2, resource_name => 'disk',
            configs => [ { name => 'acks.durability', config_operation => 0, value => $value } ] } ] });
        return is($answer->{responses}[0]{error_code}, 0, "acks.durability=$value");
    };
    hold_disk();
    $set->('memory');
    is(codes(send_one('disk')), '0', 'answered at once');
    $set->('disk');
    my $waiting = send_one('disk');
    no_answer($waiting, 'waits again');
    release_disk();
    is(codes($waiting), '0', 'answered after the flush');
};

subtest 'a duplicate waits until its original is durable' => sub {
    my @records = (records => batch(records => ['once'], producer_id => 77, epoch => 0, sequence => 0));
    hold_disk();
    my $first = send_one('disk', @records);
    no_answer($first, 'the original waits');
    my $second = send_one('disk', @records);
    no_answer($second, 'so does the duplicate');
    my $end = $c->offset_at('disk', -1)->{offset};
    release_disk();
    is(codes($_), '0', 'answered after the flush') for $first, $second;
    is(codes(send_one('disk', @records)), '0', 'a later one is answered');
    is($c->offset_at('disk', -1)->{offset}, $end, 'nothing was written twice');
};

subtest 'all who wait are released together' => sub {
    hold_disk();
    my @waiting = map { send_one('many', partitions => [$_]) } 0 .. 39;
    push @waiting, send_one('many', partitions => [ 40 .. 199 ]);
    no_answer($waiting[-1], 'a request over 160 partitions waits');
    is(scalar(grep { !is_silent($_) } @waiting), 0, 'nobody has an answer before the flush');
    release_disk();
    is_deeply([ map { codes($_) } @waiting ], [ (0) x 40, join ' ', (0) x 160 ], 'all are answered');
};

subtest 'flush.messages holds back acks=1, too' => sub {
    $node->wait_until('a commit', sub { client()->produce('messages', batch(records => ['x']), acks => 1); durable_offset('messages') > 0 }, 10);
    my $base = durable_offset('messages');
    hold_disk();
    my $end = $c->offset_at('messages', -1)->{offset};
    my $waiting;
    for ($end .. $base + 1) { $waiting = send_one('messages', acks => 1); last if $_ == $base + 1; codes($waiting) }
    no_answer($waiting, 'no answer before the flush');
    release_disk();
    is(codes($waiting), '0', 'answered after the flush');
    is(durable_offset('messages'), $base + 2, 'and durable');
};

subtest 'flush.ms brings to the disk what nobody waits for' => sub {
    is(codes(send_one('ms', acks => 1)), '0', 'answered');
    my $end = $c->offset_at('ms', -1)->{offset};
    ok($node->wait_until('flush.ms', sub { durable_offset('ms') == $end }, 10), 'durable');
    is(codes(send_one('memory', acks => 1)), '0', 'answered');
    cmp_ok(durable_offset('memory'), '<', $c->offset_at('memory', -1)->{offset}, 'others are left to the checkpoint');
};

subtest 'a backend that dies waiting keeps nobody waiting' => sub {
    hold_disk();
    my $dying = send_one('auto');
    my $other = send_one('auto');
    no_answer($other, 'the other waits');
    my ($backend) = grep { $_->{kind} eq 'backend' && $_->{title} =~ /127\.0\.0\.1:@{[$dying->port]}\b/ } $node->children;
    ok($backend, 'its backend') or return;
    kill 'KILL', $backend->{pid};
    is($dying->hear(20), undef, 'its connection ends');
    release_disk();
    is(codes($other), '0', 'the other is answered');
};

subtest 'the checkpointer dies under those who wait' => sub {
    my $acked = Ottla::Test::Acked->new(client());
    $acked->make_topic('kept');
    is($acked->produce('kept', 100), 0, 'acknowledged') for 1 .. 3;
    hold_disk();
    my $waiting = send_one('auto');
    no_answer($waiting, 'somebody waits');
    $node->kill_child(KILL => 'checkpointer');
    release_disk();
    is($waiting->hear(20), undef, 'no acknowledgement, the connection ends');
    $node->wait_until('the node is back', sub { my $new = eval { client() } or return 0; $acked->connect($node); $acked->produce('kept', 10) == 0 }, 20);
    $acked->read_back('after the crash');
};

subtest 'a flush that fails acknowledges nothing' => sub {
    $c = client();
    hold_disk();
    my @waiting = map { send_one($_) } qw(auto disk);
    no_answer($_, 'waits') for @waiting;
    rule('fsync ' . $node->dir . '/log* EIO');
    is(codes($_), $STORAGE_ERROR, 'error 56') for @waiting;
    release_disk();
    is(codes(send_one('disk')), $STORAGE_ERROR, 'and 56 from now on');
};
$node->kill9;

subtest 'acks.durability of the node is the default of its topics' => sub {
    start_node('acks.durability' => 'memory');
    client()->make_topic('plain');
    client()->make_topic('memory');
    client()->make_topic('disk', 1, 'acks.durability' => 'disk');
    hold_disk();
    is(codes(send_one('plain')), '0', 'memory: answered at once');
    my $waiting = send_one('disk');
    no_answer($waiting, 'but where the topic says disk');
    release_disk();
    is(codes($waiting), '0', 'answered after the flush');
    is($node->stop('fast'), 0, 'clean stop');
};

done_testing;
