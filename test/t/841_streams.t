#!/usr/bin/perl
# 841_streams.t - \tail, \copy: messages to the screen, to files and back
#
# Proved: batches copied through files are the same in another topic; csv and JSON give back every key, value, header and
# timestamp; \tail shows the last messages of all partitions in the order of time, follows, filters, and ends without a word when
# its reader has enough or Ctrl-C comes.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use POSIX qw(:sys_wait_h);
use Test::More;
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);

my $bin = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
my $node = Ottla::Test::Node->new(conf => { 'num.partitions' => 3 });
$node->start;
my $dir = tempdir(CLEANUP => 1);
my @connect = ('-X', '-h', $node->dir, '-p', $node->port);

# Exit code, output and errors of a session.
my $shell = Ottla::Test::Shell->new(node => $node);
sub ottla { my $r = $shell->run(['-X', @_], dir => $dir); return @$r{qw(code out err)} }

sub rows {
    my (@statements) = @_;
    my ($exit, $text, $errors) = ottla('-qAt', map { ('-c', $_) } @statements);
    fail("@statements: $errors") if $exit != 0 || $errors =~ /ERROR/;
    return split /\n/, $text;
}

sub slurp { open my $in, '<', "$dir/$_[0]" or die "$_[0]: $!"; local $/; return <$in> }

sub kcat {
    my ($topic, $partition, @lines) = @_;
    open my $kcat, '|-', 'kcat', '-b', $node->address, '-t', $topic, '-P', '-p', $partition or die "kcat: $!";
    print $kcat map { "$_\n" } @lines;
    close $kcat or die 'kcat failed';
}

kcat($_, 0, 'first') for qw(t copy csv json raw);
rows(q{INSERT INTO messages(topic, partition, key, value, headers, timestamp_ms) VALUES
    ('t', 0, 'a,b', 'say "x"', NULL, 1000000), ('t', 1, NULL, NULL, '[["h","x"],["none",null],["bytes",{"base64":"AP8="}]]', 3000000),
    ('t', 2, x'00ff', x'fe00', '{"z":"y"}', 2000000), ('t', 1, '', '', NULL, 4000000), ('t', 2, '\x41', 'line' || char(10) || 'feed', NULL, 5000000)});
kcat('t', 0, map { "line $_" } 1 .. 500);
my $all = sub { [ rows("SELECT partition, hex(key), key IS NULL, hex(value), value IS NULL, headers, timestamp_ms FROM messages('$_[0]') "
        . "WHERE value IS NOT 'first' ORDER BY partition, offset") ] };

subtest 'shell 25: batches through a file are the same in another topic' => sub {
    is_deeply([ (ottla('-c', "\\copy t TO 'segments' (FORMAT segment)"))[0, 1] ], [ 0, "COPY 506\n" ], 'written');
    is_deeply([ sort map { s{.*/}{}r } glob "$dir/segments*" ], [ map { "segments.$_" } 0 .. 2 ], 'a file for each partition');
    my ($before) = rows("SELECT max(offset) FROM messages('copy', 0)");
    is_deeply([ (ottla('-c', "\\copy copy FROM 'segments' (FORMAT segment)"))[0, 1] ], [ 0, "COPY 506\n" ], 'read');
    is_deeply($all->('copy'), $all->('t'), 'keys, values, headers, timestamps');
    my $batches = "SELECT DISTINCT partition, batch_base_offset - (SELECT min(offset) FROM messages('%s') f WHERE f.partition = m.partition) + %d "
        . "FROM messages('%s') m WHERE partition > 0 OR offset >= %d ORDER BY 1, 2";
    is_deeply([ rows(sprintf $batches, 'copy', 0, 'copy', 1) ],
        [ map { /^0\|(\d+)/ ? '0|' . ($1 + 1) : $_ } rows(sprintf $batches, 't', 0, 't', 0) ], 'borders of batches');
    my ($log) = grep { -s } glob $node->dir . '/log/copy-1/*.log';
    my ($own) = grep { -s } glob $node->dir . '/log/t-1/*.log';
    my $crcs = sub { [ map { /crc: (\d+)/ } qx($bin/ottla-logdump $_[0]) ] };
    cmp_ok(scalar $crcs->($own)->@*, '>', 0, 'there are checksums');
    is_deeply($crcs->($log), $crcs->($own), 'which are the same');
    is_deeply([ (ottla('-c', "\\copy t TO 'one' (FORMAT segment, PARTITIONS 1)"))[0, 1] ], [ 0, "COPY 2\n" ], 'one partition');
    ok(slurp('one') eq slurp('segments.1'), 'has the plain name');
};

subtest 'csv and JSON give everything back' => sub {
    for my $format (qw(csv json)) {
        my $name = $format eq 'csv' ? 'csv' : 'jsonl';
        is_deeply([ (ottla('-c', "\\copy t TO $format.out WITH (FORMAT $name)"))[0, 1] ], [ 0, "COPY 506\n" ], "$format written");
        is_deeply([ (ottla('-c', "\\copy $format FROM $format.out (FORMAT $name)"))[0, 1] ], [ 0, "COPY 506\n" ], 'and read');
        is_deeply($all->($format), $all->('t'), 'the same');
    }
    is(scalar(grep { decode_json($_)->{partition} == 0 } split /\n/, slurp('json.out')), 502, 'each line is an object');
    like(slurp('csv.out'), qr/^partition,offset,timestamp_ms,key,value,headers\n/, 'names of columns');
    is_deeply([ (ottla('-c', q{\copy raw FROM PROGRAM 'seq 1000' (FORMAT raw)}))[0, 1] ], [ 0, "COPY 1000\n" ], 'lines of a command');
    is((ottla('-q', '-c', q{\copy raw TO STDOUT (FORMAT raw)}))[1] =~ tr/\n//, 1001, 'and to the screen');
    is_deeply([ rows("SELECT count(*) FROM messages('raw')") ], [1001], 'all there');
    is_deeply([ (ottla('-q', '-c', q{\copy t TO PROGRAM 'wc -l' (FORMAT csv, FROM 2, UNTIL 10, PARTITIONS (0), HEADER off)}))[1] =~ /(\d+)/ ], [8],
        'a range, into a command');
    is((ottla('-q', '-c', q{\copy t TO STDOUT (FORMAT raw, FROM @1500, UNTIL @3500)}))[1], "\n\xfe\0\n", 'from a time to a time');
    ottla('-q', '-c', q{\copy (SELECT 1 AS one, 'a,b' AS two) TO query.csv});
    is(slurp('query.csv'), qq{one,two\n1,"a,b"\n}, 'a query');
};

subtest 'columns of others, and lines that cannot be read' => sub {
    open my $out, '>', "$dir/other.csv" or die;
    print $out "id,text\r\n7,seven\r\n8,\"e,\"\"ight\"\r\n";
    close $out;
    is((ottla('-qc', '\copy json FROM other.csv (KEY id, VALUE text)'))[0], 0, 'read');
    is_deeply([ sort(rows("SELECT key, value FROM messages('json') WHERE key IN ('7', '8')")) ], [ '7|seven', '8|e,"ight' ], 'as they were');
    open $out, '>', "$dir/bad.jsonl" or die;
    print $out qq({"value":"good"}\nrubbish\n{"value":{"base64":"!"}}\n{"key":5,"value":"better","headers":{"a":"b"}}\n);
    close $out;
    my ($exit, $text, $errors) = ottla('-c', '\copy json FROM bad.jsonl (FORMAT jsonl, ON ERROR skip)');
    is_deeply([ $exit, $text ], [ 0, "COPY 2\n" ], 'the good ones');
    like($errors, qr/line 2 skipped.*line 3 skipped.*2 lines skipped/s, 'the others are named');
    ($exit, undef, $errors) = ottla('-c', '\copy json FROM bad.jsonl (FORMAT jsonl)');
    is($exit, 1, 'without skip it fails');
    like($errors, qr/no JSON object.*bad\.jsonl:2/s, 'and says where');
    open $out, '>', "$dir/cut" or die;
    print $out substr slurp('segments.0'), 0, -1;
    close $out;
    like((ottla('-c', '\copy json FROM cut (FORMAT segment)'))[2], qr/cut off/, 'a file that is cut off');
    open $out, '>', "$dir/quote.csv" or die;
    print $out qq{value\n"one\nstill"\na "b,c" ""d\n2" of\nit\n};
    close $out;
    ($exit, undef, $errors) = ottla('-c', '\copy json FROM quote.csv (ON ERROR skip)');
    is($exit, 1, 'a quote that is never closed');
    like($errors, qr/line 5: unterminated CSV quoted field/, '... is named with its line');
    rows('CREATE TOPIC quotes PARTITIONS 1');
    open $out, '>', "$dir/quote.csv" or die;
    print $out qq{value\n"one\nstill"\na "b,c" ""d\n};
    close $out;
    is((ottla('-qc', '\copy quotes FROM quote.csv'))[0], 0, 'quotes that are closed');
    is_deeply([ rows(q{SELECT value FROM messages('quotes')}) ], [ "one", "still", 'a b,c d' ], '... wherever they stand, as with COPY of psql');
    like((ottla('-c', $_->[0]))[2], $_->[1], $_->[0]) for
        [ q{\copy t FROM '}, qr/unterminated quoted string/ ], [ q{\copy t FROM 'a''}, qr/unterminated quoted string/ ], [ '\copy', qr/a topic/ ], [ '\copy t', qr/TO or FROM/ ], [ '\copy t TO x (FORMAT xml)', qr/csv, jsonl, raw or segment/ ],
        [ '\copy nope TO x', qr/does not exist/ ], [ '\copy t FROM nofile', qr/No such file/ ],
        [ q{\copy t FROM PROGRAM 'false' (FORMAT raw)}, qr/exit code 1/ ], [ q{\copy t TO x (FORMAT csv}, qr/parenthesis/ ];
};

subtest 'data among statements' => sub {
    my $run = sub { my ($text, @args) = @_; my $r = $shell->run(['-XAt', @args], stdin => $text); return ($r->{out}, $r->{err} =~ s/^\d+ messages, .*\n//mgr, $r->{code}) };
    rows('CREATE TOPIC data PARTITIONS 1');
    my $all = q{SELECT coalesce(key, '-'), value FROM messages('data') ORDER BY "offset";};
    my $script = qq{\\copy data FROM STDIN\nkey,value\na,"b\n; c"\n\\.\n\\copy data FROM STDIN (FORMAT raw)\nSELECT 1;\n\n\\.\n$all\n};
    my $gives = "COPY 1\nCOPY 2\na|b\n; c\n-|SELECT 1;\n-|\n";
    is_deeply([ $run->($script, '-f', '-') ], [ $gives, '', 0 ], 'the lines behind the command, in a script');
    is_deeply([ $run->("x\n\\.\ny\n", '-c', '\copy data FROM STDIN (FORMAT raw)', '-c', '\copy data FROM STDIN (FORMAT raw)') ],
        [ "COPY 1\nCOPY 1\n", '', 0 ], 'of standard input behind -c');
    Ottla::Test::Shell::spew("$dir/script", "\\copy data FROM PSTDIN (FORMAT raw)\n\\echo here\n\\o $dir/results\n\\copy data TO PSTDOUT (FORMAT raw, FROM -1)\n");
    is_deeply([ $run->("z\n\\.\n", '-f', "$dir/script") ], [ "COPY 2\nhere\n\\.\n", '', 0 ], 'that of the process itself, where a dot is a line');
    my ($out, $err) = $run->("\\copy data FROM STDIN (FORMAT jsonl)\n{\"value\":1}\nrubbish\n\\echo data\n\\.\n\\echo statement\n", '-f', '-');
    is($out, "statement\n", 'behind a line that is refused data stays data');
    like($err, qr/no JSON object.*stdin:2/s, '... the line is named');
    is(($run->("\\copy data FROM STDIN (FORMAT raw)\nlast", '-f', '-'))[0], "COPY 1\n", 'the end of the input ends it, too');
    $run->('', '-c', "\\copy t TO '$dir/batches' (FORMAT segment, PARTITIONS 2)");
    is(($run->("\\copy data FROM STDIN (FORMAT segment)\n" . slurp('batches'), '-f', '-'))[0], "COPY 2\n", 'batches are all that follows');
};

subtest 'shell 26: \tail ends when its reader has enough' => sub {
    for my $command (qq($bin/ottla @connect -c '\\tail -f t' | head -3; echo \${PIPESTATUS[0]}), qq($bin/ottla @connect -c '\\tail -f t | head -3'; echo \$?)) {
        open my $out, '-|', 'timeout', 20, 'bash', '-c', "$command 2>&1" or die;
        chomp(my @lines = <$out>);
        close $out;
        is(scalar(@lines), 4, 'three lines');
        is($lines[3], 0, 'and exit code 0');
    }
};

subtest 'the last messages' => sub {
    is((ottla('-c', q{\tail -n 1 -F '%p %s\n' t}))[1], "1 \n2 line\nfeed\n0 line 500\n", 'of all partitions by time');
    is((ottla('-c', '\tail -n 2 -p 0 t'))[1], "line 499\nline 500\n", 'of one');
    is((ottla('-c', '\tail -o 2:4 -p 0 t'))[1], "line 1\nline 2\n", 'a range');
    is((ottla('-c', q{\tail -o @1500:@3500 -F '%{hex:v}|%S|%h\n' t}))[1], "fe00|2|z=y\n|-1|h=x,none=NULL,bytes=\0\xff\n", 'a time');
    is((ottla('-c', q{\tail -n 1000 -v '^line 4.$' t}))[1], join('', map { "line $_\n" } 40 .. 49), 'a pattern');
    is((ottla('-c', q{\tail -n 1000 -k , -F '%k %K %T\n' t}))[1], "a,b 3 1000000\n", 'one for keys');
    is((ottla('-q', '-v', 'MESSAGE_FORMAT=<%s>', '-c', '\c topic t', '-c', '\tail -n 1 -p 0'))[1], '<line 500>', 'the default topic, MESSAGE_FORMAT');
    my $json = decode_json((ottla('-c', '\tail -J -n 1 -p 2 t'))[1]);
    is_deeply($json, { topic => 't', partition => 2, offset => 1, tstype => 'create', ts => 5000000, broker => 1,
        headers => [], key => '\x41', payload => "line\nfeed" }, 'JSON');
    is((ottla('-c', q{\tail -n 1 -p 0 -F '%t[%p]@%o %R%%\x41\t%{base64:v} %{json:v} %{epoch} %{pid}\n' t}))[1],
        "t[0]\@501 \0\0\0\x08%A\tbGluZSA1MDA= \"line 500\" 0 -1\n", 'tokens');
    like((ottla('-c', $_->[0]))[2], $_->[1], $_->[0]) for
        [ '\tail', qr/which topic/ ], [ '\tail nope', qr/does not exist/ ], [ q{\tail -F '%q' t}, qr/no such token/ ], [ '\tail -v ( t', qr/pattern/ ],
        [ '\tail -o never t', qr/no place/ ], [ '\tail -o stored t', qr/which group/ ];
};

subtest 'following, until Ctrl-C' => sub {
    my $pid = open my $out, '-|' // die;
    if (!$pid) {
        exec "$bin/ottla", @connect, '-c', '\tail -f -n 1 -p 1 t', '-c', '\echo after' or POSIX::_exit(127);
    }
    is(<$out>, "\n", 'the last one');
    rows("INSERT INTO messages(topic, partition, value) VALUES ('t', 1, 'new')");
    is(<$out>, "new\n", 'a new one');
    kill 'INT', $pid;
    is(<$out>, "after\n", 'the session goes on');
    close $out;
    is($? >> 8, 0, 'exit code');
};

subtest 'where a group is' => sub {
    open my $out, '-|', 'kcat', '-b', $node->address, '-G', 'readers', '-o', 'beginning', '-c', 5, '-X', 'auto.offset.reset=earliest', 'raw' or die;
    () = <$out>;
    close $out;
    my ($exit, $text) = ottla('-c', q{\tail -o stored -g readers -F '%p:%o\n' raw});
    my %committed = map { split /\|/ } rows("SELECT partition, committed FROM group_offsets WHERE group_id = 'readers' AND committed >= 0");
    my %first;
    for (split /\n/, $text) { my ($p, $o) = split /:/; $first{$p} //= $o }
    cmp_ok(scalar(keys %committed), '>', 0, 'something is committed');
    is($first{$_}, $committed{$_}, "partition $_ begins there") for grep { exists $first{$_} } keys %committed;
};

is($node->stop('fast'), 0, 'clean end');
done_testing();
