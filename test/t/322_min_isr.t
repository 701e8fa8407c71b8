# min.insync.replicas on a node that is alone: no partition wants more replicas than it has (log.md 4.1: effective min ISR is
# the smaller of setting and number of replicas), so acks=all and acks=1 pass whatever the setting says; the setting itself is kept.
use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;

my $node = Ottla::Test::Node->new(conf => { 'min.insync.replicas' => 3 })->start;
my $api = Ottla::Test::Api->new($node);
my $batch = Ottla::Test::Wire::batch(100, 1);
my %made = (one => { 'min.insync.replicas' => 1 }, two => { 'min.insync.replicas' => 2 }, default => {});

for my $topic (sort keys %made) {
    $api->make_topic($topic, 1, %{ $made{$topic} });
    is($api->produce($topic, $batch, acks => -1)->{error_code}, 0, "$topic: acks=all passes");
    is($api->produce($topic, $batch, acks => 1)->{error_code}, 0, "$topic: acks=1 passes");
    is($api->offset_at($topic, -1)->{offset}, 2, "$topic: both are appended");
}
my ($two) = @{ $api->ask(DescribeConfigs => 4, { resources => [ { resource_type => 2, resource_name => 'two',
    configuration_keys => ['min.insync.replicas'] } ] })->{results} };
is($two->{configs}[0]{value}, 2, 'the setting is what was asked for');
is($node->stop('fast'), 0, 'clean stop');
done_testing;
