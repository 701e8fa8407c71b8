#!/usr/bin/perl
# 852_questions.t - each question of ottla-questions(7) is answered by its command
#
# Proves: the commands stand in the manual as they are run here, each works, and on a node where the thing in question is the case
# the answer shows it.
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

# The questions with their commands, from the source of the page.
sub questions {
    my $source = Ottla::Test::Shell::slurp('doc/man/ottla-questions.7');
    return map { s/\\e/\\/gr =~ s/\\&//gr } $source =~ /^\.Ss (.*?)\n.*?^\.Bd -literal\n(.*?)\n\.Ed$/msg;
}

my $node = Ottla::Test::Node->new(conf => { 'group.initial.rebalance.delay.ms' => 0, 'connections.max.idle.ms' => 60_000 })->start;
my $shell = Ottla::Test::Shell->new(node => $node);
my $api = Ottla::Test::Api->new($node);

sub run { my ($text) = @_; return $shell->run([qw(-X -At -P null=NULL -f -)], stdin => $text) }

# A topic with records, a group that is behind, one that lost records, one of two members without a partition, a throttled client.
subtest 'a node where all of it is the case' => sub {
    my $made = run(<<'END');
CREATE TOPIC orders PARTITIONS 1 WITH (retention.ms = 1h, segment.bytes = 1MB, max.message.bytes = 3MB);
CREATE TOPIC strict WITH (min.insync.replicas = 2);
CREATE TOPIC short;
ALTER QUOTA FOR CLIENT slow SET (producer_byte_rate = 1kB);
END
    is($made->{err}, '', 'topics');
    $api->produce('orders', batch(records => [ map { { key => "k$_", value => 'v' x 100 } } 1 .. 100 ]));
    $api->produce('short', batch(records => [ map { "v$_" } 1 .. 10 ]));
    is(run(<<'END')->{err}, '', 'groups');
ALTER GROUP slow RESET OFFSETS FOR TOPIC short TO OFFSET 2;
TRUNCATE TOPIC short BEFORE OFFSET 7;
ALTER GROUP app RESET OFFSETS FOR TOPIC orders TO OFFSET 40;
END
    my $slow = Ottla::Test::Wire->new($node, 'slow');
    $slow->call(0, 7, Ottla::Test::Wire::produce_body('orders', batch(records => [ 'x' x 60_000 ]))) or fail 'a produce request';
};

# Two members of the group; one has the only partition.
my @members = map { Ottla::Test::Api->new($node) } 1, 2;
my $subscription = "\0\0\0\0\0\1\0\6orders\xff\xff\xff\xff";
my @protocol = (protocol_type => 'consumer', protocols => [ { name => 'range', metadata => $subscription } ]);
subtest 'a group of two' => sub {
    my %join = (group_id => 'app', session_timeout_ms => 30_000, rebalance_timeout_ms => 30_000, member_id => '', @protocol);
    my $first = $members[0]->ask(JoinGroup => 3, {%join});
    is($first->{error_code}, 0, 'one joins');
    $members[1]->tell(JoinGroup => 3, {%join});
    $node->wait_until('the rebalance', sub { $members[0]->ask(Heartbeat => 2, { group_id => 'app', generation_id => $first->{generation_id},
        member_id => $first->{member_id} })->{error_code} == 27 });
    my $again = $members[0]->ask(JoinGroup => 3, { %join, member_id => $first->{member_id} });
    my $second = $members[1]->hear;
    is("$again->{error_code} $second->{error_code}", '0 0', 'two are in');
    my $assignment = sub { my ($n) = @_; return "\0\0" . pack('N', $n) . ($n ? "\0\6orders" . pack('NN', 1, 0) : '') . "\xff\xff\xff\xff" };
    my ($leader, $other) = $again->{leader} eq $again->{member_id} ? (0, 1) : (1, 0);
    my @ids = ($again->{member_id}, $second->{member_id});
    my %sync = (group_id => 'app', generation_id => $again->{generation_id});
    $members[$other]->tell(SyncGroup => 2, { %sync, member_id => $ids[$other] });
    my $synced = $members[$leader]->ask(SyncGroup => 2, { %sync, member_id => $ids[$leader],
        assignments => [ { member_id => $ids[$leader], assignment => $assignment->(1) }, { member_id => $ids[$other], assignment => $assignment->(0) } ] });
    is("$synced->{error_code} " . $members[$other]->hear->{error_code}, '0 0', 'one has the partition');
};

my %shows = (
    'disk not shrink'    => qr/^0\|0\|101\|.*\|stays: within the limits.* \(written to\)$/m,
    'take the disk'      => qr/^orders\|1\|\d{5,}\|3600000$/m,
    'disk be full'       => qr{^1\|/.*/log\|\d+\|\d+\|}m,
    'is behind'          => qr/^app\|orders\|0\|61\|\d+\|\S+\|\S+$/m,
    'again and again'    => qr/\|new member\|/,
    'get nothing'        => qr/^\S+\|\S*\|\S+\|.*orders/m,
    'lose records'       => qr/^slow\|short\|0\|2\|7\|5$/m,
    'everything of the last hour' => undef,    # refused: the group is in use
    'reads this topic'   => qr/^app$/m,
    'NOT_ENOUGH'         => qr/^strict\|0\|\[1\]\|\[1\]\|\[\]$/m,
    'under-replicated'   => qr/^$/,
    'acks=all wait'      => qr/^acks=all\|NULL\|the high watermark and the disk/m,
    'leaders spread'     => qr/^1\|\d+\|0$/m,
    'too large'          => qr/^topic\|orders\|max\.message\.bytes\|3145728\|/m,
    'with this key'      => qr/^0\|6\|20.*\|v{100}$/m,
    'does a key go'      => qr/^0$/m,
    'is connected'       => qr/^ottla\|ottla\|/m,
    'held back'          => qr/^slow\|127\.0\.0\.1\|[1-9]\d*\|/m,
    'are slow'           => qr/^Produce\|/m,
    'differ from the defaults' => qr/^connections\.max\.idle\.ms\|/m,
);

my %asked = questions();
is(scalar keys %asked, 20, 'twenty questions');
for my $question (sort keys %asked) {
    my ($key) = grep { index($question, $_) >= 0 } keys %shows;
    ok(defined $key, $question) or next;
    my $r = run("$asked{$question}\n");
    if (!defined $shows{$key}) {
        like($r->{err}, qr/group "app" is in use by 2 members/, 'says that the group is in use');
        next;
    }
    is($r->{err}, '', 'it runs');
    like($r->{out}, $shows{$key}, 'and shows it');
}

done_testing();
