#!/usr/bin/perl
# 864_admin_log.t - log.admin: every request that changed something leaves one line, and nothing else does
#
# Proves: each API that changes things is in the log with its principal, its client and the names of what it changed; what
# was refused or only judged is not, nor what members of groups commit; no secret is in there; names that clients make up stay
# in one line, inside their quotes; thousands of things make one line of bounded length; who hangs up, or is ended, before the answer
# is named all the same; a consumer without a group does not fill the log; log.admin=off is silent at once. Kafka's own tools, too.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Kafka qw(kafka_missing kafka_tool);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Test::More;

my ($TOPIC, $NODE, $LOGGER, $GROUP) = (2, 4, 8, 32);
my ($SET, $DELETE) = (0, 1);

my $base = tempdir(CLEANUP => 1);
my @dirs = map { "$base/$_" } qw(a b);
mkdir $_ or die "$_: $!" for @dirs;
my $node = Ottla::Test::Node->new(conf => { 'log.dirs' => join(',', @dirs), 'group.initial.rebalance.delay.ms' => 0 })->start;
my $c    = Ottla::Test::Api->new($node);

# The lines since the last call, in order. A request that is answered has left its line.
sub lines { return grep { /request: / } split /^/, $node->log_new }

# One line, of this API, about this.
sub one_line {
    my ($api, $what, $fields) = @_;
    my @lines = lines();
    is(scalar @lines, 1, "$api: one line") or diag @lines;
    my $text = $lines[0] // '';
    like($text, qr/^\S+ \S+ UTC \[\d+\] backend LOG:  request: change by $api; principal="User:ANONYMOUS" peer=127\.0\.0\.1:\d+ client="test"/, "$api: who");
    is(($text =~ / what="((?:[^"\\]|\\.)*)"$/)[0], $what, "$api: what");
    my ($got) = $text =~ /client="test"(.*) left_out=0 what=/;
    is($got, $fields, "$api: fields");
    return;
}

sub no_line { my ($what) = @_; is(join('', lines()), '', "no line: $what") }
sub ok_code { my ($answer, $list) = @_; return join ' ', map { $_->{error_code} } @{ $answer->{$list} } }

sub alter {
    my ($type, $name, $pairs, %o) = @_;
    return ok_code($c->ask(IncrementalAlterConfigs => 1, { validate_only => $o{validate_only}, resources => [ { resource_type => $type,
        resource_name => $name, configs => [ map { { name => $_->[0], config_operation => $_->[2] // $SET, value => $_->[1] } } @$pairs ] } ] }), 'responses');
}

sub create {
    my ($names, %o) = @_;
    my $configs = delete $o{configs} // [];
    return ok_code($c->ask(CreateTopics => 7, { timeout_ms => 10000, %o,
        topics => [ map { { name => $_, num_partitions => 2, replication_factor => 1, configs => $configs } } @$names ] }), 'topics');
}

sub commit {
    my ($who, $group, %o) = @_;
    my $version = $o{version} // 9;
    my $answer = $who->ask(OffsetCommit => $version, { group_id => $group, generation_id_or_member_epoch => -1, member_id => '', %{ $o{as} // {} },
        topics => [ { ($version >= 10 ? (topic_id => $o{id}) : (name => 'orders')), partitions => [ { partition_index => 1, committed_offset => 7 } ] } ] });
    return $answer->{topics}[0]{partitions}[0]{error_code};
}

$node->wait_until('a coordinator', sub { my $a = $c->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['g'] }); !$a->{coordinators}[0]{error_code} });
lines();
my $orders;

subtest 'topics' => sub {
    is(create([ 'orders', 'b' ], configs => [ { name => 'retention.ms', value => '3600000' } ]), '0 0', 'created');
    one_line('CreateTopics', 'topic b (retention.ms), topic orders (retention.ms)', ' done=2 unknown=0 refused=0');
    is(create([ 'orders', 'only' ]), '0 36', 'one is there already');
    one_line('CreateTopics', 'topic only', ' topic=only done=1 unknown=0 refused=1');
    is(create(['orders']), '36', 'refused');
    is(create(['dry'], validate_only => 1), '0', 'judged alone');
    no_line('nothing was created');
    is(ok_code($c->ask(CreatePartitions => 3, { timeout_ms => 10000, topics => [ { name => 'b', count => 3, assignments => undef } ] }), 'results'), '0', 'grown');
    one_line('CreatePartitions', 'topic b', ' topic=b done=1 unknown=0 refused=0');
    is(ok_code($c->ask(CreatePartitions => 3, { timeout_ms => 10000, validate_only => 1, topics => [ { name => 'b', count => 9, assignments => undef } ] }), 'results'), '0', 'judged');
    no_line('not grown');
    $c->produce('orders', batch(records => [ ('x') x 5 ]));
    $c->ask(DeleteRecords => 2, { timeout_ms => 10000, topics => [ { name => 'orders', partitions => [ { partition_index => 0, offset => 3 }, { partition_index => 7, offset => 3 } ] } ] });
    one_line('DeleteRecords', 'orders-0', ' topic=orders partition=0 done=1 unknown=0 refused=1');
    my ($to) = grep { !-d "$_/b-0" } @dirs;
    $c->ask(AlterReplicaLogDirs => 2, { dirs => [ { path => $to, topics => [ { name => 'b', partitions => [0] } ] } ] });
    one_line('AlterReplicaLogDirs', 'b-0', ' topic=b partition=0 done=1 unknown=0 refused=0');
    is($c->ask(ElectLeaders => 2, { timeout_ms => 10000, topic_partitions => [ { topic => 'b', partitions => [0] } ] })->{replica_election_results}[0]{partition_result}[0]{error_code}, 84, 'no election is needed');
    no_line('nobody was elected');
    my $moved = $c->ask(AlterPartitionReassignments => 0, { timeout_ms => 10000, topics => [ { name => 'b', partitions => [ { partition_index => 2, replicas => [1] }, { partition_index => 1, replicas => [99] } ] } ] });
    is(ok_code($moved->{responses}[0], 'partitions'), '0 39', 'reassigned, and refused');
    one_line('AlterPartitionReassignments', 'b-2', ' topic=b partition=2 done=1 unknown=0 refused=1');
    my ($id) = map { $_->{topic_id} } @{ $c->ask(Metadata => 12, { topics => [ { name => 'only' } ] })->{topics} };
    is(ok_code($c->ask(DeleteTopics => 6, { timeout_ms => 10000, topics => [ { name => undef, topic_id => $id }, { name => 'none' } ] }), 'responses'), '3 0', 'deleted by its id');
    one_line('DeleteTopics', 'topic only', ' topic=only done=1 unknown=0 refused=1');
    ($orders) = map { $_->{topic_id} } @{ $c->ask(Metadata => 12, { topics => [ { name => 'orders' } ] })->{topics} };
};

subtest 'settings, quotas, users' => sub {
    is(alter($TOPIC, 'orders', [ [ 'cleanup.policy', 'compact' ], [ 'retention.ms', undef, $DELETE ] ]), '0', 'a topic');
    one_line('IncrementalAlterConfigs', 'topic orders (cleanup.policy,-retention.ms)', ' topic=orders done=1 unknown=0 refused=0');
    is(alter($NODE, '1', [ [ 'listener.name.plaintext.ssl.key.password', 'hush-key' ] ]), '0', 'a password of the node');
    one_line('IncrementalAlterConfigs', 'broker 1 (listener.name.plaintext.ssl.key.password)', ' done=1 unknown=0 refused=0');
    is(alter($LOGGER, '1', [ [ 'storage', 'DEBUG' ] ]), '0', 'a logger');
    one_line('IncrementalAlterConfigs', 'logger 1 (storage)', ' done=1 unknown=0 refused=0');
    is(alter($TOPIC, 'orders', [ [ 'retention.ms', 'hush-bad' ] ]), '40', 'a bad value');
    is(alter($TOPIC, 'orders', [ [ 'retention.ms', '5' ] ], validate_only => 1), '0', 'judged');
    no_line('no setting was changed');
    is(ok_code($c->ask(AlterConfigs => 2, { resources => [ { resource_type => $TOPIC, resource_name => 'b', configs => [ { name => 'segment.bytes', value => '1048576' } ] } ] }), 'responses'), '0', 'the old way');
    one_line('AlterConfigs', 'topic b (segment.bytes)', ' topic=b done=1 unknown=0 refused=0');
    my @entity = ({ entity_type => 'user', entity_name => "eve\nFATAL:  \e[31m" }, { entity_type => 'client-id', entity_name => undef });
    is(ok_code($c->ask(AlterClientQuotas => 1, { entries => [ { entity => \@entity, ops => [ { key => 'producer_byte_rate', value => 5 }, { key => 'consumer_byte_rate', remove => 1 } ] } ] }), 'entries'), '0', 'a quota');
    one_line('AlterClientQuotas', 'quota client-id - user eve\\x0aFATAL:  \\x1b[31m (producer_byte_rate,-consumer_byte_rate)', ' done=1 unknown=0 refused=0');
    my @two = map { { entity => [ { entity_type => 'client-id', entity_name => $_->[0] } ], ops => [ { key => $_->[1], value => 5 } ] } } [ 'z', 'producer_byte_rate' ], [ 'a', 'request_percentage' ];
    $c->ask(AlterClientQuotas => 1, { entries => \@two, validate_only => 1 });
    no_line('no quota was changed');
    $c->ask(AlterClientQuotas => 1, { entries => \@two });
    like(join('', lines()), qr/"(?=.*quota client-id a \(request_percentage\))(?=.*quota client-id z \(producer_byte_rate\))/, 'each has its own settings');
    is(ok_code($c->ask(AlterUserScramCredentials => 0, { upsertions => [ map { { name => $_, mechanism => 2, iterations => 4096, salt => 'hush-salt', salted_password => 'hush-word' } } 'alice', 'carl' ] }), 'results'), '0 0', 'users');
    one_line('AlterUserScramCredentials', 'user alice (SCRAM-SHA-512), user carl (SCRAM-SHA-512)', ' done=2 unknown=0 refused=0');
    is(ok_code($c->ask(AlterUserScramCredentials => 0, { deletions => [ { name => 'alice', mechanism => 2 }, { name => 'nobody', mechanism => 1 } ] }), 'results'), '0 91', 'a credential goes');
    one_line('AlterUserScramCredentials', 'user alice (-SCRAM-SHA-512)', ' done=1 unknown=0 refused=1');
};

subtest 'groups' => sub {
    is(commit($c, 'g'), 0, 'offsets are set');
    one_line('OffsetCommit', 'orders-1', ' group="g" topic=orders partition=1 done=1 unknown=0 refused=0');
    is(commit($c, 'g', version => 10, id => $orders), 0, 'by the id of the topic');
    one_line('OffsetCommit', 'orders-1', ' group="g" topic=orders partition=1 done=1 unknown=0 refused=0');
    is(commit($c, 'g', as => { member_id => 'm', generation_id_or_member_epoch => 3 }), 25, 'no member');
    no_line('refused');
    my $joined = $c->ask(JoinGroup => 2, { group_id => 'members', session_timeout_ms => 30000, rebalance_timeout_ms => 30000, member_id => '', protocol_type => 'consumer', protocols => [ { name => 'range', metadata => '' } ] });
    $c->ask(SyncGroup => 1, { group_id => 'members', generation_id => $joined->{generation_id}, member_id => $joined->{member_id}, assignments => [] });
    is(commit($c, 'members', as => { member_id => $joined->{member_id}, generation_id_or_member_epoch => $joined->{generation_id} }), 0, 'a member commits');
    no_line('that is no admin');
    is($c->ask(OffsetDelete => 0, { group_id => 'g', topics => [ { name => 'orders', partitions => [ { partition_index => 1 } ] } ] })->{topics}[0]{partitions}[0]{error_code}, 0, 'an offset goes');
    one_line('OffsetDelete', 'orders-1', ' group="g" topic=orders partition=1 done=1 unknown=0 refused=0');
    my $evil = "x\" topic=b what=\"\n; topic=b";
    is(commit($c, $evil), 0, 'a group of a hostile name');
    my @text = lines();
    like($text[0], qr/group="x\\" topic=b what=\\"\\x0a; topic=b" topic=orders partition=1 done=1 /, 'stays in its quotes');
    is(ok_code($c->ask(DeleteGroups => 2, { groups_names => [$evil] }), 'results'), '0', 'and goes');
    one_line('DeleteGroups', 'group x\\" topic=b what=\\"\\x0a; topic=b', ' group="x\\" topic=b what=\\"\\x0a; topic=b" done=1 unknown=0 refused=0');
    is(ok_code($c->ask(DeleteGroups => 2, { groups_names => [ 'none', 'nil' ] }), 'results'), '69 69', 'groups that are not');
    no_line('refused');
    my $consumer = Ottla::Test::Api->new($node);
    commit($consumer, 'lonely') for 1 .. 25;
    is(scalar(lines()), 10, 'a consumer without a group has ten lines a minute');
};

subtest 'the cluster' => sub {
    is($c->ask(UpdateFeatures => 1, { timeout_ms => 10000, validate_only => 1, feature_updates => [ { feature => 'transaction.version', max_version_level => 1, upgrade_type => 2 } ] })->{error_code}, 0, 'judged');
    no_line('no feature was changed');
    is($c->ask(UpdateFeatures => $_->[0], { timeout_ms => 10000, feature_updates => [ { feature => 'transaction.version', max_version_level => $_->[1], upgrade_type => $_->[2] } ] })->{error_code}, 0, "version $_->[0]")
        for [ 1, 1, 2 ], [ 2, 2, 1 ];
    my @text = lines();
    is(join(' ', map { /what="(.*)"$/ } @text), 'feature transaction.version 1 feature transaction.version 2', 'features');
    is($c->ask(UnregisterBroker => 0, { broker_id => 77 })->{error_code}, 102, 'nobody is unregistered');
    no_line('refused');
    is($c->ask(UnregisterBroker => 0, { broker_id => 1 })->{error_code}, 0, 'the node is; it comes back');
    one_line('UnregisterBroker', 'broker 1', ' done=1 unknown=0 refused=0');
    $node->wait_until('the node to be back', sub { create(["back$$"], validate_only => 1) eq '0' });
    lines();
};

subtest 'lines are bounded' => sub {
    is(create([ map { sprintf 'many%0200d', $_ } 1 .. 300 ]), join(' ', (0) x 300), 'many topics');
    my @text = lines();
    is(scalar @text, 1, 'one line');
    cmp_ok(length $text[0], '<', 2048, 'of a length');
    like($text[0], qr/ done=300 unknown=0 refused=0 left_out=0 what="topic many0+1, topic many0+2, .*\.\.\."$/, 'all are counted, some are named');
    is(ok_code($c->ask(DeleteTopics => 5, { timeout_ms => 10000, topic_names => [ map { sprintf 'many%0200d', $_ } 1 .. 300 ] }), 'responses'), join(' ', (0) x 300), 'gone');
    lines();
};

subtest 'nobody waits for the answer' => sub {
    my $controller = $node->wait_child('controller')->{pid};
    for my $end ('hangs up', 'is reset', 'is ended') {
        my $leaver = Ottla::Test::Api->new($node);
        kill 'STOP', $controller;
        my $name = 'left-' . $end =~ tr/ /-/r;
        my $port = $leaver->port;
        $leaver->tell(CreateTopics => 7, { timeout_ms => 10000, topics => [ { name => $name, num_partitions => 1, replication_factor => 1 } ] });
        my $backend;
        $node->wait_until('the request to be on its way', sub { ($backend) = grep { $_->{title} =~ /:$port .* CreateTopics waiting/ } $node->children; $backend });
        setsockopt $leaver->socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0) if $end eq 'is reset';
        $end eq 'is ended' ? kill 'TERM', $backend->{pid} : close $leaver->socket;
        like($node->wait_for_log(qr/change by CreateTopics; .*$name/), qr/ done=0 unknown=1 refused=0 left_out=0 what="topic $name\?"/, "who $end");
        kill 'CONT', $controller;
        $node->wait_until('the topic', sub { $c->ask(Metadata => 12, { topics => [ { name => $name } ] })->{topics}[0]{error_code} == 0 });
    }
    lines();
};

subtest "Kafka's tools and the shell" => sub {
    my $shell = Ottla::Test::Shell->new(node => $node);
    is($shell->run([ '-c', "ALTER USER carl PASSWORD 'hush-shell'" ])->{code}, 0, 'the shell sets a password');
    my $me = getpwuid $<;
    my @said = lines();
    is(join('', @said) =~ s/^.*? backend LOG:  //gmr, join('', map { qq{request: change by AlterUserScramCredentials; principal="User:$me" peer=[local] client="ottla" done=1 unknown=0 refused=0 left_out=0 what="user carl (SCRAM-SHA-$_)"\n} } 256, 512), 'a line for each mechanism');
    is($shell->run([ '-c', "CREATE USER bob PASSWORD 'hush-dry'", '-v', 'VALIDATE_ONLY=on' ])->{code}, 0, 'and judges one alone');
    no_line('no user was made');
    SKIP: {
        skip kafka_missing(), 1 if kafka_missing();
        kafka_tool($node->address, 'configs', '--alter', '--entity-type', 'users', '--entity-name', 'carol', '--add-config', 'SCRAM-SHA-512=[password=hush-tool]');
        kafka_tool($node->address, 'consumer-groups', '--group', 'g', '--topic', 'orders', '--reset-offsets', '--to-earliest', '--execute');
        my @text = map { /change by (\w+); .* (what="[^"]*")/ } lines();
        is_deeply(\@text, [ 'AlterUserScramCredentials', 'what="user carol (SCRAM-SHA-512)"', 'OffsetCommit', 'what="orders-0, orders-1"' ], 'their changes');
    }
    unlike($node->log_text, qr/hush/, 'no secret is in the log');
    unlike($node->log_text, qr/^FATAL/m, 'nor a line that a client made up');
};

subtest 'off' => sub {
    $node->set('log.admin' => 'off');
    is(alter($NODE, '', [ [ 'log.admin', 'false' ] ]), '42', 'not by a request');
    open my $f, '>>', $node->dir . '/ottla.conf' or die $!;
    print $f "log.admin = off\n";
    close $f;
    $node->log_new;
    $node->reload;
    $node->wait_for_log(qr/log\.admin: true -> false/);
    create(['quiet']);
    commit($c, 'g');
    alter($TOPIC, 'quiet', [ [ 'retention.ms', '9' ] ]);
    no_line('switched off');
};

is($node->stop, 0, 'stop');
done_testing;
