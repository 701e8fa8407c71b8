#!/usr/bin/perl
# seed_answers.pl - makes the corpus of fuzz_answers: what a small node answers to each of its questions
#
# Usage: test/fuzz/seed_answers.pl PROGRAM [OUTDIR]    (default test/fuzz/corpus/answers)
#
# PROGRAM is replay_answers. The node has two topics with some records, a group with offsets, and one with a member. Questions that change
# something are asked behind those that look. Answers that are the same in an older version make no seed of their own.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;

my $BYTES_MAX = 12_000;
my @AGES = (0, 2, 99);
my ($program, $out) = @ARGV;
$program // die "name replay_answers\n";
$out //= 'test/fuzz/corpus/answers';
system('mkdir', '-p', $out) == 0 or die "mkdir $out failed\n";

my $node = Ottla::Test::Node->new(conf => { 'offsets.topic.num.partitions' => 1, 'group.initial.rebalance.delay.ms' => 0 })->start;
my $api = Ottla::Test::Api->new($node);

sub set_up {
    $api->make_topic('orders', 2);
    $api->make_topic('tmp-1', 1, 'retention.ms' => 3600000);
    $api->produce('orders', batch(records => [ { key => 'k', value => 'v', headers => [ [ 'h', 'x' ] ] }, 'second' ]), partition => $_) for 0, 1;
    $node->wait_until('a coordinator', sub { $api->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['app'] })->{coordinators}[0]{error_code} == 0 });
    $node->wait_until('an offset', sub {
        my $answer = $api->ask(OffsetCommit => 8, { group_id => 'app', generation_id_or_member_epoch => -1, topics => [ { name => 'orders',
            partitions => [ { partition_index => 0, committed_offset => 1, committed_metadata => 'm' } ] } ] });
        return !grep { $_->{error_code} } @{ $answer->{topics}[0]{partitions} };
    });
    $api->ask(ConsumerGroupHeartbeat => 1, { group_id => 'live', member_id => 'member', member_epoch => 0, rebalance_timeout_ms => 60000,
        subscribed_topic_names => ['orders'], topic_partitions => [] });
    return;
}

set_up();
my ($port) = $node->address =~ /(\d+)$/;
my %known;
for my $question (0 .. 93) {
    for my $age (@AGES) {
        my $name = sprintf 'question-%02d%s', $question, $age ? "-age-$age" : '';
        my $path = "$out/$name";
        open my $ask, '>:raw', "$path.ask" or die "$path.ask: $!\n";
        print $ask pack 'C3', 1, $age, $question;
        close $ask or die;
        local $ENV{OTTLA_FUZZ_RECORD} = "$port $path";
        system($program, "$path.ask") == 0 or die "$program: $?\n";
        unlink "$path.ask";
        open my $in, '<:raw', $path or die "$path: $!\n";
        my $bytes = do { local $/; <$in> };
        close $in;
        unlink $path if length $bytes > $BYTES_MAX || length $bytes <= 3 || $known{ $question . substr $bytes, 3 }++;
    }
}
