# Clients.pm - ordinary clients made ready: kept in the build folder, so that it happens once
#
#   my $why = Ottla::Test::Clients::missing('java');      # undef: it is there; else why it cannot be had
#   my ($exit, $output) = Ottla::Test::Clients::run(Ottla::Test::Clients::command('java', 'RoundTrip', $server, 'java'));
#
# Names: those of test/clients. Tests that run side by side wait for each other.
#
# SPDX-License-Identifier: Apache-2.0
package Ottla::Test::Clients;

use strict;
use warnings;
use Cwd qw(getcwd);
use Fcntl qw(LOCK_EX);
use File::Path qw(make_path);

our $here  = getcwd() . '/test/clients';
our $cache = ($ENV{OTTLA_BUILD} // getcwd() . '/build') . '/clients';
make_path($cache);

my $wheel = "$cache/python/lib/python3*/site-packages/confluent_kafka.libs";    # holds a librdkafka newer than Debian's
my $SET_UP_S = 120;    # registries that do not answer must not cost the whole check

# A command that makes a program of one source when that has changed. The program gets its name when it is whole: other
# tests may be starting it.
sub compiled {
    my ($program, $source, $libraries) = @_;
    return "{ test $cache/$program -nt $source || { gcc -Wall -Wextra -O1 -o $cache/$program.new $source $libraries && mv $cache/$program.new $cache/$program; }; }";
}

# How each is made ready; false: not on this machine, or its registry is not there. What is ready and has not changed is left alone.
my %set_up = (
    librdkafka => 'test -f /usr/include/librdkafka/rdkafka.h && ' . compiled('roundtrip-c', "$here/c/roundtrip.c", '-lrdkafka')
        . ' && ' . compiled('member-c', "$here/c/member.c", '-lrdkafka'),
    'librdkafka-new' => "test -f /usr/include/librdkafka/rdkafka.h && test -e $cache/python/ready && " . compiled('member-c-new', "$here/c/member.c",
        "$wheel/librdkafka-*.so.1 -Wl,-rpath,\$(echo $wheel) -Wl,--disable-new-dtags,--unresolved-symbols=ignore-in-shared-libs"),
    python => "test $cache/python/ready -nt $here/python/requirements.txt || { rm -rf $cache/python; python3 -m venv $cache/python && "
        . "$cache/python/bin/pip install -q --disable-pip-version-check -r $here/python/requirements.txt && touch $cache/python/ready; }",
    java => "command -v javac mvn >/dev/null && { test -e $cache/java/ready || { mkdir -p $cache/java && "
        . "mvn -q -B -f $here/java/pom.xml dependency:copy-dependencies -DoutputDirectory=$cache/java/jars -DbuildDirectory=$cache/java && "
        . "touch $cache/java/ready; }; } && { test $cache/java/classes -nt $here/java/Storm.java -a $cache/java/classes -nt $here/java/RoundTrip.java -a $cache/java/classes -nt $here/java/Member.java || "
        . "{ javac -cp \"$cache/java/jars/*\" -d $cache/java/classes $here/java/*.java && touch $cache/java/classes; }; }",
    go   => "command -v go >/dev/null && mkdir -p $cache/go && { test -e $cache/go/ready -a -z \"\$(find $here/go -type f -newer $cache/go/ready)\" || { "
        . "cd $here/go && go build -o $cache/go/roundtrip . && go build -o $cache/go/member ./member && touch $cache/go/ready; }; }",
    node => "command -v npm >/dev/null && { test -e $cache/node/ready || { mkdir -p $cache/node && cp $here/node/package.json $cache/node/ && "
        . "cd $cache/node && npm install --silent --no-audit --no-fund && touch ready; }; } && cp -u $here/node/*.js $cache/node/",
);

my %command = (
    python => "$cache/python/bin/python $here/python/",
    java   => "java -Xmx256m -cp \"$cache/java/jars/*:$cache/java/classes\" ",
);

# Programs that are one member of a group; Member.pm gives the arguments.
my %member = (
    librdkafka       => ["$cache/member-c"],
    'librdkafka-new' => ["$cache/member-c-new"],
    python           => [ "$cache/python/bin/python", "$here/python/member.py" ],
    java => [ qw(java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp), "$cache/java/jars/*:$cache/java/classes", 'Member' ],
    go   => ["$cache/go/member"],
    node => [ 'node', "$cache/node/member.js" ],
);

# Runs a shell command with a limit; (exit code, output).
sub run {
    my ($command, $seconds) = @_;
    my $out = qx(exec 2>&1; timeout @{[ $seconds // 120 ]} bash -c '$command' </dev/null);
    return ($? >> 8, $out);
}

# undef: the client is ready. Else the reason why it cannot be had.
sub missing {
    my ($name) = @_;
    if ($name eq 'librdkafka-new') { my $why = missing('python'); return $why if defined $why }
    open my $lock, '>', "$cache/$name.lock" or die "$cache/$name.lock: $!\n";
    flock $lock, LOCK_EX or die "lock: $!\n";
    my ($exit, $out) = run($set_up{$name}, $SET_UP_S);
    return undef if $exit == 0;
    my ($why) = reverse grep { /\S/ } split /\n/, $out;
    return "$name cannot be had on this machine: " . ($why // 'no reason given');
}

# The shell command of a program of test/clients/python or test/clients/java with its arguments.
sub command { my ($name, @words) = @_; return $command{$name} . join ' ', @words }

# The command of a member of a group, as a list.
sub member { my ($name) = @_; return @{ $member{$name} } }

1;
