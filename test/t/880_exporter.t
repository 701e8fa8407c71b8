#!/usr/bin/perl
# 880_exporter.t - metrics over HTTP: what is served, how, and that nobody can hurt it or be hurt by it
#
# Proves: both text formats are well formed (a strict reader; promtool in check-long), every metric of the table that names
# an alert is there on a new node, without NaN; numbers follow what is done to the node; groups are told with their lag, up to
# metrics.group.lag.max; names are escaped; the view `metrics` says the same. Requests that trickle, are huge, or no HTTP at all
# and a hundred idle connections do not keep others from being served; a connection is kept for the next scrape. kill -9
# of the exporter starts it again alone. The address changes by a reload, one that is in use is waited for, without one
# nothing is served.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Prom;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $port = Ottla::Test::Node::free_port();
my $node = Ottla::Test::Node->new(conf => { 'metrics.listen' => "127.0.0.1:$port", 'metrics.per.partition' => 'true',
    'metrics.group.lag.max' => 5, 'group.initial.rebalance.delay.ms' => 0 })->start;
my $api  = Ottla::Test::Api->new($node);
my $wire = Ottla::Test::Wire->new($node);

sub metrics {
    my $page;
    $node->wait_until('the exporter', sub { $page = Ottla::Test::Prom::scrape($port); $page->{status} == 200 });
    return Ottla::Test::Prom::parse($page->{text});
}

# Pages are shared for a second: waits for one on which it is so.
sub comes { my ($what, $condition) = @_; my $m; $node->wait_until($what, sub { $m = metrics(); $condition->($m) }); return $m }

# ---- a new node -----------------------------------------------------------------------------------

my $m = comes('all workers', sub { $_[0]->value('ottla_workers_dead') == 0 });
subtest 'a new node' => sub {
    my @alerts = qw(ottla_controller_active ottla_controller_offline_partitions ottla_controller_preferred_replica_imbalance
        ottla_metadata_errors_total ottla_controller_unclean_elections_total ottla_under_replicated_partitions
        ottla_under_min_isr_partitions ottla_at_min_isr_partitions ottla_offline_replicas ottla_isr_changes_total
        ottla_late_transactions ottla_replica_failed_partitions ottla_workers_dead ottla_backends_busy_ratio
        ottla_authentications_total ottla_log_dir_online ottla_recovery_logs_remaining);
    for my $name (@alerts) {
        my @values = grep { $_->{name} eq $name } @{ $m->{all} };
        ok(scalar @values, $name);
        like($_->{value}, qr/^[01](\.0+)?$/, "... is $_->{value}") for grep { $name ne 'ottla_authentications_total' } @values;
    }
    ok($m->{samples}{'ottla_request_seconds_count'}{'api="Produce",phase="total"'} eq '0', 'the latency of Produce');
    is($m->value('ottla_node_state'), 3, 'it runs');
    is($m->value('ottla_workers', kind => 'exporter'), 1, 'this is it');
    is($m->value('ottla_workers_dead'), 0, 'nobody is dead');
    is($m->value("ottla_cleaner_$_"), 0, "$_: nothing is compacted") for qw(dirty_ratio last_run_age_seconds uncleanable_partitions last_clean_seconds);
    is($m->value('ottla_txn_markers_pending'), 0, 'no markers are pending');
    is($m->value('ottla_controller_elections_won_total'), 1, 'the controller won one election');
    is($m->{samples}{"ottla_raft_election_seconds_$_"}{''}, 0, "elections: $_") for qw(sum count);
    is(scalar keys %{ $m->{samples}{ottla_replication_bytes_total} }, 4, 'bytes between replicas, for each direction and reason');
    is(scalar keys %{ $m->{samples}{ottla_replication_throttled_bytes_total} }, 2, '... and throttled ones, for each side');
    is($m->{families}{ottla_replica_lag_records}{type}, 'gauge', 'the lag of followers has a type');
    ok(!$m->{samples}{ottla_replica_lag_records}, '... and no samples');
    my %table = map { /^(ottla_\w+) \|/ ? ($1 => 1) : () } split /\n/, Ottla::Test::Node::slurp('src/metrics/metrics.txt');
    my @unknown = grep { !$table{$_} } keys %{ $m->{families} };
    is_deeply(\@unknown, [], 'nothing that is not in the table');
    my $page = Ottla::Test::Prom::scrape($port, '/metrics', headers => { Accept => 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' });
    like($page->{type}, qr{^application/openmetrics-text; version=1\.0\.0}, 'OpenMetrics for who asks for it');
    my $open = Ottla::Test::Prom::parse($page->{text}, openmetrics => 1);
    is($open->{families}{ottla_requests_failed}{type}, 'counter', 'a counter without its suffix');
    is(scalar @{ $open->{all} }, scalar @{ metrics()->{all} }, 'as many samples');
};

# ---- numbers --------------------------------------------------------------------------------------

subtest 'numbers follow what is done' => sub {
    $api->make_topic('orders', 3);
    my $batch = batch(records => [ map { { value => 'x' x 100 } } 1 .. 10 ]);
    $api->produce('orders', $batch) for 1 .. 4;
    $wire->call(1, 4, Ottla::Test::Wire::fetch_body('orders', 0, 0)) for 1 .. 2;
    is($wire->create_topic('broken', 1), 0, 'another topic');
    $wire->call(0, 7, Ottla::Test::Wire::produce_body('broken', 'no batch at all'));
    $m = comes('the last of it', sub { ($_[0]->value('ottla_topic_requests_total', topic => 'broken', result => 'failure') // 0) > 0 });
    is($m->value('ottla_topic_records_in_total', topic => 'orders'), 40, 'records');
    is($m->value('ottla_topic_bytes_in_total', topic => 'orders'), 4 * length $batch, 'bytes');
    is($m->value('ottla_topic_bytes_out_total', topic => 'orders'), 2 * 4 * length $batch, 'bytes handed out');
    is($m->value('ottla_topic_requests_total', topic => 'orders', api => 'Produce', result => 'success'), 4, 'appends');
    is($m->value('ottla_topic_requests_total', topic => 'orders', api => 'Fetch', result => 'success'), 2, 'fetches');
    is($m->value('ottla_log_end_offset', topic => 'orders', partition => 0), 40, 'the end of a log');
    is($m->value('ottla_log_bytes', topic => 'orders', partition => 0), 4 * length $batch, 'its size');
    is($m->value('ottla_log_segments', topic => 'orders', partition => 0), 1, 'its segments');
    is($m->value('ottla_partitions'), 4, 'partitions');
    is($m->value('ottla_leaders'), 4, 'leaders');
    is($m->value('ottla_controller_topics'), 2, 'topics');
    is($m->value('ottla_requests_total', api => 'Produce'), 5, 'requests');
    is($m->value('ottla_requests_failed_total', api => 'Produce'), 1, 'failed ones');
    is($m->value('ottla_request_errors_total', api => 'Produce'), 1, 'its error');
    is($m->value('ottla_requests_total', api => 'Fetch', version => 4), 2, 'by version');
    cmp_ok($m->value('ottla_request_phase_seconds_total', api => 'Produce'), '>', 0, 'where the time went');
    is($m->value('ottla_request_seconds_count', api => 'Produce'), 5, 'the latency of as many');
    cmp_ok($m->value('ottla_request_seconds_sum', api => 'Produce'), '>', 0, '... is above 0');
    is($m->value('ottla_log_dir_partitions'), 4, 'in one directory');
};

subtest 'shell 29: kill -9 of the exporter: only it restarts' => sub {
    my %before = map { $_->{pid} => $_->{kind} } grep { $_->{kind} !~ /^(?:exporter|spare|startup)$/ } $node->children;
    my $socket = $node->connect_tcp;
    my $same = Ottla::Test::Wire->new($socket);
    my $pid = $node->kill_child(KILL => 'exporter');
    my $new = $node->wait_child('exporter', $pid);
    $m = metrics();
    is($m->value('ottla_crash_cycles_total'), 0, 'no crash cycle');
    is($m->value('ottla_topic_records_in_total', topic => 'orders'), 40, 'counters are what they were');
    my %after = map { $_->{pid} => 1 } $node->children;
    is_deeply([ grep { !$after{$_} } keys %before ], [], 'everybody else lives');
    is($same->create_topic('after', 1), 0, 'clients notice nothing');
    like($node->log_text, qr/exporter.*(?:SIGKILL|signal 9|killed)/i, 'the log says so');
    $node->wait_until('its title', sub { ($node->children_of_kind('exporter'))[0]{detail} eq "127.0.0.1:$port" });
    pass('the title says where');
};

subtest 'the disk' => sub {
    my ($device) = map { sprintf '%d:%d', $_ >> 8 & 0xfff, $_ & 0xff | $_ >> 12 & 0xfff00 } (stat $node->dir)[0];
    plan skip_all => 'no block device here' if !-r "/sys/dev/block/$device/stat";
    $m = metrics();
    my ($read, $written) = map { $m->value('ottla_disk_bytes_total', op => $_) } qw(read write);
    ok(defined $read && $written > 0, 'both are told');
    open my $fh, '>', $node->dir . '/ballast' or die $!;
    syswrite $fh, join '', map { chr int rand 256 } 1 .. 4096 for 1 .. 512;
    IO::Handle::sync($fh);
    close $fh;
    unlink $node->dir . '/ballast';
    $m = comes('2 MiB more', sub { $_[0]->value('ottla_disk_bytes_total', op => 'write') >= $written + 2 * 1024 * 1024 });
    pass('what is written and flushed counts');
    my @sectors = split ' ', Ottla::Test::Node::slurp("/sys/dev/block/$device/stat");
    cmp_ok($m->value('ottla_disk_bytes_total', op => 'write'), '<=', 512 * $sectors[6], 'in sectors of 512 bytes');
    cmp_ok($m->value('ottla_disk_bytes_total', op => 'read'), '<=', 512 * $sectors[2], '... both');
};

subtest 'groups and their lag' => sub {
    my $wild = "a\"b\\c\nd";
    $node->wait_until('a coordinator', sub { $api->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['app'] })->{coordinators}[0]{error_code} == 0 });
    my $commit = sub {
        my ($group, @offsets) = @_;
        $node->wait_until("$group to be served", sub {
            my $answer = $api->ask(OffsetCommit => 8, { group_id => $group, generation_id_or_member_epoch => -1, topics => [ { name => 'orders',
                partitions => [ map { { partition_index => $_, committed_offset => $offsets[$_] } } 0 .. $#offsets ] } ] });
            !grep { $_->{error_code} } @{ $answer->{topics}[0]{partitions} };
        });
    };
    $commit->('app', 15);
    $commit->($wild, 40);
    $node->kill_child(KILL => 'exporter'); # what it knows of groups is good for ten seconds
    $m = comes('two groups', sub { 2 == ($_[0]->value('ottla_groups') // 0) });
    is($m->value('ottla_groups', state => 'Empty'), 2, 'both have no members');
    is($m->value('ottla_group_lag_records', group => 'app', topic => 'orders', partition => 0), 25, 'records left');
    cmp_ok($m->value('ottla_group_lag_seconds', group => 'app'), '>', 0, 'and their age');
    is($m->value('ottla_group_lag_records', group => $wild), 0, 'a name with quotes and line feeds');
    is($m->value('ottla_group_lag_dropped'), 0, 'all is told');
    is($m->value('ottla_group_offsets'), 2, 'committed offsets');
    $m = comes('all shards', sub { $_[0]->value('ottla_coordinator_shards', state => 'loading') == 0 });
    is($m->value('ottla_coordinator_load_seconds_count'), $m->value('ottla_coordinator_shards', state => 'owned'), 'each shard was loaded once');
    cmp_ok($m->value('ottla_coordinator_load_seconds_sum'), '>', 0, '... which took time');
    $api->produce('orders', batch(records => [ { value => 'x' } ]), partition => $_) for 1, 2;
    $commit->("more$_", 0, 0, 0) for 1 .. 3;
    $node->kill_child(KILL => 'exporter');
    # A coordinator that is busy is left out of one gathering, and there in the next.
    $m = comes('five groups', sub { 11 == ($_[0]->value('ottla_group_offsets') // 0) && $_[0]->value('ottla_groups') == 5 && 6 == ($_[0]->value('ottla_group_lag_dropped') // 0) });
    is(scalar(grep { $_->{name} eq 'ottla_group_lag_records' } @{ $m->{all} }), 5, 'metrics.group.lag.max are told');
    is($m->value('ottla_group_lag_dropped'), 6, '... and how many are not');
};

subtest 'the view says the same' => sub {
    my @rows = @{ Ottla::Test::Wire->new($node->connect_unix)->stat('metrics') };
    my %row = map { ("$_->{name} $_->{labels}" => $_->{value}) } @rows;
    is(scalar keys %row, scalar @rows, 'each sample once');
    is($row{'ottla_topic_records_in_total {"topic":"orders"}'}, 42, 'a counter with its label');
    is($row{'ottla_log_end_offset {"topic":"orders","partition":"0"}'}, 40, 'two labels');
    is($row{'ottla_leaders {}'}, $m->value('ottla_leaders'), 'a gauge');
    my $served = metrics();
    my @missing = grep { my $s = $_; $s->{name} !~ /^ottla_group(?:s|_lag_\w+)$/ && !grep { $_->{name} eq $s->{name} } @rows } @{ $served->{all} };
    is_deeply(\@missing, [], 'all but what coordinators alone know');
};

# What dashboards and alerts ported from Kafka ask for, by the names it has here (all but what nothing happened for in this test).
subtest 'no name is forgotten' => sub {
    my @names = map { "ottla_$_" } qw(controller_active controller_offline_partitions controller_brokers controller_topics controller_partitions
        controller_preferred_replica_imbalance metadata_errors_total metadata_applied_offset
        metadata_applied_lag_seconds metadata_committed_offset controller_heartbeat_timeouts_total
        controller_event_queue_seconds controller_event_processing_seconds controller_elections_won_total
        controller_unclean_elections_total controller_elr_elections_total under_replicated_partitions
        under_min_isr_partitions at_min_isr_partitions offline_replicas leaders partitions isr_changes_total
        reassigning_partitions producer_ids late_transactions replica_max_lag_records replica_failed_partitions
        workers_dead replica_lag_records topic_bytes_in_total topic_bytes_out_total topic_bytes_rejected_total
        topic_records_in_total replication_bytes_total topic_requests_total request_seconds requests_total
        request_errors_total request_bytes backends backends_busy_ratio backend_cpu_seconds_total
        acceptor_blocked_seconds_total connections connections_accepted_total connections_rejected_total
        authentications_total delayed_operations log_bytes log_start_offset log_end_offset log_segments
        log_flush_seconds log_dir_online recovery_logs_remaining cleaner_dirty_ratio cleaner_last_run_age_seconds
        cleaner_uncleanable_partitions cleaner_last_clean_seconds groups group_offsets coordinator_load_seconds
        offset_commits_total group_rebalances_total group_lag_records group_lag_seconds txn_markers_pending
        raft_leader_id raft_epoch raft_role raft_high_watermark raft_log_end_offset raft_commit_seconds
        raft_election_seconds quota_tokens quota_throttle_seconds_total replication_throttled_bytes_total node_state);
    is($wire->alter_quota({ 'client-id' => 'maker' }, { controller_mutation_rate => 1 }), 0, 'a quota');
    Ottla::Test::Api->new($node, 'maker')->make_topic('made', 60); # which are owed for a minute
    my $served = comes('its tokens', sub { $_[0]->{families}{ottla_quota_tokens} });
    is_deeply([ grep { !$served->{families}{$_} } @names ], [], scalar(@names) . ' names');
};

# ---- clients --------------------------------------------------------------------------------------

sub dial { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 20) // die "connect: $@" }

# One answer from an open connection.
sub answer_on {
    my ($socket) = @_;
    my $got = '';
    while ($got !~ /\r\n\r\n/) { sysread($socket, $got, 65536, length $got) or return Ottla::Test::Prom::read_answer($got) }
    my ($length) = $got =~ /^content-length: (\d+)/mi;
    my $head = index($got, "\r\n\r\n") + 4;
    while (length($got) < $head + ($length // 0)) { sysread($socket, $got, 65536, length $got) or last }
    return Ottla::Test::Prom::read_answer($got);
}

subtest 'what is asked' => sub {
    is(Ottla::Test::Prom::scrape($port, '/healthz')->{text}, "ok\n", 'health');
    is(Ottla::Test::Prom::scrape($port, '/')->{status}, 200, 'the front page');
    is(Ottla::Test::Prom::scrape($port, '/nothing')->{status}, 404, 'another page');
    my $post = Ottla::Test::Prom::scrape($port, '/metrics', method => 'POST', headers => { 'Content-Length' => 0 });
    is_deeply([ $post->{status}, $post->{headers}{allow} ], [ 405, 'GET, HEAD' ], 'another method');
    my $head = Ottla::Test::Prom::scrape($port, '/metrics', method => 'HEAD');
    is_deeply([ $head->{status}, $head->{text} ], [ 200, '' ], 'HEAD');
    cmp_ok($head->{headers}{'content-length'}, '>', 1000, '... says how long it would be');
    my $socket = dial();
    for (1 .. 3) {
        syswrite $socket, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        is(answer_on($socket)->{status}, 200, "request $_ of one connection");
    }
    syswrite $socket, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    my $both = do { local $/; <$socket> };
    is(scalar(() = $both =~ m{^HTTP/1.1 200}mg), 2, 'two requests at once, two answers');
};

subtest 'hostile clients' => sub {
    for (
        [ 'no HTTP', "\0\1\2\3" x 1000 . "\r\n\r\n" ],
        [ 'a long line', 'GET /' . 'x' x 100_000 . " HTTP/1.1\r\n\r\n" ],
        [ 'many headers', "GET /metrics HTTP/1.1\r\n" . join('', map { "X-$_: " . 'y' x 100 . "\r\n" } 1 .. 1000) . "\r\n" ],
        [ 'a body without end', "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n" ],
        [ 'a bad chunk', "GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n" ],
    ) {
        my ($what, $bytes) = @$_;
        my $socket = dial();
        local $SIG{PIPE} = 'IGNORE';
        syswrite $socket, $bytes;
        shutdown $socket, 1;
        my $end = time + 2; # the server may wait for more, but for others, too
        my $text = '';
        while (time < $end) { my $rin = ''; vec($rin, fileno $socket, 1) = 1; next if !select $rin, undef, undef, 1; sysread($socket, $text, 65536, length $text) or last }
        unlike($text, qr{^HTTP/1\.[01] 200}, "$what: no page");
        is(metrics()->value('ottla_node_state'), 3, '... and others are served');
    }
    my @idle = map { dial() } 1 .. 30;
    my @trickle = map { my $s = dial(); syswrite $s, "GET /metr"; $s } 1 .. 7;
    my $before = time;
    is(Ottla::Test::Prom::scrape($port, '/healthz')->{status}, 200, 'idle and slow connections leave room for others');
    cmp_ok(time - $before, '<', 5, '... at once');
    syswrite $_, "ics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" for @trickle;
    is(scalar(grep { answer_on($_)->{status} == 200 } @trickle), 7, 'slow ones are served when they are through');
    my @deaf = map { my $s = dial(); syswrite $s, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"; $s } 1 .. 6;
    is(Ottla::Test::Prom::scrape($port, '/healthz')->{status}, 200, 'so do those that do not read');
};

# ---- where it listens -------------------------------------------------------------------------------------

subtest 'where it listens' => sub {
    my $other = Ottla::Test::Node->new(conf => { 'metrics.listen' => "127.0.0.1:$port" })->start;
    $other->wait_for_log(qr/WARNING.*metrics are not served.*127\.0\.0\.1:$port/);
    pass('an address in use: the node runs, one line says so');
    my $file = $other->dir . '/ottla.conf';
    $other->stop;
    $other->{conf} = {};
    my $write = sub { open my $fh, '>', $file or die $!; print $fh "metrics.listen = $_[0]\n"; close $fh };
    $write->("'localhost:0'");
    $other->start;
    my $title = sub { my ($c) = $other->children_of_kind('exporter'); $c ? $c->{detail} : '' };
    $other->wait_until('any port', sub { $title->() =~ /:(\d+)$/ && $1 > 0 });
    my ($any) = $title->() =~ /:(\d+)$/;
    is(Ottla::Test::Prom::scrape($any)->{status}, 200, 'port 0: the title says which');
    $write->("''");
    $other->reload;
    $other->wait_until('no address', sub { $title->() eq 'off' });
    is(Ottla::Test::Prom::scrape($any)->{status}, 0, 'a reload: nothing is served any more');
    $write->("'nonsense'");
    $other->reload;
    $other->wait_for_log(qr/metrics are not served: metrics.listen is host:port/);
    my $again = Ottla::Test::Node::free_port();
    $write->("'127.0.0.1:$again'");
    $other->reload;
    $other->wait_until('another one', sub { Ottla::Test::Prom::scrape($again)->{status} == 200 });
    pass('and again');
    is($other->stop, 0, 'it stops');
};

subtest 'many partitions' => sub {
    is($wire->create_topic("many$_", 5000), 0, 'five thousand of them') for 1, 2;
    $node->restart; # opens them
    $m = comes('all to be open', sub { ($_[0]->value('ottla_unopened_partitions') // 1) == 0 });
    is(scalar(grep { $_->{name} eq 'ottla_log_end_offset' } @{ $m->{all} }), $m->value('ottla_partitions'), 'each is told');
    my $before = time;
    cmp_ok(length Ottla::Test::Prom::scrape($port)->{text}, '>', 2_000_000, 'a long page');
    cmp_ok(time - $before, '<', 5, '... at once');
    my ($kb) = Ottla::Test::Node::slurp('/proc/' . ($node->children_of_kind('exporter'))[0]{pid} . '/smaps_rollup') =~ /^Private_Dirty:\s+(\d+)/m;
    cmp_ok($kb, '<', 64 << 10, "... and little memory ($kb KiB)");
};

SKIP: {
    skip 'promtool: check-long alone', 1 if !$ENV{OTTLA_LONG};
    my $tool = Ottla::Test::Prom::promtool() // skip 'promtool cannot be had', 1;
    open my $out, '|-', "'$tool' check metrics" or die $!;
    print $out Ottla::Test::Prom::scrape($port)->{text};
    ok(close $out, 'promtool finds no fault');
}

is($node->stop, 0, 'stop');
done_testing;
