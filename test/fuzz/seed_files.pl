#!/usr/bin/perl
# seed_files.pl - makes the corpora of the fuzz targets that read files and messages of our own
#
# Usage: test/fuzz/seed_files.pl NODE [OUTDIR]     (default test/fuzz/corpus)
#
# NODE is the data directory of a stopped node, of Ottla or Kafka: small partitions of it become seeds of
# fuzz_recovery, its metadata log and snapshots seeds of fuzz_metadata, its text files seeds of fuzz_files.
# Records of test/vectors/framed.tsv become seeds of fuzz_metadata, requests of test/vectors/messages
# seeds of fuzz_decide, and some lines seeds of fuzz_settings.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Find;

my $BYTES_MAX = 3000;
my ($node, $out) = @ARGV;
$node // die "name a data directory\n";
$out //= 'test/fuzz/corpus';

sub slurp { my ($path) = @_; open my $in, '<:raw', $path or return ''; local $/; return <$in> // '' }

my (%count, %known);

sub seed {
    my ($target, $name, $bytes) = @_;
    return if length $bytes > $BYTES_MAX || $known{"$target/$bytes"}++ || $count{"$target/$name"}++;
    system('mkdir', '-p', "$out/$target") == 0 or die "mkdir failed\n";
    open my $fh, '>:raw', "$out/$target/$name" or die "$out/$target/$name: $!\n";
    print $fh $bytes;
    close $fh or die "$!\n";
}

# Indexes are as long as the file they belong to may become: without the zeros at the end.
sub trimmed { my ($bytes) = @_; $bytes =~ s/\0+\z//; return $bytes . "\0" x (-length($bytes) % 4) }

sub partition {
    my ($folder, $name) = @_;
    my ($base) = sort map { m{/(\d{20})\.log$} } glob "$folder/*.log";
    return if !defined $base;
    my ($snapshot) = reverse sort glob "$folder/*.snapshot";
    my @pieces = (trimmed(slurp("$folder/$base.index")), trimmed(slurp("$folder/$base.timeindex")),
        slurp("$folder/$base.txnindex"), defined $snapshot ? slurp($snapshot) : '',
        slurp("$folder/leader-epoch-checkpoint"), '');
    my $log = slurp("$folder/$base.log");
    return if $log eq '';
    for my $flags (0, 5) {
        seed('recovery', "$name-$flags", chr($flags) . join('', map { pack 'n/a*', $_ } @pieces) . $log);
    }
    seed('files', "epochs-$name", "\0" . $pieces[4]);
    seed('files', "partition-metadata", "\1" . slurp("$folder/partition.metadata"));
    seed('files', "producers-$name", "\5" . $pieces[3]) if $pieces[3] ne '';
}

my $taken = 0;
for my $folder (sort glob("$node/*-[0-9]"), glob("$node/log/*-[0-9]")) {
    my ($name) = $folder =~ m{([^/]+)$};
    next if $name =~ /^__cluster_metadata/ || $taken >= 24;
    partition($folder, $name);
    $taken++;
}
for my $folder (glob("$node/__cluster_metadata-0"), glob("$node/meta/__cluster_metadata-0")) {
    for my $path (sort glob "$folder/*.log") {
        my $bytes = slurp($path);
        # Whole batches from the start, as many as fit.
        my $at = 0;
        while ($at + 12 <= length $bytes) {
            my $size = 12 + unpack 'x8 N', substr $bytes, $at, 12;
            last if $at + $size > $BYTES_MAX - 1;
            $at += $size;
        }
        seed('metadata', 'log', "\0" . substr $bytes, 0, $at);
        seed('metadata', 'log-sealed', "\1" . substr $bytes, 0, $at);
    }
    my $n = 0;
    for my $path (sort glob "$folder/*.checkpoint") {
        my $bytes = slurp($path);
        seed('metadata', 'snapshot-' . ++$n, "\3" . $bytes);
    }
    seed('files', 'offsets', "\2" . slurp("$folder/../recovery-point-offset-checkpoint"));
}
for my $path (glob("$node/meta.properties"), glob("$node/*/meta.properties")) {
    seed('files', 'meta-properties', "\3" . slurp($path));
}
seed('files', 'offsets-three', "\2" . "0\n3\ntopic 0 12\ntopic 1 0\nother-topic 3 9223372036854775807\n");
seed('files', 'control', "\4" . slurp("$node/control"));

sub rows {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    my @rows = map { chomp; [split /\t/, $_, -1] } <$in>;
    shift @rows;
    return @rows;
}

# Single records, and all of them in turn, which cannot all be applied.
for (rows('test/vectors/framed.tsv')) {
    my ($name, $version, $hex) = @$_;
    next if $name !~ /Record$/;
    seed('metadata', "record-$name-$version", "\4" . pack 'n/a*', pack 'H*', $hex);
}

# Key order is the order of fuzz_decide's first byte.
my %decided;
my ($table) = slurp('src/controller/decide_table.c') =~ /rows\[\] = \{(.*?)\n\};/s;
my @tables = $table =~ /\{&(\w+)_request_desc/g;
my %key;
for my $name (@tables) {
    my ($number) = slurp("src/protocol/messages/$name.txt") =~ /^api (\d+)/m;
    my ($lo) = slurp("src/protocol/messages/$name.txt") =~ /versions (\d+)/;
    $key{$name} = [$number, $lo];
}
my $index = 0;
for my $name (sort { $key{$a}[0] <=> $key{$b}[0] } keys %key) {
    for (-e "test/vectors/messages/$name.tsv" ? rows("test/vectors/messages/$name.tsv") : ()) {
        my ($message, $version, $case, $hex) = @$_;
        next if $message !~ /Request$/ || $case eq 'tags';
        seed('decide', "$name-$version-$case", chr($index) . chr($version - $key{$name}[1]) . pack 'H*', $hex);
    }
    $index++;
}

my $n = 0;
for my $text ("num.partitions = 3\nlog.retention.hours = 1h # comment\ninclude 'other.conf'\n",
    "listeners = 'PLAINTEXT://:9092,CONTROLLER://localhost:9093'\nlog.dirs = '/a, /b'\n",
    "log.segment.bytes = 1GiB\nauto.create.topics.enable = off\nmax.connections.per.ip.overrides=a:1,b:2\n",
    "listener.name.plaintext.max.connections = 7\nlog.level.backend = debug1\nacks.durability = disk\n") {
    seed('settings', 'conf-' . ++$n, "\0$text");
}
for my $text ("# comment\nnum.partitions=3\nlog.dirs:/tmp/a,\\\n  /tmp/b\nkey\\ with\\u0041=v\n",
    "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1\@localhost:9093\n! other\nlog.retention.ms -1\n") {
    seed('settings', 'properties-' . ++$n, "\1$text");
}
for my $text ('num.partitions=3', 'log_retention_ms=7d', 'quota.window.num=0', 'listeners=x') {
    seed('settings', 'assignment-' . ++$n, "\2$text");
}

# What was found once.
seed('files', 'found-zero-in-cluster-id', "\3version=1\ncluster.id=a\0b\nnode.id=1\ndirectory.id=ETZbgCG3S9SRaoSGVxMFQQ\n");
seed('files', 'found-partition-twice', "\2" . "0\n2\ntopic 0 5\ntopic 0 9\n");
seed('settings', 'found-zero-in-value', "\1log.dirs=/a, /\0b\n");
seed('decide', 'found-code-of-version-0', "\3\0" . "\0" x 8);
print scalar(keys %count), " seeds\n";
