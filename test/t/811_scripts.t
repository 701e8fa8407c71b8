# Scripts: where they stop and with which code, files in files, files read at the start, restricted ones, Ctrl-C, a lost connection.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $node  = Ottla::Test::Node->new->start;
my $shell = Ottla::Test::Shell->new(node => $node);
my $dir   = tempdir(CLEANUP => 1);

sub ottla { return $shell->run(@_) }
sub topics { return join ' ', split /\n/, ottla(['-XAt', '-c', 'SELECT topic FROM topics ORDER BY 1'])->{out} }
sub spew { Ottla::Test::Shell::spew(@_) }

subtest 'shell 5: errors in scripts' => sub {
    my $script = "CREATE TOPIC a PARTITIONS 3;\nSELECT nope;\nCREATE TOPIC b;";
    my $r = ottla(['-X', '-v', 'ON_ERROR_STOP=1', '-f', '-'], stdin => $script);
    is($r->{code}, 3, 'ON_ERROR_STOP: exit code 3');
    is(topics(), 'a', '... nothing behind the error has run');
    like($r->{err}, qr/^-:2: ERROR:  .*nope.*\nLINE 1: SELECT nope\n {15}\^\n/m, '... its place is shown');
    $r = ottla(['-X', '-f', '-'], stdin => $script);
    is($r->{code}, 0, 'without: exit code 0');
    is(topics(), 'a b', '... and the rest has run');
    like($r->{err}, qr/^-:1: ERROR:  topic "a" already exists\nLINE 1: CREATE TOPIC a PARTITIONS 3\n {21}\^\nDETAIL:  TOPIC_ALREADY_EXISTS \(36\)/m, 'an error of the server');
    is(ottla(['-X', '-f', '-'], stdin => "CREATE TOPIC a;\n\\echo :KAFKA_ERROR :SQLSTATE\nSELECT 1 \\g /dev/null\n\\echo :KAFKA_ERROR\n")->{out},
        "TOPIC_ALREADY_EXISTS 42P07\nNONE\n", '... and its name in a variable');
    is($r->{out}, "CREATE TOPIC\n", 'a tag for what went well');
    is(ottla(['-Xq', '-c', 'DROP TOPIC b'])->{out}, '', '... not with -q');
};

subtest 'statements sent together' => sub {
    my $go = sub { ottla([qw(-XAt -f -)], stdin => $_[0]) };
    my $together = "SELECT 'a;'\\; CREATE TEMP TABLE t (a)\\;\\; -- ;\nSELECT 2\\; DESCRIBE TOPIC a\\; SHOW CONFIG FOR TOPIC a\\; INSERT INTO t VALUES (5)\\; SELECT 3";
    like($go->("$together;\n\\echo :ROW_COUNT")->{out}, qr/\Aa;\nCREATE TABLE\n2\n(?:.+\n)+INSERT 1\n3\n1\n\z/, 'every result');
    is($go->("\\set SHOW_ALL_RESULTS off\n$together;\nSELECT a FROM t;\n")->{out}, "3\n5\n", 'the last one');
    is($go->("SELECT 1 AS x\\; SELECT 2 AS x \\gset\n\\echo :x\nSELECT 'nonsense'\\; SELECT 'SELECT 9; SELECT 8' \\gexec\n")->{out}, "2\n9\n8\n", '\gset and \gexec mean that');
    is($go->("\\timing on\nSELECT 1\\; SELECT 2;\n")->{out} =~ s/[\d.]+ ms//r, "Timing is on.\n1\n2\nTime: \n", 'one time');
    my $r = $go->("SELECT 1\\;\nSELECT nope\\; SELECT 3;\nSELECT 4;\n");
    is($r->{out}, "1\n4\n", 'the first that fails is the last one');
    like($r->{err}, qr/^-:2: ERROR:  .*nope.*\nLINE 2: SELECT nope; SELECT 3\n {15}\^\n/m, '... and has its place in the whole');
    is($go->("CREATE TEMP TABLE l (a)\\; CREATE TEMP TRIGGER x AFTER INSERT ON l BEGIN DELETE FROM l WHERE a = 1\\; END\\; INSERT INTO l VALUES (1), (2)\\; SELECT * FROM l;")->{out},
        "CREATE TABLE\nCREATE TRIGGER\nINSERT 2\n2\n", 'the body of a trigger');
    like($go->("SELECT 1\\; SELECT 2 \\gdesc\n")->{err}, qr/more than one statement/, '\gdesc is about one');
    like($go->("\\set AUTOCOMMIT off\n\\echo :AUTOCOMMIT\n")->{err}, qr/unrecognized value "off" for "AUTOCOMMIT": every statement stands alone/, 'there are no transactions');
    is($go->("\\set AUTOCOMMIT true\n\\echo :AUTOCOMMIT\n")->{out}, "on\n", '... which is no surprise');
};

subtest 'codes of several actions' => sub {
    spew("$dir/bad", "bad;\n");
    spew("$dir/good", "SELECT 1;\n");
    is(ottla(['-X', '-f', "$dir/bad"])->{code}, 0, 'a file with an error');
    is(ottla(['-X', '-f', "$dir/bad", '-c', 'bad'])->{code}, 1, 'a file, then a wrong command');
    is(ottla(['-X', '-c', 'bad', '-f', "$dir/good"])->{code}, 0, 'a wrong command, then a good file');
    my $r = ottla(['-XAt', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/bad", '-f', "$dir/good"]);
    is($r->{code}, 3, 'ON_ERROR_STOP ends them all');
    is($r->{out}, '', '... at once');
    is(ottla(['-X', '-v', 'ON_ERROR_STOP=1', '-c', 'bad', '-f', "$dir/good"])->{code}, 1, '... with the code of the command');
};

subtest 'files in files' => sub {
    mkdir "$dir/sub";
    spew("$dir/outer", "\\echo outer\n\\i $dir/sub/middle\n\\echo outer again\n");
    spew("$dir/sub/middle", "\\if true\n\\ir inner\n\\q\n\\endif\n\\echo never\n");
    spew("$dir/sub/inner", "\\echo inner\nbad;\n");
    my $r = ottla(['-X', '-f', "$dir/outer"]);
    is($r->{out}, "outer\ninner\nouter again\n", 'they come back');
    like($r->{err}, qr/^inner:2: ERROR/m, 'and say where they are');
    $r = ottla(['-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/outer"]);
    is($r->{out}, "outer\ninner\n", 'ON_ERROR_STOP ends all of them');
    is($r->{code}, 3, '... with 3');
    spew("$dir/self", "\\ir self\n");
    like(ottla(['-X', '-f', "$dir/self"])->{err}, qr/files are read inside each other \d+ deep/, 'a file that reads itself');
    like(ottla(['-X', '-c', "\\i $dir/none"])->{err}, qr/none: No such file/, 'one that is not there');
    is(ottla(['-X', '-c', "\\i $dir/none"])->{code}, 1, '... is an error');
};

subtest 'files at the start' => sub {
    my $rc = $shell->home . '/.ottlarc';
    spew($rc, "\\set greeting rc\nbad;\n\\echo :early\n");
    my $r = ottla(['-v', 'early=1', '-v', 'ON_ERROR_STOP=1', '-c', '\echo :greeting']);
    is($r->{out}, "1\nrc\n", 'are read after -v, before all else');
    like($r->{err}, qr/\.ottlarc:2: ERROR/, 'their errors are shown');
    is($r->{code}, 0, '... and end nothing');
    is(ottla(['-X', '-c', '\echo :greeting'])->{out}, ":greeting\n", '-X: not read');
    my ($version) = ottla(['--version'])->{out} =~ /^ottla (\S+)/;
    spew("$rc-$version", "\\set greeting 'rc of the version'\n");
    is(ottla(['-c', '\echo :greeting'])->{out}, "rc of the version\n", 'that of the version is preferred');
    spew("$dir/own", "\\set greeting own\n");
    my $own = Ottla::Test::Shell->new(node => $node, home => $shell->home, env => { OTTLARC => "$dir/own" });
    is($own->run(['-c', '\echo :greeting'])->{out}, "own\n", 'OTTLARC');
    unlink $rc, "$rc-$version";
};

subtest 'lines, quotes, comments' => sub {
    is(ottla(['-XAt', '-S'], stdin => "SELECT 1\nSELECT (\n2)\n")->{out}, "1\n2\n", '-S: the end of a line');
    is(ottla(['-XAt'], stdin => "/* a; /* b; */ c; */ SELECT\n-- d;\n'e;''\n'; SELECT (1);")->{out}, "e;'\n\n1\n", 'semicolons that end nothing');
    is(ottla(['-XAt'], stdin => "\\echo a \\\\ SELECT 2; \\echo b\r\n\r\n")->{out}, "a\n2\nb\n", 'commands in a line');
    is(ottla(['-XAt'], stdin => "SELECT 3")->{out}, "3\n", 'the last statement needs no end');
};

subtest 'restricted' => sub {
    my $r = ottla(['-X', '-At'], dir => $dir, stdin => <<'X');
\restrict key
\! touch reached
\o reached
\i good
SELECT 1;
\unrestrict wrong
\! touch reached
\unrestrict key
\! echo free
X
    is($r->{out}, "1\nfree\n", 'statements run, commands that reach outside do not');
    ok(!-e "$dir/reached", '... really');
    like($r->{err}, qr/\\unrestrict: wrong key/, 'it takes the key');
    is(() = $r->{err} =~ /not allowed between/g, 4, 'each is refused');
};

subtest 'Ctrl-C' => sub {
    my $long = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n;';
    my $began;
    my $r = ottla(['-X'], stdin => "\\echo before\n$long\n\\echo behind\n", while => sub {
        my ($pid, $out) = @_;
        comes_true(sub { Ottla::Test::Shell::slurp($out) =~ /before/ }, 20);
        $began = time;
        kill 'INT', $pid;
    });
    cmp_ok(time - $began, '<', 2, 'ends a statement');
    is($r->{code}, 3, '... and the script, with 3');
    is($r->{out}, "before\n", '... before its next line');
    $r = ottla(['-X'], stdin => "\\echo before\nSELECT 1 \\watch 60\n\\echo behind\n", while => sub {
        my ($pid, $out) = @_;
        comes_true(sub { Ottla::Test::Shell::slurp($out) =~ /1 row/ }, 20);
        $began = time;
        kill 'INT', $pid;
    });
    cmp_ok(time - $began, '<', 2, 'ends \watch');
};

subtest 'a lost connection' => sub {
    my $r = ottla(['-X'], stdin => "\\api Metadata\n\\! while ! test -e $dir/go; do sleep 0.02; done\nSHOW TOPICS;\n\\echo behind\n", while => sub {
        my ($pid, $out) = @_;
        comes_true(sub { Ottla::Test::Shell::slurp($out) =~ /clusterId/ }, 20);
        $node->stop('fast');
        spew("$dir/go", '');
    });
    is($r->{code}, 2, 'ends a script with 2');
    unlike($r->{out}, qr/behind/, '... at once');
    like($r->{err}, qr/connection to the server was lost/, '... and says so');
};

done_testing;
