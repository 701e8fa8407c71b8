#!/usr/bin/perl
# 012_build.t - the makefile builds again what a change touches, and nothing else; the debug variant compiles
#
# Works on a copy of the lowest layer, so that nobody's tree or build is touched.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
make_path("$dir/$_") for qw(src include/ottla doc contrib);
system('cp', '-R', qw(src/README.md src/tools src/common), "$dir/src") == 0 or die 'cp';
system('cp', '-R', 'include/ottla/common', "$dir/include/ottla") == 0 or die 'cp';
system('cp', 'GNUmakefile', $dir) == 0 or die 'cp';
system('cp', "$_/files.mk", "$dir/$_") == 0 or die 'cp' for qw(doc contrib);

# Some objects of the library; others are made the same way.
my @some   = qw(arena.c strbuf.c text.c view.c conf_check.c);
my @tables = qw(conf_table.c errlist_table.c);

# What make says that it does, as sorted words "CC src/common/x.c". Dies with its output when it fails.
sub made {
    my (@more) = @_;
    delete local @ENV{qw(MAKEFLAGS MFLAGS MAKEOVERRIDES CC CFLAGS CPPFLAGS LDFLAGS)};    # of a make around us
    my $out = qx(make -C '$dir' --no-print-directory -j2 BUILD=build V=0 VARIANT=debug SRCS_common='@some' libs @more 2>&1);
    die $out if $? != 0;
    return sort map { s{\S*/(debug|gen)/}{$1/}r } $out =~ /^  (\S+ +\S+)$/mg;
}

# The sources among them, by name.
sub compiled { my @names = map { m{^CC +\S+/(\S+)} ? $1 : () } made(@_); return sort @names }

sub change {
    my ($file, $edit) = @_;
    open my $in, '<', "$dir/$file" or die "$file: $!";
    local $/;
    my $text = $edit->(<$in>);
    open my $out, '>', "$dir/$file" or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
    return;
}

# Do they include the header, by whichever way? The compiler says so.
sub users_of {
    my ($header) = @_;
    my @users;
    for my $path ((map { "src/common/$_" } @some), map { "build/gen/ottla/common/$_" } @tables) {
        my $names = qx(cd '$dir' && gcc -D_GNU_SOURCE -Ibuild/gen -Iinclude -Isrc -MM $path);
        push @users, $path =~ m{([^/]+)$} if $names =~ m{/\Q$header\E\b};
    }
    return sort @users;
}

is_deeply([ compiled() ], [ sort @some, @tables ], 'the debug variant compiles');
is_deeply([made()], [], 'nothing is made twice');

my @users = users_of('strbuf.h');
ok(@users > 0 && @users < @some + @tables, "some include strbuf.h: @users");
change('include/ottla/common/strbuf.h', sub { $_[0] });
is_deeply([ compiled() ], \@users, 'a header: who includes it is compiled, nobody else');

change('src/common/view.c', sub { $_[0] . "\n" });
is_deeply([made()], [ 'AR    debug/libcommon.a', 'CC    src/common/view.c' ], 'a source: its object and the library');

change('src/common/settings.txt', sub { "# a remark\n" . $_[0] });
is_deeply([compiled()], [], 'a generator whose output stays as it was: nothing is compiled');
change('src/common/settings.txt', sub { $_[0] =~ s/^(num\.partitions \|.*)$/$1/mr =~ s/Number of/Count of/r });
is_deeply([compiled()], ['conf_table.c'], 'rows with another text: the table alone');
change('src/common/settings.txt', sub { $_[0] =~ s/^(add\.partitions\S+?)\.ms \|/$1.new.ms |/mr });
is_deeply([ compiled() ], [ users_of('conf_table.h') ], 'other ids: everybody who uses them');

is_deeply([ compiled('CFLAGS=-DANOTHER=1') ], [ sort @some, @tables ], 'another flag: everything');
is_deeply([ compiled('CFLAGS=-DANOTHER=1') ], [], 'once');
done_testing;
