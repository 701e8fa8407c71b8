#!/usr/bin/perl
# 853_dump.t - \sf and ottla-dumpall: what they print makes the same objects again
#
# Proves: run on an empty node the statements give a cluster that is dumped as the same text: topics with their settings and
# odd names, settings of brokers, groups and subscriptions, quotas of every kind of entity, offsets; passwords are not in it;
# one topic and one kind of object can be had alone; what does not exist is an error.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Test::More;

my @nodes = map { Ottla::Test::Node->new->start } 1, 2;
my @shells = map { Ottla::Test::Shell->new(node => $_) } @nodes;
my $dumpall = Ottla::Test::Shell::binary() . '-dumpall';

sub run { my ($which, $text) = @_; return $shells[$which]->run([qw(-X -q -f -)], stdin => $text) }

my $made = run(0, <<'END');
CREATE TOPIC plain PARTITIONS 3;
CREATE TOPIC "2024", "group", "a--b", dotted.name-1 WITH (retention.ms = 1h, cleanup.policy = 'compact,delete', preallocate = on);
CREATE TOPIC bytes WITH (max.message.bytes = 2MB, leader.replication.throttled.replicas = '*');
ALTER BROKER DEFAULT SET (log.cleaner.threads = 2);
ALTER BROKER 1 SET (message.max.bytes = 3MB);
ALTER GROUP "odd 'group'" SET (consumer.session.timeout.ms = 50s);
CREATE CLIENT METRICS m WITH (metrics = 'org.apache.kafka.producer.,x', interval.ms = 10s);
CREATE USER alice PASSWORD 'never shown';
CREATE USER "b ""o"" b" PASSWORD 'never shown' MECHANISM SCRAM-SHA-512 ITERATIONS 5000;
ALTER QUOTA FOR USER alice SET (producer_byte_rate = 1MB, consumer_byte_rate = 2MB);
ALTER QUOTA FOR USER DEFAULT CLIENT "c d" SET (request_percentage = 12.5);
ALTER QUOTA FOR CLIENT DEFAULT SET (controller_mutation_rate = 1234.5);
ALTER QUOTA FOR IP '10.0.0.1' SET (connection_creation_rate = 5);
ALTER QUOTA FOR IP DEFAULT SET (connection_creation_rate = 50);
ALTER GROUP "odd 'group'" RESET OFFSETS FOR TOPIC plain, "2024" TO LATEST;
END
is($made->{err}, '', 'objects of every kind');

my $file = $shells[0]->home . '/dump.sql';
my @options = map { "-h @{[$_->dir]} -p @{[$_->port]}" } @nodes;
is(system("$dumpall $options[0] >$file"), 0, 'ottla-dumpall');
my $dump = Ottla::Test::Shell::slurp($file);
like($dump, qr/^CREATE TOPIC "2024" PARTITIONS 1 REPLICATION FACTOR 1 WITH \(cleanup\.policy = 'compact,delete', preallocate = true, retention\.ms = 3600000\);$/m,
    'a topic');
like($dump, qr/^-- CREATE USER alice PASSWORD '\.\.\.' MECHANISM ALL ITERATIONS 8192;$/m, 'a user as a comment');
unlike($dump, qr/never shown/, 'no password');

my $again = $shells[1]->run([ qw(-X -q -v ON_ERROR_STOP=1 -f), $file ]);
is($again->{code}, 0, 'it runs on an empty node') or diag($again->{err});
is(system("$dumpall $options[1] -o $file"), 0, 'dumped from there');
my $second = Ottla::Test::Shell::slurp($file);
s/^-- Objects of cluster .*\n// for $dump, $second;
s/^-- Users\n(--.*\n)+\n//m for $dump, $second;    # those cannot come along
is($second, $dump, 'the same text');

is(run(0, '\sf plain')->{out}, "CREATE TOPIC plain PARTITIONS 3 REPLICATION FACTOR 1;\n", '\sf of a topic');
is(run(0, '\sf topic group')->{out} =~ /^CREATE TOPIC "group" /, 1, 'of one that is called like a word');
is(() = run(0, '\sf quotas')->{out} =~ /^ALTER QUOTA FOR /mg, 5, '\sf quotas');
is(() = run(0, '\sf users')->{out} =~ /^-- CREATE USER /mg, 2, '\sf users');
like(run(0, '\sf acls')->{out}, qr/no authorizer/, '\sf acls');
like(run(0, '\sf nothing')->{err}, qr/topic "nothing" does not exist/, 'no such topic');
like(run(0, '\sf')->{err}, qr/missing required argument/, 'no argument');

done_testing();
