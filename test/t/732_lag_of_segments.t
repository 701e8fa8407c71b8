#!/usr/bin/perl
# 732_lag_of_segments.t - lag over many segments, every codec, and what retention leaves of them; beside Kafka's own tool
#
# Proves: while a consumer commits its way through a log of several segments, group_lag says to the record, the byte and the
# millisecond what it has not read: compressed batches count as they lie in the log, a record by its own timestamp, or its
# batch's when the log gives them. A partition without a commit has no lag. Retention below a commit takes nothing away but what is gone;
# a topic that is deleted and made anew has no commits. kafka-consumer-groups.sh sees the same numbers and members.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Kafka qw(kafka_missing kafka_tool);
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $BATCHES = 60;
my $seed    = $ENV{OTTLA_SEED} // int(rand(1 << 31));
srand $seed;
note "OTTLA_SEED=$seed";

my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'offsets.topic.num.partitions' => 3,
    'log.retention.check.interval.ms' => 100, 'log.initial.task.delay.ms' => 100 })->start;
my $c = Ottla::Test::Api->new($node);
my $busy = qr/^(14|15|16)$/;

# Rows by a connection that has asked for nothing before: nothing kept is told.
sub fresh { my ($view, $filters) = @_; return @{ Ottla::Test::Wire->new($node->connect_unix)->stat($view, undef, $filters) } }

sub now_ms { return int(time * 1000) }

sub commit {
    my ($group, $topic, $offsets, %o) = @_;
    my @codes;
    $node->wait_until("$group to be served", sub {
        my $answer = $c->ask(OffsetCommit => 8, { group_id => $group, generation_id_or_member_epoch => -1, %o, topics => [ { name => $topic,
            partitions => [ map { { partition_index => $_, committed_offset => $offsets->{$_} } } sort keys %$offsets ] } ] });
        @codes = map { $_->{error_code} } @{ $answer->{topics}[0]{partitions} };
        return !grep { $_ =~ $busy } @codes;
    });
    die "$group cannot commit: @codes\n" if grep { $_ } @codes;
    return;
}

$node->wait_until('a coordinator', sub { $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['g'] })->{coordinators}[0]{error_code} == 0 });

# ---- what is written -----------------------------------------------------------------------------------

# Of a topic: { first => [ offset of each batch ], size => [ its bytes ], time => [ timestamp of each record ] }
my %log;
my @codecs = qw(none gzip snappy lz4 zstd);

# Timestamps go up and down, between an hour ago and a minute ago.
sub random_batch {
    my ($log, $codec) = @_;
    my $begin = now_ms() - 3_600_000;
    my @records = map { { value => join('', map { chr 97 + rand 20 } 1 .. 20 + rand 400), timestamp => $begin + int rand 3_540_000 } } 1 .. 1 + rand 12;
    push @{ $log->{first} }, scalar @{ $log->{time} // [] };
    push @{ $log->{time} }, map { $_->{timestamp} } @records;
    my $batch = batch(records => \@records, codec => $codec);
    push @{ $log->{size} }, length $batch;
    return $batch;
}

for my $topic (qw(own stamped)) {
    $c->make_topic($topic, 2, 'internal.segment.bytes' => 10_000, 'index.interval.bytes' => 1000, 'retention.ms' => -1,
        $topic eq 'stamped' ? ('message.timestamp.type' => 'LogAppendTime') : ());
    $log{$topic} = {};
    for my $n (0 .. $BATCHES - 1) {
        my $answer = $c->produce($topic, random_batch($log{$topic}, $codecs[ $n % @codecs ]));
        die "$topic, batch $n: error $answer->{error_code}, offset $answer->{base_offset}\n"
            if $answer->{error_code} || $answer->{base_offset} != $log{$topic}{first}[-1];
        next if $topic eq 'own';
        $log{$topic}{time}[$_] = $answer->{log_append_time_ms} for $answer->{base_offset} .. $#{ $log{$topic}{time} };
    }
}

# What lies behind an offset: records, bytes, and the time of the first of them (undef: none).
sub behind {
    my ($log, $offset) = @_;
    my $bytes = 0;
    for my $i (0 .. $#{ $log->{first} }) {
        my $end = $log->{first}[ $i + 1 ] // @{ $log->{time} };
        $bytes += $log->{size}[$i] if $end > $offset;
    }
    return (@{ $log->{time} } - $offset, $bytes, $log->{time}[$offset]);
}

# undef: as it must be. Else what differs.
sub fault {
    my ($group, $topic, $committed, $start) = @_;
    my ($records, $bytes, $since) = behind($log{$topic}, $committed > $start ? $committed : $start);
    my $before = now_ms();
    my ($row, @more) = fresh(group_lag => { group_id => $group, topic => $topic, partition => 0 });
    my $after = now_ms();
    return 'rows: ' . (@more + !!$row) if !$row || @more;
    my %want = (committed => $committed, start_offset => $start, end_offset => scalar @{ $log{$topic}{time} }, lag => $records,
        lag_bytes => $bytes, behind_start => $committed < $start ? 1 : 0);
    my @wrong = map { "$_ $row->{$_}, not $want{$_}" } grep { !defined $row->{$_} || $row->{$_} != $want{$_} } sort keys %want;
    my ($least, $most) = defined $since ? ($before - $since, $after - $since) : (0, 0);
    push @wrong, "lag_ms $row->{lag_ms}, not $least to $most" if $row->{lag_ms} < $least || $row->{lag_ms} > $most;
    return @wrong ? "at $committed: " . join '; ', @wrong : undef;
}

# ---- a consumer goes on step by step -----------------------------------------------------------------------

for my $topic (qw(own stamped)) {
    my @bases = sort { $a <=> $b } map { $_->{base_offset} } fresh(segments => { topic => $topic, partition => 0 });
    cmp_ok(scalar @bases, '>=', 6, "$topic: segments");
    my $end = @{ $log{$topic}{time} };
    my %steps = map { $_ => 1 } 0, $end - 1, $end, @bases, map({ $_ - 1 } @bases[ 1 .. $#bases ]), map { int rand $end } 1 .. 15;
    my @faults;
    for my $offset (sort { $a <=> $b } keys %steps) {
        commit("reads-$topic", $topic, { 0 => $offset });
        push @faults, fault("reads-$topic", $topic, $offset, 0) // ();
    }
    is_deeply(\@faults, [], "$topic: " . keys(%steps) . ' steps');
}
is_deeply([ fresh(group_lag => { group_id => 'reads-own', partition => 1 }) ], [], 'no commit: no lag');
is_deeply([ map { $_->{total_lag} } fresh(groups => { group_id => 'reads-own' }) ], [0], 'all read: no lag in all');

# ---- retention ---------------------------------------------------------------------------------------------

commit('slow', 'own', { 0 => 7 });
commit('quick', 'own', { 0 => @{ $log{own}{time} } - 3 });
my $whole = 0;
$whole += $_ for @{ $log{own}{size} };
is($c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 2, resource_name => 'own',
    configs => [ { name => 'retention.bytes', config_operation => 0, value => int($whole / 2) } ] } ] })->{responses}[0]{error_code}, 0, 'half is to go');
my $start;
$node->wait_until('half to be gone', sub {
    my $size = 0;
    $size += $_->{size_bytes} for fresh(segments => { topic => 'own', partition => 0 });
    $start = $c->offset_at('own', -2)->{offset};
    return $size < $whole / 2 + 10_000; # less than a segment too many: none more goes
});
ok((grep { $_ == $start } @{ $log{own}{first} }), "the log begins at $start, with a batch");
is(fault('slow', 'own', 7, $start), undef, 'who is below the start lags by what is left');
is(fault('quick', 'own', @{ $log{own}{time} } - 3, $start), undef, 'who is above it, as before');

# ---- members -----------------------------------------------------------------------------------------------

# 'crew' has the partitions 0 and 1 of both topics, and a commit for one of each.
my $subscribed = pack 'n N (n/a*)2 N', 0, 2, qw(own stamped), 0xffffffff;
my $join;
$node->wait_until('crew to be served', sub {
    $join = $c->ask(JoinGroup => 3, { group_id => 'crew', session_timeout_ms => 60000, rebalance_timeout_ms => 60000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => $subscribed } ] });
    return $join->{error_code} !~ $busy;
});
my %me = (generation_id => $join->{generation_id}, member_id => $join->{member_id});
is($c->ask(SyncGroup => 3, { group_id => 'crew', %me, assignments => [ { member_id => $me{member_id},
    assignment => pack 'n N (n/a* N3)2 N', 0, 2, 'own', 2, 0, 1, 'stamped', 2, 0, 1, 0xffffffff } ] })->{error_code}, 0, 'crew has a member');
commit('crew', 'own', { 0 => $start + 1 }, generation_id_or_member_epoch => $me{generation_id}, member_id => $me{member_id});
commit('crew', 'stamped', { 0 => 5, 1 => 0 }, generation_id_or_member_epoch => $me{generation_id}, member_id => $me{member_id});
is(fault('crew', 'own', $start + 1, $start), undef, 'its lag');
is_deeply([ map { [ $_->{topic}, $_->{partition}, $_->{member_id} ] } sort { "$a->{topic} $a->{partition}" cmp "$b->{topic} $b->{partition}" }
    fresh(group_lag => { group_id => 'crew' }) ], [ map { [ @$_, $me{member_id} ] } [ own => 0 ], [ stamped => 0 ], [ stamped => 1 ] ],
    'and its partitions, those with a commit');

# ---- Kafka's tool --------------------------------------------------------------------------------------------

subtest "Kafka's tool" => sub {
    plan skip_all => kafka_missing() if kafka_missing();
    my ($exit, $text) = kafka_tool($node->address, 'consumer-groups', '--describe', '--all-groups');
    is($exit, 0, 'it ends well') or diag $text;
    my (%theirs, %ours);
    for (split /\n/, $text) {    # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID
        my @f = split ' ';
        $theirs{"@f[0 .. 2]"} = [ @f[ 3 .. 8 ] ] if @f == 9 && $f[2] =~ /^\d+$/;
    }
    # It does not know where a log begins; and names what a member has, committed or not.
    $ours{"$_->{group_id} $_->{topic} $_->{partition}"} = [ @$_{qw(committed end_offset)},
        $_->{lag} + ($_->{behind_start} ? $_->{start_offset} - $_->{committed} : 0), map { $_ // '-' } @$_{qw(member_id host client_id)} ]
        for fresh('group_lag');
    is_deeply(delete $theirs{'crew own 1'}, [ '-', 0, '-', $me{member_id}, '/127.0.0.1', 'test' ], 'without a commit it has no lag either');
    is_deeply(\%theirs, \%ours, 'for ' . keys(%ours) . ' offsets they say the same') or diag $text;
};

# ---- a topic goes, and comes anew ------------------------------------------------------------------------------

is($c->delete_topic('own'), 0, 'a topic is deleted');
$node->wait_until('what was committed to go', sub { !fresh(group_lag => { topic => 'own' }) });
$c->make_topic('own', 2);
$c->produce('own', batch(records => ['new']));
is_deeply([ fresh(group_lag => { topic => 'own' }) ], [], 'made anew it has no lag');
is_deeply([ sort map { "$_->{group_id} $_->{total_lag}" } fresh('groups') ],
    [ sort 'reads-stamped 0', 'crew ' . (@{ $log{stamped}{time} } - 5), map { "$_ 0" } grep { my $g = $_; grep { $_->{group_id} eq $g } fresh('groups') } qw(quick slow reads-own) ],
    'nor in a total');

is($node->stop, 0, 'stop');
done_testing;
