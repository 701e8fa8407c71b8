# Wire.pm - requests as bytes and answers as bytes, for tests that must see what no client library shows
#
#   my $c = Ottla::Test::Wire->new($node, 'client-id');
#   $c->create_topic('t');
#   my $answer = $c->call(18, 0, '');      # api key, version, body; the answer's body, undef at the end
#   $c->send($key, $version, $body); ...; my $answer = $c->receive($seconds);
#
# Only what tests need, in old versions without tagged fields.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Wire;

use strict;
use warnings;
use IO::Select;
use Time::HiRes qw(time);

our $PATIENCE = 30;

sub new {
    my ($class, $node, $client_id) = @_;    # a node, or a socket that is connected to one
    my $socket = ref $node && $node->isa('IO::Socket') ? $node : $node->connect_tcp;
    return bless { socket => $socket, id => $client_id // 'test', correlation => 0 }, $class;
}

sub socket { $_[0]{socket} }
sub port { $_[0]{socket}->sockport }
sub close { close $_[0]{socket} }

sub frame {
    my ($self, $key, $version, $body) = @_;
    return pack 'N/a*',
        pack('nnN', $key, $version, ++$self->{correlation}) . pack('n/a*', $self->{id}) . $body;
}

# All bytes, however slowly they are taken. False: the connection ended.
sub send_bytes {
    my ($self, $bytes) = @_;
    my $at = 0;
    local $SIG{PIPE} = 'IGNORE';
    while ($at < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $at, $at;
        return 0 if !defined $n;
        $at += $n;
    }
    return 1;
}

sub send { my ($self, @request) = @_; return $self->send_bytes($self->frame(@request)) }

# The next answer behind its size: correlation id and body. undef: the connection ended or nothing came in time.
sub receive_frame {
    my ($self, $seconds) = @_;
    my $until = time + ($seconds // $PATIENCE);
    my ($got, $want) = ('', 4);
    while (length $got < $want) {
        my $left = $until - time;
        return undef if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
        sysread($self->{socket}, $got, $want - length $got, length $got) or return undef;
        $want = 4 + unpack 'N', $got if length $got == 4;
    }
    return substr $got, 4;
}

# The next answer behind its correlation id; undef as above.
sub receive {
    my ($self, $seconds) = @_;
    my $frame = $self->receive_frame($seconds);
    return defined $frame ? substr $frame, 4 : undef;
}

sub call {
    my ($self, @request) = @_;
    $self->send(@request) or return undef;
    return $self->receive;
}

# ---- requests and what tests look at in their answers ----

# Error code of CreateTopics v2 with one replica and these settings; of an answer: throttle time, error.
sub create_topic {
    my ($self, $name, $partitions, %settings) = @_;
    my $settings = join '', pack('N', scalar keys %settings), map { pack 'n/a* n/a*', $_, $settings{$_} } sort keys %settings;
    my $answer = $self->call(19, 2,
        pack('N', 1) . pack('n/a*', $name) . pack('N n N', $partitions // 1, 1, 0) . $settings . pack('N C', 10000, 0));
    return unpack 'n', substr $answer, 8 + 2 + length $name;
}

# Error code of DeleteTopics v1.
sub delete_topic {
    my ($self, $name) = @_;
    return unpack 'n', substr $self->call(20, 1, pack('N n/a* N', 1, $name, 10000)), 8 + 2 + length $name;
}

# Error code of IncrementalAlterConfigs v0: sets values of a topic, or with "" of all nodes; undef deletes.
sub alter_config {
    my ($self, $topic, %settings) = @_;
    my $body = pack 'N c n/a* N', 1, length $topic ? 2 : 4, $topic, scalar keys %settings;
    for (sort keys %settings) {
        my $value = $settings{$_};
        $body .= pack('n/a* c', $_, defined $value ? 0 : 1) . (defined $value ? pack 'n/a*', $value : pack 'n', 0xffff);
    }
    return unpack 'n', substr $self->call(44, 0, $body . "\0"), 8;
}

# The offset of ListOffsets v1 of a partition: -1 the end, -2 the start; undef: an error.
sub list_offset {
    my ($self, $topic, $partition, $timestamp) = @_;
    my $answer = $self->call(2, 1, pack('N N', 0xffffffff, 1) . pack('n/a*', $topic) . pack 'N N q>', 1, $partition, $timestamp);
    my ($error, undef, $offset) = unpack 'n q> q>', substr $answer, 4 + 2 + length($topic) + 4 + 4;
    return $error ? undef : $offset;
}

# DeleteRecords v0 below an offset of partition 0: the log start afterwards.
sub delete_records {
    my ($self, $topic, $offset) = @_;
    my $answer = $self->call(21, 0, pack('N n/a* N N q> N', 1, $topic, 1, 0, $offset, 10000));
    return unpack 'q>', substr $answer, 4 + 4 + 2 + length($topic) + 4 + 4;
}

# AlterClientQuotas: entity is a hash of type => name (undef: default), keys a hash of key => value (undef: remove).
# The error code of the entry.
sub alter_quota {
    my ($self, $entity, $keys) = @_;
    my $body = pack 'N N', 1, scalar keys %$entity;
    for (sort keys %$entity) {
        $body .= pack 'n/a*', $_;
        $body .= defined $entity->{$_} ? pack 'n/a*', $entity->{$_} : pack 'n', 0xffff;
    }
    $body .= pack 'N', scalar keys %$keys;
    $body .= pack('n/a*', $_) . pack('d> C', $keys->{$_} // 0, !defined $keys->{$_}) for sort keys %$keys;
    my $answer = $self->call(49, 0, $body . "\0");
    return unpack 'x4 x4 n', $answer;
}

# ---- OttlaStat ----

sub uvarint {
    my ($n) = @_;
    my $out = '';
    for (; $n > 127; $n >>= 7) { $out .= chr($n & 127 | 128) }
    return $out . chr $n;
}

sub compact { my ($text) = @_; return defined $text ? uvarint(1 + length $text) . $text : "\0" }

# The body of a request for a page.
sub stat_body {
    my ($view, $columns, $filters, $cursor) = @_;
    my $body = compact($view) . ($columns ? uvarint(1 + @$columns) . join('', map { compact($_) } @$columns) : "\0");
    $body .= uvarint(1 + keys %{ $filters // {} });
    $body .= compact($_) . compact($filters->{$_}) . "\0" for sort keys %{ $filters // {} };
    return $body . pack('q>', $cursor // 0) . "\0";
}

# One page of a view. columns: names, undef: all; filters: column => value. Returns { error, message, rows (hashes),
# types (by column), next }; undef: the connection ended.
sub stat_page {
    my ($self, @ask) = @_;
    my $answer = $self->call(20000, 0, "\0" . stat_body(@ask)) // return undef;    # behind the header's tags
    my $at = 1;    # the header's tags
    my $take = sub { my ($n) = @_; $at += $n; return substr $answer, $at - $n, $n };
    my $uvarint = sub {
        my ($n, $shift, $byte) = (0, 0);
        do { $byte = ord $take->(1); $n |= ($byte & 127) << $shift; $shift += 7 } while $byte & 128;
        return $n;
    };
    my $text = sub { my $n = $uvarint->(); return $n ? $take->($n - 1) : undef };
    $take->(4);
    my %page = (error => unpack('n', $take->(2)), message => $text->());
    my $count = unpack 'N', $take->(4);
    $page{rows} = [ map { +{} } 1 .. $count ];
    for (2 .. $uvarint->()) {
        my $name = $text->();
        $page{types}{$name} = ord $take->(1);
        my $form = $page{types}{$name} == 3 ? 'd>' : 'q>'; # real, or a whole number
        my @values = map { unpack $form, $take->(8) } 2 .. $uvarint->();
        push @values, map { $text->() } 2 .. $uvarint->();
        my $nulls = $text->();
        for my $row (0 .. $count - 1) {
            my $null = length $nulls && vec($nulls, $row, 1);
            $page{rows}[$row]{$name} = $null ? undef : $values[$row];
        }
        $uvarint->();
    }
    $page{next} = unpack 'q>', $take->(8);
    return \%page;
}

# An order to the node: %how has order (0 reload, 1 terminate, 2 cancel, 3 alter system) and what belongs to it; settings
# are [name, value] pairs. Returns [error, message, names that need a restart]; undef: the connection ended.
sub control_body {
    my (%how) = @_;
    my @settings = @{ $how{settings} // [] };
    return pack('c l> q>', $how{order}, $how{pid} // -1, $how{generation} // -1)
        . uvarint(1 + @settings) . join('', map { compact($_->[0]) . compact($_->[1]) . "\0" } @settings)
        . pack('CC', $how{reset_all} ? 1 : 0, $how{validate_only} ? 1 : 0) . "\0";
}

sub control {
    my ($self, %how) = @_;
    my $answer = $self->call(20001, 0, "\0" . control_body(%how)) // return undef;
    return control_answer($answer);
}

sub control_answer {
    my ($answer) = @_;
    my ($error, $len) = unpack 'x5 n C', $answer; # short texts alone: lengths of one byte or two
    my $at = 8;
    ($len, $at) = (($len & 127) | unpack("x$at C", $answer) << 7, 9) if $len & 128;
    my $message = $len ? substr($answer, $at, $len - 1) : undef;
    $at += $len - 1 if $len;
    my @names;
    my $count = unpack "x$at C", $answer;
    $at++;
    for (2 .. $count) { my $n = unpack "x$at C", $answer; push @names, substr $answer, $at + 1, $n - 1; $at += $n }
    return [ $error, $message, @names ];
}

# All rows of a view.
sub stat {
    my ($self, $view, $columns, $filters) = @_;
    my ($cursor, @rows) = 0;
    while ($cursor >= 0) {
        my $page = $self->stat_page($view, $columns, $filters, $cursor) // return undef;
        die "view $view: $page->{message}" if $page->{error};
        push @rows, @{ $page->{rows} };
        $cursor = $page->{next};
    }
    return \@rows;
}

# CRC-32C, as record batches have it.
my @crc_table = map {
    my $c = $_;
    $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
    $c;
} 0 .. 255;

sub crc32c {
    my $c = 0xffffffff;
    $c = $crc_table[($c ^ $_) & 0xff] ^ ($c >> 8) for unpack 'C*', $_[0];
    return $c ^ 0xffffffff;
}

sub varint {
    my ($n) = @_;
    my $out = '';
    for ($n = $n < 0 ? (-$n << 1) - 1 : $n << 1; $n > 127; $n >>= 7) { $out .= chr($n & 127 | 128) }
    return $out . chr $n;
}

# A batch of one record with a value of so many bytes; timestamp 0 unless it is given.
sub batch {
    my ($size, $timestamp) = @_;
    my $record = "\0" . varint(0) . varint(0) . varint(-1) . varint($size) . 'x' x $size . varint(0);
    my $rest = pack('n N q> q> q> n N N', 0, 0, ($timestamp // 0), $timestamp // 0, -1, 0xffff, 0xffffffff, 1) . varint(length $record) . $record;
    my $behind = pack('N C N', 0xffffffff, 2, crc32c($rest)) . $rest;
    return pack('q> N', 0, length $behind) . $behind;
}

# A Produce v7 of one partition.
sub produce_body {
    my ($topic, $batch, $acks) = @_;
    return pack('n n N N', 0xffff, ($acks // 1) & 0xffff, 30000, 1) . pack('n/a*', $topic)
        . pack('N N', 1, 0) . pack('N/a*', $batch);
}

# Of its answer: error code, base offset, throttle time.
sub produced {
    my ($answer, $topic) = @_;
    return unpack 'n q>', substr($answer, 4 + 2 + length($topic) + 4 + 4) if !wantarray;
    return (unpack('n q>', substr $answer, 4 + 2 + length($topic) + 4 + 4), unpack('N', substr $answer, -4));
}

# A sessionless Fetch v4 of one partition.
sub fetch_body {
    my ($topic, $offset, $max_wait_ms, $max_bytes) = @_;
    return pack('N N N N C N', 0xffffffff, $max_wait_ms, 1, $max_bytes // 1 << 20, 0, 1) . pack('n/a*', $topic)
        . pack('N N q> N', 1, 0, $offset, $max_bytes // 1 << 20);
}

# The error code in its answer.
sub fetch_error { my ($answer, $topic) = @_; return unpack 'n', substr $answer, 8 + 2 + length($topic) + 4 + 4 }

# Of its answer: throttle time, number of topics, records as bytes.
sub fetched {
    my ($answer, $topic) = @_;
    my ($throttle, $topics) = unpack 'N N', $answer;
    return ($throttle, 0, '') if !$topics;
    my $records = substr $answer, 8 + 2 + length($topic) + 4 + 4 + 2 + 8 + 8 + 4;
    return ($throttle, $topics, unpack 'N/a*', $records);
}

1;
