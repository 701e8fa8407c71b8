#!/usr/bin/perl
# 850_statements.t - the shell's own statements against a node
#
# Proves: what each kind of statement changes is changed, and nothing else; errors have their code and their place; of
# several objects each has its own result; patterns are expanded and asked about; tries leave nothing behind; offsets are
# moved only when nobody consumes; what the node lacks is said by name. Scenarios 8, 15, 16, 17 of the shell.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Test::More;

my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0 })->start;
my $shell = Ottla::Test::Shell->new(node => $node);
my $api = Ottla::Test::Api->new($node);

# Runs statements as one script; what it printed, and what it complained about.
sub run {
    my ($text, @options) = @_;
    my $r = $shell->run([ '-X', '-At', '-v', 'VERBOSITY=verbose', @options, '-f', '-' ], stdin => $text);
    return ($r->{out}, $r->{err});
}

sub says { my ($text, $out, $what) = @_; my ($got, $err) = run($text); is($got, $out, $what) or diag($err); return is($err, '', "$what: no complaint") }
sub fails { my ($text, $pattern, $what) = @_; my ($out, $err) = run($text); return like($err, $pattern, $what) }

# So many records in partitions 0 and 1.
sub fill { my ($topic, $count) = @_; $api->produce($topic, batch(records => [ map { "v$_" } 1 .. $count ]), partition => $_) for 0, 1; return }

sub first { my ($topic, $partition) = @_; return $api->offset_at($topic, -2, partition => $partition)->{offset} }

sub topics {
    my $all = $api->ask(Metadata => 9, { topics => undef, allow_auto_topic_creation => 0 });
    return map { ($_->{name} => scalar @{ $_->{partitions} }) } grep { $_->{name} !~ /^__/ } @{ $all->{topics} };
}

sub config {
    my ($type, $name, $key) = @_;
    my $all = $api->ask(DescribeConfigs => 1, { resources => [ { resource_type => $type, resource_name => $name } ] });
    my ($one) = grep { $_->{name} eq $key } @{ $all->{results}[0]{configs} };
    return $one ? $one->{value} : undef;
}

subtest 'shell 8: a statement over several lines; units become numbers' => sub {
    says("CREATE TOPIC x\n-- how long\nWITH ( retention.ms = 7d );\n", "CREATE TOPIC\n", 'it is made');
    my ($out) = run("SHOW CONFIG FOR TOPIC x;");
    like($out, qr/^retention\.ms\|604800000\|topic$/m, 'the raw number, set on the topic');
};

subtest 'topics' => sub {
    says("CREATE TOPIC a PARTITIONS 3;", "CREATE TOPIC\n", 'made');
    fails("CREATE TOPIC a;", qr/^-:1: ERROR:  42P07: topic "a" already exists\nLINE 1: CREATE TOPIC a\n +\^\nDETAIL:  TOPIC_ALREADY_EXISTS \(36\) from node 1\nHINT:/m,
        'made twice');
    like((run('CREATE TOPIC IF NOT EXISTS a, b;'))[1], qr/NOTICE:  topic "a" already exists, skipping/, 'or not');
    says("CREATE TOPIC like_a LIKE x PARTITIONS 2;", "CREATE TOPIC\n", 'like another');
    is(config(2, 'like_a', 'retention.ms'), 604800000, 'with its settings');
    says("ALTER TOPIC a ADD PARTITIONS 2;\nALTER TOPIC b PARTITIONS TO 4;", "ALTER TOPIC\nALTER TOPIC\n", 'more partitions');
    is_deeply({ topics() }, { a => 5, b => 4, x => 1, like_a => 2 }, 'as many as wanted');
    says("ALTER TOPIC a SET (segment.bytes = 2MB, preallocate = on);", "ALTER TOPIC\n", 'settings');
    is(config(2, 'a', 'segment.bytes') . config(2, 'a', 'preallocate'), '2097152true', 'are there');
    says("ALTER TOPIC a SET (segment.bytes = DEFAULT);\nALTER TOPIC a APPEND (cleanup.policy = compact);", "ALTER TOPIC\nALTER TOPIC\n", 'one goes, one grows');
    is(config(2, 'a', 'segment.bytes') . config(2, 'a', 'cleanup.policy'), '1073741824delete,compact', 'so it is');
    says("ALTER TOPIC a RESET ALL;", "ALTER TOPIC\n", 'all go');
    is(config(2, 'a', 'preallocate') . config(2, 'a', 'cleanup.policy'), 'falsedelete', 'are gone');
    fails("ALTER TOPIC a SET (retention.ms = soon);", qr/22023: could not change topic "a".*\n.*\n.*\nDETAIL:  INVALID_CONFIG/, 'no such value');
    fails("ALTER TOPIC a SET (segment.bytes = 2MB, retention.ms = soon);", qr/\nLINE 1: (ALTER TOPIC a SET \(.*retention\.ms = )soon\)\n +(??{ ' ' x length $1 })\^/, 'the place is that of the value');
    my ($out, $err) = run(qq(CREATE TOPIC c, "no way", d;));
    is(() = $err =~ /WARNING:/g, 1, 'one of three is bad: a warning');
    like($err, qr/ERROR:  42602: 1 of 3 failed, 2 succeeded/, 'and the count');
    ok({ topics() }->{d}, 'the others are made');
    says("DROP TOPIC b, c, d, like_a, x;", "DROP TOPIC\n", 'dropped');
    is_deeply({ topics() }, { a => 5 }, 'gone');
    fails("DROP TOPIC b;", qr/42P01: topic "b" does not exist/, 'not there');
    fails("DROP TOPIC 'b*';", qr/42P01: no topic matches "b\*"/, 'nor the like');
    like((run("DROP TOPIC IF EXISTS b, 'c*';"))[1], qr/no topic matches "c\*".*topic "b" does not exist, skipping/s, 'or not');
    my ($id) = map { $_->{topic_id} } grep { $_->{name} eq 'a' } @{ $api->ask(Metadata => 12, { topics => undef })->{topics} };
    ok(defined $id, 'an id');
    fails("DROP TOPIC ID 'AAAAAAAAAAAAAAAAAAAAAQ';", qr/topic id "AAAAAAAAAAAAAAAAAAAAAQ" does not exist/, 'by an id that is none');
};

subtest 'shell 16: VALIDATE_ONLY' => sub {
    my ($out) = run("\\set VALIDATE_ONLY on\nCREATE TOPIC ghost;\nALTER TOPIC a SET (retention.ms = 1h);\nDROP TOPIC a;\nTRUNCATE TOPIC a;\n");
    is($out, "CREATE TOPIC\nALTER TOPIC\nDROP TOPIC\nTRUNCATE TOPIC\n", 'success is said');
    is_deeply({ topics() }, { a => 5 }, 'nothing was done');
    isnt(config(2, 'a', 'retention.ms'), 3600000, 'nor set');
    fails("CREATE TOPIC ghost WITH (retention.ms = 5fish) VALIDATE ONLY;", qr/22023/, 'what would fail fails');
    is(()= run("CREATE TOPIC ghost VALIDATE ONLY;"), 2, 'one statement alone');
    ok(!{ topics() }->{ghost}, 'still not there');
    ($out, my $err) = run("\\set VALIDATE_ONLY on\nALTER GROUP g DELETE OFFSETS FOR TOPIC a;\nUNREGISTER BROKER 1;\nELECT PREFERRED LEADER FOR ALL;\n"
        . "PRODUCE INTO a VALUE v;\nCREATE USER u PASSWORD 'x';\nALTER QUOTA FOR USER u SET (request_percentage = 5);\nREASSIGN BALANCE;\nGRANT READ ON TOPIC a TO u;");
    is($out, "ALTER GROUP\nUNREGISTER BROKER\nELECT LEADER\nPRODUCE 0\nCREATE USER\nALTER QUOTA\nREASSIGN\nGRANT 1\n", 'what no server can try is not sent') or diag($err);
    is($api->offset_at('a', -1)->{offset}, 0, 'nothing was produced');
    is(scalar @{ $api->ask(DescribeUserScramCredentials => 0, { users => undef })->{results} }, 0, 'no user');
};

subtest 'shell 15: many topics want their number typed' => sub {
    my $names = join ', ', map { "tmp-$_" } 1 .. 30;
    says("CREATE TOPIC $names;", "CREATE TOPIC\n", '30 topics');
    my $t = $shell->terminal(args => ['-X'], lines => 60);
    ok($t->sees(qr/=[#>]$/m), 'a prompt') or return;
    $t->line(q(DROP TOPIC 'tmp-*' \\g));
    ok($t->sees(qr/tmp-9\b.*\(30 rows\).*Drop 30 topics\?.*30/s), 'lists them and asks for the number') or return;
    $t->line('yes');
    ok($t->sees(qr/not confirmed/), '"yes" is not enough');
    is(scalar(keys %{ { topics() } }), 31, 'nothing is dropped');
    $t->clear->line(q(DROP TOPIC 'tmp-*' \\g));
    ok($t->sees(qr/Drop 30 topics\?/), 'asks again');
    $t->line('30');
    ok($t->sees(qr/^DROP TOPIC$/m), 'and drops');
    is_deeply({ topics() }, { a => 5 }, 'they are gone');
    says("CREATE TOPIC $names;", "CREATE TOPIC\n", '30 topics');
    $t->clear->line('\set CONFIRM off')->line(q(DROP TOPIC 'tmp-*' \\g));
    ok($t->sees(qr/\(30 rows\).*^DROP TOPIC$/sm), 'with CONFIRM off it does not ask');
    is_deeply({ topics() }, { a => 5 }, 'they are gone');
    $t->line('\q');
};

subtest 'records go' => sub {
    says("CREATE TOPIC r PARTITIONS 2;", "CREATE TOPIC\n", 'a topic');
    fill('r', 10);
    says("TRUNCATE TOPIC r PARTITION 0 BEFORE OFFSET 4;", "TRUNCATE TOPIC\n", 'the first four of one');
    is(first('r', 0) . first('r', 1), '40', 'begins at 4');
    fails("TRUNCATE TOPIC r BEFORE OFFSET 11;", qr/22003/, 'too far');
    fails("TRUNCATE TOPIC r PARTITION 7;", qr/topic "r" has no partition 7/, 'no such partition');
    says("TRUNCATE TOPIC r;", "TRUNCATE TOPIC\n", 'all');
    is(first('r', 0) . first('r', 1), '1010', 'nothing is left');
};

subtest 'shell 17: offsets of a group' => sub {
    says("CREATE TOPIC o PARTITIONS 2;", "CREATE TOPIC\n", 'a topic');
    fill('o', 10);
    my ($out, $err) = run("ALTER GROUP g RESET OFFSETS FOR TOPIC o TO OFFSET 3;");
    is($out, "o|0||3|7\no|1||3|7\nALTER GROUP\n", 'set for the first time') or diag($err);
    ($out, $err) = run("ALTER GROUP g RESET OFFSETS TO TIMESTAMP '1971-01-01' DRY RUN;");
    is($out, "o|0|3|0|10\no|1|3|0|10\n", 'a dry run shows before and after');
    like($err, qr/NOTICE:  dry run/, 'and says so');
    ($out) = run("ALTER GROUP g RESET OFFSETS FOR TOPIC o PARTITION 1 TO SHIFT BY 4;");
    is($out, "o|1|3|7|3\nALTER GROUP\n", 'nothing had changed; one moves on');
    ($out, $err) = run("ALTER GROUP g RESET OFFSETS ALL TOPICS TO OFFSET 99;");
    is($out, "o|0|3|10|0\no|1|7|10|0\nALTER GROUP\n", 'not beyond the end');
    is(() = $err =~ /NOTICE:  offset for partition \d of topic "o" was moved/g, 2, 'said for each');
    ($out) = run("ALTER GROUP g RESET OFFSETS TO EARLIEST;\nALTER GROUP g RESET OFFSETS TO LATEST;\nALTER GROUP g RESET OFFSETS TO CURRENT;\nALTER GROUP g RESET OFFSETS TO DURATION 'P1D';");
    is($out, "o|0|10|0|10\no|1|10|0|10\nALTER GROUP\no|0|0|10|0\no|1|0|10|0\nALTER GROUP\no|0|10|10|0\no|1|10|10|0\nALTER GROUP\n"
        . "o|0|10|0|10\no|1|10|0|10\nALTER GROUP\n", 'the other targets');
    my $file = $shell->home . '/offsets.csv';
    Ottla::Test::Shell::spew($file, "o,0,5\no,1,6\n");
    ($out) = run("ALTER GROUP g RESET OFFSETS TO FILE '$file';");
    is($out, "o|0|0|5|5\no|1|0|6|4\nALTER GROUP\n", 'from a file');
    Ottla::Test::Shell::spew($file, "\n");
    fails("ALTER GROUP g RESET OFFSETS TO FILE '$file';", qr/22023: file ".*" names no partition to reset/, 'a file of nothing');
    Ottla::Test::Shell::spew($file, "p,0,7\n");
    fails("ALTER GROUP g RESET OFFSETS FOR TOPIC o TO FILE '$file';", qr/22023: file ".*" names no partition to reset/, 'nor of others');
    is((run("ALTER GROUP g RESET OFFSETS TO CURRENT DRY RUN;"))[0], "o|0|5|5|5\no|1|6|6|4\n", 'moves nothing');
    Ottla::Test::Shell::spew($file, "o,0,5\nnonsense\n");
    fails("ALTER GROUP g RESET OFFSETS TO FILE '$file';", qr/22023: .*offsets\.csv:2: not topic,partition,offset/, 'its lines are looked at');
    fails("ALTER GROUP nobody RESET OFFSETS TO EARLIEST;", qr/42704: group "nobody" has committed no offsets/, 'a group without any');

    my $member = $api->ask(JoinGroup => 3, { group_id => 'g', session_timeout_ms => 30000, rebalance_timeout_ms => 30000, member_id => '',
        protocol_type => 'consumer', protocols => [ { name => 'range', metadata => "\0\0\0\0\0\1\0\1o\xff\xff\xff\xff" } ] });
    is($member->{error_code}, 0, 'a consumer joins');
    ($out, $err) = run("ALTER GROUP g RESET OFFSETS TO EARLIEST DRY RUN;\nALTER GROUP g RESET OFFSETS TO EARLIEST;");
    is(() = $err =~ /ERROR:  55006: group "g" is in use by 1 member\n.*\n.*\nDETAIL:  \Q$member->{member_id}\E/g, 2, 'in use, and by whom') or diag($err);
    is($out, '', 'nothing is done');
    fails("DROP GROUP g;", qr/55006: group "g" is in use by 1 member/, 'nor dropped');
    says("ALTER GROUP g REMOVE MEMBER ALL;", "ALTER GROUP\n", 'the member is removed');
    says("ALTER GROUP g DELETE OFFSETS FOR TOPIC o PARTITION 0;", "ALTER GROUP\n", 'one offset forgotten');
    is((run("ALTER GROUP g RESET OFFSETS TO LATEST;"))[0], "o|1|6|10|0\nALTER GROUP\n", 'the other is there');
    says("DROP GROUP g;", "DROP GROUP\n", 'dropped');
    fails("DROP GROUP g;", qr/42704: group "g" does not exist/, 'gone');
    like((run("DROP GROUP IF EXISTS g, 'h*';"))[1], qr/no group matches "h\*".*group "g" does not exist, skipping/s, 'or not');
};

subtest 'users, quotas' => sub {
    my $scram = sub { my $u = $api->ask(DescribeUserScramCredentials => 0, { users => undef });
        return join ' ', sort map { my $r = $_; map { "$r->{user}:$_->{mechanism}:$_->{iterations}" } @{ $r->{credential_infos} } } @{ $u->{results} } };
    says("CREATE USER alice PASSWORD 'secret';", "CREATE USER\n", 'a user');
    is($scram->(), 'alice:1:8192 alice:2:8192', 'with both mechanisms');
    fails("CREATE USER alice PASSWORD 'x';", qr/42710: user "alice" already exists/, 'twice');
    fails("ALTER USER bob PASSWORD 'x';", qr/42704: user "bob" does not exist/, 'unknown');
    fails("CREATE USER bob;", qr/42601: syntax error at end of input/, 'no password');
    fails("CREATE USER bob PASSWORD;", qr/a password must be given here/, 'none is asked for in a script');
    says("ALTER USER alice PASSWORD 'y' MECHANISM SCRAM-SHA-512 ITERATIONS 4096;", "ALTER USER\n", 'changed');
    is($scram->(), 'alice:1:8192 alice:2:4096', 'one of them');
    says("ALTER QUOTA FOR USER alice SET (producer_byte_rate = 1MB);\nALTER QUOTA FOR USER alice CLIENT DEFAULT SET (request_percentage = 12.5);",
        "ALTER QUOTA\nALTER QUOTA\n", 'quotas');
    my $quotas = sub { my $q = $api->ask(DescribeClientQuotas => 0, { components => [], strict => 0 });
        return join ' ', sort map { my $e = $_; map { "$_->{key}=$_->{value}" } @{ $e->{values} } } @{ $q->{entries} } };
    is($quotas->(), 'producer_byte_rate=1048576 request_percentage=12.5', 'are there');
    fails("ALTER QUOTA FOR IP '10.0.0.1' SET (producer_byte_rate = 1);", qr/22023|XX000|42/, 'not for addresses');
    says("ALTER QUOTA FOR USER alice RESET ALL;", "ALTER QUOTA\n", 'one entity loses its own');
    is($quotas->(), 'request_percentage=12.5', 'and no other');
    says("DROP USER alice CASCADE;", "DROP USER\n", 'dropped with all');
    is($scram->() . $quotas->(), '', 'nothing is left');
    fails("DROP USER alice;", qr/42704: user "alice" does not exist/, 'gone');
    fails("GRANT CONSUMER ON TOPIC t GROUP g TO alice;", qr/0A000: .*\n(.*\n)*DETAIL:  SECURITY_DISABLED/, 'rights need an authorizer');
};

subtest 'settings of the node' => sub {
    is((run("SHOW log.retention.hours;\nSHOW log.retention.hours RAW;"))[0], "7d\n168\n", 'with the best unit, and raw');
    fails("SHOW log.retention.hour;", qr/42704: unrecognized setting.*\n.*\n.*\nHINT:  Perhaps you meant "log\.retention\.hours"/, 'unknown, with the nearest');
    cmp_ok(() = (run("SHOW ALL;"))[0] =~ /\n/g, '>', 100, 'all');
    says("ALTER BROKER DEFAULT SET (log.cleaner.threads = 2);", "ALTER BROKER\n", 'for all brokers');
    is(config(4, '', 'log.cleaner.threads'), 2, 'is set');
    says("ALTER BROKER 1 SET (message.max.bytes = 2MB);\nALTER BROKER 1 RESET ALL;\nALTER BROKER DEFAULT RESET (log.cleaner.threads);",
        "ALTER BROKER\n" x 3, 'for one; and back');
    says("ALTER LOGGER root ON BROKER 1 SET LEVEL debug;\nALTER LOGGER replica ON ALL RESET;", "ALTER LOGGER\n" x 2, 'loggers');
    says("ALTER SYSTEM SET connections.max.idle.ms = '2d';", "ALTER SYSTEM\n", 'the file');
    like(Ottla::Test::Node::slurp($node->dir . '/ottla.auto.conf'), qr/^connections\.max\.idle\.ms = '?2d/m, 'holds it');
    like((run("ALTER SYSTEM SET backend.slots = 512;"))[1], qr/NOTICE:  "backend\.slots" takes effect at the next start/, 'or later');
    fails("ALTER SYSTEM SET log.retention.hours = soon;", qr/ERROR:  \w+: .*\nLINE 1: .*\n +\^/, 'not any value');
    says("ALTER SYSTEM RESET ALL;", "ALTER SYSTEM\n", 'all go');
    unlike(Ottla::Test::Node::slurp($node->dir . '/ottla.auto.conf'), qr/^[a-z]/m, 'are gone');
    says("SET TIMEZONE 'UTC';\n\\echo :TIMEZONE", "SET\nUTC\n", 'variables of the shell');
};

subtest 'places, leaders, what does not exist yet' => sub {
    says("ELECT PREFERRED LEADER FOR ALL;", "ELECT LEADER 0\n", 'leaders are right');
    fails("REASSIGN BROKER 1 DRAIN;", qr/22023: too few brokers for partition \d+ of topic/, 'nowhere to go');
    fails("ALTER TOPIC a REPLICATION FACTOR 2;", qr/22023: too few brokers/, 'no second broker');
    fails("REASSIGN BROKER 9 DRAIN;", qr/42704: broker 9 does not exist/, 'nor a ninth');
    like((run("REASSIGN BALANCE;"))[1], qr/all replicas are where they should be/, 'balanced');
    fails("UNREGISTER BROKER 9;", qr/42704: broker 9 is not registered/, 'unknown');
    says("SET REASSIGN THROTTLE 10MB;\nSET REASSIGN THROTTLE NONE;", "SET REASSIGN THROTTLE\n" x 2, 'throttles');
    fails("ABORT TRANSACTION 'x';", qr/0A000: this server has no transactions yet/, 'transactions');
    fails("ADD VOTER 2 DIRECTORY 'AAAAAAAAAAAAAAAAAAAAAA';", qr/0A000: this server's metadata quorum cannot change/, 'voters');
    fails("CREATE TOKEN;", qr/ERROR:  \w+: could not make a token/, 'tokens');
    is((run("FIND HANGING TRANSACTIONS;"))[0], '', 'none hangs');
    says("CREATE CLIENT METRICS m WITH (metrics = '*', interval.ms = 10s);\nDROP CLIENT METRICS m;", "CREATE CLIENT METRICS\nDROP CLIENT METRICS\n", 'subscriptions');
    fails("DROP CLIENT METRICS m;", qr/42704: client metrics "m" does not exist/, 'gone');
};

subtest 'lists and descriptions are those of the commands' => sub {
    for my $pair ([ "SHOW TOPICS LIKE 'a*'", '\l a*' ], [ 'SHOW BROKERS', '\db' ], [ 'SHOW QUOTAS', '\dq' ], [ 'DESCRIBE TOPIC a', '\d a' ], [ 'SHOW REASSIGNMENTS', '\dR' ]) {
        my ($statement, $command) = @$pair;
        my ($out, $err) = run("$statement;");
        is($out, (run($command))[0], "$statement is $command");
        is($err, '', 'without a complaint');
    }
    like((run("SHOW FEATURES LIKE 'k*';"))[0], qr/^kraft\.version\|\d+\|\d+\|\d+\n\z/, 'features');
    my ($out, $err) = run('DESCRIBE TOPIC nothing;');
    is(() = $err =~ /ERROR/g, 1, 'one error, not two') or diag($err);
    fails("SHOW QUORUM LIKE 'x';", qr/22023: this list has no names/, 'no pattern where there are no names');
    like((run('EXPLAIN SHOW TOPICS;'))[0], qr/API calls: .*Metadata/, 'EXPLAIN names the requests');
};

subtest 'EXPLAIN sends nothing' => sub {
    my ($out) = run("EXPLAIN DROP TOPIC 'a*';\nEXPLAIN CREATE USER u PASSWORD 'hidden';");
    like($out, qr/^Read:   Metadata v\d+ to node 1\nChange: DeleteTopics v5 to node 1\n  \{"topicNames":\["a"\],/, 'requests, and what is in them');
    unlike($out, qr/hidden|"saltedPassword":"[^"]/, 'no secrets');
    ok({ topics() }->{a}, 'nothing was dropped');
};

subtest 'the manual has the syntax that \h shows' => sub {
    my $page = Ottla::Test::Shell::slurp('doc/man/ottla-statements.7') =~ s/\\e/\\/gr =~ s/\\&//gr;
    my ($list) = run('\h');
    my @names = $page =~ /^\.Ss (.*)$/mg;
    cmp_ok(scalar @names, '>', 35, 'statements');
    for my $name (@names) {
        like($list, qr/\b\Q$name\E\b/, "\\h lists $name");
        my ($syntax) = map { /Syntax:\n(.*)/s } grep { /\A\w+: +\Q$name\E\n/ } split /^\n(?=Command:)/m, (run("\\h $name"))[0];
        $syntax =~ s/\s+\z//;
        ok(index($page, ".Bd -literal\n$syntax\n.Ed") >= 0, "$name as it is") or diag($syntax);
    }
};

done_testing();
