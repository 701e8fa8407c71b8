#!/usr/bin/perl
# 895_tutorial.t - the tutorial of the manual, typed at a terminal of 80 columns and 24 lines
#
# Proves: each line of ottla-tutorial(7) that has a prompt can be typed by a newcomer, and is answered with the lines that follow
# it, and no others, on one screen. "..." in the page stands for anything.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Temp qw(tempdir);
use Ottla::Test::Node;
use Ottla::Test::Terminal;
use Test::More;

my $bin  = $ENV{OTTLA_BIN} // "$ENV{OTTLA_BUILD}/release/bin";
my $port = Ottla::Test::Node::free_port();
my $home = tempdir(CLEANUP => 1);
chmod 0755, $home; # a node that root starts changes its user
my $prompt = qr{(?:\$|>|data=#|data-#|[^#]*\(yes/no\))};

# Text of a literal block as it is shown.
sub shown { my ($line) = @_; $line =~ s/\\e/\\/g; return $line }

# [prompt, typed, expected lines ...], in order.
sub steps {
    my (@steps, $literal);
    for my $line (split /\n/, Ottla::Test::Node::slurp('doc/man/ottla-tutorial.7')) {
        if ($line =~ /^\.(Bd|Ed)\b/) { $literal = $1 eq 'Bd'; next }
        next if !$literal;
        $line = shown($line);
        if ($line =~ /^($prompt) (.*)$/) { push @steps, [ $1, $2 ] }
        else { push @{ $steps[-1] }, $line }
    }
    return @steps;
}

# "..." matches anything, and so do blanks between and around it.
sub pattern { my ($text) = @_; my $p = join '.*', map { quotemeta } split /\s*\.\.\.(?!\.)\s*/, $text, -1; return $p }

my $t = Ottla::Test::Terminal->new(columns => 80, rows => 24, command => [ 'sh', '-c', 'cd "$HOME"; exec bash --norc --noprofile -i' ],
    env => { PS1 => '$ ', PS2 => '> ', HOME => $home, PATH => "$bin:$ENV{PATH}", PAGER => 'cat', OTTLA_HOST => 'localhost', OTTLA_PORT => $port,
        OTTLA_CONF_LISTENERS => "PLAINTEXT://localhost:$port", OTTLA_CONF_METRICS_LISTEN => '', OTTLA_CONF_OFFSETS_TOPIC_NUM_PARTITIONS => 1,
        OTTLA_CONF_GROUP_INITIAL_REBALANCE_DELAY_MS => 0 });
$t->wait_for(qr/\$$/);
$t->line("PS1='\$ ' PS2='> ' HISTFILE="); # bash forgets what it inherits
$t->wait_for(qr/^\$$/m);

my @steps = steps();
cmp_ok(scalar @steps, '>=', 20, 'there are steps');
for my $i (0 .. $#steps) {
    my ($before, $typed, @lines) = @{ $steps[$i] };
    my $after = $i < $#steps ? $steps[ $i + 1 ][0] : '$';
    $t->clear if $before =~ /^(?:\$|data=#)$/; # a statement of several lines stays together
    $t->wait_for(qr/^\Q$before\E$/m);
    cmp_ok(length("$before $typed"), '<', 80, "fits the screen: $typed");
    (my $real = $typed) =~ s/localhost:9092/localhost:$port/g;
    $t->line($real);
    my $wanted = join '\n', map { my $p = pattern($_); $p =~ s/\s+\z//; "$p *" } @lines;
    $wanted .= '\n' if @lines;
    my $screen = eval { $t->wait_for(qr/\Q$before $real\E\n${wanted}\Q$after\E\n\z/) };
    ok(defined $screen, "$before $typed") or diag($@ || 'no answer'), last;
}
ok(!-e "$home/data/ottlad.pid", 'the node is stopped');
system("$bin/ottlactl", '-D', "$home/data", '-s', '-m', 'immediate', 'stop') if -e "$home/data/ottlad.pid";
done_testing;
