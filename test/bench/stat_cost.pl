#!/usr/bin/perl
# stat_cost.pl - what keeping statistics costs a produce request, in instructions
#
# Usage: test/bench/stat_cost.pl [-v]    (OTTLA_BUILD, OTTLA_BIN as for the tests; needs valgrind, cc and addr2line)
#
# Runs a node under callgrind, lets one connection send N requests and another one N + M, and takes the difference of the
# two processes: what is left is M requests. An instruction belongs to statistics if a function below stands at its place,
# inlined ones included; -v tells how much each has. Prints a line per size of request:
#   BYTES instructions=N statistics=N share=N%
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use File::Temp qw(tempdir);
use Ottla::Test::Node;
use Ottla::Test::Wire;

# What there would not be without the views activity, requests, workers, and the counters of the exporter.
my %statistics = map { $_ => 1 } qw(account account_parts client_is_same conn_account conn_show_client meta_show_partition
    request_stats_add request_stats_add_parts request_stats_row show_activity slot_count_add
    slot_note_rates slot_publish_rates slot_publish_topic slot_set_activity_state slot_set_client slot_set_progress slot_set_request slot_set_topic
    slot_set_wait_event slot_text_set stat_add stat_bucket take_client);

my $verbose = @ARGV && $ARGV[0] eq '-v';
my $real = Ottla::Test::Node::binary();
my $dir = tempdir(CLEANUP => 1);
my $SMALL = 100;
my $LARGE = (1 << 20) - 200;

sub write_file { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f or die "$path: $!" }

# Valgrind does not know epoll_pwait2; milliseconds will do here.
write_file("$dir/epoll.c", <<'C');
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>
int
epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *t, const sigset_t *set)
{
    long long ms = t == NULL ? -1 : t->tv_sec * 1000LL + (t->tv_nsec + 999999) / 1000000;
    return epoll_pwait(fd, events, max, ms > 1000000000 ? 1000000000 : (int)ms, set);
}
C
system('cc', '-shared', '-fPIC', '-O1', '-o', "$dir/epoll.so", "$dir/epoll.c") == 0 or die "cc failed\n";
my $user = $< == 0 ? '--user root' : '';
mkdir "$dir/bin" or die $!;
write_file("$dir/bin/ottlad", <<"SH");
#!/bin/sh
LD_PRELOAD=$dir/epoll.so exec valgrind -q --tool=callgrind --dump-instr=yes --compress-pos=no --compress-strings=no \\
    --callgrind-out-file=$dir/calls.%p $real $user "\$@"
SH
chmod 0755, "$dir/bin/ottlad";

# ---- the run ----------------------------------------------------------------------------------------

$ENV{OTTLA_BIN} = "$dir/bin";
my $node = Ottla::Test::Node->new(conf => { 'acks.durability' => 'memory', 'backend.spare' => 0 })->start;
my $own = Ottla::Test::Wire->new($node->connect_unix);
Ottla::Test::Wire->new($node)->create_topic('t');

# Requests one after another on a connection of its own; the pid of its process.
sub produce {
    my ($count, $bytes) = @_;
    my $wire = Ottla::Test::Wire->new($node, 'app');
    my $body = Ottla::Test::Wire::produce_body('t', Ottla::Test::Wire::batch($bytes));
    for (1 .. $count) {
        my ($error) = Ottla::Test::Wire::produced($wire->call(0, 7, $body), 't');
        die "error $error" if $error;
    }
    return $own->stat('activity', ['pid'], { client_port => $wire->port })->[0]{pid};
}

my %runs = map { my ($bytes, $few, $many) = @$_; $bytes => [ $many - $few, produce($few, $bytes), produce($many, $bytes) ] }
    [ $SMALL, 200, 1200 ], [ $LARGE, 2, 12 ];
$node->wait_until('the processes to be gone', sub { my %alive = map { $_->{pid} => 1 } $node->children; !grep { $alive{$_} } map { @$_[ 1, 2 ] } values %runs });
$node->stop;

# ---- what it says -----------------------------------------------------------------------------------

# Instructions by address of the program, and those elsewhere as one number.
sub costs {
    my ($pid) = @_;
    my (%at, $ours, $called);
    open my $f, '<', "$dir/calls.$pid" or die "calls.$pid: $!";
    while (<$f>) {
        if (/^ob=(.*)/) { $ours = $1 eq $real }
        elsif (/^calls=/) { $called = 1 }
        elsif (/^0x([0-9a-f]+) \d+ (\d+)$/) {
            $at{ $ours ? $1 : 'libraries' } += $2 if !$called; # behind calls=: what the callee took
            $called = 0;
        }
    }
    return \%at;
}

# Of each address, the functions that stand there, from the inlined ones outwards.
sub functions_at {
    my (@addresses) = @_;
    my (%at, $now);
    write_file("$dir/addresses", join '', map { "0x$_\n" } @addresses);
    open my $f, '-|', "addr2line -a -i -f -e '$real' < $dir/addresses" or die $!;
    while (<$f>) {
        if (/^0x0*([0-9a-f]+)$/) { $now = $1 }
        elsif (/^(\w+)/ && !m{[/:]}) { push @{ $at{$now} }, $1 }
    }
    return \%at;
}

for my $bytes (sort { $a <=> $b } keys %runs) {
    my ($requests, $few, $many) = @{ $runs{$bytes} };
    my ($before, $all) = (costs($few), costs($many));
    my %cost = map { $_ => (($all->{$_} // 0) - ($before->{$_} // 0)) / $requests } keys %{ { %$before, %$all } };
    my $functions = functions_at(grep { $_ ne 'libraries' } keys %cost);
    my ($sum, %of) = 0;
    for my $address (keys %cost) {
        $sum += $cost{$address};
        my ($which) = grep { $statistics{$_} } reverse @{ $functions->{$address} // [] };
        $of{$which} += $cost{$address} if $which;
    }
    my $statistics = 0;
    $statistics += $_ for values %of;
    printf "%d instructions=%.0f statistics=%.0f share=%.2f%%\n", $bytes, $sum, $statistics, 100 * $statistics / $sum;
    next if !$verbose;
    printf "    %-26s %7.1f\n", $_, $of{$_} for sort { $of{$b} <=> $of{$a} } keys %of;
}
