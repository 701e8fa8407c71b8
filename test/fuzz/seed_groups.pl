#!/usr/bin/perl
# seed_groups.pl - makes the corpus of fuzz_groups from test/vectors, and from lives of small groups
#
# Usage: test/fuzz/seed_groups.pl [OUTDIR]    (default test/fuzz/corpus/groups)
#
# Each record value of a coordinator's log with a key of its type; each request of groups with all fields set; and steps of
# one classic and one consumer group that joins, syncs, commits, and is read again from its log.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;

my $BYTES_MAX = 1500;
my $out = $ARGV[0] // 'test/fuzz/corpus/groups';
system('mkdir', '-p', $out) == 0 or die "mkdir $out failed\n";

my %seeds;
sub seed {
    my ($name, $bytes) = @_;
    $seeds{$name} //= $bytes if length $bytes <= $BYTES_MAX;
}

sub rows {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    my @rows = map { chomp; [split /\t/, $_, -1] } <$in>;
    shift @rows;
    return @rows;
}

sub piece { return pack 'n/a*', $_[0] }

# ---- records: the key of each type, for group g

my %type = (
    OffsetCommit => [1, 'g', 'a', 0], GroupMetadata => [2, 'g'], ConsumerGroupMetadata => [3, 'g'],
    ConsumerGroupPartitionMetadata => [4, 'g'], ConsumerGroupMemberMetadata => [5, 'g', 'm'],
    ConsumerGroupTargetAssignmentMetadata => [6, 'g'], ConsumerGroupTargetAssignmentMember => [7, 'g', 'm'],
    ConsumerGroupCurrentMemberAssignment => [8, 'g', 'm'], ConsumerGroupRegularExpression => [16, 'g', 'x.*'],
);

sub key {
    my ($type, @fields) = @_;
    return pack('n', $type) . join '', map { $type == 1 && /^\d+$/ ? pack 'N', $_ : pack 'n/a*', $_ } @fields;
}

sub record {
    my ($key, $value) = @_;
    return "\0" . (defined $value ? "\0" . piece($key) . piece($value) : "\1" . piece($key));
}

my $all = '';
for (rows('test/vectors/messages/group_records.tsv')) {
    my ($name, $version, $case, $hex) = @$_;
    my ($what) = $name =~ /^(.*)Value$/ or next;
    my $key = $type{$what} ? key(@{ $type{$what} }) : next;
    my $record = record($key, pack('n', $version) . pack 'H*', $hex);
    seed("record-$what-$version-$case", $record . "\5");
    $all .= $record if $case eq 'zero' || $case eq 'null';
    seed("pending-$version", "\0\x52" . piece($key) . piece(pack('n', $version) . pack 'H*', $hex) . "\4\5\1") if $what eq 'OffsetCommit';
}
seed('records-all', $all . "\2\1\5");
seed('records-gone', substr($all, 0, 700) . join '', map { record(key(@{ $type{$_} })) } sort keys %type);

# ---- requests

my %api = (
    JoinGroup => 0, SyncGroup => 1, Heartbeat => 2, LeaveGroup => 3, ConsumerGroupHeartbeat => 4, OffsetCommit => 5,
    OffsetDelete => 6, OffsetFetch => 7, DescribeGroups => 8, ConsumerGroupDescribe => 9, DeleteGroups => 10,
);
my %lowest = (OffsetCommit => 2, OffsetFetch => 1);

sub request {
    my ($name, $version, $body) = @_;
    return "\x08" . chr($api{$name}) . chr($version - ($lowest{$name} // 0)) . piece($body);
}

for my $path (glob 'test/vectors/messages/*.tsv') {
    for (rows($path)) {
        my ($name, $version, $case, $hex) = @$_;
        my ($what) = $name =~ /^(.*)Request$/ or next;
        next if !defined $api{$what} || $case !~ /^(full|null)$/ || $version < ($lowest{$what} // 0);
        seed("request-$what-$version-$case", request($what, $version, pack 'H*', $hex) x 2);
    }
}

# ---- lives of groups (old versions: their strings have two bytes of length)

sub s16 { return pack 'n/a*', $_[0] }
sub b32 { return pack 'N/a*', $_[0] }
my $metadata = pack('n N', 0, 1) . s16('a') . pack('N', 0xffffffff);

sub join_group {    # version 5
    my ($member, $instance) = @_;
    return request('JoinGroup', 5, s16('g') . pack('N N', 10_000, 10_000) . s16($member) . ($instance ? s16($instance) : "\xff\xff")
        . s16('consumer') . pack('N', 1) . s16('range') . b32($metadata));
}

sub sync_group {    # version 3
    my ($generation, $member, %given) = @_;
    return request('SyncGroup', 3, s16('g') . pack('N', $generation) . s16($member) . "\xff\xff"
        . pack('N', scalar keys %given) . join '', map { s16($_) . b32($given{$_}) } sort keys %given);
}

sub commit {        # version 7
    my ($generation, $member, $partition) = @_;
    return request('OffsetCommit', 7, s16('g') . pack('N', $generation) . s16($member) . "\xff\xff" . pack('N', 1) . s16('a')
        . pack('N N q> N', 1, $partition, 5, 3) . s16('text'));
}

sub beat { my ($generation, $member) = @_; return request('Heartbeat', 3, s16('g') . pack('N', $generation) . s16($member) . "\xff\xff") }
sub leave { return request('LeaveGroup', 3, s16('g') . pack('N', 1) . s16($_[0]) . "\xff\xff") }
sub compact { return chr(1 + length $_[0]) . $_[0] }

sub modern {        # ConsumerGroupHeartbeat 1
    my ($member, $epoch, $first) = @_;
    return request('ConsumerGroupHeartbeat', 1, compact('g') . compact($member) . pack('N', $epoch) . "\0\0"
        . pack('N', $first ? 10_000 : 0xffffffff) . ($first ? "\2" . compact('a') : "\0") . "\0\0" . ($first ? "\1" : "\0") . "\0");
}

my $first   = join_group('') . join_group("\0");
my $stable  = $first . "\1\1\1" . sync_group(1, "\0", "\0" => "\0\0" . pack('N', 1) . s16('a') . pack('N N', 1, 0) . "\xff\xff\xff\xff");
my $all_of  = request('OffsetFetch', 8, "\2" . compact('g') . "\0\0\0\0");
my $describe = request('DescribeGroups', 0, pack('N', 1) . s16('g')) . request('ConsumerGroupDescribe', 0, "\2" . compact('g') . "\0\0");
my $delete   = request('DeleteGroups', 0, pack('N', 1) . s16('g'));
seed('classic-life', $stable . commit(1, "\0", 0) . beat(1, "\0") . $all_of . $describe . "\7" . beat(1, "\0") . leave("\0") . $delete);
seed('classic-expires', $stable . commit(1, "\0", 0) . "\1\xff\xff" . $describe . "\2\xff" x 45 . "\5" . $all_of);
seed('classic-two', $stable . join_group('') . join_group("\2") . join_group("\1") . "\1\x80\x80" . sync_group(2, "\1") . $describe);
seed('classic-static', join_group('', 'i') . "\1\1\1" . sync_group(1, "\0", "\0" => 'x') . join_group('', 'i') . beat(1, "\0") . "\7" . $describe);
seed('offsets', commit(0xffffffff, '', 0) . commit(0xffffffff, '', 2) . $all_of . "\3\0" . $all_of . "\7\3\0" . $all_of
    . request('OffsetDelete', 0, s16('g') . pack('N', 1) . s16('a') . pack('N N', 1, 0)) . $delete);
seed('consumer-life', modern('m', 0, 1) . modern('m', 2) . commit(2, 'm', 0) . $all_of . modern('n', 0, 1) . "\1\x80\x10" . modern('m', 2) . $describe
    . "\7" . modern('m', 3) . modern('m', 0xffffffff) . modern('n', 0xffffffff) . $delete);
seed('upgrade', $stable . modern('m', 0, 1) . beat(1, "\0") . $describe . modern('m', 0xffffffff) . "\7" . $describe . $all_of);
seed('joins-consumer', modern('m', 0, 1) . $first . sync_group(2, "\0") . "\1\xff\xff" . "\7" . $describe . leave("\0"));

for my $name (sort keys %seeds) {
    open my $fh, '>:raw', "$out/$name" or die "$out/$name: $!\n";
    print $fh $seeds{$name};
    close $fh or die "$out/$name: $!\n";
}
print scalar(keys %seeds), " seeds\n";
