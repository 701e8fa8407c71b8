# Api.pm - requests and answers by name: the project's own message tables encode and decode them
#
#   my $c = Ottla::Test::Api->new($node);
#   my $answer = $c->ask(Metadata => 12, { topics => [{ name => 't' }] });
#   print $_->{error_code} for @{ $answer->{topics} };
#   $c->tell(...); $answer = $c->hear($seconds);       # a call in two halves; undef: connection ended or no answer
#
# Fields are named as in src/protocol/messages; one not given takes its default. Uuids are 16 bytes.
# A Wire underneath, so that bytes can be sent, too.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Api;

use strict;
use warnings;
use parent 'Ottla::Test::Wire';
use FindBin;
use lib 'src/tools/lib';
use Ottla::ProtocolTables qw(load_dir NEVER);
use Ottla::Test::Wire;

my %message = map { $_->{name} => $_ } load_dir('src/protocol/messages');

# ---- encode ----

sub uvarint { my ($n) = @_; my $o = ''; for (; $n > 127; $n >>= 7) { $o .= chr($n & 127 | 128) } return $o . chr $n }

my %pack = (int8 => 'c', int16 => 's>', uint16 => 'S>', int32 => 'l>', uint32 => 'L>', int64 => 'q>', float64 => 'd>');

sub default_of {
    my ($f) = @_;
    my $d = $f->{default};
    return undef if defined $d && $d eq 'null';
    return [] if $f->{array};
    return {} if $f->{is_struct};
    return $d eq 'true' ? 1 : $d eq 'false' ? 0 : $d if defined $d;
    return $f->{base} =~ /^(string|bytes|records)$/ ? '' : $f->{base} eq 'uuid' ? "\0" x 16 : 0;
}

sub put_length {
    my ($n, $flex, $short) = @_; # n: -1 null
    return uvarint($n + 1) if $flex;
    return $short ? pack 's>', $n : pack 'l>', $n;
}

sub put_one {
    my ($f, $value, $version, $flex) = @_;
    return put_struct($f->{fields}, $value, $version, $flex) if $f->{is_struct};
    my $base = $f->{base};
    return pack 'C', $value ? 1 : 0 if $base eq 'bool';
    return $value if $base eq 'uuid';
    return pack $pack{$base}, $value if $pack{$base};
    return put_length(-1, $flex && !$f->{rigid}, $base eq 'string') if !defined $value;
    return put_length(length $value, $flex && !$f->{rigid}, $base eq 'string') . $value;
}

sub put_field {
    my ($f, $value, $version, $flex) = @_;
    if ($f->{array}) {
        return put_length(-1, $flex) if !defined $value;
        return join '', put_length(scalar @$value, $flex), map { put_one($f, $_, $version, $flex) } @$value;
    }
    return (defined $value ? "\1" : "\xff") . (defined $value ? put_one($f, $value, $version, $flex) : '')
        if $f->{is_struct} && $f->{nlo} <= $f->{nhi};
    return put_one($f, $value, $version, $flex);
}

sub put_struct {
    my ($fields, $value, $version, $flex) = @_;
    my ($out, %tagged) = ('');
    my %known = map { $_->{name} => 1 } @$fields;
    for (grep { !$known{$_} } keys %$value) { die "no field '$_'\n" }
    for my $f (grep { $version >= $_->{lo} && $version <= $_->{hi} } @$fields) {
        my $given = exists $value->{ $f->{name} };
        if (defined $f->{tag}) {
            $tagged{ $f->{tag} } = put_field($f, $value->{ $f->{name} }, $version, $flex) if $given;
            next;
        }
        $out .= put_field($f, $given ? $value->{ $f->{name} } : default_of($f), $version, $flex);
    }
    return $out if !$flex;
    return join '', $out, uvarint(scalar keys %tagged),
        map { uvarint($_) . uvarint(length $tagged{$_}) . $tagged{$_} } sort { $a <=> $b } keys %tagged;
}

# ---- decode: $_[0] is {b => bytes, at => position} ----

sub take { my ($r, $n) = @_; die "short answer\n" if $r->{at} + $n > length $r->{b}; my $s = substr $r->{b}, $r->{at}, $n; $r->{at} += $n; return $s }

sub get_uvarint {
    my ($r) = @_;
    my ($n, $shift) = (0, 0);
    while (1) { my $c = ord take($r, 1); $n |= ($c & 127) << $shift; return $n if $c < 128; $shift += 7 }
}

sub get_length {
    my ($r, $flex, $short) = @_;
    return get_uvarint($r) - 1 if $flex;
    return $short ? unpack 's>', take($r, 2) : unpack 'l>', take($r, 4);
}

my %size = (int8 => 1, int16 => 2, uint16 => 2, int32 => 4, uint32 => 4, int64 => 8, float64 => 8);

sub get_one {
    my ($f, $r, $version, $flex) = @_;
    return get_struct($f->{fields}, $r, $version, $flex) if $f->{is_struct};
    my $base = $f->{base};
    return ord take($r, 1) if $base eq 'bool';
    return take($r, 16) if $base eq 'uuid';
    return unpack $pack{$base}, take($r, $size{$base}) if $size{$base};
    my $n = get_length($r, $flex && !$f->{rigid}, $base eq 'string');
    return $n < 0 ? undef : take($r, $n);
}

sub get_field {
    my ($f, $r, $version, $flex) = @_;
    if ($f->{array}) {
        my $n = get_length($r, $flex);
        return $n < 0 ? undef : [ map { get_one($f, $r, $version, $flex) } 1 .. $n ];
    }
    return undef if $f->{is_struct} && $f->{nlo} <= $f->{nhi} && take($r, 1) eq "\xff";
    return get_one($f, $r, $version, $flex);
}

sub get_struct {
    my ($fields, $r, $version, $flex) = @_;
    my (%out, %tag);
    for my $f (grep { $version >= $_->{lo} && $version <= $_->{hi} } @$fields) {
        if (defined $f->{tag}) { $tag{ $f->{tag} } = $f; next }
        $out{ $f->{name} } = get_field($f, $r, $version, $flex);
    }
    return \%out if !$flex;
    for (1 .. get_uvarint($r)) {
        my ($number, $len) = (get_uvarint($r), get_uvarint($r));
        my $bytes = take($r, $len);
        my $f = $tag{$number} or next;
        $out{ $f->{name} } = get_field($f, { b => $bytes, at => 0 }, $version, $flex);
    }
    return \%out;
}

# ---- calls ----

sub request_of { my ($api) = @_; return $message{"${api}Request"} // die "no request $api\n" }

sub tell {
    my ($self, $api, $version, $body) = @_;
    my $m = request_of($api);
    my $flex = $version >= $m->{flex};
    push @{ $self->{asked} }, [ $api, $version ];
    return $self->send($m->{number}, $version, ($flex ? "\0" : '') . put_struct($m->{fields}, $body // {}, $version, $flex));
}

sub hear {
    my ($self, $seconds) = @_;
    my ($api, $version) = @{ shift @{ $self->{asked} } };
    my $bytes = $self->receive($seconds) // return undef;
    my $m = $message{"${api}Response"};
    my $flex = $version >= request_of($api)->{flex};
    my $r = { b => $bytes, at => 0 };
    get_uvarint($r) if $flex && $api ne 'ApiVersions'; # tags of the header: none is known
    my $answer = get_struct($m->{fields}, $r, $version, $flex);
    die "$api $version: bytes behind the answer\n" if $r->{at} != length $bytes;
    return $answer;
}

sub ask {
    my ($self, @request) = @_;
    $self->tell(@request) or return undef;
    return $self->hear;
}

# ---- what most tests ask ----

# Creates a topic with settings, or dies; its id.
sub make_topic {
    my ($self, $name, $partitions, %configs) = @_;
    my $answer = $self->ask(CreateTopics => 7, {
        timeout_ms => 10000,
        topics => [ { name => $name, num_partitions => $partitions // 1, replication_factor => 1,
            configs => [ map { { name => $_, value => "$configs{$_}" } } sort keys %configs ] } ] });
    my $t = $answer->{topics}[0];
    die "create $name: error $t->{error_code}\n" if $t->{error_code};
    return $t->{topic_id};
}

# Produces a batch to partition 0 (or another); the partition's answer.
sub produce {
    my ($self, $topic, $records, %o) = @_;
    my $answer = $self->ask(Produce => $o{version} // 9, {
        acks => $o{acks} // -1, timeout_ms => $o{timeout_ms} // 10000,
        topic_data => [ { name => $topic, partition_data => [ { index => $o{partition} // 0, records => $records } ] } ] });
    return $answer && $answer->{responses}[0]{partition_responses}[0];
}

# Fetches one partition; the partition's answer.
sub fetch {
    my ($self, $topic, $offset, %o) = @_;
    my $answer = $self->ask(Fetch => $o{version} // 12, {
        max_wait_ms => $o{max_wait_ms} // 0, min_bytes => $o{min_bytes} // 1, max_bytes => $o{max_bytes} // 1 << 25,
        isolation_level => $o{isolation_level} // 0,
        topics => [ { topic => $topic, partitions => [ { partition => $o{partition} // 0, fetch_offset => $offset,
            partition_max_bytes => $o{partition_max_bytes} // 1 << 25,
            current_leader_epoch => $o{current_leader_epoch} // -1 } ] } ] });
    return $answer && $answer->{responses}[0]{partitions}[0];
}

# Offset for a timestamp (-1 end, -2 start); the partition's answer.
sub offset_at {
    my ($self, $topic, $timestamp, %o) = @_;
    my $answer = $self->ask(ListOffsets => $o{version} // 8, { replica_id => -1,
        topics => [ { name => $topic, partitions => [ { partition_index => $o{partition} // 0, timestamp => $timestamp } ] } ] });
    return $answer->{topics}[0]{partitions}[0];
}

1;
