#!/usr/bin/perl
# 881_dashboards.t - the dashboard and the alerts ask for what the exporter serves
#
# Proves: every expression of contrib/grafana/ottla.json and contrib/prometheus/ottla.rules.yml names metrics that a node in use
# serves, and labels that those have; legends and texts name labels that are left behind the aggregation; panels do not overlap;
# every metric of the table is in the manual. In check-long promtool reads the rules, and fires them on series made for
# it (test/prometheus).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use JSON::PP;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;
use Ottla::Test::Prom;
use Ottla::Test::Wire;
use Test::More;

my $port = Ottla::Test::Node::free_port();
my $node = Ottla::Test::Node->new(conf => { 'metrics.listen' => "127.0.0.1:$port", 'group.initial.rebalance.delay.ms' => 0 })->start;
my $api  = Ottla::Test::Api->new($node);
$api->make_topic('orders', 1);
$api->produce('orders', batch(records => [ { value => 'x' } ]));
Ottla::Test::Wire->new($node)->call(0, 7, Ottla::Test::Wire::produce_body('orders', 'no batch'));
$node->wait_until('a group to be served', sub {
    $api->ask(FindCoordinator => 4, { key_type => 0, coordinator_keys => ['app'] })->{coordinators}[0]{error_code} == 0 or return 0;
    my $answer = $api->ask(OffsetCommit => 8, { group_id => 'app', generation_id_or_member_epoch => -1,
        topics => [ { name => 'orders', partitions => [ { partition_index => 0, committed_offset => 0 } ] } ] });
    return $answer->{topics}[0]{partitions}[0]{error_code} == 0;
});
my $m = Ottla::Test::Prom::parse(Ottla::Test::Prom::scrape($port)->{text});

# Labels of each metric as it is served, and those that Prometheus adds.
my %labels;
for my $sample (@{ $m->{all} }) { $labels{ $sample->{name} }{$_} = 1 for keys %{ $sample->{labels} }, qw(job instance) }
$labels{up} = { job => 1, instance => 1 };

# What is wrong with an expression; its labels go into %$left.
sub faults {
    my ($expr, $left) = @_;
    my (@faults, %any);
    my $rest = $expr =~ s/"[^"]*"/""/gr;
    my $found = 0;
    while ($rest =~ /\b(ottla_\w+|up)\b(?:\{([^}]*)\})?/g) {
        my ($name, $matchers) = ($1, $2 // '');
        $found++;
        push(@faults, "$name is not served"), next if !$labels{$name};
        $labels{$name}{$_} or push @faults, "$name has no label $_" for $matchers =~ /(\w+)\s*[=!]/g;
        $any{$_} = 1 for keys %{ $labels{$name} };
    }
    push @faults, 'no metric' if !$found;
    my @by = map { split /\s*,\s*/ } $rest =~ /\b(?:by|on)\s*\(([^)]*)\)/g;
    $any{$_} or push @faults, "nothing has the label $_" for @by;
    %$left = $rest =~ /\b(?:sum|max|min|topk)\s*\((?!.*\bby\b)/ && $rest !~ /\bby\s*\(/ ? () : @by ? map { $_ => 1 } @by : %any;
    return @faults;
}

sub wrong_words { my ($left, @words) = @_; return map { "the label $_ is not left" } grep { !$left->{$_} } @words }

subtest 'dashboard' => sub {
    my $dashboard = decode_json(Ottla::Test::Node::slurp('contrib/grafana/ottla.json'));
    my (%taken, %ids);
    for my $panel (@{ $dashboard->{panels} }) {
        my @faults;
        ok(!$ids{ $panel->{id} }++, "panel $panel->{id}: $panel->{title}");
        my $p = $panel->{gridPos};
        for my $x ($p->{x} .. $p->{x} + $p->{w} - 1) { $taken{"$x $_"}++ and push @faults, "lies over another one at $x $_" for $p->{y} .. $p->{y} + $p->{h} - 1 }
        for my $target (@{ $panel->{targets} // [] }) {
            my %left;
            push @faults, faults($target->{expr} =~ s/\$__rate_interval/5m/gr, \%left);
            push @faults, wrong_words(\%left, $target->{legendFormat} =~ /\{\{(\w+)\}\}/g);
        }
        is(join("\n", @faults), '', '... is in order');
    }
    for my $variable (grep { $_->{type} eq 'query' } @{ $dashboard->{templating}{list} }) {
        my ($name, $label) = $variable->{definition} =~ /^label_values\((\w+), (\w+)\)$/;
        ok($labels{ $name // '' }{ $label // '' }, "variable $variable->{name}");
    }
};

subtest 'alerts' => sub {
    my ($alert, %left, %seen);
    for (split /\n/, Ottla::Test::Node::slurp('contrib/prometheus/ottla.rules.yml')) {
        if (/^ +- alert: (\w+)$/) {
            $alert = $1;
            ok(!$seen{$alert}++, $alert);
        } elsif (/^ +expr: '(.*)'$/) {
            is(join("\n", faults($1, \%left)), '', '... its expression');
        } elsif (/^ +(?:summary|description): '(.*)'$/) {
            is(join("\n", wrong_words(\%left, $1 =~ /\$labels\.(\w+)/g)), '', '... its text');
        }
    }
    cmp_ok(scalar keys %seen, '>=', 25, 'there are many');
};

subtest 'manual' => sub {
    my $page = Ottla::Test::Node::slurp("$ENV{OTTLA_BUILD}/doc/man/ottla-metrics.7");
    my @names = map { /^(ottla_\w+) \|/ ? $1 : () } split /\n/, Ottla::Test::Node::slurp('src/metrics/metrics.txt');
    is_deeply([ grep { $page !~ /^\.It Cm \Q$_\E$/m } @names ], [], scalar(@names) . ' metrics are in it');
};

SKIP: {
    skip 'promtool: check-long alone', 2 if !$ENV{OTTLA_LONG};
    my $tool = Ottla::Test::Prom::promtool() // skip 'promtool cannot be had', 2;
    my $said = `'$tool' check rules contrib/prometheus/ottla.rules.yml 2>&1`;
    is($?, 0, 'promtool reads the rules') or diag $said;
    $said = `'$tool' test rules test/prometheus/ottla.rules.test.yml 2>&1`;
    is($?, 0, 'they fire when they should') or diag $said;
}

is($node->stop, 0, 'stop');
done_testing;
