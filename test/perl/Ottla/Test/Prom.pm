# Prom.pm - metrics as a scraper reads them: a strict reader of both text formats, HTTP by hand, promtool
#
#   my $page = Ottla::Test::Prom::scrape($port);             # { status, type, text, headers }
#   my $m = Ottla::Test::Prom::parse($page->{text});         # dies with the line that is wrong
#   $m->{samples}{'ottla_leaders'}{''};                      # value; key: labels as they stand, without braces
#   $m->{families}{'ottla_leaders'};                         # { type, help }
#   $m->value('ottla_backends', state => 'idle');            # sum of the samples with these labels
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Prom;

use strict;
use warnings;
use Cwd qw(abs_path);
use IO::Socket::INET;

my $NAME  = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*/;

# One GET over a connection of its own; headers: more of them.
sub scrape {
    my ($port, $path, %o) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 20) or return { status => 0 };
    $path //= '/metrics';
    my $head = join '', map { "$_: $o{headers}{$_}\r\n" } sort keys %{ $o{headers} // {} };
    print $socket +($o{method} // 'GET') . " $path HTTP/1.1\r\nHost: localhost\r\n${head}Connection: close\r\n\r\n";
    local $/;
    my $answer = <$socket> // '';
    return read_answer($answer);
}

sub read_answer {
    my ($answer) = @_;
    my ($head, $text) = split /\r\n\r\n/, $answer, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.[01] (\d+)};
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head // '';
    return { status => $status // 0, type => $headers{'content-type'}, headers => \%headers, text => $text };
}

# { label => value } of what stands between braces.
sub labels_of {
    my ($text, $line) = @_;
    my %labels;
    while ($text ne '') {
        $text =~ s/^($LABEL)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)// or die "labels: $line\n";
        my ($name, $value) = ($1, $2);
        die "label $name twice: $line\n" if exists $labels{$name};
        my %escape = (n => "\n", '"' => '"', '\\' => '\\');
        $value =~ s/\\(.)/$escape{$1}/g;
        $labels{$name} = $value;
    }
    return \%labels;
}

# The samples of a histogram or summary hang together.
sub check_parts {
    my ($m, $name, $type) = @_;
    my $counts = $m->{samples}{"${name}_count"} // die "$name: no count\n";
    for my $key (keys %$counts) {
        defined $m->{samples}{"${name}_sum"}{$key} or die "$name: no sum\n";
        next if $type eq 'summary';
        my ($before, $last) = (-1, -1);
        for my $bucket (@{ $m->{buckets}{$name}{$key} // die "$name: no buckets\n" }) {
            my ($le, $count) = @$bucket;
            die "$name: buckets are not in order\n" if $le ne '+Inf' && $le <= $before;
            die "$name: a bucket holds less than the one before\n" if $count < $last;
            ($before, $last) = ($le eq '+Inf' ? 9**9**9 : $le, $count);
        }
        die "$name: the last bucket is not +Inf\n" if $before != 9**9**9;
        die "$name: count $counts->{$key}, last bucket $last\n" if $last != $counts->{$key};
    }
    return;
}

sub parse {
    my ($text, %o) = @_;
    my $m = bless { families => {}, samples => {}, all => [] }, __PACKAGE__;
    my ($family, %help, %closed);
    die "does not end with a line feed\n" if $text !~ /\n\z/;
    die "no end mark\n" if $o{openmetrics} && $text !~ /\n# EOF\n\z/;
    utf8::decode(my $copy = $text) or die "no UTF-8\n";
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ($NAME) (.+)$/) {
            die "help twice: $line\n" if exists $help{$1};
            $help{$1} = $2;
            die "escape: $line\n" if $2 =~ /\\(?![\\n"])/;
        } elsif ($line =~ /^# TYPE ($NAME) (counter|gauge|histogram|summary)$/) {
            die "type without help: $line\n" if !exists $help{$1};
            die "type twice: $line\n" if $m->{families}{$1};
            $closed{$family} = 1 if defined $family;
            $family = $1;
            $m->{families}{$1} = { type => $2, help => $help{$1} };
        } elsif ($line eq '# EOF' && $o{openmetrics}) {
            next;
        } elsif ($line =~ /^($NAME)(?:\{(.*)\})? (-?\d+(?:\.\d+)?)$/) {
            my ($name, $labels, $value) = ($1, $2 // '', $3);
            my $type = ($m->{families}{ $family // '' } // die "sample before its type: $line\n")->{type};
            my $parts = $type eq 'histogram' ? qr/_(?:bucket|sum|count)/ : $type eq 'summary' ? qr/_(?:sum|count)/
                : $type eq 'counter' && $o{openmetrics} ? qr/_total/ : qr//;
            die "not of family $family: $line\n" if $name !~ /^\Q$family\E$parts$/;
            my $have = labels_of($labels, $line);
            die "twice: $line\n" if exists $m->{samples}{$name}{$labels};
            die "a counter below 0: $line\n" if $value < 0 && $type ne 'gauge';
            $m->{samples}{$name}{$labels} = $value;
            push @{ $m->{all} }, { name => $name, labels => $have, value => $value };
            if (defined(my $le = $have->{le})) {
                my $rest = $labels =~ s/,?le="[^"]*"//r;
                push @{ $m->{buckets}{$family}{$rest} }, [ $le, $value ];
            }
        } else {
            die "no line of this format: $line\n";
        }
    }
    for my $name (keys %{ $m->{families} }) {
        my $type = $m->{families}{$name}{type};
        check_parts($m, $name, $type) if $type =~ /^(?:histogram|summary)$/;
    }
    return $m;
}

# Sum of the samples of a name that have these labels; undef: there are none.
sub value {
    my ($m, $name, %labels) = @_;
    my $sum;
    for my $s (grep { $_->{name} eq $name } @{ $m->{all} }) {
        next if grep { ($s->{labels}{$_} // '') ne $labels{$_} } keys %labels;
        $sum = ($sum // 0) + $s->{value};
    }
    return $sum;
}

# The program promtool of Debian's package prometheus, taken out of the package if it is not installed: that would start
# a server. undef: it cannot be had.
sub promtool {
    for my $dir (split /:/, $ENV{PATH}) {
        return "$dir/promtool" if -x "$dir/promtool";
    }
    my $dir = "$ENV{OTTLA_BUILD}/prometheus";
    return abs_path("$dir/usr/bin/promtool") if -x "$dir/usr/bin/promtool";
    system("mkdir -p '$dir' && cd '$dir' && apt-get download prometheus >/dev/null 2>&1 && dpkg -x prometheus_*.deb . && rm -f prometheus_*.deb");
    return -x "$dir/usr/bin/promtool" ? abs_path("$dir/usr/bin/promtool") : undef;
}

1;
