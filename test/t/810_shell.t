# The shell as a program: options, connecting, formats, backslash commands, variables, results into variables, files and commands.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);
use Test::More;

my $node  = Ottla::Test::Node->new->start;
my $shell = Ottla::Test::Shell->new(node => $node);
my $dir   = tempdir(CLEANUP => 1);

sub ottla { return $shell->run(@_) }
sub out_is { my ($args, $out, $what, %o) = @_; my $r = ottla($args, %o); is($r->{out}, $out, $what) or diag $r->{err}; return $r }

subtest 'shell 1: a first look' => sub {
    my $r = ottla(['-c', '\api CreateTopics {"topics":[{"name":"first","numPartitions":2,"replicationFactor":1,"assignments":[],"configs":[]}]}']);
    is($r->{code}, 0, 'a topic is made');
    $r = ottla(['-l']);
    is($r->{code}, 0, 'ottla -l');
    like($r->{out}, qr/List of topics.*^ *first \| +2\b/ms, '... shows it');
    is($r->{err}, '', '... without a question');
    SKIP: {
        skip 'needs root', 1 if $> != 0;
        my $uid = getpwnam('nobody');
        chmod 0755, $shell->home;
        my $pid = fork() // die;
        if (!$pid) {
            ($), $>) = ("65534 65534", $uid);
            $< = $uid;
            %ENV = %{ $shell->{env} };
            open STDOUT, '>', '/dev/null';
            exec Ottla::Test::Shell::binary(), '-X', '-v', 'ON_ERROR_STOP=1', '-c', 'SELECT 1';
        }
        waitpid $pid, 0;
        is($?, 0, 'an ordinary user connects by the socket');
    }
};

subtest 'shell 2: nobody answers' => sub {
    my $nobody = Ottla::Test::Shell->new(env => { OTTLA_PORT => Ottla::Test::Node::free_port() });
    my $r = $nobody->run(['-c', '\q']);
    is($r->{code}, 2, 'exit code');
    cmp_ok($r->{seconds}, '<', 1, 'within a second');
    like($r->{err}, qr{/run/ottla/\.s\.ottla\.\d+.*(?:No such file|refused)}s, 'the socket that was tried');
    like($r->{err}, qr{127\.0\.0\.1:\d+: Connection refused|localhost:\d+: Connection refused}, 'the address that was tried');
    like($r->{err}, qr/HINT: +Is ottlad running on this host\? systemctl status ottlad/, 'the hint');
};

subtest 'shell 4: a password file that others may read' => sub {
    Ottla::Test::Shell::spew($shell->home . '/.ottlapass', "*:*:alice:secret\n");
    chmod 0644, $shell->home . '/.ottlapass';
    my $r = $shell->run(['-h', '127.0.0.1', '-w', '-U', 'alice', '-c', '\q']);
    like($r->{err}, qr/WARNING.*\.ottlapass/, 'is warned of');
    unlink $shell->home . '/.ottlapass';
};

subtest 'shell 6: results and exit codes' => sub {
    is(ottla(['-c', 'SELECT 1', '-c', 'bad;'])->{code}, 1, 'the code is that of the last action');
    is(ottla(['-c', 'bad;', '-c', 'SELECT 1'])->{code}, 0, '... whatever was before');
    out_is(['-AtF,', '-c', 'SELECT 1,2'], "1,2\n", 'unaligned, rows only, a separator');
    out_is(['-c', 'SELECT 1 AS a; SELECT 2 AS b;', '-At'], "1\n2\n", 'several statements in one');
    is(ottla(['-c', 'SELECT 1; bad; SELECT 2', '-At'])->{out}, "1\n", '... until one fails');
    is(ottla(['--nonsense'])->{code}, 1, 'an unknown option');
    is(ottla(['-f', "$dir/none"])->{code}, 1, 'a file that is not there');
    like(ottla(['--version'])->{out}, qr/^ottla \d/, 'version');
    like(ottla(['--help'])->{out}, qr/--bootstrap-server/, 'help');
    like(ottla(['--help=commands'])->{out}, qr/\\watch/, '... of commands');
    like(ottla(['--help=variables'])->{out}, qr/ON_ERROR_STOP/, '... of variables');
    is(ottla(['--help=nonsense'])->{code}, 1, '... of what there is');
};

subtest 'formats' => sub {
    my $sql = 'SELECT 1 AS a, NULL AS b, \'x"y\' AS c UNION ALL SELECT 2, \'é\', \'\'';
    out_is(['--csv', '-c', $sql], qq{a,b,c\n1,,"x""y"\n2,é,\n}, 'csv');
    is_deeply(decode_json(ottla(['--json', '-c', $sql])->{out}),
        [{ a => 1, b => undef, c => 'x"y' }, { a => 2, b => "\x{e9}", c => '' }], 'json');
    my @lines = split /\n/, ottla(['--jsonl', '-c', $sql])->{out};
    is(scalar @lines, 2, 'jsonl: a line for each row');
    is(decode_json($lines[0])->{c}, 'x"y', '... each an object');
    out_is(['-A', '-z', '-t', '-c', 'SELECT 1,2'], "1\0002\n", 'zero bytes between columns');
    out_is(['-A', '-R', '/', '-t', '-c', 'SELECT 1 UNION SELECT 2'], "1/2\n", 'a separator of rows');
    like(ottla(['-x', '-c', 'SELECT 1 AS a'])->{out}, qr/-\[ RECORD 1 \]\na \| 1/, 'expanded');
    like(ottla(['-H', '-T', 'class="t"', '-c', 'SELECT 1 AS a'])->{out}, qr/<table border="1" class="t">/, 'html with attributes');
    out_is(['-P', 'null=none', '-P', 'format=unaligned', '-t', '-c', 'SELECT NULL'], "none\n", 'printing options');
    out_is(['-v', 'FETCH_COUNT=2', '-c', 'SELECT 1 AS a UNION SELECT 2 UNION SELECT 3'],
        " a \n---\n 1\n 2\n 3\n(3 rows)\n\n", 'in pieces as in one');
    out_is(['-c', 'SELECT x\'00ff\' AS b, 2.5 AS r, 1e300 AS big', '-At'], "\\x00ff|2.5|1e+300\n", 'bytes and numbers');
};

subtest 'variables' => sub {
    out_is(['-v', 'n=5', '-At', '-c', "SELECT :n, :'n', :{?n}, :{?m}"], "5|5|1|0\n", 'in statements');
    my $r = ottla(['-X'], stdin => "\\set v x ' ' y\n\\echo :v\n\\set w `printf 'a b'`\n\\echo :w\n\\unset v\n\\echo :v\n\\set ECHO loud\n\\echo :ERROR\n\\set 'a-b' 1\n");
    is($r->{out}, "x y\na b\n:v\ntrue\n", 'set, unset, from a command');
    like($r->{err}, qr/unrecognized value "loud" for "ECHO": available values are none all queries errors/, 'a value that may not be');
    like($r->{err}, qr/invalid variable name: "a-b"/, 'a name that may not be');
    out_is(['-X', '-At'], "on|2\n2 3\n", 'facts of the last statement', stdin =>
        "SELECT 'on', 2;\nSELECT 2 AS a, 3 AS b \\gset p_\n\\echo :p_a :p_b\n");
    $r = ottla(['-X', '-At'], stdin => "SELECT nope;\n\\echo :ERROR :SQLSTATE :LAST_ERROR_SQLSTATE\nSELECT 1 UNION SELECT 2;\n\\echo :ERROR :SQLSTATE :ROW_COUNT\n");
    like($r->{out}, qr/^true (\S{5}) \1\n1\n2\nfalse 00000 2$/m, 'ERROR, SQLSTATE, ROW_COUNT');
    out_is(['-X'], "b\n", 'of the environment', stdin => "\\setenv A b\n\\getenv x A\n\\echo :x\n\\setenv A\n\\unset x\n\\getenv x A\n\\if :{?x}\n\\echo still\n\\endif\n");
    $r = ottla(['-X'], stdin => "\\set\n");
    like($r->{out}, qr/^NODE_ID = '1'$/m, 'the list: the node');
    like($r->{out}, qr/^CLUSTER_ID = '\S{22}'$/m, '... the cluster');
};

subtest 'shell 13: variables and branches' => sub {
    ottla(['-c', '\api CreateTopics {"topics":[{"name":"second","numPartitions":1,"replicationFactor":1,"assignments":[],"configs":[]}]}']);
    out_is(['-X', '-At'], "first\n", 'a variable as limit', stdin => "\\set n 1\nSELECT topic FROM topics WHERE topic IN ('first','second') ORDER BY 1 LIMIT :n;\n");
    my $script = <<'X';
\if :{?n}
  \if :n > 4
    \echo large
    SELECT 'large'
  \elif :n = 4
    \echo four `touch never`
    SELECT 'four'
  \else
    \echo small
    SELECT 'small'
  \endif
  AS size;
\else
  \echo none
  \nonsense
\endif
X
    out_is(['-X', '-At', '-v', 'n=5', '-f', '-'], "large\nlarge\n", 'one branch', stdin => $script, dir => $dir);
    out_is(['-X', '-At', '-v', 'n=3', '-f', '-'], "small\nsmall\n", 'another', stdin => $script, dir => $dir);
    out_is(['-X', '-At', '-f', '-'], "none\n", 'the last', stdin => $script =~ s/  .nonsense\n//r, dir => $dir);
    ok(!-e "$dir/never", 'nothing runs in the others');
    my $r = ottla(['-X', '-f', '-'], stdin => "\\if true\n\\echo a\n");
    is($r->{code}, 1, 'an \if that is not closed: exit code');
    like($r->{err}, qr/^-:2: ERROR: +reached the end without a closing \\endif/m, '... and what is wrong where');
    is(ottla(['-X', '-v', 'ON_ERROR_STOP=1', '-f', '-'], stdin => "\\if true\n")->{code}, 3, '... with ON_ERROR_STOP');
    like(ottla(['-X', '-f', '-'], stdin => "\\if maybe\n\\endif\n\\else\n")->{err},
        qr/unrecognized value "maybe": a boolean is expected.*\\else: no matching \\if/s, 'other faults');
};

subtest 'where results go' => sub {
    my $r = ottla(['-X', '-At'], dir => $dir, stdin => <<'X');
SELECT 1 \g one
SELECT 2 \g |cat >two
\o three
SELECT 3;
\qecho three too
\o
SELECT 4 \g (format=csv tuples_only=off)
SELECT 5 AS five \gx
SELECT 'SELECT 6', 'SELECT 7' \gexec
SELECT 1 AS a, topic FROM topics \gdesc
SELECT 8
\w four
\p
\r
\p
\g
X
    is($r->{out}, "4\n4\nfive|5\n6\n7\na|\ntopic|TEXT\nSELECT 8\nQuery buffer reset (cleared).\n" .
        "SELECT 1 AS a, topic FROM topics \n1|first\n1|second\n", 'on the screen') or diag $r->{err};
    is(Ottla::Test::Shell::slurp("$dir/one"), "1\n", 'in a file');
    is(Ottla::Test::Shell::slurp("$dir/two"), "2\n", 'in a command');
    is(Ottla::Test::Shell::slurp("$dir/three"), "3\nthree too\n", 'in a file from now on');
    is(Ottla::Test::Shell::slurp("$dir/four"), "SELECT 8\n", 'the statement itself');
    out_is(['-X', '-At', '-o', "$dir/five", '-c', 'SELECT 9'], '', '-o');
    is(Ottla::Test::Shell::slurp("$dir/five"), "9\n", '... has it');
    $r = ottla(['-X', '-L', "$dir/log", '-c', 'SELECT 10 AS ten']);
    like(Ottla::Test::Shell::slurp("$dir/log"), qr/QUERY \*+\nSELECT 10 AS ten\n.*ten.*10/s, 'the log of a session');
};

subtest 'an editor' => sub {
    my $edit = sub {
        my ($script, $in) = @_;
        Ottla::Test::Shell::spew("$dir/editor", "#!/bin/sh\n$script\n");
        chmod 0755, "$dir/editor";
        my $with = Ottla::Test::Shell->new(node => $node, env => { EDITOR => "$dir/editor" });
        return $with->run(['-XAt'], stdin => $in);
    };
    is($edit->('sed -i "s/1 */77;/" "$1"', "SELECT 1 \\e\n\\p\n")->{out}, "77\nSELECT 77\n", 'what it leaves is run when it ends with a semicolon');
    is($edit->('sed -i s/1/78/ "$1"', "SELECT 1;\n\\e\n+ 1;\n")->{out}, "1\n79\n", '... else it goes on; the last statement is offered');
    like($edit->('exit 1', "SELECT 1 \\e\n")->{err}, qr/\\e: the editor ".*" failed/, 'one that fails');
    Ottla::Test::Shell::spew("$dir/edited", "SELECT 80;\n");
    is($edit->('test "$1" = +3', "\\e $dir/edited 3\n")->{out}, "80\n", 'a file, at a line');
};

subtest 'echoes' => sub {
    my $in = "SELECT 1;\nbad;\n";
    is(ottla(['-XAt', '-a'], stdin => $in)->{out}, "SELECT 1;\n1\nbad;\n", '-a: all input');
    is(ottla(['-XAt', '-e'], stdin => $in)->{out}, "SELECT 1\n1\nbad\n", '-e: what is sent');
    like(ottla(['-XAt', '-b'], stdin => $in)->{err}, qr/^STATEMENT:  bad$/m, '-b: what failed');
    like(ottla(['-XE', '-c', '\l'])->{out}, qr/QUERY.*SELECT .*--> Metadata v\d+ to.*List of topics/s, '-E: what is behind a command');
    unlike(ottla(['-X', '-v', 'ECHO_HIDDEN=noexec', '-c', '\l'])->{out}, qr/List of topics/, '... or only that');
};

subtest 'errors' => sub {
    my $r = ottla(['-X', '-f', '-'], stdin => "SELECT 1;\nSELECT a,\n  nope FROM topics;\n\\foo\n\\ech x\n\\errverbose\n");
    like($r->{err}, qr/^-:3: ERROR: +(?!\S{5}:).*$/m, 'file and line of the end of the statement, no code');
    like($r->{err}, qr/^-:4: ERROR:  unknown backslash command \\foo\nHINT:  Try \\\? for help\.$/m, 'an unknown command');
    like($r->{err}, qr/Do you mean \\echo\?/, '... and one that is near');
    like($r->{err}, qr/^ERROR:  42601: unknown backslash command \\ech$/m, '\errverbose');
    like(ottla(['-X', '-v', 'VERBOSITY=verbose', '-c', '\foo'])->{err}, qr/^ERROR:  42601: unknown backslash command \\foo$/m, 'verbose');
    is(ottla(['-X', '-v', 'VERBOSITY=sqlstate', '-c', '\foo'])->{err}, "ERROR:  42601\n", 'the code alone');
    unlike(ottla(['-X', '-v', 'VERBOSITY=terse', '-c', '\foo'])->{err}, qr/HINT/, 'terse');
};

subtest 'the API by hand' => sub {
    like(ottla(['-X', '-c', '\api'])->{out}, qr/^ +3 \| Metadata +\| +0 \| +13 \| +13 *$/m, 'the list');
    my $r = ottla(['-X', '-c', '\api metadata v1 {"topics":[{"name":"first"}]}']);
    is(decode_json($r->{out})->{topics}[0]{partitions}[1]{leaderId}, 1, 'a version and a request');
    like(ottla(['-X', '-c', '\api Metadata {"topics":[{"nope":1}]}'])->{err}, qr/has no field "nope" in version/, 'a field that is not there');
    is(ottla(['-X', '-c', '\api Metadata v99'])->{code}, 1, 'a version that is not there');
    like(ottla(['-X', '-c', '\api Nothing'])->{err}, qr/there is no API "Nothing"/, 'an API that is not there');
};

subtest 'the connection' => sub {
    my $r = ottla(['-X', '-A', '-c', '\conninfo']);
    like($r->{out}, qr/^Transport\|socket$/m, 'by the socket');
    like($r->{out}, qr/^Node\|1$/m, 'the node');
    my $login = getpwuid $>;
    like($r->{out}, qr/^Principal\|User:\Q$login\E$/m, 'who one is there');
    $r = ottla(['-XA', '--bootstrap-server', $node->address, '-c', '\conninfo']);
    like($r->{out}, qr/^Transport\|TCP$/m, 'by TCP, as with the tools of Kafka');
    like($r->{out}, qr/^Principal\|User:ANONYMOUS$/m, '... by no name');
    out_is(['-X', '-c', '\echo :USER'], "$login\n", 'the variable USER has the name by which the socket knows one');
    out_is(['-X', '--bootstrap-server', $node->address, '-c', '\echo :USER'], "ANONYMOUS\n", '... or that no name is known');
    out_is(['-X'], "$login\nTopic is \"t\".\nANONYMOUS\n", '... another with another connection', stdin => "\\echo :USER\n\\c topic t\n\\set QUIET on\n\\c " . $node->address . "\n\\echo :USER\n");
    like(ottla(['-X', '--bootstrap-server', $node->address, '-c', '\password'])->{err}, qr/whose\?/, '... which has no password');
    $r = ottla(['-XA', '-K', 'client.id=by-hand', '-c', '\conninfo']);
    like($r->{out}, qr/^Client id\|by-hand$/m, 'a property of Java clients');
    $r = ottla(['-X', '-A'], stdin => "\\c " . $node->address . "\n\\conninfo\n\\c 127.0.0.1:1\n\\echo here\nSELECT nothing FROM topics;\n");
    like($r->{out}, qr/You are now connected to 127.0.0.1:\d+.*Transport\|TCP.*here/s, '\c to another address');
    like($r->{err}, qr/127\.0\.0\.1:1: Connection refused/, '... to one where nobody is');
    out_is(['-X'], "Topic is \"first\".\n", '\c topic', stdin => "\\c topic first\n");
};

subtest 'in a pipe' => sub {
    my $r = ottla(['-X', '-At'], stdin => join('', map { "SELECT $_;\n" } 1 .. 3));
    is($r->{out}, "1\n2\n3\n", 'statements from it');
    my $home = $shell->home;
    local %ENV = %{ $shell->{env} };
    my $bin = Ottla::Test::Shell::binary();
    my $text = `( $bin -X -At -c "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100000) SELECT i FROM n" -c 'SELECT 1'; echo "code \$?" >&2 ) 2>&1 >/dev/null | cat; ( $bin -X -At -v FETCH_COUNT=10 -c "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 1000000) SELECT i FROM n"; echo "code \$?" >&2 ) 2>$dir/err | head -1`;
    like($text, qr/^1$/m, 'a pipe that is closed early');
    ok(comes_true(sub { Ottla::Test::Shell::slurp("$dir/err") =~ /code/ }, 20), '... ends it');
    is(Ottla::Test::Shell::slurp("$dir/err"), "code 0\n", '... without a word');
};

subtest 'a disk that is full' => sub {
    my $r;
    {
        local %ENV = (%{ $shell->{env} }, PATH => $ENV{PATH});
        my $bin = Ottla::Test::Shell::binary();
        $r = `$bin -X -c 'SELECT 1' -c '\\echo more' 2>&1 >/dev/full; echo "code \$?"`;
    }
    like($r, qr/^ERROR:  could not write.*No space left on device\n.*code 1\n\z/s, 'is an error');
};

subtest 'a backend is ended and cancelled' => sub {
    plan skip_all => 'no view activity' if ottla(['-XAt', '-c', 'SELECT count(*) FROM activity'])->{code} != 0;
    my $script = "\\! while ! test -e $dir/go; do sleep 0.02; done\n\\api Metadata\n";
    unlink "$dir/go";
    my $r = ottla(['-X', '-K', 'client.id=victim'], stdin => "\\api Metadata\n$script", while => sub {
        my $pid;
        comes_true(sub { ($pid) = ottla(['-XAt', '-c', "SELECT pid FROM activity WHERE client_id = 'victim'"])->{out} =~ /^(\d+)$/ }, 20);
        is(ottla(['-X', '-c', "\\kill $pid"])->{out}, "KILL\n", '\kill');
        ok(comes_true(sub { !kill 0, $pid }, 20), '... ends the backend');
        Ottla::Test::Shell::spew("$dir/go", '');
    });
    is($r->{code}, 2, 'a script that loses its connection: exit code 2');
    like($r->{err}, qr/connection to the server was lost/, '... and why');
    like(ottla(['-X', '-c', '\kill 1'])->{err}, qr/has no backend with pid 1/, 'a process that is no backend');
};

subtest 'a plan that came to nothing' => sub {
    out_is(['-XAt'], "5\n", 'is forgotten', stdin => "\\gset\nSELECT 5;\n");
    out_is(['-XAt'], "6\n", '... also with a wrong option', stdin => "SELECT 1 \\g (nonsense=1)\n\\r\nSELECT 6;\n" =~ s/\\r\n//r =~ s/SELECT 1 //r);
    like(ottla(['-X'], stdin => "SELECT 1 AS a UNION SELECT 2 \\gset\n")->{err}, qr/several rows returned for \\gset/, 'rows that are too many');
    like(ottla(['-X'], stdin => "SELECT 1 AS a WHERE 0 \\gset\n")->{err}, qr/no rows returned for \\gset/, '... or none');
    like(ottla(['-X'], stdin => "SELECT 1 AS \"QUIET\" \\gset\n")->{err}, qr/specially treated variable "QUIET" ignored/, 'a variable that means something');
};

is($node->stop('fast'), 0, 'clean stop');
done_testing;
