# Ordinary clients, unchanged: each creates topics, produces with every codec it has (keys, headers, null and empty values,
# idempotently) and reads back the same bytes. A client whose language or registry is not there is skipped with a line.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Path qw(make_path);
use Test::More;
use Ottla::Test::Node;

my $here  = getcwd() . '/test/clients';
my $cache = ($ENV{OTTLA_BUILD} // 'build') . '/clients';
make_path($cache);

# Runs a shell command with a limit; (exit code, output).
sub run {
    my ($command, $seconds) = @_;
    my $out = qx(exec 2>&1; timeout @{[ $seconds // 120 ]} bash -c '$command' </dev/null);
    return ($? >> 8, $out);
}

my $node   = Ottla::Test::Node->new->start;
my $server = $node->address;

# A client is made ready by setup (kept in build/clients; false: not here), then its run must succeed.
sub client {
    my ($name, $setup, @runs) = @_;
    subtest $name => sub {
        my ($exit, $out) = run($setup, 120);    # registries that do not answer must not cost the whole check
        if ($exit != 0) {
            my ($why) = reverse grep { /\S/ } split /\n/, $out;
            plan skip_all => "$name cannot be had on this machine: " . ($why // 'no reason given');
        }
        for my $run (@runs) {
            ($exit, $out) = run($run);
            is($exit, 0, $run) or diag $out;
            note $out;
        }
    };
    return;
}

client('librdkafka',
    "test -f /usr/include/librdkafka/rdkafka.h && gcc -Wall -Wextra -O1 -o $cache/roundtrip-c $here/c/roundtrip.c -lrdkafka",
    "$cache/roundtrip-c $server c");

for my $python (qw(confluent kafka-python)) {
    client($python,
        "test -e $cache/python/ready || { rm -rf $cache/python; python3 -m venv $cache/python && "
            . "$cache/python/bin/pip install -q --disable-pip-version-check -r $here/python/requirements.txt && touch $cache/python/ready; }",
        "$cache/python/bin/python $here/python/roundtrip.py $python $server $python");
}

client('java',
    "command -v javac mvn >/dev/null && { test -e $cache/java/ready || { mkdir -p $cache/java && "
        . "mvn -q -B -f $here/java/pom.xml dependency:copy-dependencies -DoutputDirectory=$cache/java/jars -DbuildDirectory=$cache/java && "
        . "javac -cp \"$cache/java/jars/*\" -d $cache/java/classes $here/java/RoundTrip.java && touch $cache/java/ready; }; }",
    "java -Xmx256m -cp \"$cache/java/jars/*:$cache/java/classes\" RoundTrip $server java");

client('franz-go',
    "command -v go >/dev/null && mkdir -p $cache/go && cd $here/go && go build -o $cache/go/roundtrip .",
    "$cache/go/roundtrip $server go");

client('kafkajs',
    "command -v npm >/dev/null && { test -e $cache/node/ready || { mkdir -p $cache/node && cp $here/node/package.json $cache/node/ && "
        . "cd $cache/node && npm install --silent --no-audit --no-fund && touch ready; }; } && cp $here/node/roundtrip.js $cache/node/",
    "KAFKAJS_NO_PARTITIONER_WARNING=1 node $cache/node/roundtrip.js $server js",
    "$cache/roundtrip-c --read $server js-none",
    "$cache/roundtrip-c --read $server js-gzip");

subtest kcat => sub {
    plan skip_all => 'kcat is not on this machine' if !grep { -x "$_/kcat" } split /:/, $ENV{PATH};
    my ($exit, $out) = run("kcat -L -b $server");
    is($exit, 0, 'kcat -L') or diag $out;
    like($out, qr/topic "c-zstd" with 3 partitions/, 'lists the topics');
    for my $codec (qw(none gzip snappy lz4 zstd)) {
        my $topic = "kcat-$codec";
        my $sent  = join '', map { "k" . ($_ % 7) . "\tvalue $_ " . ('x' x ($_ % 300)) . "\n" } 1 .. 500;
        open my $file, '>', "$cache/kcat.in" or die;
        print {$file} $sent;
        close $file;
        my $z = $codec eq 'none' ? '' : "-z $codec";
        ($exit, $out) = run("kcat -P -b $server -t $topic -p 0 -K \"\\t\" $z -H a=b -X enable.idempotence=true <$cache/kcat.in");
        is($exit, 0, "kcat -P $codec, into a topic that is made on demand") or diag $out;
        ($exit, $out) = run("kcat -C -q -e -b $server -t $topic -p 0 -o beginning -K \"\\t\" -X check.crcs=true");
        is($exit, 0, "kcat -C $codec") or diag $out;
        is($out, $sent, "$codec: the same bytes");
    }
    ($exit, $out) = run("kcat -C -q -e -b $server -t js-none -p 0 -o beginning -f \"%k|%S\\n\" | wc -l");
    is($out + 0, 100, 'kcat reads what kafkajs wrote') if $out !~ /rror/;
};

unlike($node->log_text, qr/PANIC/, 'no process failed');
is($node->stop('fast'), 0, 'clean stop');
done_testing;
