# Rebalances.pm - groups of real clients go through their scripts side by side; each step must cost as many rebalances as with Kafka
#
#   go_through([ 'c-range', 'dynamic' ], [ 'c-consumer', 'static' ]);      # with a node of its own; ends the test
#
# What Kafka 4.3.1 did stands in test/clients/rebalances.txt. To record it anew, give the address of a running Kafka with the
# settings below and a listener for each of $AT_ONCE links (LINK0 on its port + 10, advertised as its port + 40, and so on), and
# the file, whose figures become ranges where these differ:
#
#   OTTLA_PEER=127.0.0.1:9092 OTTLA_RECORD=test/clients/rebalances.txt OTTLA_LONG=1 prove test/t/71[01]*.t
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Rebalances;

use strict;
use warnings;
use Exporter 'import';
use List::Util qw(max min);
use Ottla::Test::Group;
use Ottla::Test::Link;
use Ottla::Test::Member;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Test::More;

our @EXPORT_OK = qw(go_through %settings);

# Short times, so that a member that is gone is missed soon.
our %settings = (
    'group.min.session.timeout.ms'           => 100,
    'group.initial.rebalance.delay.ms'       => 500,
    'group.consumer.min.session.timeout.ms'  => 100,
    'group.consumer.session.timeout.ms'      => 3000,
    'group.consumer.min.heartbeat.interval.ms' => 100,
    'group.consumer.heartbeat.interval.ms'   => 500,
    'offsets.topic.num.partitions'           => 4,
);

my $PARTITIONS = 4;
my $AT_ONCE    = 12;    # groups
my $JVMS       = 4;     # of them; more make a machine so slow that static members come back too late
my $FILE       = 'test/clients/rebalances.txt';

# A server that runs already, as tests use a node.
{
    package Ottla::Test::Peer;
    sub new { my ($class, $address) = @_; return bless { address => $address }, $class }
    sub address { $_[0]{address} }
    sub connect_tcp { return IO::Socket::INET->new(PeerAddr => $_[0]{address}, Proto => 'tcp') // die "$_[0]{address}: $@\n" }
}

# { "FLAVOUR SCRIPT" => { STEP => [ least, most ] } } and the comment above.
sub load {
    my ($file) = @_;
    my (%table, $head);
    open my $in, '<', $file or return (\%table, '');
    while (<$in>) {
        if (/^#/) { $head .= $_; next }
        my ($flavour, $script, $step, $figures) = /^(\S+) (\S+): (.+): ([-\d|]+)$/ or next;
        $table{"$flavour $script"}{$step} = [ (split /\|/, $figures)[ 0, -1 ] ];
    }
    return (\%table, $head // '');
}

sub text { my ($least, $most) = @{ $_[0] }; return $least == $most ? $least : "$least|$most" }

sub record {
    my ($file, @groups) = @_;
    my ($table, $head) = load($file);
    for my $g (@groups) {
        for (@{ $g->{figures} }) {
            my ($step, $figure) = @$_;
            my $range = $table->{"$g->{flavour} $g->{script}"}{$step} //= [ $figure, $figure ];
            @$range = (min($figure, @$range), max($figure, @$range));
        }
    }
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} $head;
    for my $name (sort keys %$table) {
        my ($flavour, $script) = split ' ', $name;
        my @steps = grep { $table->{$name}{$_} } Ottla::Test::Group::steps($script);
        print {$out} map { "$name: $_: " . text($table->{$name}{$_}) . "\n" } @steps;
    }
    close $out or die "$file: $!\n";
    return;
}

# Steps that cost another number of rebalances than with Kafka, as texts.
sub others {
    my ($g, $table) = @_;
    my $of = $table->{"$g->{flavour} $g->{script}"};
    my @others;
    for (@{ $g->{figures} }) {
        my ($step, $figure) = @$_;
        my $range = $of->{$step} // [ -1, -1 ];
        push @others, "$step: $figure, not " . text($range) if $figure < $range->[0] || $figure > $range->[1];
    }
    return @others;
}

sub judge {
    my ($g, $table) = @_;
    subtest "$g->{flavour}, $g->{script}" => sub {
        note $g->describe;
        my @faults = $g->faults;
        is(scalar @faults, 0, 'each partition has one owner, and commits stay') or diag $g->explain(@faults);
        my @others = others($g, $table);
        is(scalar @others, 0, 'as many rebalances as with Kafka: ' . join ', ', map { "$_->[0] $_->[1]" } @{ $g->{figures} })
            or diag join "\n", @others;
        my $commits = 0;
        $commits += @{ $_->{commits} } for @{ $g->{all} };
        ok($commits > 0, "commits: $commits");
        note join "\n", map { sprintf '%-28s %5.1f s', $_, $g->{took}{$_} } grep { defined $g->{took}{$_} } Ottla::Test::Group::steps($g->{script});
    };
    return;
}

# The groups that go next, taken out of those that wait.
sub lot {
    my ($waiting) = @_;
    my ($jvms, @now, @later) = (0);
    for (@$waiting) {
        if (@now < $AT_ONCE && ($_->{flavour} !~ /^java/ || $jvms++ < $JVMS)) { push @now, $_ }
        else { push @later, $_ }
    }
    @$waiting = @later;
    return @now;
}

# All go through their scripts, as many at once as may.
sub run {
    my ($links, @left) = @_;
    while (@left) {
        my @now = lot(\@left);
        $now[$_]{link} = $links->[$_] for 0 .. $#now;
        comes_true(sub { my $left = grep { !$_->turn } @now; !$left }, 600) or fail('all scripts end');
        $_->finish for @now;
        comes_true(sub { my $left = grep { !$_->gone } @now; !$left }, 60) or fail('all members leave when asked');
    }
    return;
}

sub go_through {
    my (@runs) = @_;
    my $peer = $ENV{OTTLA_PEER};
    my $port = Ottla::Test::Node::free_port();
    my ($listeners, @links) = $peer ? ({}, Ottla::Test::Link::to_peer($AT_ONCE, $peer)) : Ottla::Test::Link::several($AT_ONCE, $port);
    my $node = $peer ? Ottla::Test::Peer->new($peer) : Ottla::Test::Node->new(port => $port, conf => { %settings, %$listeners })->start;
    my ($table) = load($FILE);
    my (@groups, %missing);
    for (@runs) {
        my ($flavour, $script) = @$_;
        my $why = $missing{$flavour} //= Ottla::Test::Member::missing($flavour) // '';
        if ($why) {
            SKIP: { skip "$flavour, $script: $why", 1 }
            next;
        }
        push @groups, Ottla::Test::Group->new(server => $node, name => "$flavour-$script" . ($peer ? "-$$" : ''), flavour => $flavour,
            script => $script, partitions => $PARTITIONS);
    }
    run(\@links, @groups);
    # A machine that stalls makes rebalances of its own; not twice, with fewer at once. The other faults count each time.
    for my $g ($peer ? () : grep { others($_, $table) && !$_->faults } @groups) {
        diag join "\n", "$g->{name} goes through its script again:", others($g, $table);
        $g = Ottla::Test::Group->new(%{$g}{qw(server flavour script)}, name => "$g->{name}-again", partitions => $PARTITIONS);
        run(\@links, $g);
    }
    judge($_, $table) for @groups;
    record($ENV{OTTLA_RECORD}, @groups) if $peer && $ENV{OTTLA_RECORD};
    if (!$peer) {
        unlike($node->log_text, qr/PANIC|assert/i, 'no process failed');
        is($node->stop, 0, 'stop');
    }
    done_testing;
    return;
}

1;
