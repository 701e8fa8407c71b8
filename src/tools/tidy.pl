#!/usr/bin/perl
# tidy.pl - what a machine judges well: format, layers, headers, banned calls, README lists
#
# Usage: make tidy. Prints TAP: one test per rule, with file:line of each fault. Reads OTTLA_GEN (folder
# of generated headers) and OTTLA_TIDY_BASE. A file name as argument limits the report to that path.
#
#   format       clang-format 14 would change nothing
#   layers       includes point where the table of src/README.md lets them; processes never include
#                one another
#   pure         a file whose first comment has a line "Pure" includes only common and pure headers
#   own header   a .c file that has a public header includes it first
#   alone        each header compiles by itself
#   banned       calls that banned.h refuses in src/ stand nowhere else in src/ either; // comments
#   heads        a file begins with its name, its purpose and an SPDX line
#   readmes      src/X/README.md names every file of its folder, and none that is not there; so does that of test/X where
#                there is one
#   lengths      functions above 100 lines are those of src/tools/long_functions.txt, and do not grow
#   exports      every function of a header is used outside the file that defines it, or in a test
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Find;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ottla::Tools qw(read_file read_layers);

chdir "$FindBin::Bin/../.." or die;
my $gen = $ENV{OTTLA_GEN} // 'build/gen';
my ($only) = @ARGV;
my $long_after = 100;
my $test_number = 0;
my $failed = 0;

sub report {
    my ($rule, @faults) = @_;
    @faults = grep { index($_, $only) == 0 } @faults if defined $only;
    $test_number++;
    printf "%s %d - %s\n", @faults ? 'not ok' : 'ok', $test_number, $rule;
    print "# $_\n" for @faults;
    $failed++ if @faults;
}

sub skip_rule {
    my ($rule, $why) = @_;
    $test_number++;
    print "ok $test_number - $rule # SKIP $why\n";
}

my @files;
find({no_chdir => 1, wanted => sub {
    push @files, $File::Find::name if -f && /\.[ch]$/ && !m{/corpus/};
}}, grep { -d } qw(src include test contrib));
@files = sort @files;
my %text = map { $_ => read_file($_) } @files;
my @product = grep { m{^(src|include)/} } @files;

# A file with its comments and strings blanked, lines kept.
sub code_of {
    my ($text) = @_;
    my $blank = sub { my $t = shift; $t =~ s/[^\n]/ /g; $t };
    $text =~ s{(/\*.*?\*/)|("(?:\\.|[^"\\\n])*")|('(?:\\.|[^'\\\n])*')}{
        defined $1 ? $blank->($1) : defined $2 ? '"' . ' ' x (length($2) - 2) . '"' : "' '" . ' ' x (length($3) - 3)}gse;
    return $text;
}
my %code = map { $_ => code_of($text{$_}) } @files;

sub line_of { my ($text, $pos) = @_; return 1 + (substr($text, 0, $pos) =~ tr/\n//); }
sub head_of { my ($text) = @_; return $text =~ m{\A\s*/\*(.*?)\*/}s ? $1 : ''; }
sub includes_of { my ($text) = @_; my @r; while ($text =~ /^\s*#\s*include\s+"([^"]+)"/mg) { push @r, [$1, line_of($text, $-[0])]; } return @r; }
sub folder_of {
    my ($path) = @_;
    return $1 if $path =~ m{^src/bin/(\w+)/};
    return $1 if $path =~ m{^(?:src|include/ottla)/(\w+)/};
    return '';
}

# ---- format ----
{
    my $tool = (grep { -x } map { "$_/clang-format-14" } split /:/, $ENV{PATH})[0];
    if (!$tool) {
        skip_rule('format', 'clang-format-14 is not installed');
    } else {
        my %seen;
        for my $line (`$tool --dry-run @files 2>&1`) {
            push @{$seen{$1}}, $2 if $line =~ /^(\S+?):(\d+):\d+: warning: code should be clang-formatted/;
        }
        report('format', map { "$_:$seen{$_}[0]: clang-format-14 -i $_" } sort keys %seen);
    }
}

# ---- layers ----
my ($order, $below) = read_layers('src/README.md');
{
    my @faults;
    for my $file (@product) {
        my $folder = folder_of($file);
        next if $folder eq '';
        my $is_bin = $file =~ m{^src/bin/};
        for my $include (includes_of($text{$file})) {
            my ($name, $line) = @$include;
            if ($name =~ m{^ottla/(\w+)/}) {
                my $to = $1;
                next if $to eq $folder || $is_bin;
                if (!$below->{$folder}) {
                    push @faults, "$file:$line: folder $folder is not in the table of src/README.md";
                } elsif (!$below->{$folder}{$to}) {
                    push @faults, "$file:$line: $folder does not stand above $to";
                }
            } elsif ($name =~ m{/} && $name !~ m{^(?:bin/)?\Q$folder\E/}) {
                push @faults, "$file:$line: private headers are used in their own folder only: $name";
            }
        }
    }
    report('layers', @faults);
}

# ---- pure ----
{
    my %pure = map { $_ => 1 } grep { head_of($text{$_}) =~ /^ \* (?:.*\s)?Pure\b/m } @product;
    my @faults;
    # A private header without the tag will do when all that it includes would.
    my $private_ok;
    $private_ok = sub {
        my ($path, $seen) = @_;
        return 0 if $path !~ /_int\.h$/ || !defined $text{$path};
        return 1 if $seen->{$path}++;
        my $folder = folder_of($path);
        for my $include (includes_of($text{$path})) {
            my ($name) = @$include;
            next if $name =~ m{^ottla/common/};
            my $to = $name =~ m{^ottla/} ? "include/$name" : $name =~ m{/} ? "src/$name" : "src/$folder/$name";
            return 0 if -f $to && !$pure{$to} && !$private_ok->($to, $seen);
        }
        return 1;
    };
    for my $file (sort keys %pure) {
        my $folder = folder_of($file);
        for my $include (includes_of($text{$file})) {
            my ($name, $line) = @$include;
            my $path = $name =~ m{^ottla/} ? "include/$name" : $name =~ m{/} ? "src/$name" : "src/$folder/$name";
            next if $name =~ m{^ottla/common/} || $folder eq 'common';
            next if $file =~ m{/\Q@{[$name =~ s{.*/}{}r =~ s/\.h$//r]}\E\.c$}; # its own header
            next if $pure{$path} || !-f $path || $private_ok->($path, {});
            push @faults, "$file:$line: is pure, but $name is not";
        }
        push @faults, "$file: is pure, but calls " . $1
            if $folder ne 'common' && $code{$file} =~ /\b(clock_(?:mono|wall)\w*|random_(?:bytes|u64|uuid)|log_msg|vfs_\w+|net_\w+)\s*\(/;
    }
    report('pure files', @faults);
}

# ---- own header first ----
{
    my @faults;
    for my $file (grep { m{^src/\w+/\w+\.c$} } @product) {
        my ($folder, $name) = $file =~ m{^src/(\w+)/(\w+)\.c$};
        next if !-f "include/ottla/$folder/$name.h";
        my ($first) = $text{$file} =~ /^\s*#\s*include\s+["<]([^">]+)[">]/m;
        push @faults, "$file: includes ottla/$folder/$name.h first" if ($first // '') ne "ottla/$folder/$name.h";
    }
    report('own header first', @faults);
}

# ---- headers alone ----
if (-d $gen) {
    my @faults;
    my @headers = grep { /\.h$/ } @product;
    for my $header (@headers) {
        my $dir = $header =~ m{^(src/.*)/} ? "-iquote $1" : '';
        my $out = `echo '#include "$header"' | gcc -std=gnu17 -D_GNU_SOURCE -fsyntax-only -w -I. -I$gen -Iinclude -Isrc $dir -x c - 2>&1`;
        next if $? == 0;
        my ($first) = grep { /error/ } split /\n/, $out;
        push @faults, "$header: does not compile alone: " . ($first // 'unknown');
    }
    report('headers alone', @faults);
} else {
    skip_rule('headers alone', "no generated headers in $gen");
}

# ---- banned ----
{
    my @banned = qw(strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atoll alloca localtime
        gmtime ctime asctime gettimeofday rand random sleep usleep tmpnam system popen longjmp setjmp);
    my $banned = join '|', @banned;
    my @faults;
    for my $file (grep { !m{/banned\.h$} } @product) {
        my $code = $code{$file};
        push @faults, "$file:" . line_of($code, $-[0]) . ": $1 is banned (see common/banned.h)"
            while $code =~ /(?<![\w.>])($banned)\s*\(/g;
        push @faults, "$file:" . line_of($code, $-[0]) . ": comments are /* */" while $code =~ m{//}g;
        push @faults, "$file:" . line_of($text{$file}, $-[0]) . ": a TODO names its issue"
            while $text{$file} =~ /\b(TODO|FIXME|XXX)\b(?! *\(?#\d)/g;
        push @faults, "$file:" . line_of($code, $-[0]) . ": fixed-width integers, not long"
            while $code =~ /(?<!\()\b(?:unsigned )?long (?!long\))\w+ *[;=,)]/g;
        next if $file =~ m{^(src|include/ottla)/ipc/};
        push @faults, "$file:" . line_of($code, $-[0]) . ": atomics belong to ipc/"
            while $code =~ /\b(atomic_\w+_explicit|__atomic_\w+|__sync_\w+|ck_pr_\w+|_Atomic)\b/g;
    }
    report('banned calls', @faults);
}

# ---- heads ----
{
    my @faults;
    for my $file (@files) {
        my $head = head_of($text{$file});
        my ($name) = $file =~ m{([^/]+)$};
        push @faults, "$file:1: the first comment begins \"$name - what it is for\"" if $head !~ /\A\s*\*? ?\Q$name\E - \S/;
        push @faults, "$file:1: the first comment ends with the SPDX line" if $head !~ /SPDX-License-Identifier: Apache-2\.0\s*\z/;
    }
    report('first comments', @faults);
}

# ---- README lists ----
{
    my @faults;
    for my $dir ((grep { -d && $_ ne 'src/bin' } glob('src/*')), map { m{(.*)/} } glob('test/*/README.md')) {
        my @in = grep { -f "$dir/$_" && !/^(README\.md|files\.mk)$/ } map { s{.*/}{}r } glob("$dir/*");
        next if !@in;
        if (!-f "$dir/README.md") {
            push @faults, "$dir/README.md: missing";
            next;
        }
        my $readme = read_file("$dir/README.md");
        push @faults, "$dir/README.md: says nothing of $_" for grep { $readme !~ /`\Q$_\E`/ } @in;
        my ($list) = $readme =~ /^## Files\n(.*?)(?=^## |\z)/ms;
        while (($list // '') =~ /^[-|*] *`([\w.]+)`/mg) {
            push @faults, "$dir/README.md: $1 does not exist" if !-e "$dir/$1";
        }
    }
    report('README lists', @faults);
}

# ---- function lengths ----
{
    my $list = 'src/tools/long_functions.txt';
    my %allowed = -f $list ? map { /^(\S+) (\S+) (\d+)/ ? ("$1 $2" => $3) : () } split /\n/, read_file($list) : ();
    my (@faults, %seen);
    for my $file (grep { /\.c$/ } @product) {
        my @lines = split /\n/, $code{$file}, -1;
        for my $i (0 .. $#lines) {
            next if $lines[$i] ne '{';
            my ($name) = ($lines[$i - 1] // '') =~ /\)\s*$/ ? join(' ', @lines[($i > 6 ? $i - 6 : 0) .. $i - 1]) =~ /(\w+)\s*\([^{};]*\)\s*$/ : ();
            next if !defined $name;
            my $end = $i;
            $end++ while $end < $#lines && $lines[$end] ne '}';
            my $length = $end - $i - 1;
            next if $length <= $long_after;
            my $key = "$file $name";
            $seen{$key} = $length;
            if (!defined $allowed{$key}) {
                push @faults, "$file:" . ($i + 1) . ": $name has $length lines; split it, or list it in $list with a reason";
            } elsif ($length > $allowed{$key}) {
                push @faults, "$file:" . ($i + 1) . ": $name grew from $allowed{$key} to $length lines";
            }
        }
    }
    push @faults, "$list: $_ is no longer long" for grep { !$seen{$_} } sort keys %allowed;
    report('function lengths', @faults);
}

# ---- dead exports ----
{
    my %words;
    for my $file (@files) {
        my %here = map { $_ => 1 } $code{$file} =~ /\b([a-z]\w+)\b/g;
        $words{$_}{$file} = 1 for keys %here;
    }
    for my $file (glob "$gen/ottla/*/*.[ch]") { # generated code uses exports, too
        $words{$_}{$file} = 1 for read_file($file) =~ /\b([a-z]\w+)\b/g;
    }
    my @generators = map { read_file($_) } glob('src/tools/gen_*.pl src/common/settings.txt');
    my @faults;
    my %home; # function: the .c file that defines it
    for my $file (grep { m{^src/.*\.c$} } @files) {
        $home{$1} = $file while $code{$file} =~ /^([a-z]\w+)\(/mg;
    }
    for my $header (grep { m{^(?:include|src)/.*\.h$} } @files) {
        while ($code{$header} =~ /^(?!typedef|static|#|\s)[\w \*]*?\b([a-z]\w+)\s*\(/mg) {
            my ($function, $line) = ($1, line_of($code{$header}, $-[0]));
            next if $function =~ /^(__attribute__|static_assert|struct|enum)$/;
            my $home = $home{$function} // '';
            next if grep { $_ ne $header && $_ ne $home } keys %{$words{$function}};
            next if grep { /\b\Q$function\E\b/ } @generators;
            next if $code{$header} =~ /\b\Q$function\E\b.*\b\Q$function\E\b/s; # used by the header itself
            push @faults, "$header:$line: nobody uses $function";
        }
    }
    report('dead exports', @faults);
}

print "1..$test_number\n";
exit($failed ? 1 : 0);
