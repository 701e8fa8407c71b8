#!/usr/bin/perl
# 500_tools.t - ottla-logdump and ottla-verify on the files of a node
#
# Proves: what a node wrote verifies clean, stopped, killed and running; each kind of damage planted
# into a copy is found and named (exit 1), and nothing was changed by looking; --repair-index brings
# indexes back byte for byte and leaves logs alone; the dump prints what was produced, follows a log
# that grows, decodes metadata; on Kafka's own folder it prints what Kafka's own tool prints.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy);
use File::Find qw(find);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use Ottla::Test::Node;
use Test::More;

my $bin = $ENV{OTTLA_BIN} // 'build/release/bin';
my ($verify, $dump) = map { abs_path("$bin/$_") } qw(ottla-verify ottla-logdump);
my $work = tempdir(CLEANUP => 1);
my $shared = $ENV{OTTLA_SHARED} // '../shared';

# (exit code, output with errors) of a command.
sub run {
    my (@command) = @_;
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return ($? >> 8, $text);
}

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!"; local $/; return scalar <$f> }
sub spew  { my ($path, $bytes) = @_; open my $f, '>:raw', $path or die "$path: $!"; print $f $bytes; close $f }

# Content of every file below a directory, as digests by name.
sub digests {
    my ($dir) = @_;
    my %by;
    find({ no_chdir => 1, wanted => sub { $by{ substr $_, length $dir } = sha256_hex(slurp($_)) if -f } }, $dir);
    return \%by;
}

sub copy_of {
    my ($from) = @_;
    my $to = "$work/copy";
    remove_tree($to);
    system('cp', '-a', $from, $to) == 0 or die "cp: $?";
    return $to;
}

sub kcat {
    my ($node, $input, @args) = @_;
    open my $to, '|-', 'kcat', '-q', '-b', $node->address, @args or die "kcat: $!";
    print $to $input;
    close $to or die "kcat @args: $?";
}

# ---- a node with some of everything ----

my $node = Ottla::Test::Node->new(conf => {
    'log.segment.bytes' => 1 << 20,
    'num.partitions' => 1,
    'checkpoint.interval.ms' => 200,
})->start;
my $big = join '', map { "key$_\t" . ('x' x 900) . "\n" } 1 .. 2600;
kcat($node, $big, '-P', '-t', 'many', '-K', "\t", '-X', 'batch.size=30000');
for my $codec (qw(gzip snappy zstd)) {
    kcat($node, join('', map { "$codec $_\n" } 1 .. 200), '-P', '-t', 'codecs', '-z', $codec);
}
kcat($node, join('', map { "once $_\n" } 1 .. 500), '-P', '-t', 'once', '-X', 'enable.idempotence=true');
kcat($node, "h\tv\n", '-P', '-t', 'headers', '-K', "\t", '-H', 'a=1', '-H', 'b=2');

subtest 'a running node' => sub {
    my ($rc, $text) = run($verify, '-D', $node->dir);
    is($rc, 0, 'is clean') or diag($text);
    like($text, qr/partitions: \d+ segments: [2-9]/, 'sealed segments were looked at');
    ($rc, $text) = run($verify, '-D', $node->dir, '--repair-index');
    is($rc, 2, 'and is not repaired');
    like($text, qr/a node is running/, 'which is said');
};

subtest 'a log that grows' => sub {
    my $pid = open my $out, '-|', $dump, '-d', '-f', '-n', '4', '-D', $node->dir, '-t', 'headers' or die;
    my @lines;
    push @lines, scalar <$out> for 1 .. 4;
    like($lines[-1], qr/^\| offset: 0 .* headerKeys: \[a,b\] key: h payload: v$/, 'shows what is there');
    kcat($node, "second\n", '-P', '-t', 'headers');
    my $rest = join '', <$out>;
    like($rest, qr/offset: 1 .* payload: second$/m, 'and what comes');
    close $out;
};

subtest 'a killed node' => sub {
    $node->kill9;
    my ($rc, $text) = run($verify, '-D', $node->dir);
    is($rc, 0, 'is clean') or diag($text);
    $node->start;
};
is($node->stop('fast'), 0, 'the node stops');

my $dir = $node->dir;
my $before = digests($dir);
subtest 'a stopped node' => sub {
    my ($rc, $text) = run($verify, '-D', $dir, '-j', 3);
    is($rc, 0, 'is clean') or diag($text);
    like($text, qr/damaged: 0 notes: 0/, 'and nothing is strange') or diag($text);
    is_deeply(digests($dir), $before, 'nothing changed');
    ($rc, $text) = run($verify, '-D', $dir, '--json');
    my $total = eval { decode_json((split /\n/, $text)[-1]) };
    ok($total && $total->{records} >= 2600 + 600 + 500 + 2, 'every record was read') or diag($text);
};

# ---- damage ----

my ($first, $second) = map { (split m{/}, $_)[-1] =~ s/\.log$//r } (sort glob "$dir/log/many-0/*.log")[0, 1];
my $many = "log/many-0";

sub flip {
    my ($path, $at) = @_;
    my $bytes = slurp($path);
    substr($bytes, $at, 1) ^= "\x01";
    spew($path, $bytes);
}

# Position of the n-th batch.
sub batch_at {
    my ($path, $n) = @_;
    my $bytes = slurp($path);
    my $pos = 0;
    $pos += 12 + unpack 'N', substr $bytes, $pos + 8, 4 for 1 .. $n;
    return $pos;
}

my @damages = (
    [ 'shell 43: a flipped bit in batch 7 of a segment', sub {
        my $log = "$_[0]/$many/$first.log";
        my $at = batch_at($log, 7);
        flip($log, $at + 100);
        return qr/damage: checksum is wrong, of batch 7 of the segment file: \S*\Q$many\E\S* offset: \d+ position: $at$/m;
    } ],
    [ 'a header that says another offset', sub { flip("$_[0]/$many/$second.log", batch_at("$_[0]/$many/$second.log", 1) + 7); qr/damage: (?:offset goes back|offsets .* are missing)/ } ],
    [ 'a length that is none', sub { flip("$_[0]/$many/$first.log", batch_at("$_[0]/$many/$first.log", 3) + 8); qr/bytes that are no batch/ } ],
    [ 'a sealed segment cut short', sub { truncate "$_[0]/$many/$first.log", (-s "$_[0]/$many/$first.log") - 10; qr/damage: \d+ bytes that are no batch/ } ],
    [ 'a segment cut at a batch', sub { truncate "$_[0]/$many/$first.log", batch_at("$_[0]/$many/$first.log", 2); qr/damage: offsets \d+ to \d+ are missing/ } ],
    [ 'a segment gone', sub { unlink "$_[0]/$many/$second.log"; qr/damage: its \.log is missing/ } ],
    [ 'a segment gone with its indexes', sub { unlink glob "$_[0]/$many/$second.*"; qr/damage: offsets \d+ to \d+ are missing/ } ],
    [ 'a batch twice', sub { my $l = "$_[0]/$many/$first.log"; my $b = slurp($l); spew($l, $b . substr $b, 0, batch_at($l, 1)); qr/damage: offset goes back/ } ],
    [ 'an index gone', sub { unlink "$_[0]/$many/$first.index"; qr/damage: missing: lookups scan/ } ],
    [ 'a wrong position in an index', sub { flip("$_[0]/$many/$first.index", 7); qr/damage: an entry points to where no batch begins file: \S+\.index/ } ],
    [ 'a wrong offset in an index', sub { flip("$_[0]/$many/$first.index", 3); qr/damage: (?:the offset of an entry|entries do not rise|an entry points)/ } ],
    [ 'entries behind the last batch', sub { my $i = "$_[0]/$many/$first.index"; spew($i, slurp($i) . pack 'NN', 0x7fffffff, 0x7ffffff); qr/damage: entries behind the last batch/ } ],
    [ 'a time index gone', sub { unlink "$_[0]/$many/$first.timeindex"; qr/damage: missing: times/ } ],
    [ 'a wrong time', sub { flip("$_[0]/$many/$first.timeindex", 7); qr/damage: an entry is not the largest timestamp/ } ],
    [ 'a time index without its last entry', sub { my $t = "$_[0]/$many/$first.timeindex"; truncate $t, (-s $t) - 12; qr/damage: (?:the last entry is not the largest|an entry is not)/ } ],
    [ 'a producer snapshot that fails its checksum', sub { my ($s) = reverse sort glob "$_[0]/log/once-0/*.snapshot"; flip($s, (-s $s) - 1); qr/damage: .*file: \S+\.snapshot/ } ],
    [ 'leader epochs that are none', sub { spew("$_[0]/$many/leader-epoch-checkpoint", "0\n1\nx y\n"); qr/damage: .*leader-epoch-checkpoint/ } ],
    [ 'leader epochs that are wrong', sub { spew("$_[0]/$many/leader-epoch-checkpoint", "0\n1\n9 0\n"); qr/damage: leader epoch 0, but leader-epoch-checkpoint says 9/ } ],
    [ 'no topic id', sub { unlink "$_[0]/$many/partition.metadata"; qr/damage: missing: without a topic id/ } ],
    [ 'a checkpoint that is none', sub { spew("$_[0]/log/recovery-point-offset-checkpoint", "0\n5\nmany 0 1\n"); qr/damage: .*recovery-point-offset-checkpoint/ } ],
    [ 'a recovery point behind the log', sub { spew("$_[0]/log/recovery-point-offset-checkpoint", "0\n1\nmany 0 999999\n"); qr/damage: many-0: lies behind the log/ } ],
    [ 'a log start before the log', sub { unlink glob "$_[0]/$many/$first.*"; spew("$_[0]/log/log-start-offset-checkpoint", "0\n1\nmany 0 1\n"); qr/damage: many-0: lies before the log/ } ],
    [ 'a folder gone', sub { remove_tree("$_[0]/$many"); qr/damage: the folder is gone/ } ],
    [ 'no meta.properties', sub { unlink "$_[0]/log/meta.properties"; qr/damage: missing: the directory is not formatted/ } ],
    [ 'a flipped bit in the metadata log', sub { flip((glob "$_[0]/meta/__cluster_metadata-0/*.log")[0], 200); qr/damage: .*__cluster_metadata-0/ } ],
    [ 'a metadata snapshot cut short', sub { my ($s) = sort glob "$_[0]/meta/__cluster_metadata-0/*.checkpoint"; truncate $s, (-s $s) - 75; qr/damage: does not end with a snapshot footer/ } ],
    [ 'a quorum-state that is none', sub { spew("$_[0]/meta/__cluster_metadata-0/quorum-state", '{"leaderId":'); qr/damage: .*quorum-state/ } ],
);
for my $damage (@damages) {
    my ($name, $plant) = @$damage;
    my $copy = copy_of($dir);
    my $expected = $plant->($copy);
    my $planted = digests($copy);
    my ($rc, $text) = run($verify, '-D', $copy);
    subtest $name => sub {
        is($rc, 1, 'exit code');
        like($text, $expected, 'is named');
        is_deeply(digests($copy), $planted, 'nothing was changed');
    };
}

subtest 'files of somebody else' => sub {
    my $copy = copy_of($dir);
    spew("$copy/$many/notes.txt", 'mine');
    my ($rc, $text) = run($verify, '-D', $copy);
    is($rc, 0, 'are no damage');
    like($text, qr/note: a file that no node writes here file: \S*notes\.txt/, 'but are named');
};

subtest 'shell 43: repair of indexes' => sub {
    my $copy = copy_of($dir);
    unlink "$copy/$many/$first.index", "$copy/$many/$second.timeindex";
    flip("$copy/$many/$second.index", 7);
    my ($rc, $text) = run($verify, '-D', $copy, '--repair-index');
    is($rc, 1, 'the damage is told');
    is_deeply(digests($copy), $before, 'every file is as it was before the damage');
    ($rc) = run($verify, '-D', $copy);
    is($rc, 0, 'and clean');
};

# ---- dumps ----

subtest 'what is printed' => sub {
    my ($rc, $text) = run($dump, '-d', '-D', $dir, '-t', 'once-0');
    is($rc, 0, 'exit code');
    is(join(',', $text =~ /^\| offset: \d+ .* payload: (once \d+)$/mg), join(',', map { "once $_" } 1 .. 500),
        'every record in order');
    like($text, qr/^baseOffset: 0 .* baseSequence: 0 .* producerId: \d+ producerEpoch: 0 /m, 'sequences and producer');
    ($rc, $text) = run($dump, '-z', '-D', $dir, '-t', 'codecs');
    like($text, qr/compresscodec: $_ /, "summary: $_") for qw(gzip snappy zstd);
    like($text, qr/ records: 600 /, 'summary: records');
    ($rc, $text) = run($dump, '-d', '--from', 100, '--to', 109, '-D', $dir, '-t', 'codecs');
    is(() = $text =~ /^\| /mg, 10, 'a range of offsets');
    ($rc, $text) = run($dump, '--from', '2001-01-01T00:00:00Z', '--to', '2001-01-02T00:00:00Z', '-D', $dir, '-t', 'codecs');
    unlike($text, qr/^baseOffset/m, 'a range of time');
    ($rc, $text) = run($dump, '-d', '--json', glob "$dir/meta/__cluster_metadata-0/*.log");
    my @rows = map { decode_json($_) } split /\n/, $text;
    ok((grep { ref $_->{payload} && $_->{payload}{type} eq 'TopicRecord' && $_->{payload}{data}{name} eq 'once' } @rows),
        'metadata records are decoded');
    flip("$work/copy/$many/$first.log", 300);
    ($rc, $text) = run($dump, "$work/copy/$many/$first.log");
    is($rc, 1, 'damage: exit code');
    like($text, qr/isvalid: false/, 'damage is shown');
    ($rc) = run($dump, "$work/nothing.log");
    is($rc, 2, 'a missing file: exit code');
};

SKIP: {
    my $kafka = abs_path("$shared/peers/kafka");
    my $golden = "$shared/peers/golden/node-1.tar.zst";
    skip "no Kafka in $shared", 1 if !-e $golden;
    make_path("$work/golden");
    system('tar', '--zstd', '-xf', $golden, '-C', "$work/golden") == 0 or die "tar: $?";
    subtest 'shell 44: a folder that Kafka wrote' => sub {
        my ($rc, $text) = run($verify, '-D', "$work/golden/data");
        is($rc, 0, 'is clean') or diag($text);
        my $home = abs_path('.');
        chdir "$work/golden/data" or die;
        my @files = map { sort glob "$_/*.log" } qw(codec-zstd-0 compacted-txn-0 txn-a-0 shapes-0);
        my ($krc, $theirs) = run('bash', '-c', "exec 2>/dev/null; $kafka tool dump-log --print-data-log --files " . join ',', @files);
        my ($orc, $ours) = run($dump, '-d', '--decode', 'none', @files);
        chdir $home or die;
    SKIP: {
            skip "Kafka's tool does not run here", 1 if $krc;
            is($ours, $theirs, 'is printed as Kafka prints it');
        }
    };
}
done_testing;
