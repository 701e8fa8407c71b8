# Ordinary clients, unchanged: each creates topics, produces with every codec it has (keys, headers, null and empty values,
# idempotently) and reads back the same bytes. A client whose language or registry is not there is skipped with a line.
use strict;
use warnings;
use Test::More;
use Ottla::Test::Clients;
use Ottla::Test::Node;

my $cache = $Ottla::Test::Clients::cache;
my $run   = \&Ottla::Test::Clients::run;
my $tool  = \&Ottla::Test::Clients::command;

my $node   = Ottla::Test::Node->new->start;
my $server = $node->address;

# A client is made ready, then its runs must succeed.
sub client {
    my ($name, $kind, @runs) = @_;
    subtest $name => sub {
        my $why = Ottla::Test::Clients::missing($kind);
        plan skip_all => $why if defined $why;
        for my $command (@runs) {
            my ($exit, $out) = $run->($command);
            is($exit, 0, $command) or diag $out;
            note $out;
        }
    };
    return;
}

client('librdkafka', 'librdkafka', "$cache/roundtrip-c $server c");
client($_, 'python', $tool->('python', 'roundtrip.py', $_, $server, $_)) for qw(confluent kafka-python);
client('java', 'java', $tool->('java', 'RoundTrip', $server, 'java'));
client('franz-go', 'go', "$cache/go/roundtrip $server go");
client('kafkajs', 'node',
    "KAFKAJS_NO_PARTITIONER_WARNING=1 node $cache/node/roundtrip.js $server js",
    "$cache/roundtrip-c --read $server js-none",
    "$cache/roundtrip-c --read $server js-gzip");

subtest kcat => sub {
    my ($exit, $out) = $run->("kcat -L -b $server");
    is($exit, 0, 'kcat -L') or diag $out;
    like($out, qr/topic "c-zstd" with 3 partitions/, 'lists the topics');
    for my $codec (qw(none gzip snappy lz4 zstd)) {
        my $topic = "kcat-$codec";
        my $sent  = join '', map { "k" . ($_ % 7) . "\tvalue $_ " . ('x' x ($_ % 300)) . "\n" } 1 .. 500;
        open my $file, '>', "$cache/kcat.in" or die;
        print {$file} $sent;
        close $file;
        my $z = $codec eq 'none' ? '' : "-z $codec";
        ($exit, $out) = $run->("kcat -P -b $server -t $topic -p 0 -K \"\\t\" $z -H a=b -X enable.idempotence=true <$cache/kcat.in");
        is($exit, 0, "kcat -P $codec, into a topic that is made on demand") or diag $out;
        ($exit, $out) = $run->("kcat -C -q -e -b $server -t $topic -p 0 -o beginning -K \"\\t\" -X check.crcs=true");
        is($exit, 0, "kcat -C $codec") or diag $out;
        is($out, $sent, "$codec: the same bytes");
    }
    ($exit, $out) = $run->("kcat -C -q -e -b $server -t js-none -p 0 -o beginning -f \"%k|%S\\n\" | wc -l");
    is($out + 0, 100, 'kcat reads what kafkajs wrote') if $out !~ /rror/;
};

unlike($node->log_text, qr/PANIC/, 'no process failed');
is($node->stop('fast'), 0, 'clean stop');
done_testing;
