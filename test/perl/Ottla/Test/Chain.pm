# Chain.pm - groups of real clients that copy topic to topic while members and processes of the node are killed
#
#   my @chains = map { Ottla::Test::Chain->new(server => $node, name => $_->[0], commit => $_->[1], flavours => [...], link => ...,
#       calm => $_->[2]) } ...;
#   storm(\@chains, $seconds, $node);      # node: whose processes die, too; undef: members only
#   drained(\@chains, $patience); $_->judge for @chains;
#
# commit "after": each record is copied before its offset is committed, so that none is missing at the end; "before": the other
# way round, so that none is there twice. The first topic gets records all the time of the storm; what arrived there counts.
# calm: its members live, and their sessions are long; then each record is there once, whoever else dies.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Chain;

use strict;
use warnings;
use Exporter 'import';
use List::Util qw(shuffle);
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batches);
use Ottla::Test::Group;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

our @EXPORT_OK = qw(storm drained);

my $PARTITIONS = 4;
my $MEMBERS    = 2;     # of each group
my $STOP_MAX_S = 5;     # longer than a session, so that some lose their place
my $LONG_MS    = 30000;
my $EVENT_S    = 0.4;   # between two deaths, about

sub new {
    my ($class, %o) = @_;
    my $api = Ottla::Test::Api->new($o{server});
    my $last = @{ $o{flavours} };
    my @topics = map { "$o{name}-$_" } 0 .. $last;
    Ottla::Test::Group::make_topic($api, $_, $PARTITIONS) for @topics;
    my @groups;
    for my $i (1 .. $last) {
        push @groups, Ottla::Test::Group->new(server => $o{server}, name => "$o{name}-group-$i", topic => $topics[ $i - 1 ],
            flavour => $o{flavours}[ $i - 1 ], partitions => $PARTITIONS, link => $o{link},
            arguments => { to => $topics[$i], commit => $o{commit} });
        $groups[-1]->long_session($LONG_MS) if $o{calm};
        start($groups[-1], "m$_") for 1 .. $MEMBERS;
    }
    return bless { %o, topics => \@topics, groups => \@groups, count => {} }, $class;
}

# The first of the members is behind the link; the second is static where it may come back at once: in classic groups.
sub start {
    my ($group, $name) = @_;
    my $static = $Ottla::Test::Member::flavour{ $group->{flavour} }{static} && !$group->{consumer};
    return $group->start($name, $static && $name eq 'm2' ? $name : undef, $name eq 'm1');
}

# True: every partition has an owner, and every member one of them.
sub formed {
    my ($self) = @_;
    for my $g (@{ $self->{groups} }) {
        my @owned = map { [ keys %{ $_->{owned} } ] } values %{ $g->{member} };
        return 0 if grep { !@$_ } @owned or $PARTITIONS != map { @$_ } @owned;
    }
    return 1;
}

# Reads what members said; one that ended by itself is a fault, and is replaced.
sub turn {
    my ($self, $feed) = @_;
    for my $g (@{ $self->{groups} }) {
        $g->pump;
        $g->watch;
        for my $name (sort keys %{ $g->{member} }) {
            my $m = $g->{member}{$name};
            next if !$m->ended || $m->{killed};
            # Who slept for about a session may forget its member id before the group does: then its instance id is that of
            # another, and its client gives up.
            my $of_sleep = $m->{slept} && ($m->{fatal} // '') =~ /fenced.?instance/i;
            push @{ $g->{wrong} }, "member $name ended: " . ($m->{fatal} // "status $m->{status}") if !$of_sleep;
            start($g, $name);
        }
    }
    $self->{groups}[0]->produce if $feed;
    return;
}

# A random member dies and a new one comes, or it is stopped for a time; or those behind the link are parted from the node.
sub strike {
    my ($self) = @_;
    return $self->strike_link if $self->{calm} || rand() < 0.2;
    my $g = $self->{groups}[ rand @{ $self->{groups} } ];
    my ($name) = sort { rand() <=> 0.5 } keys %{ $g->{member} };
    my $m = $g->{member}{$name};
    return if $m->{wakes} || !$m->{pid};
    if (rand() < 0.6) {
        $m->kill9;
        $m->{killed} = 1;
        start($g, $name);
        return 'members killed';
    }
    $m->stop;
    $m->{slept} = 1;
    $m->{wakes} = time + rand $STOP_MAX_S;
    push @{ $self->{asleep} }, $m;
    return 'members stopped';
}

sub strike_link {
    my ($self) = @_;
    return if $self->{heals};
    my $how = (qw(cut deafen))[ rand 2 ];
    $self->{link}->$how;
    $self->{heals} = time + rand $STOP_MAX_S;
    return "links cut";
}

sub wake {
    my ($self, $all) = @_;
    if ($self->{heals} && ($all || $self->{heals} < time)) { $self->{link}->heal; delete $self->{heals} }
    my @due = grep { $all || $_->{wakes} < time } @{ $self->{asleep} };
    for (@due) { $_->continue; delete $_->{wakes} }
    $self->{asleep} = [ grep { $_->{wakes} } @{ $self->{asleep} } ];
    return;
}

# Kills a process of the node, or all of it; each soon has its turn.
sub strike_node {
    my ($node, $deck) = @_;
    @$deck = shuffle(qw(backend coordinator backend coordinator node)) if !@$deck;
    my $kind = shift @$deck;
    if ($kind eq 'node') {
        $node->kill9;
        $node->start;
        return 'nodes killed';
    }
    my @children = $node->children_of_kind($kind) or return undef;
    kill 'KILL', $children[ rand @children ]{pid};
    return "${kind}s killed";
}

sub storm {
    my ($chains, $seconds, $node) = @_;
    comes_true(sub { $_->turn(1) for @$chains; !grep { !$_->formed } @$chains }, 60)
        or diag join "\n", 'not all groups form:', map { $_->describe } map { @{ $_->{groups} } } @$chains;
    my ($end, $next, @deck, %count) = (time + $seconds, time + $EVENT_S);
    comes_true(sub {
        $_->turn(1) for @$chains;
        $_->wake for @$chains;
        return 1 if time > $end && !grep { !$count{$_} } 'members killed', $node ? map { "$_ killed" } qw(backends coordinators nodes) : ();
        return 0 if time < $next;
        $next = time + $EVENT_S * (0.5 + rand);
        my @struck = map { $_->strike } grep { rand() < 0.4 } @$chains;
        push @struck, strike_node($node, \@deck) if $node && rand() < 0.5;
        $count{$_}++ for grep { defined } @struck;
        return 0;
    }, $seconds + 60) or fail('the storm strikes everybody');
    $_->wake(1) for @$chains;
    note join ', ', map { "$_: $count{$_}" } sort keys %count;
    return;
}

# Ends of all partitions of a topic.
sub ends {
    my ($self, $topic) = @_;
    my $api = $self->{groups}[0]->api;
    return { map { $_ => $api->offset_at($topic, -1, partition => $_)->{offset} } 0 .. $PARTITIONS - 1 };
}

# How many records its groups have not committed yet; undef: not known now.
sub lag {
    my ($self) = @_;
    my $lag = 0;
    for my $i (0 .. $#{ $self->{groups} }) {
        my $ends = eval { $self->ends($self->{topics}[$i]) } // return undef;
        my $committed = $self->{groups}[$i]->look_at_offsets // return undef;
        $lag += $ends->{$_} - ($committed->{$_} > 0 ? $committed->{$_} : 0) for keys %$ends;
    }
    return $lag;
}

# Waits until all groups have committed all; true: so it came.
sub drained {
    my ($chains, $patience) = @_;
    my %lag;
    my $ok = comes_true(sub {
        $_->turn for @$chains;
        $lag{ $_->{name} } = $_->lag // -1 for @$chains;
        return !grep { $_ } values %lag;
    }, $patience);
    ok($ok, 'every group comes to the end of its topic')
        or diag join "\n", (map { "$_: $lag{$_} records left" } sort keys %lag), map { $_->describe } map { @{ $_->{groups} } } @$chains;
    my @groups = map { @{ $_->{groups} } } @$chains;
    $_->finish for @groups;
    comes_true(sub { my $left = grep { !$_->gone } @groups; !$left }, $patience) or fail('all members leave when asked');
    return $ok;
}

# Where each value is there, and who wrote it.
sub values_of {
    my ($self, $topic) = @_;
    my $api = $self->{groups}[0]->api;
    my $ends = $self->ends($topic);
    my %places;
    for my $p (keys %$ends) {
        for (my $at = 0; $at < $ends->{$p};) {
            my $answer = $api->fetch($topic, $at, partition => $p);
            my @batches = batches($answer->{records});
            die "$topic $p at $at: error $answer->{error_code}, nothing\n" if !@batches;
            for my $batch (@batches) {
                my $by = "producer $batch->{producer_id} epoch $batch->{epoch} sequence $batch->{sequence}";
                push @{ $places{ $_->{value} } }, "$topic-$p offset $_->{offset} $by" for grep { $_->{offset} >= $at } @{ $batch->{records} };
            }
            $at = $batches[-1]{last_offset} + 1;
        }
    }
    return \%places;
}

# Of the first values that are there twice: where in each topic.
sub where_twice {
    my ($self, @twice) = @_;
    splice @twice, 3 if @twice > 3;
    my @topics = map { $self->values_of($_) } @{ $self->{topics} };
    return map { my $value = $_; "record $value:", map { @{ $_->{$value} // [] } } @topics } @twice;
}

sub judge {
    my ($self) = @_;
    subtest "$self->{name}: " . join(', ', @{ $self->{flavours} }) . ", commit $self->{commit}" . ($self->{calm} ? ', calm' : '') => sub {
        my ($first, $last) = map { $self->values_of($_) } @{ $self->{topics} }[ 0, -1 ];
        my @missing = grep { !$last->{$_} } sort keys %$first;
        my @twice   = grep { @{ $last->{$_} } > 1 } sort keys %$last;
        my @strange = grep { !$first->{$_} } sort keys %$last;
        note sprintf '%d records, %d missing at the end, %d more than once', scalar keys %$first, scalar @missing, scalar @twice;
        ok(keys %$first > 0 && keys %$last > 0, 'records went all the way');
        is(scalar @strange, 0, 'nothing arrives that was not sent') or diag "@strange[0 .. 4]";
        if ($self->{commit} eq 'after' || $self->{calm}) {
            is(scalar @missing, 0, 'at least once: none is missing') or diag join '; ', grep { defined } @missing[ 0 .. 9 ];
        }
        if ($self->{commit} eq 'before' || $self->{calm}) {
            is(scalar @twice, 0, 'at most once: none is there twice')
                or diag join "\n", join('; ', @twice), $self->where_twice(@twice), map { $_->describe } @{ $self->{groups} };
        }
        for my $g (@{ $self->{groups} }) {
            my @faults = $g->faults;
            is(scalar @faults, 0, "$g->{name}: each partition has one owner, and commits stay")
                or diag join "\n", $g->explain(@faults), $g->describe;
        }
    };
    return;
}

1;
