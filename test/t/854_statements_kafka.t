#!/usr/bin/perl
# 854_statements_kafka.t - the shell's statements against Apache Kafka
#
# Proves: what maps to Kafka's requests works there as on a node of ours: topics, settings, offsets, users, quotas, access control
# lists (GRANT CONSUMER makes the three that kafka-acls makes), open transactions found; \sf gives statements that make the same
# again; what only Ottla tells is refused by name.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Kafka qw(kafka_missing kafka_node);
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);
use Test::More;

plan skip_all => kafka_missing() if kafka_missing();
my $kafka = kafka_node('authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer', 'super.users=User:ANONYMOUS',
    'group.initial.rebalance.delay.ms=0');
my ($host, $port) = $kafka->{address} =~ /^(.*):(\d+)$/;
my $shell = Ottla::Test::Shell->new(env => { OTTLA_HOST => $host, OTTLA_PORT => $port });

sub run { my ($text) = @_; my $r = $shell->run([qw(-X -At -v VERBOSITY=verbose -f -)], stdin => $text, seconds => 60); return ($r->{out}, $r->{err}) }
sub says { my ($text, $out, $what) = @_; my ($got, $err) = run($text); is($got, $out, $what) or diag($err); return }
sub fails { my ($text, $pattern, $what) = @_; return like((run($text))[1], $pattern, $what) }

subtest 'topics, settings, offsets' => sub {
    says("CREATE TOPIC a PARTITIONS 2 WITH (retention.ms = 7d);\nCREATE TOPIC b LIKE a;", "CREATE TOPIC\nCREATE TOPIC\n", 'topics');
    ok(comes_true(sub { (run('\l'))[0] =~ /^b\|/m }, 30), 'which the broker knows after its controller');
    says("ALTER TOPIC b ADD PARTITIONS 1;\nALTER TOPIC b SET (segment.bytes = 2MB);", "ALTER TOPIC\nALTER TOPIC\n", 'and are changed');
    like((run('SHOW CONFIG FOR TOPIC b;'))[0], qr/^retention\.ms\|604800000\|topic$/m, 'settings');
    fails('CREATE TOPIC a;', qr/42P07: topic "a" already exists/, 'twice');
    says("PRODUCE INTO a PARTITION 1 KEY k VALUE v;\nSELECT partition, \"offset\", key, value FROM messages('a');", "PRODUCE 1\n1|0|k|v\n", 'a record');
    says("ALTER GROUP g RESET OFFSETS FOR TOPIC a TO LATEST;\nALTER GROUP g RESET OFFSETS TO EARLIEST;\nALTER GROUP g DELETE OFFSETS FOR TOPIC a PARTITION 0;",
        "a|0||0|0\na|1||1|0\nALTER GROUP\na|0|0|0|0\na|1|1|0|1\nALTER GROUP\nALTER GROUP\n", 'offsets');
    says("TRUNCATE TOPIC a;", "TRUNCATE TOPIC\n", 'records go');
    says("ALTER BROKER DEFAULT SET (log.cleaner.threads = 2);\nELECT PREFERRED LEADER FOR ALL;", "ALTER BROKER\nELECT LEADER 0\n", 'brokers');
    is((run("REASSIGN BROKER 1 DRAIN PLAN ONLY;"))[1] =~ /too few brokers|broker 1 does not exist/, 1, 'nowhere to go');
    is((run("FIND HANGING TRANSACTIONS OLDER THAN '0s';"))[0], '', 'no transaction hangs');
};

subtest 'users, rights, quotas' => sub {
    says("CREATE USER alice PASSWORD 'x';\nALTER QUOTA FOR USER alice SET (producer_byte_rate = 1MB);", "CREATE USER\nALTER QUOTA\n", 'a user with a quota');
    says("GRANT CONSUMER ON TOPIC a GROUP g TO alice;", "GRANT 3\n", 'a consumer');
    my ($acls) = run('\sf acls');
    is(join("\n", sort split /\n/, $acls), join("\n", sort "GRANT READ ON TOPIC a TO 'User:alice';", "GRANT DESCRIBE ON TOPIC a TO 'User:alice';",
        "GRANT READ ON GROUP g TO 'User:alice';"), 'the three of kafka-acls --consumer');
    says("REVOKE CONSUMER ON TOPIC a GROUP g FROM alice;", "REVOKE 3\n", 'and back');
    says("GRANT READ, WRITE ON TOPIC PREFIX 'app-', CLUSTER TO alice, EVERYONE FROM HOST '10.0.0.1';", "GRANT 8\n", 'every combination') or 1;
    says("DENY WRITE ON TOPIC ALL TO alice;\nREVOKE DENY WRITE ON TOPIC ALL FROM alice;\nREVOKE READ ON TOPIC ALL FROM alice;", "DENY 1\nREVOKE 1\nREVOKE 0\n", 'denials');
    says("DROP USER alice CASCADE;", "DROP USER\n", 'with everything');
    like((run('\sf acls'))[0], qr/\A(?:GRANT \w+ ON (?:TOPIC PREFIX 'app-'|CLUSTER) TO EVERYONE FROM HOST '10\.0\.0\.1';\n){4}\z/, "hers are gone, others' not");
    says('\sf quotas', '', 'no quota is left');
    says("REVOKE ALL FROM EVERYONE;", "REVOKE 4\n", 'the rest goes');
};

subtest 'what only Ottla tells' => sub {
    like((run('\conninfo'))[0], qr/^Principal\|unknown$/m, 'who one is');
    fails('EXPLAIN RETENTION FOR TOPIC a;', qr/0A000/, 'segments');
    fails('EXPLAIN REPLICA FOR TOPIC a PARTITION 0;', qr/0A000/, 'replicas');
    fails('ALTER SYSTEM SET a = 1;', qr/0A000: ALTER SYSTEM needs a node of Ottla/, 'files of settings');
};

subtest 'dump' => sub {
    my ($before) = run('\sf *');
    like($before, qr/^CREATE TOPIC b PARTITIONS 3 REPLICATION FACTOR 1 WITH \(.*retention\.ms = 604800000.*\);$/m, 'its topics');
    says("DROP TOPIC a, b;\nDROP GROUP g;", "DROP TOPIC\nDROP GROUP\n", 'all goes');
    my ($out, $err) = run($before);
    unlike($err, qr/ERROR/, 'runs again');
    is((run('\sf *'))[0], $before, 'and gives the same');
};

done_testing();
