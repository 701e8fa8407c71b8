#!/usr/bin/perl
# 819_terminal.t - the shell at a real terminal: Tab, history, the pager, \watch and Ctrl-C; completion for bash
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use Ottla::Test::Api;
use Ottla::Test::Node;
use Ottla::Test::Terminal;
use Ottla::Test::Wait qw(comes_true);
use Test::More;
use Time::HiRes qw(time);

my $home = tempdir(CLEANUP => 1);
my $ottla = ($ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin") . '/ottla';
my $node = Ottla::Test::Node->new->start;
my $client = Ottla::Test::Api->new($node);
$client->make_topic($_, 1) for 'orders', 'my-topic.v1', 'payments';

sub terminal {
    my (%o) = @_;
    my $t = Ottla::Test::Terminal->new(command => [$ottla, '-X', @{ $o{words} // [] }, $node->address], columns => 100,
        env => { HOME => $home, %{ $o{env} // {} } });
    $t->wait_for(qr/# ?$/);
    return $t;
}

# What is typed, Tab, and what stands there then; the line is left as it was.
sub completes {
    my ($t, $typed, $pattern, $name) = @_;
    $t->type($typed)->keys('Tab');
    my $screen = eval { $t->wait_for($pattern) };
    ok(defined $screen, $name // $typed) or diag($@);
    $t->keys('C-c');
    return $t->keys('C-l');
}

# The choices that Tab shows: when there is nothing left to add by itself.
sub offers {
    my ($t, $typed, @words) = @_;
    $t->type($typed)->keys('Tab', 'Tab', 'Tab');
    my $screen = eval { $t->wait_for(qr/(?=.*^.*\s\Q$words[0]\E(\s|$))/ms) } // $t->screen;
    like($screen, qr/(^|\s)\Q$_\E(\s|$)/m, "$typed: $_") for @words;
    $t->keys('C-c');
    return $t->keys('C-l');
}

subtest 'shell 12: Tab' => sub {
    my $t = terminal();
    completes($t, 'ALTER TOPIC ord', qr/ALTER TOPIC orders ?$/m);
    completes($t, 'alter topic my', qr/alter topic my-topic\.v1 ?$/m);
    completes($t, 'ALT', qr/# ALTER ?$/m);
    completes($t, 'alt', qr/# alter ?$/m);
    offers($t, 'ALTER TOPIC orders SET (ret', 'retention.bytes', 'retention.ms');
    offers($t, 'ALTER TOPIC orders SET (cleanup.policy = ', 'compact', 'delete');
    completes($t, 'ALTER TOPIC orders SET (retention.m', qr/\(retention\.ms ?$/m);
    completes($t, 'SELECT * FROM partiti', qr/FROM partitions ?$/m);
    completes($t, 'SELECT * FROM topics WHERE retention_m', qr/retention_ms ?$/m);
    completes($t, q{SELECT * FROM partitions WHERE topic = 'pay}, qr/topic = 'payments' ?$/m);
    completes($t, 'SELECT :PO', qr/SELECT :PORT ?$/m);
    completes($t, '\pset linestyle un', qr/linestyle unicode ?$/m);
    completes($t, '\set VERBOSITY ter', qr/VERBOSITY terse ?$/m);
    completes($t, '\i /etc/host', qr{\\i /etc/hosts?}m);
    completes($t, '\h alter to', qr/\\h alter topic ?$/m);
    $client->make_topic('later', 1);
    $t->line('ALTER TOPIC orders');
    $t->wait_for(qr/-# ?$/);
    completes($t, 'SET (min.ins', qr/SET \(min\.insync\.replicas ?$/m, 'in the second line of a statement');

    # A node that does not answer costs half a second once; one that is gone costs nothing.
    my $slow = terminal();
    $_->{pid} != 0 and kill STOP => $_->{pid} for $node->children_of_kind('backend');
    my $begin = time;
    completes($slow, 'ALTER TOPIC orders SUB', qr/orders SUBTRACT ?$/m, 'keywords need no node');
    $slow->type('ALTER TOPIC ord')->keys('Tab');
    $slow->type('Q');
    $slow->wait_for(qr/ALTER TOPIC ordQ$/m);
    cmp_ok(time - $begin, '<', 10, 'a node that is stopped does not make it hang');
    $_->{pid} != 0 and kill CONT => $_->{pid} for $node->children_of_kind('backend');
};

subtest 'bash' => sub {
    # It gives up after 300 ms, which a busy machine may need for itself: nothing is asked for again.
    my $complete = sub {
        my @words;
        my @asked = @_;
        comes_true(sub { open my $out, '-|', $ottla, '--complete', @asked or die; chomp(@words = <$out>); close $out; @words > 0 }, 20);
        return "@words";
    };
    my $nothing = sub { open my $out, '-|', $ottla, '--complete', @_ or die; return join '', <$out> };
    is($complete->($node->address, '-c', 'ALTER TOPIC or'), 'ALTER TOPIC orders', 'names of the cluster in -c');
    is($complete->($node->address, '-c', '"DROP TOPIC pay'), 'DROP TOPIC payments', '... behind a quote');
    is($complete->('--boot'), '--bootstrap-server=', 'options');
    is($complete->('-P', 'format=json'), 'format=json format=jsonl', 'options of printing');
    is($complete->('--pset=format=jsonl'), '--pset=format=jsonl', '... in one word');
    is($complete->('--pset', '=', 'format', '=', 'jsonl'), 'jsonl', '... that bash has cut');
    my ($host, $port) = split /:/, $node->address;
    is($complete->($host, ':', $port, '-c', 'ALTER TOPIC or'), 'ALTER TOPIC orders', '... as it does with addresses');
    is($complete->('-v', 'ON_ERROR_S'), 'ON_ERROR_STOP=', 'variables');
    is($nothing->('127.0.0.1:1', '-c', 'ALTER TOPIC or'), '', 'nobody there: nothing');
    is($nothing->(), '', 'no word: nothing');
    is(system('bash', '-n', 'contrib/completion/ottla.bash'), 0, 'the script is one');
    my $t = Ottla::Test::Terminal->new(command => ['bash', '--norc', '--noprofile'], columns => 100,
        env => { PS1 => 'sh> ', PATH => ($ottla =~ s{/ottla$}{}r) . ":$ENV{PATH}" });
    $t->wait_for(qr/sh> ?$/);
    $t->line('. contrib/completion/ottla.bash');
    # What is typed, Tab, what bash makes of it; asked for again as above.
    my $in_bash = sub {
        my ($typed, $pattern) = @_;
        my $good = comes_true(sub {
            $t->keys('C-u', 'C-l')->type($typed)->keys('Tab');
            return comes_true(sub { $t->screen =~ $pattern }, 2);
        }, 20);
        ok($good, "in bash: $typed") or diag($t->screen);
    };
    $in_bash->('ottla --pset=linest', qr/ottla --pset=linestyle=$/m);
    $in_bash->('ottla -P format=jsonl -f /etc/pass', qr{-f /etc/passwd ?$}m);
    $in_bash->('ottla ' . $node->address . ' -c "ALTER TOPIC or', qr/-c "ALTER TOPIC orders" ?$/m);
};

subtest 'shell 14: history' => sub {
    my $t = terminal();
    $t->line(q{SELECT 'first';});
    $t->wait_for(qr/\(1 row\)/);
    $t->line(q{CREATE USER u PASSWORD 'geheim';});
    $t->wait_for(qr/(CREATE USER|ERROR)/);
    $t->line('SELECT 2')->line('AS lines;');
    $t->wait_for(qr/^ +2$/m);
    $t->keys('Up');
    $t->wait_for(qr/SELECT 2\s+AS lines;$/);
    $t->keys('Up');
    $t->wait_for(qr/SELECT 'first';$/, 20);
    pass('Up leaves out what has a password');
    $t->keys('C-c');
    $t->line(' SELECT 3;')->line('\set HISTCONTROL ignorespace')->line(' SELECT 4;')->line('\q');
    $t->wait_for(qr/ended with 0/);
    my $file = "$home/.ottla_history";
    my $text = Ottla::Test::Node::slurp($file);
    like($text, qr/^SELECT 'first';\nSELECT 2\x01AS lines;\n SELECT 3;\n/, 'the file has what was typed, a line each');
    unlike($text, qr/password|geheim/i, '... but no password');
    unlike($text, qr/SELECT 4/, '... nor what HISTCONTROL leaves out');
    is((stat $file)[2] & 0777, 0600, '... for our eyes alone');

    my $next = terminal(env => { OTTLA_HISTORY => $file });
    $next->keys('Up', 'Up', 'Up');
    $next->wait_for(qr/# ? SELECT 3;$/, 20);
    $next->keys('C-c');
    $next->line('\set HISTSIZE 2')->line('\s')->line('\q');
    $next->wait_for(qr/ended with 0/);
    is(scalar(() = Ottla::Test::Node::slurp($file) =~ /\n/g), 2, 'HISTSIZE bounds the file');
};

subtest 'without an editor' => sub {
    my $t = terminal(words => ['-n']);
    $t->line(q{SELECT 'typed' AS plainly;});
    like($t->wait_for(qr/\(1 row\)/), qr/^ typed$/m, '-n');
    $t->type('SELECT')->keys('C-d', 'C-d');
    $t->keys('Enter')->keys('C-d');
    $t->wait_for(qr/ended with/);
};

subtest 'pager' => sub {
    my $long = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n;';
    my $t = terminal(env => { OTTLA_PAGER => "sed 's/^/paged /' | tail -n 4" });
    $t->line('SELECT 7 AS short;');
    unlike($t->wait_for(qr/\(1 row\)/), qr/paged/, 'what fits the screen is shown there');
    $t->line($long);
    like($t->wait_for(qr/paged \(500 rows\)/), qr/^paged  500$/m, 'what does not goes through the pager');
    $t->keys('C-l')->line('\pset pager off')->line($long);
    unlike($t->wait_for(qr/^\(500 rows\)/m), qr/paged/, '\pset pager off');
    $t->keys('C-l')->line('\pset pager always')->line('SELECT 8 AS short;');
    $t->wait_for(qr/^paged +8$/m);
    $t->keys('C-l')->line('\pset pager on')->line('\pset pager_min_lines 2000')->line($long);
    unlike($t->wait_for(qr/^\(500 rows\)/m), qr/^paged +500/m, '\pset pager_min_lines');
    my $once = Ottla::Test::Terminal->new(command => [$ottla, '-X', $node->address, '-c', $long],
        env => { HOME => $home, OTTLA_PAGER => "sed 's/^/paged /' | tail -n 4" });
    $once->wait_for(qr/^paged  500$/m);
    pass('-c has a pager at a terminal, too');
    my $broken = terminal(env => { OTTLA_PAGER => 'head -n 1' });
    $broken->line($long);
    $broken->line('SELECT 9 AS next;');
    $broken->wait_for(qr/^ +9$/m);
    pass('a pager that ends early is no error');
};

subtest 'shell 11: \watch' => sub {
    my $t = terminal();
    $t->line('SELECT 5 AS seen \watch i=0.2 c=3');
    $t->wait_for(qr/(?:^ +5\n.*?){3}^\S*# ?$/ms);
    is(scalar(() = $t->screen =~ /^ +5$/mg), 3, 'as often as was asked for');
    $t->keys('C-l')->line('SELECT 6 AS seen \watch 100');
    $t->wait_for(qr/^ +6$/m);
    my $begin = time;
    $t->keys('C-c');
    $t->type('Q');
    $t->wait_for(qr/# ?Q$/m);
    my $took = time - $begin;
    $t->keys('C-c');
    cmp_ok($took, '<', 3, sprintf 'Ctrl-C returns to the prompt (%.0f ms with the looking)', $took * 1000);
};

subtest 'the pagers of \watch' => sub {
    my $t = terminal(env => { OTTLA_PAGER => "sed 's/^/paged /'" });
    my $long = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n';
    $t->line("$long \\watch i=0.1 c=2");
    unlike($t->wait_for(qr/^ 50\n\(50 rows\)\n\n\S*# ?$/m), qr/^paged/m, 'none of its own');
    my $watched = terminal(env => { OTTLA_WATCH_PAGER => "sed -u 's/^/watched /'" });
    $watched->line('SELECT 5 AS seen \watch i=0.1 c=3');
    $watched->wait_for(qr/(?:^watched +5\n.*?){3}^\S*# ?$/ms);
    pass('OTTLA_WATCH_PAGER');
    my $left = terminal(env => { OTTLA_WATCH_PAGER => 'head -n 3' });
    $left->line('SELECT 5 AS seen \watch 100');
    $left->wait_for(qr/# ?$/);
    $left->line('SELECT 7 AS next;');
    $left->wait_for(qr/^ +7$/m);
    pass('who leaves the pager leaves the loop');
};

subtest 'shell 12: the server is gone' => sub {
    my $t = terminal();
    $node->kill9;
    my $begin = time;
    $t->type('ALTER TOPIC ord')->keys('Tab')->type('Q');
    $t->wait_for(qr/ALTER TOPIC ordQ$/m);
    cmp_ok(time - $begin, '<', 10, 'nothing hangs');
    $t->keys('C-c');
    completes($t, 'DROP TOP', qr/DROP TOPIC ?$/m, 'keywords are there all the same');
};

done_testing;
