#!/usr/bin/perl
# 860_statistics.t - what a node shows of its processes while they work (shell-and-service.md 10, 9.3)
#
# Proves: a consumer that waits is seen waiting, for what, on which topic, by activity and by ps alike; a
# producer over its quota is seen throttled, until when; a stopped process takes nothing away from what is
# shown of the others; bytes of a client id that a terminal would act on are shown as question marks; CPU
# time and memory are the kernel's; requests are counted by API and version, their errors by code, their times
# with what they waited for told apart; the manual names every wait event and no other.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;
use Time::HiRes qw(time);

my $node = Ottla::Test::Node->new(conf => { 'quota.window.num' => 2 })->start;
my $own = Ottla::Test::Wire->new($node->connect_unix, 'viewer');
my $client = Ottla::Test::Wire->new($node, 'app-1');
is($client->create_topic($_), 0, "topic $_") for qw(orders loud);

sub activity_of { my ($port) = @_; return $own->stat('activity', undef, { client_port => $port })->[0] }

sub title_of {
    my ($pid) = @_;
    return (map { $_->{title} } grep { $_->{pid} == $pid } $node->children)[0] // '';
}

subtest 'shell 28: a consumer that waits' => sub {
    my $at = time;
    $client->send(1, 4, Ottla::Test::Wire::fetch_body('orders', 0, 60_000));
    my $seen;
    $node->wait_until('the fetch to wait', sub { $seen = activity_of($client->port); $seen->{state} eq 'waiting' });
    is($seen->{ $_->[0] }, $_->[1], "$_->[0] $_->[1]")
        for [ wait_event_type => 'IPC' ], [ wait_event => 'FetchMinBytes' ], [ api => 'Fetch' ], [ api_version => 4 ],
        [ topic => 'orders' ], [ partition => 0 ], [ client_id => 'app-1' ], [ principal => 'User:ANONYMOUS' ],
        [ listener => 'PLAINTEXT' ], [ security_protocol => 'PLAINTEXT' ], [ client_addr => '127.0.0.1' ],
        [ backend_kind => 'backend' ], [ node_id => 1 ], [ requests => 3 ], [ errors => 0 ];
    for (qw(state_since request_started)) {
        cmp_ok($seen->{$_}, '>', $at * 1000 - 1000, "$_: after the fetch was sent");
        cmp_ok($seen->{$_}, '<', time * 1000 + 1000, '... and not in the future');
    }
    cmp_ok($seen->{connected}, '<=', $seen->{request_started}, 'connected before');
    $node->wait_until('ps to say the same',
        sub { title_of($seen->{pid}) =~ m{: backend PLAINTEXT 127\.0\.0\.1:\d+ ANONYMOUS/app-1 Fetch waiting orders$} });
    pass('ps says the same');
    my $producer = Ottla::Test::Wire->new($node);
    my $batch = Ottla::Test::Wire::batch(100);
    $producer->call(0, 7, Ottla::Test::Wire::produce_body('orders', $batch)); # ends the wait
    $client->receive;
    $node->wait_until('it to be idle', sub { activity_of($client->port)->{state} eq 'idle' });
    my $idle = activity_of($client->port);
    is($idle->{api}, undef, 'without a request: no API');
    is_deeply([ @$idle{qw(wait_event_type wait_event)} ], [qw(Client ClientRead)], 'waits for the client');
    cmp_ok($idle->{bytes_out}, '>', length $batch, 'the records went out');
    $node->wait_until('its title', sub { title_of($seen->{pid}) =~ m{/app-1 idle$} });
};

subtest 'shell 28: a producer that is throttled' => sub {
    is($client->alter_quota({ 'client-id' => 'loud' }, { producer_byte_rate => 10_000 }), 0, 'a quota');
    my $loud = Ottla::Test::Wire->new($node, 'loud');
    $loud->call(0, 7, Ottla::Test::Wire::produce_body('loud', Ottla::Test::Wire::batch(60_000)));
    my $seen;
    $node->wait_until('the producer to be throttled', sub { $seen = activity_of($loud->port); $seen->{state} eq 'throttled' });
    is_deeply([ @$seen{qw(wait_event_type wait_event)} ], [qw(Timeout QuotaThrottle)], 'what it waits for');
    cmp_ok($seen->{throttled_until}, '>', time * 1000, 'until when');
    cmp_ok($seen->{throttle_ms_total}, '>', 100, 'how long in all');
    $node->wait_until('ps to say the same', sub { title_of($seen->{pid}) =~ /loud throttled \d+ms$/ });
    is(scalar @{ $own->stat('activity', ['pid'], { throttled_until => undef, client_id => 'loud' }) }, 0, 'a filter for null');
    is(scalar @{ $own->stat('activity', ['pid'], { state => 'throttled' }) }, 1, 'a filter for the state');
};

subtest 'shell 28: a process that is stopped' => sub {
    my $stopped = Ottla::Test::Wire->new($node, 'stopped');
    $stopped->call(18, 0, '');
    my $victim;
    $node->wait_until('it to be idle', sub { $victim = activity_of($stopped->port); $victim->{state} eq 'idle' });
    kill 'STOP', $victim->{pid};
    $stopped->send(18, 0, '');
    my $begin = time;
    $client->call(18, 0, '') for 1 .. 20;
    my @rows = @{ $own->stat('activity') };
    cmp_ok(time - $begin, '<', 2, 'others are served, and shown, as before');
    is(scalar(grep { $_->{pid} == $victim->{pid} } @rows), 1, 'it is shown as it was');
    kill 'CONT', $victim->{pid};
    isnt($stopped->receive, undef, 'it goes on');
};

subtest 'shell 27: titles' => sub {
    my $evil = Ottla::Test::Wire->new($node, "a\e[31mb\x07c\xc3\xa4");
    $evil->call(18, 0, '');
    my $seen;
    $node->wait_until('its request to be over', sub { $seen = activity_of($evil->port); $seen->{state} eq 'idle' });
    is($seen->{client_id}, 'a?[31mb?c??', 'control and foreign bytes');
    $node->wait_until('ps', sub { title_of($seen->{pid}) =~ m{ANONYMOUS/a\?\[31mb\?c\?\? idle$} });
    my $me = getpwuid $<;
    my ($self) = @{ $own->stat('activity', undef, { client_id => 'viewer' }) };
    is_deeply([ @$self{qw(principal client_addr client_port listener api state)} ],
        [ "User:$me", undef, undef, 'LOCAL', 'OttlaStat', 'active' ], 'who looks, by the Unix socket');
    my %shown = map { $_->{pid} => $_ } @{ $own->stat('activity') };
    my %title = map { $_->{pid} => $_->{title} } @{ $own->stat('processes') };
    for my $child (grep { $_->{kind} ne 'spare' } $node->children) {
        is($shown{ $child->{pid} }{backend_kind}, $child->{kind}, "$child->{kind}: the kind");
        like($child->{title}, qr/^ottlad: \S+: \Q$title{$child->{pid}}\E$/, '... ps and processes agree')
            unless $child->{title} =~ /controller|throttled/; # those change
        like($shown{ $child->{pid} }{state}, qr/^(?:idle|active|waiting|throttled)$/, "... state $shown{$child->{pid}}{state}");
    }
};

subtest 'requests' => sub {
    my $wire = Ottla::Test::Wire->new($node);
    is($wire->create_topic('slow'), 0, 'a topic');
    my $row = sub { my ($api, $version) = @_; return $own->stat('requests', undef, { api => $api, api_version => $version })->[0] };
    my $before = $row->('Produce', 5) // {};
    is($before->{count} // 0, 0, 'a version that nobody has used');
    $wire->call(0, 5, Ottla::Test::Wire::produce_body('slow', Ottla::Test::Wire::batch(10))) for 1 .. 7;
    $wire->call(0, 5, Ottla::Test::Wire::produce_body("nowhere$_", Ottla::Test::Wire::batch(10))) for 1 .. 3;
    my $other = Ottla::Test::Wire->new($node);
    $other->call(0, 5, Ottla::Test::Wire::produce_body('slow', Ottla::Test::Wire::batch(10)));
    my $got;
    $node->wait_until('all to be counted', sub { $got = $row->('Produce', 5); $got->{count} == 11 });
    like($got->{errors}, qr/"UNKNOWN_TOPIC_OR_PARTITION":3\b/, "errors by name: $got->{errors}");
    cmp_ok($got->{p50_ms}, '>', 0, 'p50');
    cmp_ok($got->{p50_ms}, '<=', $got->{p95_ms}, '... is not above p95');
    cmp_ok($got->{p95_ms}, '<=', $got->{p99_ms}, '... nor that above p99');
    cmp_ok(abs($got->{total_ms} - $got->{queue_ms} - $got->{local_ms} - $got->{remote_ms}), '<', 0.01, 'the parts are the whole');
    $wire->call(1, 4, Ottla::Test::Wire::fetch_body('slow', 8, 400));
    $node->wait_until('the fetch to be counted', sub { $got = $row->('Fetch', 4); $got->{count} >= 2 });
    cmp_ok($got->{remote_ms}, '>', 390, 'a fetch that waited: for others');
    cmp_ok($got->{local_ms}, '<', $got->{remote_ms}, '... not at work');
    my ($apis) = @{ $own->stat('requests', undef, { api => 'Produce', api_version => 7 }) };
    cmp_ok($apis->{throttle_ms}, '>', 100, 'what quotas cost');
    is($own->stat_page('requests', undef, { p50_ms => '1' })->{error}, 42, 'no filters on real numbers');
    $wire->call(18, $_, "\0") for 900 .. 909; # an empty set of tagged fields
    $node->wait_until('these to be counted', sub { ($got = $row->('ApiVersions', 0)->{errors}) =~ /"UNSUPPORTED_VERSION":10\b/ });
    is_deeply([ grep { $_->{api_version} > 100 } @{ $own->stat('requests', undef, { api => 'ApiVersions' }) } ], [], 'no row for versions that do not exist');
    is($wire->create_topic('slow'), 36, 'what the controller refuses');
    $node->wait_until('it to be counted', sub { ($own->stat('requests', undef, { api => 'CreateTopics' })->[0]{errors} // '') =~ /"TOPIC_ALREADY_EXISTS":1\b/ });
};

subtest 'what the kernel says' => sub {
    my ($row) = @{ $own->stat('activity', [qw(pid cpu_ms rss_bytes)], { backend_kind => 'controller' }) };
    open my $f, '<', "/proc/$row->{pid}/statm" or die $!;
    my $rss = (split ' ', scalar <$f>)[1] * 4096;
    cmp_ok(abs($row->{rss_bytes} - $rss), '<', 4 << 20, 'memory');
    cmp_ok($row->{cpu_ms}, '>=', 0, 'CPU time');
    cmp_ok($row->{cpu_ms}, '<', 60_000, '... of this process');
};

subtest 'workers' => sub {
    my @workers = @{ $own->stat('workers') };
    my %title = map { $_->{pid} => $_->{title} } $node->children;
    is_deeply([ sort map { $_->{pid} } @workers ], [ sort map { $_->{pid} } grep { $_->{kind} !~ /^(?:backend|spare)$/ } $node->children ], 'all of them');
    for my $w (grep { $_->{kind} ne 'controller' } @workers) {
        like($title{ $w->{pid} }, qr/: \Q$w->{kind} $w->{activity}\E$/, "$w->{kind} $w->{index}: as ps shows it");
    }
    my ($victim) = @{ $own->stat('workers', undef, { kind => 'coordinator', index => 1 }) };
    is_deeply([ @$victim{qw(restarts last_error state)} ], [ 0, undef, 'running' ], 'before its death');
    like((grep { $_->{kind} eq 'controller' } @workers)[0]{progress}, qr/^\{"epoch":\d+,"offset":\d+\}$/, 'progress of the controller');
    kill 'KILL', $victim->{pid};
    my $next;
    $node->wait_until('another', sub { ($next) = @{ $own->stat('workers', undef, { kind => 'coordinator', index => 1 }) }; $next && $next->{pid} != $victim->{pid} });
    is_deeply([ @$next{qw(restarts last_error)} ], [ 1, 'died by signal 9: SIGKILL' ], 'after it');
};

subtest 'connections, the node, its memory' => sub {
    my @same = map { Ottla::Test::Wire->new($node, 'twin') } 1 .. 3;
    $_->call(18, 0, '') for @same;
    my ($group) = @{ $own->stat('connections_by', undef, { client_id => 'twin' }) };
    is_deeply([ @$group{qw(listener principal software count)} ], [ 'PLAINTEXT', 'User:ANONYMOUS', undef, 3 ], 'connections by client');
    cmp_ok($group->{rate_out}, '>', 0, 'and what they get');
    my ($me) = @{ $own->stat('brokers') };
    like($me->{version}, qr/^\d+\.\d+/, "version $me->{version}");
    cmp_ok($me->{uptime_ms}, '>', 0, 'uptime');
    is($me->{crash_cycles}, 0, 'no crash');
    my %shmem = map { $_->{name} => $_ } @{ $own->stat('shmem') };
    cmp_ok($shmem{proc_slot}{size_bytes}, '>', 16384 * 1024, 'a region');
    cmp_ok($shmem{proc_slot}{used_bytes}, '<', $shmem{proc_slot}{size_bytes} / 2, '... most of which nobody has touched');
    cmp_ok($shmem{proc_slot}{used_bytes}, '>', 0, '... but some');
};

subtest 'the log' => sub {
    my @log = @{ $own->stat('server_log') };
    my ($ready) = grep { $_->{message} =~ /^ready; listeners=/ } @log;
    is_deeply([ @$ready{qw(level category kind pid detail)} ], [ 'LOG', 'supervisor', 'supervisor', $node->pid, undef ], 'what the supervisor said');
    my ($death) = grep { $_->{message} =~ /^coordinator died by signal 9/ } @log;
    is($death->{hint}, 'somebody sent it SIGKILL', 'a message with a hint');
    is_deeply([ map { $_->{serial} } @log ], [ $log[0]{serial} .. $log[-1]{serial} ], 'one after the other');
    my @told = grep { /(?:LOG|NOTICE|WARNING|ERROR|INFO):/ } split /\n/, $node->log_text;
    cmp_ok(scalar @log, '>=', @told - 5, 'all of the log is there');
    is(scalar @{ $own->stat('server_log', undef, { level => 'NOTICE', category => 'controller', kind => 'controller' }) },
        scalar(grep { / controller NOTICE:  controller:/ } @told), 'filters');
};

subtest 'the manual of wait events' => sub {
    my (%code, %told, $type);
    open my $header, '<', 'include/ottla/ipc/wait_events.h' or die $!;
    /X\(WAIT_EV_\w+, "(\w+)", "(\w+)"\)/ ? push @{ $code{$1} }, $2 : () for <$header>;
    open my $page, '<', 'doc/man/ottla-wait-events.7' or die $!;
    /^\.Ss (\w+)/ ? $type = $1 : /^\.It Cm (\w+)/ ? push @{ $told{$type} }, $1 : () for <$page>;
    is_deeply(\%told, \%code, 'ottla-wait-events(7) names what there is');
    cmp_ok(scalar(map { @$_ } values %code), '>', 50, 'which is a lot');
};

is($node->stop, 0, 'stop');
done_testing;
