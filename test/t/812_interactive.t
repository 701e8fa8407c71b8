# The shell at a real terminal: greeting, prompts, words, Ctrl-C, \watch, passwords without echo, a lost connection, questions.
use strict;
use warnings;
use Ottla::Test::Node;
use Ottla::Test::Shell;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $node  = Ottla::Test::Node->new->start;
my $shell = Ottla::Test::Shell->new(node => $node, env => { PAGER => 'cat' });

subtest 'greeting, prompts, words' => sub {
    my $t = $shell->terminal(args => ['-X', '-v', 'PROMPT1=p1 %N %R%l> ', '-v', 'PROMPT2=%w%R> ']);
    ok($t->sees(qr/^ottla \S+ \(server Ottla.*node 1 via socket\)\n.*\\\?.*\\h.*\n\np1 1 =1>$/m), 'it greets');
    $t->line('help');
    ok($t->sees(qr/You are using ottla.*p1 1 =2>/s), 'help as a word');
    $t->line(q{\echo 'x});
    ok($t->sees(qr/unterminated quoted string/), 'a quote that is open in a command');
    $t->clear->line(q{\set s '});
    $t->clear->line("SELECT 'a");
    ok($t->sees(qr/^ {9,10}'>$/m), 'the second prompt says what is open, as far to the right as the first');
    $t->line("b' /*");
    ok($t->sees(qr/\*>$/m), '... a comment');
    $t->line('*/ (');
    ok($t->sees(qr/\(>$/m), '... a parenthesis');
    $t->line('quit');
    ok($t->sees(qr/^Use \\q to quit\.$/m), '... in which a word is a part of the statement');
    $t->line(')');
    ok($t->sees(qr/->$/m), '... nothing, but the statement goes on');
    $t->keys('C-c');
    ok($t->sees(qr/p1 1 =\d+>$/m), 'Ctrl-C forgets it');
    $t->line('\p');
    ok($t->sees(qr/Query buffer is empty/), '... really');
    $t->line('\if 0');
    ok($t->sees(qr/p1 1 \@\d+>$/m), 'a branch that does not count');
    $t->line('\echo no');
    ok($t->sees(qr/\\echo command ignored/), '... ignores commands');
    $t->keys('C-c');
    ok($t->sees(qr/\\if: escaped/), '... and is left by Ctrl-C');
    $t->line('exit');
    is($t->code, 0, 'exit as a word');
    my $login = getpwuid $>;
    $t = $shell->terminal(args => ['-X', '-v', 'PROMPT1=%n at %N> ']);
    ok($t->sees(qr/^\Q$login\E at 1>$/m), 'who one is on the socket, in the prompt');
    $t->line('exit');
};

subtest 'the end of input' => sub {
    my $t = $shell->terminal(args => ['-X', '-v', 'IGNOREEOF=1']);
    $t->sees(qr/[#>]$/m);
    $t->keys('C-d');
    ok($t->sees(qr/Use "\\q" to leave/), 'Ctrl-D is ignored once');
    $t->keys('C-d');
    is($t->code, 0, '... and ends it then');
};

subtest 'shell 11: watch' => sub {
    my $t = $shell->terminal(args => ['-X'], lines => 90);
    $t->line('SELECT 41 + 1 AS answer \watch 0.2 c=3');
    ok($t->sees(qr/(?:\(every 0\.2s\).*?answer.*?42.*?\(1 row\).*?){3}[#>]$/s), 'three times, and back at the prompt');
    my @times = $t->screen =~ /every 0.2s/g;
    is(scalar @times, 3, '... not more');
    $t->clear->line('SELECT 7 AS seven \watch 1');
    ok($t->sees(qr/seven/), 'it runs on');
    $t->keys('C-c');
    ok($t->sees(qr/\^C.*[#>]$/s), 'Ctrl-C ends it');
    $t->clear->line('\conninfo \watch 0.1 c=2');
    ok($t->sees(qr/(?:every 0\.1s.*?Connection Information.*?){2}[#>]$/s), 'a backslash command, too');
    $t->line('\q');
    is($t->code, 0, 'it ends well');
};

subtest 'shell 11: how soon Ctrl-C ends it' => sub {
    my $pty = $shell->pty(args => ['-X']);
    $pty->until(qr/[#>] \z/);
    my $endless = '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n)';
    for my $case (
        [ 'between two runs', 'SELECT 7 AS seven \watch 60', qr/\(1 row\)\s+\z/ ],
        [ 'of a command', '\conninfo \watch 60', qr/\(\d+ rows\)\s+\z/ ],
        [ 'in a run', "\\echo begun \\\\ SELECT $endless \\watch 60", qr/\nbegun\r?\n\z/ ],
    ) {
        my ($when, $statement, $runs) = @$case;
        my @ms;
        for (1 .. 5) {
            $pty->type("$statement\r");
            $pty->until($runs);
            my $began = time;
            $pty->type("\x03");
            $pty->until(qr/[#>] \z/);
            push @ms, 1000 * (time - $began);
        }
        my $median = (sort { $a <=> $b } @ms)[2];
        cmp_ok($median, '<', 200, sprintf '%s: the prompt is back within 200 ms (%s ms)', $when, join ' ', map { sprintf '%.1f', $_ } @ms);
    }
};

subtest 'questions and passwords' => sub {
    my $t = $shell->terminal(args => ['-X']);
    $t->line('\prompt "Name? " name');
    ok($t->sees(qr/^"Name\? "$/m), 'a question');
    $t->line('Ada');
    $t->line('\echo hello :name');
    ok($t->sees(qr/^hello Ada$/m), '... and its answer');
    $t->clear->line(q{CREATE USER alice PASSWORD 'before';});
    $t->sees(qr/CREATE USER\n/);
    $t->clear->line('\password alice');
    ok($t->sees(qr/Enter new password for user "alice":$/m), 'a password is asked for');
    $t->line('secret-1');
    ok($t->sees(qr/Enter it again:$/m), '... twice');
    $t->line('secret-2');
    ok($t->sees(qr/Passwords didn't match/), '... and compared');
    unlike($t->screen, qr/secret/, '... and never seen');
    $t->clear->line('\password alice');
    $t->sees(qr/new password/);
    $t->line('same');
    $t->sees(qr/again/);
    $t->line('same');
    ok($t->sees(qr/ALTER USER/), 'it is set');
    $t->line('\q');
};

subtest 'a lost connection' => sub {
    my $t = $shell->terminal(args => ['-X']);
    $t->line('\api Metadata');
    ok($t->sees(qr/clusterId/), 'connected');
    $node->stop('fast');
    $t->line('\api Metadata');
    ok($t->sees(qr/connection lost, reconnecting \.\.\. failed/), 'without a server it says so');
    ok($t->sees(qr/![#>]$/m), '... and the prompt shows it');
    $node->start;
    $t->clear->line('\c -');
    ok($t->sees(qr/You are now connected to/), 'connected by hand');
    $node->restart('fast');
    $t->clear->line('\api Metadata');
    ok($t->sees(qr/connection lost, reconnecting \.\.\. done/), 'with a server it connects again');
    $t->clear->line('\api Metadata');
    ok($t->sees(qr/clusterId/), '... and goes on');
    $t->line('\q');
    is($t->code, 0, 'and ends well');
};

subtest 'single steps' => sub {
    my $t = $shell->terminal(args => ['-X', '-s']);
    $t->line('SELECT 5 AS five;');
    ok($t->sees(qr/Single step mode/), 'it asks before a statement');
    $t->line('x');
    $t->clear->line('SELECT 6 AS six;');
    $t->sees(qr/Single step mode/);
    $t->keys('Enter');
    ok($t->sees(qr/six.*\(1 row\)/s), 'and runs it when it may');
    unlike($t->screen, qr/five/, '... else not');
    $t->line('\q');
};

subtest 'messages that are typed' => sub {
    my $t = $shell->terminal(args => ['-X', '-v', 'PROMPT3=message %l> ']);
    $t->line('CREATE TOPIC typed;');
    $t->sees(qr/CREATE TOPIC\n/);
    $t->line('\produce -K: typed');
    ok($t->sees(qr/^message 3>$/m), 'the third prompt');
    $t->line('k:one');
    $t->line('\.');
    ok($t->sees(qr/=#$/m), 'the line that ends them');
    $t->clear->line("SELECT key, value FROM messages('typed');");
    ok($t->sees(qr/^ k +\| one$/m), 'the message is there');
    $t->clear->line('\copy typed FROM STDIN (FORMAT raw)');
    ok($t->sees(qr/a line "\\\." or Ctrl-D ends them\.\nmessage \d+>$/), '\copy asks for lines likewise');
    $t->line('SELECT 1;');
    $t->line('\.');
    ok($t->sees(qr/^COPY 1\n.*[#>]$/ms), '... up to that line');
    $t->clear->line('\copy typed FROM STDIN (FORMAT raw)');
    $t->line('two');
    $t->keys('C-d');
    ok($t->sees(qr/^COPY 1\n.*[#>]$/ms), 'or to Ctrl-D');
    $t->clear->line('\copy typed FROM STDIN (FORMAT raw)');
    $t->line('no');
    $t->keys('C-c');
    ok($t->sees(qr/[#>]$/m), 'Ctrl-C leaves it');
    $t->clear->line("SELECT value FROM messages('typed');");
    ok($t->sees(qr/^ one\n SELECT 1;\n two\n\(3 rows\)$/m), '... and nothing is written');
    $t->line('\q');
};

subtest 'Ctrl-C in files' => sub {
    Ottla::Test::Shell::spew($shell->home . '/inner', "\\echo in\nSELECT 1 \\watch 60\n\\echo never\n");
    Ottla::Test::Shell::spew($shell->home . '/outer', "\\i ~/inner\n\\echo never\n");
    my $t = $shell->terminal(args => ['-X']);
    $t->line('\i ~/outer \\\\ SELECT 3 AS three;');
    ok($t->sees(qr/every 60s.*\(1 row\)/s), 'a file runs');
    $t->keys('C-c');
    ok($t->sees(qr/\(1 row\).*[#>]$/s), 'Ctrl-C leads to the prompt');
    $t->line("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n; SELECT 4 AS four;");
    $t->sees(qr/AS four;/);
    $t->keys('C-c');
    ok($t->sees(qr/ERROR: .*cancel.*[#>]$/s), 'it cancels a statement');
    unlike($t->screen, qr/^ *four$/m, '... and the rest of its line');
    $t->clear->line('SELECT 5 AS five;');
    ok($t->sees(qr/five.*\(1 row\).*[#>]$/s), '... and not the next one');
    $t->line('\q');
    is($t->code, 0, 'it ends well');
};

is($node->stop('fast'), 0, 'clean stop');
done_testing;
