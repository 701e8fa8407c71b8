# Acked.pm - a producer that remembers what was acknowledged, and reads all of it back
#
#   my $acked = Ottla::Test::Acked->new(Ottla::Test::Api->new($node));
#   $acked->make_topic('t');
#   my $code = $acked->produce('t', 1000);    # a batch with a record of so many bytes; the error code
#   $acked->read_back('after the restart');   # a test: all acknowledged records, in order, at their offsets
#
# Records that were not acknowledged may be there or not, whole.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Acked;

use strict;
use warnings;
use Test::More;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);

sub new { my ($class, $c) = @_; return bless { c => $c, topics => {}, serial => 0 }, $class }

# After a start: a new connection.
sub connect { my ($self, $node) = @_; $self->{c} = Ottla::Test::Api->new($node); return $self }

sub make_topic {
    my ($self, $topic, @settings) = @_;
    $self->{c}->make_topic($topic, 1, @settings);
    $self->{topics}{$topic} = {};
    return;
}

sub forget { my ($self, $topic) = @_; delete $self->{topics}{$topic}; return }

# What is served of a topic now is what must stay, no more: after a loss that acks=1 allows.
sub take_stock { my ($self, $topic) = @_; $self->{topics}{$topic} = $self->stored($topic); return }

# The code of the answer; -1: none came.
sub produce {
    my ($self, $topic, $bytes, %o) = @_;
    my $value = sprintf '%09d ', $self->{serial}++;
    $value .= 'x' x ($bytes - length $value) if $bytes > length $value;
    my $answer = $self->{c}->produce($topic, batch(records => [$value]), %o) // return -1;
    $self->{topics}{$topic}{ $answer->{base_offset} } = $value if $answer->{error_code} == 0;
    return $answer->{error_code};
}

# One record to every topic, which must be taken; their names.
sub produce_all {
    my ($self, $bytes) = @_;
    my @topics = sort keys %{ $self->{topics} };
    $self->produce($_, $bytes) == 0 or die "$_: not taken\n" for @topics;
    return @topics;
}

# What is stored of a topic: offset to value; dies on what is torn or damaged.
sub stored {
    my ($self, $topic) = @_;
    my (%found, $next);
    my $offset = 0;
    while (1) {
        my $answer = $self->{c}->fetch($topic, $offset, max_wait_ms => 0);
        die "$topic: no answer\n" if !$answer;
        die "$topic: error $answer->{error_code} at $offset\n" if $answer->{error_code};
        my @batches = batches($answer->{records} // '');
        last if !@batches;
        for my $batch (@batches) {
            die "$topic: wrong checksum at $batch->{base_offset}\n" if !$batch->{crc_ok};
            $found{ $batch->{base_offset} + $_ } = $batch->{records}[$_]{value} for 0 .. $#{ $batch->{records} };
            $offset = $batch->{last_offset} + 1;
        }
    }
    return \%found;
}

sub read_back {
    my ($self, $when, @topics) = @_;
    my ($count, @wrong) = (0);
    for my $topic (@topics ? @topics : sort keys %{ $self->{topics} }) {
        my $acked = $self->{topics}{$topic};
        my $found = eval { $self->stored($topic) } or push @wrong, $@;
        next if !$found;
        $count += keys %$acked;
        push @wrong, map { "$topic: offset $_ is lost\n" }
            grep { !defined $found->{$_} || $found->{$_} ne $acked->{$_} } sort { $a <=> $b } keys %$acked;
        my $offset = 0;
        push @wrong, map { "$topic: a gap before $_\n" } grep { $_ != $offset++ } sort { $a <=> $b } keys %$found;
    }
    splice @wrong, 10;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(!@wrong, "$when: all $count acknowledged records are there") || diag @wrong;
}

1;
