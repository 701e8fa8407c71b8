#!/usr/bin/perl
# 896_examples.t - the examples of the manual's pages are typed, as they stand there
#
# Proves: every command below EXAMPLES does what it says on a node; what cannot be had here (hosts, ports, minutes, root's folders)
# is replaced by a word of the test's own, and nothing else is. A new example fails until it is run here.
# (Questions: 852; the tutorial: 895; instances: 870.)
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use Ottla::Test::Node;
use Test::More;

my $bin = abs_path($ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin");
my ($dir, $port, $new_port, $third) = (tempdir(CLEANUP => 1), map { Ottla::Test::Node::free_port() } 1 .. 3);
chmod 0755, $dir;
plan skip_all => 'no kcat' if !grep { -x "$_/kcat" } split /:/, $ENV{PATH};
END { local $?; system("$bin/ottlactl stop -D $dir/data -m immediate -s >/dev/null 2>&1") if defined $dir && -e "$dir/data/ottlad.pid" }

sub slurp { my ($path) = @_; open my $f, '<', $path or die "$path: $!"; local $/; return scalar <$f> }
sub spew { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f }

# The commands of a page, as they are shown.
sub examples {
    my ($page) = @_;
    my ($text) = slurp("doc/man/$page") =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh /ms or return;
    return map { s/\\\(dq/"/gr =~ s/\\e/\\/gr =~ s/^\.Dl //r } grep { /^(?:\.Dl )?ottla[a-z-]* / } split /\n/, $text;
}

my $user = $> == 0 ? '--user root' : '';
spew("$dir/topics.sql", "CREATE TOPIC payments;\nCREATE TOPIC refunds;\n");
spew("$dir/server.properties", "node.id=3\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
    . "controller.quorum.voters=3\@127.0.0.1:9093\ncontroller.listener.names=CONTROLLER\nlog.dirs=$dir/formatted/log\n");
mkdir "$dir/main";

# Page => what is replaced in it.
my @pages = (
    [ 'ottlactl.1', qr/-p 9192/ => "-p $port", qr/num\.partitions=3/ => "num.partitions=3 $user -c metrics.listen=" ],
    [ 'ottla.1', qr/k1:9092,k2:9092/ => "localhost:$port,localhost:1" ],
    [ 'ottla-bench.1', qr/-T \d+/ => '-T 1', qr/--warmup 5/ => '--warmup 1', qr/-R 5000/ => '-R 500' ],
    [ 'ottla-logdump.1', qr/ottla-logdump -d -f/ => 'timeout -s INT 2 ottla-logdump -d -f' ],
    [ 'ottla.conf.5' ],
    [ 'ottla-dumpall.1', qr/old\.example\.org/ => 'localhost', qr/-h new\.example\.org/ => "-h localhost -p $new_port" ],
    [ 'ottla-controldata.1', qr{/var/lib/ottla/main} => 'data', qr{/etc/ottla/main/ottla\.conf} => 'data/ottla.conf' ],
    [ 'ottla-verify.1', qr{/var/lib/ottla/main} => 'data' ],
    [ 'ottlad.8', qr/^ottlad -D .* 19092/ => "timeout -s INT 2 ottlad -D $dir/tests -p $third $user -c metrics.listen=" ],
    [ 'ottla-initdb.1', qr{-D data} => '-D other', qr{/var/lib/ottla/main} => 'formatted', qr{/opt/kafka/config/} => '' ],
);

# What is shown, by command; the others have an exit code of 0.
my %shows = (
    '\d orders'           => qr/^ +11 \| +1 \| \[1\]/m,
    '-f topics.sql'       => qr/\ACREATE TOPIC\nCREATE TOPIC\n\z/,
    ' -l$'                => qr/^ orders +\| +12 /m,
    'ottla-bench produce' => qr/^failed: 0$/m,
    'ottla-bench latency' => qr/^\{"mode":"latency",.*"failed":0/,
    '-d -f -D'            => qr/payload: hello, log$/m,
    '--json data/meta'    => qr/"type":"TopicRecord"/,
    'ottla-logdump -z'    => qr/^\| compresscodec: none batches: 1 /m,
    '--check'             => qr/^settings are valid$/m,
    '-C log\.retention'   => qr/\A604800000\n\z/,
    'ottla-controldata'   => qr/^State of the node: +in production$/m,
    'ottla-verify'        => qr/ damaged: 0 /,
    'objects\.sql$'       => qr/^CREATE TOPIC\n/m,
    '19092'               => qr/^ready \S+:\d+$/m,
    'ottla-initdb'        => qr/^Formatting /m,
);

my $new = Ottla::Test::Node->new(port => $new_port)->start;

sub typed {
    my ($page, $line, @replace) = @_;
    my $command = $line;
    while (my ($what, $by) = splice @replace, 0, 2) { $command =~ s/$what/$by/g }
    my $out = `cd $dir && PATH=$bin:\$PATH HOME=$dir OTTLA_HOST=localhost OTTLA_PORT=$port LC_ALL=C.UTF-8 sh -c '@{[ $command =~ s/'/'\\''/gr ]}' 2>&1 </dev/null`;
    my $code = $? >> 8;
    ok($code == 0 || ($command =~ /^timeout/ && $code == 124), "$page: $line") or diag "exit $code\n$command\n$out";
    for my $key (grep { $line =~ ($_ =~ /^\\d/ ? qr/\Q$_\E/ : qr/$_/) } sort keys %shows) {
        next if $line =~ />objects/;
        like($out, $shows{$key}, '... and shows it');
    }
    return;
}

my @stop;
for (@pages) {
    my ($page, @replace) = @$_;
    my @examples = examples($page);
    cmp_ok(scalar @examples, '>', 0, "$page has examples");
    for my $line (@examples) {
        if ($line =~ /^ottlactl stop/) { push @stop, [ $page, $line ]; next }
        typed($page, $line, @replace);
    }
    if ($page eq 'ottlactl.1') {
        is(system("echo 'hello, log' | kcat -P -b localhost:$port -t greetings"), 0, 'a record');
        my ($text) = slurp('doc/man/ottla.conf.5') =~ /^\.Sh EXAMPLES\n\.Bd[^\n]*\n(.*?)^\.Ed/ms;
        spew("$dir/data/ottla.conf", $text);
        mkdir "$dir/data/conf.d";
    }
}
is(slurp("$dir/sizes.csv") =~ s/,\d+$//gmr, "topic,size_bytes\n" . join('', map { "$_\n" } qw(greetings orders payments refunds)), 'sizes.csv');
typed(@$_) for @stop;

my %known = map { $_->[0] => 1 } @pages, [ 'ottla-createinstance.1' ];
is(join(' ', grep { examples($_) && !$known{$_} } map { m{([^/]+)$} } glob 'doc/man/*.[0-9]'), '', 'no page has others');
done_testing;
