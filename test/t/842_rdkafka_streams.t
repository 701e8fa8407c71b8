#!/usr/bin/perl
# 842_rdkafka_streams.t - \produce and \consume: lines to messages and messages to lines, by librdkafka
#
# Proved: input by lines, delimiters and files with keys, headers, nulls and codecs; output by ranges, counts and tokens; a group
# goes on where it was; Ctrl-C and a reader that has enough end a stream quietly. Transactions: 843_streams_kafka.t.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;
use Ottla::Test::Node;
use Ottla::Test::Shell;

my $bin = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
my $node = Ottla::Test::Node->new(conf => { 'num.partitions' => 3, 'group.initial.rebalance.delay.ms' => 0 });
$node->start;
my $dir = tempdir(CLEANUP => 1);
my @connect = ('-X', '-h', $node->dir, '-p', $node->port);

# Exit code, output and errors of a session with this input.
my $shell = Ottla::Test::Shell->new(node => $node);
sub ottla { my ($input, @args) = @_; my $r = $shell->run(['-X', @args], stdin => $input, dir => $dir, seconds => 40); return @$r{qw(code out err)} }

sub slurp { open my $in, '<', "$dir/$_[0]" or die "$_[0]: $!"; local $/; return <$in> }
sub all { my ($topic, $format) = @_; return (ottla('', '-c', "\\consume $topic -e -o 1 -f '$format' -p 0"))[1] }

for my $topic (qw(t keys forms many)) {
    open my $kcat, '|-', 'kcat', '-b', $node->address, '-t', $topic, '-P', '-p', 0 or die "kcat: $!";
    print $kcat "first\n";
    close $kcat or die;
}

subtest 'lines' => sub {
    is_deeply([ (ottla("one\ntwo\n\nfour", '-c', '\produce t -p 0'))[0, 1] ], [ 0, "PRODUCE 4\n" ], 'from standard input');
    is(all('t', '%s\n'), "one\ntwo\n\nfour\n", 'are messages');
    is((ottla("\\produce t -p 0\nfive\nsix\n\\.\n\\echo after\n", '-f', '-'))[1], "PRODUCE 2\nafter\n", 'in a script, up to \.');
    is((ottla('', '-c', '\consume t -e -p 0 -o 5'))[1], "five\nsix\n", 'arrived');
    is_deeply([ (ottla("k1:v1\nk2:\nnone\n:v4\n", '-qc', '\produce keys -p 0 -K : -Z -H a=b -H null'))[0, 1] ], [ 0, '' ], 'keys, nulls, headers');
    is(all('keys', '%k|%K|%s|%S|%h\n'), "k1|2|v1|2|a=b,null=NULL\nk2|2||-1|a=b,null=NULL\n|-1|none|4|a=b,null=NULL\n|-1|v4|2|a=b,null=NULL\n",
        'as they were said');
    is((ottla('', '-c', '\consume keys -e -o 1:3 -p 0 -K = -Z'))[1], "k1=v1\nk2=NULL\n", 'and to be read');
};

subtest 'forms of input' => sub {
    open my $out, '>', "$dir/file" or die;
    print $out join ';', map { "piece $_" } 1 .. 5;
    close $out;
    is((ottla('', '-qc', '\produce forms -p 0 -D ";" -l file -T tee -k fixed -z zstd' =~ s/"/'/gr))[0], 0, 'delimiters, a file, a codec');
    is(all('forms', '%k %s,'), join('', map { "fixed piece $_," } 1 .. 5), 'arrived');
    is(slurp('tee'), slurp('file') . ';', 'and went into a file besides');
    is((ottla(join('', map { "key$_:$_\n" } 1 .. 300), '-c', '\produce forms -K : -P murmur2 -X linger.ms=1'))[1], "PRODUCE 300\n", 'by key');
    my ($wrong) = (ottla('', '-qAt', '-c', "SELECT count(*) FROM messages('forms') WHERE key LIKE 'key%' AND partition <> partition_for(key, 3)"))[1];
    is($wrong, "0\n", 'to the partitions of Java clients');
};

subtest 'arguments of any length' => sub {
    my $key = 'k' x 3000;
    is((ottla("long\n", '-c', "\\produce many -p 0 -k$key"))[1], "PRODUCE 1\n", 'a key behind its option');
    is((ottla('', '-c', q{\consume many -p 0 -e -o -1 -f '%K\n'}))[1], "3000\n", '... is there whole');
};

subtest 'ranges and ends' => sub {
    ottla(join('', map { "$_\n" } 1 .. 200), '-qc', '\produce many -p 1');
    is((ottla('', '-c', $_->[0]))[1], $_->[1], $_->[0]) for
        [ '\consume many -p 1 -c 2', "1\n2\n" ], [ '\consume many -p 1 -e -o -2', "199\n200\n" ], [ '\consume many -p 1 -e -o +198', "199\n200\n" ],
        [ '\consume many -p 1 -o 3:5', "4\n5\n" ], [ '\consume many -p 2 -e', '' ], [ q{\consume many -p 1 -c 1 -D '--' -o @-1h}, '1--' ],
        [ q{\consume many -p 1 -o 100 -c 1 -f '%t %p %o %{lag} %S\n'}, "many 1 100 99 3\n" ];
    like((ottla('', '-c', '\consume many -p 1 -o 7 -c 1 -J'))[1], qr/^\{"topic":"many","partition":1,"offset":7,.*"payload":"8"\}$/, 'JSON');
    is((ottla('', '-c', '\consume many | head -2'))[1] =~ tr/\n//, 2, 'a reader that has enough');
    my $pid = open my $out, '-|' // die;
    exec "$bin/ottla", @connect, '-c', '\consume many -p 1 -o 199 -u', '-c', '\echo after' or POSIX::_exit(127) if !$pid;
    is(<$out>, "200\n", 'the last one');
    kill 'INT', $pid;
    is(<$out>, "after\n", 'Ctrl-C ends it');
    close $out;
};

subtest 'a group goes on where it was' => sub {
    my $seen = (ottla('', '-c', '\consume many -g readers -c 50 -e'))[1];
    is($seen =~ tr/\n//, 50, 'some');
    $seen .= (ottla('', '-c', '\consume many -g readers -e'))[1];
    is_deeply([ sort { $a <=> $b } grep { /^\d+$/ } split /\n/, $seen ], [ 1 .. 200 ], 'the others, none twice');
};

subtest 'data stays data' => sub {
    my $large = 'x' x 2_000_000;
    my ($exit, $out, $errors) = ottla("\\produce t\n$large\n\\echo data\n\\.\n\\echo statement\n", '-f', '-');
    is($out, "statement\n", 'behind a message that is too large');
    like($errors, qr/MESSAGE_TOO_LARGE/, '... which is told');
};

subtest 'what is refused' => sub {
    for (
        [ '\produce', qr/which topic/ ], [ '\produce nope', qr/"nope" does not exist/ ], [ '\produce t -Q', qr/no option -Q/ ],
        [ '\produce t -X nonsense=1', qr/nonsense/ ], [ '\produce t -l nofile', qr/No such file/ ], [ '\produce t -p x', qr/no partition/ ],
        [ '\consume nope', qr/"nope" does not exist/ ], [ '\consume t -o stored', qr/which group/ ], [ q{\consume t -f '%q'}, qr/no such token/ ],
        [ '\consume t -X nonsense=1', qr/nonsense/ ], [ '\consume t -c', qr/argument of -c/ ],
        [ q{\produce t -D ''}, qr/delimiter of messages is empty/ ], [ q{\produce t -K '\\\\x00'}, qr/no zero byte/ ],
        [ q{\consume t -e -D '\\\\x00'}, qr/no zero byte/ ], [ '\tail t -F', qr/argument of -F/ ],
    ) {
        my ($exit, undef, $errors) = ottla('', '-c', $_->[0]);
        is($exit, 1, $_->[0]);
        like($errors, $_->[1], 'says why');
    }
    my ($exit, undef, $errors) = ottla('x' x 2_000_000, '-c', '\produce t');
    is($exit, 1, 'a message that is too large');
    like($errors, qr/ERROR: /, 'says why');
};

is($node->stop('fast'), 0, 'clean end');
done_testing();
