#!/usr/bin/perl
# 025_log_unread.t - nobody reads what the node writes to stderr: the supervisor goes on
#
# A pipe that is full stands for a journal that hangs. Lines of the supervisor are lost then; it reloads and stops
# as at any other time, and says how many were lost once somebody reads again.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Ottla::Test::Api;
use Ottla::Test::Node;
use POSIX ();
use Test::More;

my $node = Ottla::Test::Node->new;
pipe my $reader, my $writer or die $!;
$node->start(prepare => sub { POSIX::dup2(fileno $writer, 2) });

# Full to the last byte.
sub fill {
    my $flags = fcntl $writer, F_GETFL, 0;
    fcntl $writer, F_SETFL, $flags | O_NONBLOCK;
    for my $bytes (4096, 1) { 1 while syswrite $writer, 'x' x $bytes }
    fcntl $writer, F_SETFL, $flags;
    return;
}

sub drain {
    my $text = '';
    my $flags = fcntl $reader, F_GETFL, 0;
    fcntl $reader, F_SETFL, $flags | O_NONBLOCK;
    while (sysread $reader, my $piece, 65536) { $text .= $piece }
    return $text;
}

fill();
$node->reload;
ok(Ottla::Test::Api->new($node)->ask(ApiVersions => 0, {}), 'a new connection is served');
my $text = '';
$node->wait_until('lost lines to be told', sub {
    return 1 if ($text .= drain()) =~ /log lines were lost, nobody took them; lines=[1-9]/;
    fill();
    $node->reload;
    Ottla::Test::Api->new($node)->ask(ApiVersions => 0, {});
    $text = drain() =~ s/x{100,}//gr;
    $node->reload;
    return 0;
});
fill();
$node->reload;
ok(Ottla::Test::Api->new($node)->ask(ApiVersions => 0, {}), 'another one, too');
is($node->stop('fast'), 0, 'a clean stop');
done_testing;
