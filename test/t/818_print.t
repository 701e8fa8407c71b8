#!/usr/bin/perl
# 818_print.t - results of the shell: psql's tables through SQL, csv and json that others read back, units, wide results at a terminal
#
# Tables that psql printed (test/unit/print/vectors) come out of a node's SQL to the byte; Python's csv and jq read back what was
# asked for.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Encode qw(decode encode);
use File::Temp qw(tempdir);
use IPC::Open3 qw(open3);
use JSON::PP;
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Terminal;
use Test::More;

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;
my $home = tempdir(CLEANUP => 1);
my $ottla = ($ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin") . '/ottla';
my $node = Ottla::Test::Node->new->start;

# Output and exit code of a program; what it reads.
sub run {
    my ($input, @command) = @_;
    local $ENV{HOME} = $home;
    local $ENV{LC_ALL} = 'C.UTF-8';
    open my $in, '+>', undef or die;
    print $in encode('UTF-8', $input);
    seek $in, 0, 0;
    my $pid = open3('<&' . fileno($in), my $out, undef, @command);
    my $text = do { local $/; <$out> } // '';
    waitpid $pid, 0;
    return (decode('UTF-8', $text), $? >> 8);
}
sub ottla { my ($input, @words) = @_; return run($input, $ottla, '-X', @words, $node->address) }

# ---- psql's tables ----

sub unescape {
    my ($text) = @_;
    $text = encode('UTF-8', $text);
    $text =~ s/\\(?:x([0-9a-f]{2})|(.))/defined $1 ? chr hex $1 : { n => "\n", t => "\t", r => "\r" }->{$2} \/\/ $2/ge;
    return decode('UTF-8', $text);
}

my (%rows, %columns, $table);
open my $tables, '<:utf8', 'test/unit/print/vectors/tables' or die "tables: $!";
while (<$tables>) {
    chomp;
    my ($kind, @values) = split /\t/, $_, -1;
    next if !defined $kind || $kind !~ /^(table|columns|row)$/;
    if ($kind eq 'table') { $table = $values[0] }
    elsif ($kind eq 'columns') { $columns{$table} = [map { [/^(.):(.*)/] } @values] }
    else { push @{ $rows{$table} }, \@values }
}

# The statement that gives a table.
sub query {
    my ($name) = @_;
    my @columns = @{ $columns{$name} };
    my $row = sub {
        my ($values) = @_;
        join ', ', map {
            my $v = $values->[$_] // '';
            $v eq '\N' ? 'NULL' : $columns[$_][0] eq 'r' ? $v : do { $v = unescape($v); $v =~ s/'/''/g; "'$v'" }
        } 0 .. $#columns;
    };
    my $names = join ', ', map { my $n = unescape($columns[$_][1]); $n =~ s/"/""/g; 'column' . ($_ + 1) . " AS \"$n\"" } 0 .. $#columns;
    return "SELECT $names FROM (VALUES " . join(', ', map { '(' . $row->($_) . ')' } @{ $rows{$name} }) . ')';
}

# What psql printed for "TABLE OPTION=VALUE ...".
sub recorded {
    my ($file, $head) = @_;
    open my $in, '<:utf8', "test/unit/print/vectors/$file" or die "$file: $!";
    my ($found, $text) = (0, '');
    while (<$in>) {
        if (/^== (.*)/) { last if $found; $found = $1 eq $head }
        elsif ($found && s/^\|//) { chomp; $text .= unescape($_) . "\n" }
    }
    return $found || length $text ? $text : die "$file has no $head\n";
}

sub same_as_psql {
    my ($file, $head) = @_;
    my ($name, @options) = split ' ', $head;
    my ($text) = ottla('', (map { ('-P', unescape($_)) } @options), '-c', query($name));
    return is($text, recorded($file, $head), $head);
}

subtest 'shell 10: tables are those of psql; wide rows turn into records' => sub {
    same_as_psql('psql-aligned', "wide border=2 expanded=off format=aligned linestyle=unicode");
    same_as_psql('psql-aligned', "wide border=2 expanded=on format=aligned linestyle=unicode");
    same_as_psql('psql-aligned', "lines border=1 expanded=off format=aligned linestyle=ascii");
    same_as_psql('psql-aligned', "control border=2 expanded=off format=aligned linestyle=old-ascii");
    for my $format (qw(csv html asciidoc unaligned)) {
        same_as_psql('psql-plain', "control expanded=off format=$format tuples_only=off");
    }
    same_as_psql('psql-wrapped', "lines border=2 columns=40 expanded=off format=wrapped linestyle=unicode");
    same_as_psql('psql-options', 'plain expanded=off footer=off format=html null=(∅)');
    my ($text) = ottla("\\pset null ∅\n\\pset border 2\n\\pset linestyle unicode\nSELECT '日本語' AS 名前, NULL AS n;\n", '-q');
    is($text, "┌────────┬───┐\n│  名前  │ n │\n├────────┼───┤\n│ 日本語 │ ∅ │\n└────────┴───┘\n(1 row)\n\n", 'null and double width');

    my $t = Ottla::Test::Terminal->new(command => [$ottla, '-X', $node->address], env => { HOME => $home }, columns => 60);
    $t->wait_for(qr/# ?$/);
    $t->line('\x auto');
    $t->wait_for(qr/Expanded display is used automatically/);
    $t->line(q{SELECT 'narrow' AS a, 'row' AS b;});
    unlike($t->wait_for(qr/\(1 row\)/), qr/RECORD/, 'what fits is a table');
    $t->line(q{SELECT 'a row that does not fit' AS a, 'into the sixty columns of this screen' AS b;});
    like($t->wait_for(qr/^b \| into the sixty/m), qr/-\[ RECORD 1 \]-/, 'what does not is a record');
};

subtest 'shell 7: csv by Python, json by jq' => sub {
    my @values = ("plain", "com,ma", "quo\"te", "line\nfeed", "cr\rlf\r\n", "\\.", " blank ", "", "ü日本");
    my $header = "a \"header\",\nof two lines";
    my $values = join ', ', map { my $v = $_; $v =~ s/'/''/g; "('$v', " . length($v) . ')' } @values;
    (my $quoted = $header) =~ s/"/""/g;
    my $select = "SELECT column1 AS \"$quoted\", column2 AS n, NULL AS none FROM (VALUES $values)";
    my @rows = map { [$_, length] } @values;

    my ($csv) = ottla('', '--csv', '-c', $select);
    my ($read, $code) = run($csv, 'python3', '-c',
        'import csv,json,sys,io; print(json.dumps(list(csv.reader(io.TextIOWrapper(sys.stdin.buffer, "utf-8", newline="")))))');
    is($code, 0, 'Python reads the csv');
    is_deeply(JSON::PP->new->decode($read), [[$header, 'n', 'none'], map { [$_->[0], "$_->[1]", ''] } @rows], '... and finds what was asked for');

    my ($json) = ottla('', '--json', '-c', $select);
    ($read, $code) = run($json, 'jq', '-c', 'map([.[]])');
    is($code, 0, 'jq reads the json');
    is_deeply(JSON::PP->new->decode($read), [map { [@$_, undef] } @rows], '... numbers and null are such');
    ($json) = ottla('', '--jsonl', '-c', $select);
    ($read) = run($json, 'jq', '-s', '-c', 'map([.[]])');
    is_deeply(JSON::PP->new->decode($read), [map { [@$_, undef] } @rows], 'a line each in jsonl');

    Ottla::Test::Api->new($node)->make_topic("topic_$_", 2) for 1 .. 3;
    ($json) = ottla('', '--json', '-c', 'SELECT topic, partitions FROM topics ORDER BY 1');
    ($read) = run($json, 'jq', '-c', '.');
    is_deeply(JSON::PP->new->decode($read), [map { { topic => "topic_$_", partitions => 2 } } 1 .. 3], 'a listing of topics');

    my $headers = JSON::PP->new->canonical->encode([['h', "a \"header\",\nof two lines"]]);
    (my $literal = $headers) =~ s/'/''/g;
    ottla("INSERT INTO messages(topic, partition, value, headers) VALUES ('topic_1', 0, 'v', '$literal');");
    $select = "SELECT value, headers FROM messages('topic_1')";
    ($csv) = ottla('', '--csv', '-c', $select);
    ($read) = run($csv, 'python3', '-c', 'import csv,json,sys; print(json.dumps([json.loads(r["headers"]) for r in csv.DictReader(sys.stdin)]))');
    is_deeply(JSON::PP->new->decode($read), [JSON::PP->new->decode($headers)], 'headers of messages, by csv');
    ($json) = ottla('', '--json', '-c', $select);
    ($read) = run($json, 'jq', '-r', '.[0].headers | if type == "string" then fromjson else . end | .[0][1]');
    is($read, "a \"header\",\nof two lines\n", '... and by json');
};

subtest 'options of the command line and of \pset' => sub {
    is((ottla('', '-AtF,', '-c', 'SELECT 1,2'))[0], "1,2\n", '-AtF,');
    is((ottla('', '-At', '-z', '-0', '-c', "SELECT 1,'x'"))[0], "1\0x\0", '-z -0');
    is((ottla('', '-qx', '-c', 'SELECT 1 AS a'))[0], "-[ RECORD 1 ]\na | 1\n\n", '-x');
    is((ottla('', '-H', '-T', 'class="x"', '-c', 'SELECT 1 AS a'))[0] =~ /^<table border="1" class="x">/, 1, '-H -T');
    my ($text) = ottla(join("\n", '\pset border 2', '\a', '\t', '\f ;', 'SELECT 1 AS a, 2 AS b;', '\a', '\C title', '\x', '\pset format nonsense',
        '\pset', ''));
    like($text, qr/^Border style is 2\.\nOutput format is unaligned\.\nTuples only is on\.\nField separator is ";"\.\n1;2\nOutput format is aligned\.\n/, 'what is said');
    like($text, qr/^Title is "title"\.\nExpanded display is on\.\n/m, '... of title and records');
    like($text, qr/^.*ERROR:.*\\pset: allowed formats are aligned, asciidoc, csv, html, json, jsonl, markdown, unaligned, wrapped$/m, '... and of what is refused');
    like($text, qr/^border +2\n.*^fieldsep +';'\n.*^tuples_only +on\n/ms, '... and of all');
    ($text) = ottla("SELECT 1 AS a \\g (format=csv)\nSELECT 2 AS a \\gx (border=2 title='a b')\nSELECT 3 AS a \\g (tuples_only=on)\nSELECT 4 AS a;\n", '-q');
    is($text, "a\n1\na b\n+-[ RECORD 1 ]-+\n| a | 2 |\n+---+---+\n\n 3\n\n a \n---\n 4\n(1 row)\n\n", '\g with options, for one statement alone');
};

is($node->stop('fast'), 0, 'clean stop');
done_testing;
