#!/usr/bin/perl
# 715_hostile_groups.t - groups that want too much: others are served meanwhile, memory stays bounded, errors are Kafka's
#
# One coordinator worker and two shards for all, so that nobody is out of reach of what is done to it: members of other groups
# heartbeat all the time, and each of their answers must come within 100 ms, times the processes that want a processor, or three
# times what a request that needs no coordinator took at the worst in the same time. Largest metadata, ids and subscriptions, more members and groups than there is memory for,
# expressions that explode over thousands of topics, records that fit in no batch, members that hang up while they wait.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use IO::Handle;
use IO::Select;
use List::Util qw(max);
use POSIX ();
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $TOPICS       = 3000;
my $BUDGET_MB    = 48;
my $BEAT_MS      = 100;
my $MIB          = 1 << 20;
my $SUBSCRIPTION = "\0\0\0\0\0\0\xff\xff\xff\xff";

my $node = Ottla::Test::Node->new(conf => {
    'group.coordinator.threads' => 1, 'offsets.topic.num.partitions' => 2, 'group.initial.rebalance.delay.ms' => 0,
    'group.consumer.min.session.timeout.ms' => 1000, 'group.consumer.assignment.interval.ms' => 0,
    'coordinator.worker.memory.bytes' => $BUDGET_MB << 20, 'group.max.size' => 200, 'num.partitions' => 1 })->start;
my $c = Ottla::Test::Api->new($node);

my $admin;
my $cpus = grep {/^processor/} split /\n/, Ottla::Test::Node::slurp('/proc/cpuinfo');

sub another { return Ottla::Test::Api->new($node) }

# ---- what is asked ----

sub join_group {
    my ($api, $group, %o) = @_;
    my $version = delete $o{version} // 3;
    return $api->ask(JoinGroup => $version, { group_id => $group, session_timeout_ms => 30000, rebalance_timeout_ms => 30000,
        protocol_type => 'consumer', protocols => [ { name => 'range', metadata => $SUBSCRIPTION } ], %o });
}

sub beat_body {
    my ($group, $member, $epoch, %o) = @_;
    return { group_id => $group, member_id => $member, member_epoch => $epoch,
        $epoch ? () : (rebalance_timeout_ms => 30000, subscribed_topic_names => [], topic_partitions => []), %o };
}

sub beat { my ($api, @o) = @_; return $api->ask(ConsumerGroupHeartbeat => 1, beat_body(@o)) }

sub commit {
    my ($api, $group, @metadata) = @_;
    my $answer = $api->ask(OffsetCommit => 8, { group_id => $group, topics => [ { name => 'quiet', partitions => [
        map { { partition_index => $_, committed_offset => 7, committed_metadata => $metadata[$_] } } 0 .. $#metadata ] } ] });
    return $answer && join ' ', map { $_->{error_code} } @{ $answer->{topics}[0]{partitions} };
}

# Many requests on one connection, a few ahead; their answers are counted by what `of` makes of them.
sub stream {
    my ($api, $count, $make, $of) = @_;
    my (%seen, $sent, $heard);
    for (my ($i, $got) = (0, 0); $got < $count;) {
        if ($i < $count && $i - $got < 8) { $api->tell($make->($i++)); next }
        $seen{ $of->($api->hear // {}) }++;
        $got++;
    }
    return \%seen;
}

# ---- the others ----

# Members of two groups of each kind, one in each shard; asked in turn by a process of its own. A line on one pipe ends
# a phase, its figures come back by the other.
my ($to_beats, $from_beats);

sub begin_beats {
    my @members;
    for my $group (qw(calm-a calm-b)) {
        my $api = another();
        my $joined = join_group($api, "$group-classic");
        my %me = (group_id => "$group-classic", generation_id => 1, member_id => $joined->{member_id});
        is($api->ask(SyncGroup => 3, { %me, assignments => [] })->{error_code}, 0, "$group: a classic member");
        push @members, [ $api, Heartbeat => 3, \%me ];
        my $first = beat($api, "$group-modern", 'm', 0, subscribed_topic_names => ['quiet']);
        is($first->{error_code}, 0, "$group: a member of a consumer group");
        push @members, [ $api, ConsumerGroupHeartbeat => 1, beat_body("$group-modern", 'm', $first->{member_epoch}) ];
    }
    push @members, [ another(), ApiVersions => 0, {} ];
    my ($in, $out);
    pipe $in, $to_beats or die "pipe: $!";
    pipe $from_beats, $out or die "pipe: $!";
    $_->autoflush(1) for $to_beats, $out;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    close $to_beats;
    my (@ms, @control, %errors);
    my $runnable = 0;
    while (1) {
        $runnable += (Ottla::Test::Node::slurp('/proc/loadavg') =~ m{ (\d+)/})[0];
        if (IO::Select->new($in)->can_read(0.002)) {
            sysread $in, my $byte, 1 or POSIX::_exit(0);
            my @sorted = sort { $a <=> $b } @ms;
            printf $out "%d %.1f %.1f %.1f %.1f %s\n", scalar @ms, $sorted[ $#sorted * 0.99 ] // 0, max(0, @sorted), max(0, @control),
                $runnable / (@control + 1) / $cpus, join(',', map { sprintf '%s x %d', $_, $errors{$_} } sort keys %errors) || '-';
            (@ms, @control, %errors, $runnable) = ();
        }
        for my $m (@members) {
            my ($api, @request) = @$m;
            my $since = time;
            my $answer = $api->ask(@request);
            push @{ $m == $members[-1] ? \@control : \@ms }, (time - $since) * 1000;
            my $code = $answer ? $answer->{error_code} : 'closed';
            $errors{"$request[0] $code"}++ if $code;
        }
    }
}

sub end_of_phase {
    my ($what, $errors) = @_;
    syswrite $to_beats, '.';
    my ($count, $p99, $worst, $control, $load, $seen) = split ' ', scalar <$from_beats>, 6;
    chomp $seen;
    return if !defined $what;
    cmp_ok($worst, '<=', max($BEAT_MS * max(1, $load), 3 * $control), "$count heartbeats, p99 $p99 ms, other requests $control ms, $load on a processor");
    is($seen, '-', 'none of them failed');
    return;
}

# MiB of its own that the coordinator has at the most, now and since the last time.
sub memory {
    my ($pid) = map { $_->{pid} } $node->children_of_kind('coordinator');
    my %kib = map { /^(\w+):\s+(\d+) kB/ ? ($1 => $2) : () } split /\n/, Ottla::Test::Node::slurp("/proc/$pid/status");
    if (open my $reset, '>', "/proc/$pid/clear_refs") { print $reset "5\n" }
    return ($kib{RssAnon} >> 10, ($kib{RssAnon} + $kib{VmHWM} - $kib{VmRSS}) >> 10);
}

sub counts { return $_[0]->stat('coordinators')->[0] }

sub phase {
    my ($what, $code) = @_;
    my $since = time;
    subtest $what => sub {
        $code->();
        my ($now, $most) = memory();
        end_of_phase($what);
        cmp_ok($most, '<=', 4 * $BUDGET_MB, "MiB of the coordinator at the most, $now now");
        is(counts($admin)->{shard_failures}, 0, 'no shard was given up');
        note sprintf '%.1f s', time - $since;
    };
    return;
}

# ---- begin ----

$c->make_topic('quiet', 2);
$c->make_topic('wide', 600);
comes_true(sub { !grep { $_->{error_code} } map { @{ $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => [$_] })->{coordinators} } } 'g' }, 30);
comes_true(sub { !grep { $_->{error_code} } @{ $c->ask(DescribeGroups => 5, { groups => [ 'a' .. 'h' ] })->{groups} } }, 30) or fail('served');
my $created = $c->ask(CreateTopics => 7, { timeout_ms => 30000, topics => [ map { { name => sprintf('topic-%04d-%s', $_, 'a' x 40), num_partitions => 1,
    replication_factor => 1, configs => [] } } 1 .. $TOPICS ] });
is(scalar(grep { !$_->{error_code} } @{ $created->{topics} }), $TOPICS, 'topics are made');
my $beats = begin_beats();
end_of_phase();
$admin = Ottla::Test::Wire->new($node->connect_unix);
phase 'nothing' => sub { stream($c, 200, sub { (ApiVersions => 0, {}) }, sub { $_[0]{error_code} }); pass('asked') };

phase 'large metadata' => sub {
    my $big = $SUBSCRIPTION . 'x' x ($MIB - length("range$SUBSCRIPTION"));
    my @big = map { another() } 1 .. 4;
    is_deeply([ map { join_group($big[$_], "big-$_", protocols => [ { name => 'range', metadata => $big } ])->{error_code} } 0 .. 3 ], [ (0) x 4 ], 'a MiB is taken');
    is(join_group($c, 'big', protocols => [ { name => 'range', metadata => $big . 'x' } ])->{error_code}, 23, 'a byte more is not');
    is(join_group($c, 'big', protocols => [ map { { name => "p$_", metadata => '' } } 1 .. 65 ], protocol_type => 'other')->{error_code}, 23, 'nor 65 protocols');
    is(commit($c, 'texts', 'x' x 4096, 'x' x 4097), '0 12', 'groups 22: metadata of an offset that is too long is refused alone');
    is(commit($c, 'texts', "\xf0\x9f\x98\x80" x 2048, "\xf0\x9f\x98\x80" x 2049), '0 12', 'as Java counts characters');
    is(commit($c, 'texts', 'x' x 32767, undef), '12 0', 'the longest that a string can be');
};

phase 'ids' => sub {
    my $long = 'i' x 32767;
    is(commit($c, $long, 'x'), '0', 'a group id of 32 KiB');
    is(join_group(another(), $long . '')->{error_code}, 0, 'is joined');
    my ($d) = grep { $_->{group_id} eq $long } @{ $c->ask(ListGroups => 4, {})->{groups} };
    ok($d, 'is listed');
    is(beat($c, 'long-members', $long, 0, instance_id => $long, rack_id => $long, subscribed_topic_names => ['quiet'])->{error_code}, 0, 'a member of long names');
    is(beat($c, 'long-members', 'm' . 'i' x 32000, 0, subscribed_topic_names => ['quiet'])->{error_code}, 0, 'another');
    my $seen = stream($c, 60, sub { (ConsumerGroupHeartbeat => 1, beat_body('long-members', sprintf('%03d%s', $_[0], 'm' x 32000), 0, subscribed_topic_names => ['quiet'])) },
        sub { $_[0]{error_code} // 'closed' });
    is_deeply($seen, { 0 => 60 }, 'their records together fit in no batch, and they are taken');
    is($c->ask(LeaveGroup => 5, { group_id => 'nobody', members => [ map { { member_id => $long } } 1 .. 100 ] })->{members}[99]{error_code}, 25, 'nobody of such an id');
    $seen = stream($c, 60, sub { (ConsumerGroupHeartbeat => 1, beat_body('wide', sprintf('%03d%s', $_[0], 'm' x 32000), 0, subscribed_topic_names => ['wide'])) },
        sub { $_[0]{error_code} // 'closed' });
    is_deeply($seen, { 0 => 60 }, 'so are those whose assignments move with each of them');
    ok(comes_true(sub {
        beat($c, 'wide', '059' . 'm' x 32000, 0, subscribed_topic_names => ['wide']);
        my $group = $c->ask(ConsumerGroupDescribe => 0, { group_ids => ['wide'] })->{groups}[0];
        return $group->{assignment_epoch} == $group->{group_epoch} && !grep { !@{ $_->{target_assignment}{topic_partitions} } } @{ $group->{members} };
    }, 20), 'and each gets its share');
    is(stream($c, 1, sub { (OffsetCommit => 8, { group_id => 'x' x 40000, topics => [] }) }, sub { $_[0]{topics} ? 'answered' : 'closed' })->{closed}, 1, 'an id that is no string: closed');
    $c = another();
};

phase 'many members' => sub {
    my $seen = stream($c, 3000, sub { (JoinGroup => 4, { group_id => 'crowd', session_timeout_ms => 30000, rebalance_timeout_ms => 30000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => $SUBSCRIPTION } ] }) }, sub { $_[0]{error_code} // 'closed' });
    is_deeply($seen, { 79 => 3000 }, 'three thousand ids are handed out');
    my $modern = stream($c, 2000, sub { (ConsumerGroupHeartbeat => 1, beat_body('modern-crowd', "m$_[0]", 0, subscribed_topic_names => ['quiet'])) }, sub { $_[0]{error_code} // 'closed' });
    is_deeply($modern, { 0 => 2000 }, 'two thousand members of a consumer group');
    is(beat($c, 'modern-crowd', 'm7', -1)->{error_code}, 0, 'one leaves');
    for my $again ([ ConsumerGroupDescribe => 0, { group_ids => [ ('modern-crowd') x 2000 ] } ], [ DescribeGroups => 5, { groups => [ ('crowd') x 2000 ] } ]) {
        my $answer = another()->ask(@$again);
        ok(!$answer || $answer->{groups}[0]{error_code} == -1 || @{ $answer->{groups} } == 2000, "$again->[0]: the same group again and again: " . ($answer ? $answer->{groups}[0]{error_code} : 'closed'));
    }
};

# The worker's turn ends with such a request: who asked meanwhile must not wait for somebody else to wake it.
phase 'heartbeats of many MiB' => sub {
    my $joined = beat($c, 'owner', 'm', 0, subscribed_topic_names => ['quiet']);
    my $id = $joined->{assignment}{topic_partitions}[0]{topic_id};
    my $body = join '', "\0\6owner\2m", pack('N', $joined->{member_epoch}), "\0\0\xff\xff\xff\xff\0\0\0\2", $id,
        Ottla::Test::Wire::uvarint(1 + 2_500_000), pack('N', 1) x 2_500_000, "\0\0";
    for (1 .. 5) {
        my $answer = $c->call(68, 1, $body);
        is(unpack('x5 n', $answer // ''), 0, 'it may say that it owns a partition again and again');
    }
};

phase 'subscriptions' => sub {
    my $fill = sub { my ($bytes, $each) = @_; return [ map { sprintf "%0${each}d", $_ } 1 .. $bytes / $each ] };
    my $seen = join ' ', map { beat($c, 'greedy', $_->[0], 0, subscribed_topic_names => $fill->($MIB, $_->[1]))->{error_code} } [ 'long', 200 ], [ 'short', 8 ];
    like($seen, qr/^(-1|42) (-1|42)$/, 'a subscription whose record fits in no batch is refused');
    my $all = [ map { sprintf 'topic-%04d-%s', $_, 'a' x 40 } 1 .. $TOPICS ];
    my %codes = %{ stream($c, 12, sub { (ConsumerGroupHeartbeat => 1, beat_body('greedy', "all$_[0]", 0, subscribed_topic_names => $all)) }, sub { $_[0]{error_code} // 'closed' }) };
    is_deeply(\%codes, { 0 => 12 }, 'twelve members with all topics');
    my $member = beat($c, 'greedy-more', 'm', 0);
    my (%grown, @epochs);
    $epochs[$_] = beat($c, "grown-$_", 'm', 0)->{member_epoch} for 1 .. 60;
    my $names = sub { my ($i) = @_; return [ map { sprintf "%s-%05d", 'n' x 50 . $i, $_ } 1 .. 10000 ] };
    $grown{ beat($c, "grown-$_", 'm', $epochs[$_], subscribed_topic_names => $names->($_))->{error_code} }++ for 1 .. 60;
    ok($grown{0} && $grown{15}, 'known members may not grow without end: ' . join ' ', %grown);
    beat($c, "grown-$_", 'm', -1) for 1 .. 60;
    is(beat($c, 'grown', 'm', 0, subscribed_topic_names => [ map { $_ * 10 } 1 .. 50001 ])->{error_code}, 42, 'and a group may name so many topics');
};

phase 'expressions' => sub {
    my @wrong = ('(', '(?=a)', '(?<=a)b', 'a{1001}', '\1', '(?>a)', 'a++', '(?R)', '\K', '[', '(' x 200 . ')' x 200, 'x' x 1025, '*', "\\");
    is_deeply([ grep { beat($c, 'regex', 'm', 0, subscribed_topic_names => undef, subscribed_topic_regex => $_)->{error_code} != 128 } @wrong ], [], 'not expressions');
    my @bombs = ('(a+)+$x', '((a*)*)*b', '(.*a){12}q', '(a|a)*c', '(.*.*)*=', '(\w+\w+)+!', 'topic-.*(a|aa)+$z', '((.{0,30}){0,30})q', '(x+x+)+y|(.*){30}z', '.*.*.*.*.*.*.*.*.*q');
    my @members;
    for my $g (1 .. 40) {
        my $answer = beat($c, "bomb-$g", 'm', 0, subscribed_topic_names => undef, subscribed_topic_regex => $bombs[ $g % @bombs ]);
        push @members, [ "bomb-$g", $answer->{member_epoch} ] if !$answer->{error_code};
    }
    cmp_ok(scalar @members, '>=', 20, 'expressions that explode are taken');
    my @good = map { beat($c, 'regexes', "m$_", 0, subscribed_topic_names => undef, subscribed_topic_regex => ".*$_.*")->{error_code} } 1 .. 100;
    is_deeply([ grep {$_} @good ], [], 'a hundred expressions in one group');
    ok(comes_true(sub { my $got = beat($c, 'regexes', 'm1', 0, subscribed_topic_names => undef, subscribed_topic_regex => '.*1.*'); @{ $got->{assignment}{topic_partitions} // [] } > 10 }, 60), 'theirs are resolved');
};

phase 'members that hang up' => sub {
    my $first = join_group(my $api = another(), 'hung');
    is($api->ask(SyncGroup => 3, { group_id => 'hung', generation_id => 1, member_id => $first->{member_id}, assignments => [] })->{error_code}, 0, 'a member');
    my @gone = map { another() } 1 .. 210;
    $_->tell(JoinGroup => 3, { group_id => 'hung', session_timeout_ms => 30000, rebalance_timeout_ms => 30000, protocol_type => 'consumer',
        protocols => [ { name => 'range', metadata => $SUBSCRIPTION . 'x' x 10000 } ] }) for @gone;
    my %seen;
    ok(comes_true(sub { %seen = (); counts($admin)->{requests_parked} >= 199 }, 30), 'parked: ' . counts($admin)->{requests_parked});
    my $refused = 0;
    IO::Select->new($_->socket)->can_read(0) and $_->hear->{error_code} == 81 and $refused++ for @gone;
    cmp_ok($refused, '>=', 10, 'no more than group.max.size');
    $_->close for @gone;
    ok(comes_true(sub { counts($admin)->{requests_parked} == 0 }, 30), 'they are forgotten with their connections: ' . counts($admin)->{requests_parked});
};

phase 'many groups' => sub {
    my $seen = stream($c, 10000, sub { (OffsetCommit => 8, { group_id => "g$_[0]", topics => [ { name => 'quiet', partitions => [ { partition_index => 0, committed_offset => 1, committed_metadata => '' } ] } ] }) },
        sub { $_[0]{topics} ? $_[0]{topics}[0]{partitions}[0]{error_code} : 'closed' });
    note join ' ', %$seen;
    my @all = map {"g$_"} 0 .. 9999;
    cmp_ok(scalar @{ $c->ask(ListGroups => 4, {})->{groups} // [] }, '>=', 10000, 'listed');
    is(scalar @{ $c->ask(DescribeGroups => 5, { groups => \@all })->{groups} // [] }, 10000, 'described');
    my $filters = $c->ask(ListGroups => 5, { states_filter => [ map {" state$_"} 1 .. 100000 ], types_filter => [ map {"t$_"} 1 .. 50000 ] });
    is(scalar @{ $filters->{groups} // [1] }, 0, 'filtered by very many words');
    my $gone = $c->ask(DeleteGroups => 2, { groups_names => \@all });
    is(scalar(grep { !$_->{error_code} } @{ $gone->{results} // [] }), 10000, 'deleted');
};

phase 'more than there is memory for' => sub {
    my %seen;
    for my $i (1 .. 100) {
        my $api = another();
        my $answer = join_group($api, "full-$i", protocol_type => 'other', protocols => [ { name => 'range', metadata => 'y' x ($MIB - 100) } ]);
        $seen{ $answer->{error_code} }++;
    }
    ok($seen{81}, 'new groups are refused: ' . join ' ', %seen);
    is(beat($c, 'none', 'm', 0)->{error_code}, 15, 'new members, too');
    is(commit($c, 'texts', 'x'), '0', 'known offsets are not');
};

close $to_beats;
waitpid $beats, 0;
is(counts($admin)->{starts}, 1, 'no worker died');
is($node->stop('fast'), 0, 'the node stops');
unlike($node->log_text, qr/PANIC|FATAL/, 'no process failed');
done_testing;
