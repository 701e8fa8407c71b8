# Group.pm - one consumer group of real clients: its members, what the server says of it, and a script of steps
#
#   my $g = Ottla::Test::Group->new(server => $node, name => 'g', flavour => 'c-range', partitions => 4, script => 'dynamic');
#   until (!grep { !$_->turn } @groups) { ... }      # each turn does what is due, and waits for nothing
#   $g->{figures}                                    # how many rebalances each step cost: [ name => count ], ...
#   $g->faults                                       # GroupCheck, and what went wrong on the way
#
# A step is over when the group is settled: stable for the server, every living member in it, and each partition owned by one.
# server: a node, or whatever has address and connect_tcp; link: a way there that can be cut (Link), for members that are "far".
# The topic gets records all the time.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Group;

use strict;
use warnings;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::GroupCheck qw(group_faults history);
use Ottla::Test::Member;
use Ottla::Test::Wait qw(comes_true);
use Time::HiRes qw(time);

my $PATIENCE_S = 60;     # of a step
my $CALM_S     = 0.4;    # so long nothing may change before a step counts as over
my $RECORDS    = 10;     # to each partition, every $PRODUCE_S
my $PRODUCE_S  = 0.1;
my $WATCH_S    = 0.05;
my $DEAF_S     = 1;      # less than a session

# Names of steps, and what they do: to whom, by whose name. until: ends the step in place of a settled group.
sub joins { my ($name, $instance) = @_; return sub { $_[0]->start($name, $instance) } }
sub joins_as { my ($name, $flavour) = @_; return sub { local $_[0]{flavour} = $flavour; $_[0]->start($name) } }
sub joins_far { my ($name, $instance) = @_; return sub { $_[0]->start($name, $instance, 1) } }
sub leaves { my ($name) = @_; return sub { $_[0]{member}{$name}->leave } }
sub kills { my ($name) = @_; return sub { $_[0]{member}{$name}->kill9 } }

# Settled, and of this kind for the server.
sub kind { my ($kind) = @_; return sub { $_[0]->settled && $_[0]{kind} eq $kind } }

my @members = (
    [ 'a joins',         joins('a') ],
    [ 'b joins',         joins('b') ],
    [ 'c joins',         joins('c') ],
    [ 'c is killed',     kills('c') ],
    [ 'b is cut off',    sub { $_[0]->cut_off('b') } ],
    [ 'b is back',       sub { $_[0]->back('b') } ],
    [ 'b leaves',        leaves('b') ],
    [ 'd joins',         joins('d') ],
);

# "members": for kafka-python, which at times goes on with the partitions of before when there are more.
my %script = (
    members => \@members,
    dynamic => [ @members, [ 'two partitions more', sub { $_[0]->add_partitions(2) } ] ],
    # From the older protocol to the newer and back, one after the other, while the group goes on.
    moves => [
        [ 'a joins',         joins('a') ],
        [ 'b joins',         joins('b') ],
        [ 'c joins',         joins('c') ],
        (map { [ "$_ leaves", leaves($_), kind($_ eq 'a' ? 'classic' : 'consumer') ],
            [ "$_ joins by the newer protocol", joins_as($_, 'c-consumer'), kind('consumer') ] } qw(a b c)),
        (map { [ "$_ leaves again", leaves($_), kind($_ eq 'c' ? 'classic' : 'consumer') ],
            [ "$_ joins by the older protocol", joins($_), kind($_ eq 'c' ? 'classic' : 'consumer') ] } qw(a b c)),
    ],
    pair => [ @members[ 0, 1 ] ],
    # b goes on while nothing it says arrives, or nothing it is told.
    brief => [
        [ 'a joins',         joins('a') ],
        [ 'b joins',         joins_far('b') ],
        [ 'b hears nothing for a moment', sub { $_[0]->deafen }, sub { $_[0]->hears_again && $_[0]->settled } ],
        [ 'b is parted from the node', sub { $_[0]->part('b') } ],
        [ 'b is heard again', sub { $_[0]->join_up('b') } ],
        [ 'b is killed',     kills('b') ],
        [ 'b restarts',      joins_far('b') ],
        [ 'a leaves',        leaves('a') ],
    ],
    # The same of static members; the newer protocol does not let a twin in while it waits for the first.
    twins => [
        [ 'a joins',         joins('a', 'ia') ],
        [ 'b joins',         joins_far('b', 'ib') ],
        [ 'b leaves for now', leaves('b'), sub { $_[0]{member}{b}->ended } ],
        [ 'b is back',       joins_far('b', 'ib') ],
        [ 'b is killed and restarts', sub { $_[0]->restart_killed('b', 'ib') } ],
        [ 'b is parted from the node, a twin joins', sub { $_[0]->part('b'); $_[0]->start('twin', 'ib') },
            sub { $_[0]{member}{twin}->ended || $_[0]->settled } ],
        [ 'b is heard again', sub { $_[0]->join_up('b') }, sub { $_[0]->one_of('b', 'twin') } ],
    ],
    static => [
        [ 'a joins',         joins('a', 'ia') ],
        [ 'b joins',         joins('b', 'ib') ],
        [ 'b leaves for now', leaves('b'), sub { $_[0]{member}{b}->ended } ],
        [ 'b is back',       joins('b', 'ib') ],
        [ 'a twin of b',     joins('twin', 'ib'), sub { $_[0]->one_of('b', 'twin') } ],
        [ 'a is killed',     kills('a') ],
        [ 'a restarts late', joins('a', 'ia') ],
        [ 'c joins, dynamic', joins('c') ],
        [ 'a is killed and restarts', sub { $_[0]{member}{a}->kill9; $_[0]->start('a', 'ia') } ],
    ],
);

sub new {
    my ($class, %o) = @_;
    my $self = bless { %o, topic => $o{topic} // $o{name}, member => {}, all => [], step => -1, figures => [], watched => [],
        wrong => [], generation => 0, produced => 0, watched_at => 0 }, $class;
    $self->{consumer} = $Ottla::Test::Member::flavour{ $o{flavour} }{consumer};
    $self->{steps} = $script{ $o{script} } if $o{script};
    make_topic($self->api, $self->{topic}, $o{partitions}) if !$o{topic};
    $self->long_session($o{flavour} =~ /^java/ ? 20000 : 4000) if ($o{script} // '') =~ /^(static|twins)$/;
    return $self;
}

# Returns when all partitions are there: several clients take badly to what Kafka says of new ones at first.
sub make_topic {
    my ($api, $name, $partitions) = @_;
    $api->make_topic($name, $partitions);
    comes_true(sub { !grep { $api->offset_at($name, -1, partition => $_)->{error_code} } 0 .. $partitions - 1 }, 30)
        or die "$name has no leaders\n";
    return;
}

sub api { my ($self) = @_; return $self->{api} //= Ottla::Test::Api->new($self->{server}) }

# A static member must be back before its session ends.
sub long_session {
    my ($self, $ms) = @_;
    $self->{arguments}{session} = $ms;
    return if !$self->{consumer};
    my $answer = $self->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => 32, resource_name => $self->{name},
        configs => [ { name => 'consumer.session.timeout.ms', config_operation => 0, value => $ms } ] } ] });
    my $error = $answer->{responses}[0]{error_code};
    die "consumer.session.timeout.ms of $self->{name}: error $error\n" if $error;
    return;
}

# An answer, or undef while the server is away or loads.
sub ask {
    my ($self, @request) = @_;
    my $answer = eval { $self->api->ask(@request) };
    delete $self->{api} if !defined $answer;
    return $answer;
}

# ---- what steps do ----

sub start {
    my ($self, $name, $instance, $far) = @_;
    my $m = Ottla::Test::Member->new(flavour => $self->{flavour}, name => "$self->{name} $name",
        address => ($far ? $self->{link} : $self->{server})->address,
        arguments => { group => $self->{name}, topic => $self->{topic}, defined $instance ? (instance => $instance) : (),
            %{ $self->{arguments} // {} } });
    $self->{member}{$name} = $m;
    push @{ $self->{all} }, $m;
    return $m;
}

# A member that was cut off says nothing that is heard, so that it owns nothing.
sub cut_off { my ($self, $name) = @_; my $m = $self->{member}{$name}; $m->stop; $m->{away} = 1; return }
sub back { my ($self, $name) = @_; my $m = $self->{member}{$name}; $m->{away} = 0; $m->continue; return }

# It goes on, but the server does not know; and what it says in vain may arrive when it is no longer true.
sub part { my ($self, $name) = @_; $self->{link}->cut; $self->{member}{$name}{away} = 1; return }
sub join_up { my ($self, $name) = @_; $self->{link}->heal; $self->{member}{$name}{away} = 0; return }
sub deafen { my ($self) = @_; $self->{link}->deafen; $self->{deaf_until} = time + $DEAF_S; return }

sub hears_again {
    my ($self) = @_;
    return 1 if !$self->{deaf_until};
    return 0 if time < $self->{deaf_until};
    $self->{link}->heal;
    delete $self->{deaf_until};
    return 1;
}

# Only in a classic group may a static member come back before its session ended.
sub restart_killed {
    my ($self, $name, $instance) = @_;
    return if $self->{consumer};
    $self->{member}{$name}->kill9;
    return $self->start($name, $instance, 1);
}

sub add_partitions {
    my ($self, $more) = @_;
    $self->{partitions} += $more;
    my $answer = $self->ask(CreatePartitions => 3, { timeout_ms => 10000,
        topics => [ { name => $self->{topic}, count => $self->{partitions}, assignments => undef } ] });
    die "more partitions: $answer->{results}[0]{error_code}\n" if $answer->{results}[0]{error_code};
    return;
}

# One of two members was put out by the other; who it was is kept.
sub one_of {
    my ($self, @names) = @_;
    my @out = grep { $self->{member}{$_}->ended } @names;
    return 0 if @out != 1;
    $self->{put_out} = $out[0];
    return $self->settled;
}

# ---- what the server says ----

# { state, members => [ ids ], generation (consumer groups) }, or undef.
sub look {
    my ($self) = @_;
    my $moves = ($self->{script} // '') eq 'moves';
    if ($self->{consumer} || $moves) {
        my $answer = $self->ask(ConsumerGroupDescribe => 0, { group_ids => [ $self->{name} ] }) // return undef;
        my $g = $answer->{groups}[0];
        return $self->look_classic if $moves && $g->{error_code} == 69;
        return undef if $g->{error_code};
        $self->{kind} = 'consumer';
        my $even = !grep { $_->{member_epoch} != $g->{group_epoch} } @{ $g->{members} };
        return { state => $even ? $g->{group_state} : 'uneven', members => [ map { $_->{member_id} } @{ $g->{members} } ],
            generation => $g->{group_epoch} };
    }
    return $self->look_classic;
}

sub look_classic {
    my ($self) = @_;
    my $answer = $self->ask(DescribeGroups => 5, { groups => [ $self->{name} ] }) // return undef;
    my $g = $answer->{groups}[0];
    return undef if $g->{error_code};
    $self->{kind} = 'classic';
    return { state => $g->{group_state}, members => [ map { $_->{member_id} } @{ $g->{members} } ] };
}

# No answer tells the generation of a classic group; a heartbeat of any other is refused.
sub generation {
    my ($self, $look) = @_;
    return $look->{generation} if defined $look->{generation};
    for my $n ($self->{generation} .. $self->{generation} + 50) {
        my $answer = $self->ask(Heartbeat => 4, { group_id => $self->{name}, generation_id => $n, member_id => $look->{members}[0] }) // return undef;
        return $n if $answer->{error_code} == 0;
        return undef if $answer->{error_code} != 22;
    }
    return undef;
}

sub living { my ($self) = @_; return grep { $_->{pid} && !$_->{away} && !$_->{fatal} } values %{ $self->{member} } }

# True when the members and the server agree, and have done so for a while.
sub settled {
    my ($self) = @_;
    my @living = $self->living;
    my @owned = sort { $a <=> $b } map { keys %{ $_->{owned} } } @living;
    my $text = join ' ', map { "$_->{name}:" . join ',', sort keys %{ $_->{owned} } } sort { $a->{name} cmp $b->{name} } @living;
    my $look = "@owned" eq join(' ', 0 .. $self->{partitions} - 1) ? $self->look : undef;
    $self->{seen} = ($look ? "$look->{state}, " . @{ $look->{members} } . ' members' : 'owned: ') . " $text";
    my $generation = $look && $look->{state} eq 'Stable' && @{ $look->{members} } == @living ? $self->generation($look) : undef;
    if (!defined $generation) { delete $self->{calm}; return 0 }
    $text .= " $generation";
    if (!$self->{calm} || $self->{calm}[0] ne $text) { $self->{calm} = [ $text, time ]; return 0 }
    return 0 if time - $self->{calm}[1] < $CALM_S;
    $self->{now} = $generation;
    return 1;
}

# ---- turns ----

sub produce {
    my ($self) = @_;
    return if time - $self->{produced} < $PRODUCE_S;
    $self->{produced} = time;
    for my $p (0 .. $self->{partitions} - 1) {
        my $batch = batch(records => [ map { "$p " . ++$self->{number} } 1 .. $RECORDS ]);
        my $answer = eval { $self->api->produce($self->{topic}, $batch, partition => $p) };
        delete $self->{api} if !$answer;
    }
    return;
}

# Committed offsets as anybody may see them.
sub watch {
    my ($self) = @_;
    $self->look_at_offsets if time - $self->{watched_at} >= $WATCH_S;
    return;
}

# { PARTITION => OFFSET }; undef: not known now.
sub look_at_offsets {
    my ($self) = @_;
    $self->{watched_at} = time;
    my $start = int(time * 1e6);
    my $answer = $self->ask(OffsetFetch => 8, { require_stable => 0, groups => [ { group_id => $self->{name},
        topics => [ { name => $self->{topic}, partition_indexes => [ 0 .. $self->{partitions} - 1 ] } ] } ] }) // return undef;
    my $g = $answer->{groups}[0];
    return undef if $g->{error_code} || grep { $_->{error_code} } @{ $g->{topics}[0]{partitions} };
    my %offsets = map { $_->{partition_index} => $_->{committed_offset} } @{ $g->{topics}[0]{partitions} };
    push @{ $self->{watched} }, { start => $start, end => int(time * 1e6), offsets => \%offsets };
    return \%offsets;
}

sub pump { my ($self) = @_; for (@{ $self->{all} }) { $_->pump; $_->ended } return }

sub next_step {
    my ($self) = @_;
    my $step = $self->{steps}[ ++$self->{step} ] // return;
    $self->{until} = $step->[2] // \&settled;
    $self->{began} = time;
    delete $self->{calm};
    $step->[1]->($self);
    return;
}

# True: the script is over.
sub turn {
    my ($self) = @_;
    return 1 if $self->{over};
    $self->pump;
    $self->produce;
    $self->watch;
    if ($self->{step} >= 0) {
        my $step = $self->{steps}[ $self->{step} ];
        if (!$self->{until}->($self)) {
            return 0 if time - $self->{began} < $PATIENCE_S;
            push @{ $self->{wrong} }, "not settled after \"$step->[0]\": $self->{seen}";
            return $self->{over} = 1;
        }
        if ($self->{calm}) {
            push @{ $self->{figures} }, [ $step->[0], $self->{now} - $self->{generation} ];
            $self->{generation} = $self->{now};
        }
        $self->{took}{ $step->[0] } = time - $self->{began};
    }
    $self->next_step;
    return $self->{over} = $self->{step} > $#{ $self->{steps} };
}

# Names of the steps of a script, in order.
sub steps { my ($name) = @_; return map { $_->[0] } @{ $script{$name} } }

# Between scripts and after them: reads, writes, watches. True: settled, and every living member had a commit accepted since (us).
sub goes_on {
    my ($self, $since) = @_;
    $self->pump;
    $self->produce;
    $self->watch;
    return 0 if grep { !@{ $_->{commits} } || $_->{commits}[-1]{start} < $since } $self->living;
    return $self->settled;
}

# Everybody is told to leave, and waited for.
sub finish {
    my ($self) = @_;
    $_->leave for grep { $_->{pid} } @{ $self->{all} };
    return;
}

sub gone { my ($self) = @_; $self->pump; return !grep { !$_->ended } @{ $self->{all} } }

sub faults { my ($self) = @_; return @{ $self->{wrong} }, group_faults($self->{all}, $self->{watched}) }

# The first faults, and what was accepted before the first of them.
sub explain {
    my ($self, @faults) = @_;
    my ($first) = grep { /^partition/ } @faults;
    splice @faults, 5 if @faults > 5;
    return join "\n", @faults, defined $first ? history($self->{all}, $self->{watched}, $first) : ();
}

sub describe { my ($self) = @_; return join "\n", "group $self->{name}", map { $_->describe } @{ $self->{all} } }

1;
