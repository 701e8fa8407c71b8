# The Java client and kafka-python while everything under them changes: settings of topics and of the node, quotas, more
# partitions, topics deleted and made anew under the same name. What they write idempotently is read once and in order,
# nothing is refused that Kafka would not refuse, and a topic that came and went works at the end (test/clients: Storm).
use strict;
use warnings;
use IPC::Open2;
use Ottla::Test::Api;
use Ottla::Test::Clients;
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time sleep);

my $SECONDS    = $ENV{OTTLA_LONG} ? 300 : 5;
my $PARTITIONS = 6;
my $MIB        = 1 << 20;
my $seed       = $ENV{OTTLA_SEED} // int rand 1 << 30;
srand $seed;
note "OTTLA_SEED=$seed";

# Values that a setting goes through; none makes the node refuse or delete what the clients write. undef: taken back.
my %topic_settings = (
    'segment.bytes'             => [ $MIB, 2 * $MIB, 1 << 30, undef ],
    'segment.ms'                => [ 1000, 604800000, undef ],
    'segment.index.bytes'       => [ 1000, 10485760, undef ],
    'index.interval.bytes'      => [ 0, 100, 4096, undef ],
    'retention.ms'              => [ -1, 3600000, undef ],
    'retention.bytes'           => [ -1, 1 << 40, undef ],
    'max.message.bytes'         => [ 200_000, 5 * $MIB, undef ],
    'compression.type'          => [ qw(producer gzip snappy lz4 zstd uncompressed), undef ],
    'message.timestamp.type'    => [ qw(CreateTime LogAppendTime), undef ],
    'min.insync.replicas'       => [ 1, 2, undef ],
    'acks.durability'           => [ qw(auto memory disk), undef ],
    'flush.messages'            => [ 1, 100, undef ],
    'flush.ms'                  => [ 10, undef ],
    'file.delete.delay.ms'      => [ 0, 60000, undef ],
    'cleanup.policy'            => [ 'delete', '', undef ],
    'unclean.leader.election.enable' => [ 'true', 'false', undef ],
);
my %node_settings = (
    'log.segment.bytes'          => [ $MIB, 1 << 30, undef ],
    'compression.type'           => [ qw(producer lz4 gzip), undef ],
    'message.max.bytes'          => [ 300_000, 2 * $MIB, undef ],
    'log.index.interval.bytes'   => [ 100, undef ],
    'log.message.timestamp.type' => [ qw(LogAppendTime CreateTime), undef ],
    'log.retention.ms'           => [ 3600000, undef ],
    'acks.durability'            => [ qw(memory disk), undef ],
    'max.connections.per.ip'     => [ 1000, undef ],
);
my %quotas = (producer_byte_rate => [ 300_000, undef ], consumer_byte_rate => [ 300_000, undef ],
    request_percentage => [ 50, undef ], controller_mutation_rate => [ 1000, undef ]);

my %client = (
    java   => [ 'Storm' ],
    python => [ 'storm.py' ],
);
my @ready = grep { my $why = Ottla::Test::Clients::missing($_); diag $why if $why; !$why } sort keys %client;
plan skip_all => 'no client is there' if !@ready;

my $node = Ottla::Test::Node->new(conf => { 'log.retention.check.interval.ms' => 50, 'log.initial.task.delay.ms' => 50,
    'log.segment.delete.delay.ms' => 20, 'checkpoint.interval.ms' => 300,
    'quota.window.size.seconds' => 1, 'quota.window.num' => 3 })->start;
my $c = Ottla::Test::Api->new($node);
my %count;

sub any { return $_[ int rand @_ ] }

sub alter {
    my ($topic, $settings) = @_;
    my @names = map { any(keys %$settings) } 1 .. 1 + int rand 3;
    my %change = map { $_ => any(@{ $settings->{$_} }) } @names;
    my $error = $c->alter_config($topic, %change);
    my $text = join ', ', map { "$_=" . ($change{$_} // 'none') } sort keys %change;
    fail("$topic: $text: error $error") if $error;
    $count{ $topic eq '' ? 'of the node' : 'of a topic' }++;
    return;
}

sub alter_quota {
    my $key = any(keys %quotas);
    my $error = $c->alter_quota({ 'client-id' => undef }, { $key => any(@{ $quotas{$key} }) });
    fail("$key: error $error") if $error;
    $count{quotas}++;
    return;
}

my %partitions;

sub add_partition {
    my ($topic) = @_;
    return if $partitions{$topic} >= $PARTITIONS || rand() > 0.3;
    my $answer = $c->ask(CreatePartitions => 3, { topics => [ { name => $topic, count => ++$partitions{$topic}, assignments => undef } ], timeout_ms => 10000 });
    is($answer->{results}[0]{error_code}, 0, "$topic: partition $partitions{$topic}");
    return;
}

# Deleted and made anew. A producer that asks for metadata in between makes it, too, as in Kafka.
sub renew {
    my ($topic) = @_;
    my $error = $c->delete_topic($topic);
    fail("$topic is deleted: error $error") if $error && $error != 3;
    sleep rand 0.02;
    $error = $c->create_topic($topic);
    fail("$topic is made: error $error") if $error && $error != 36;
    $count{renewed}++;
    return;
}

my @running;
for my $name (@ready) {
    my ($exact, $again) = ("$name-exact", "$name-again");
    $partitions{$exact} = 2;
    $c->make_topic($exact, 2);
    $c->make_topic($again);
    my $pid = open2(my $out, my $in, 'bash', '-c', 'exec 2>&1; exec ' . Ottla::Test::Clients::command($name, @{ $client{$name} }, $node->address, $exact, $again));
    push @running, { name => $name, exact => $exact, again => $again, pid => $pid, out => $out, in => $in };
}
$node->wait_until('the clients to write', sub { !grep { !$c->list_offset($_->{exact}, 0, -1) } @running });

my $end = time + $SECONDS;
my $restore = 0;    # when topics that want two replicas are given back theirs
while (time < $end) {
    my $r = any(@running);
    my $what = rand;
    if    ($what < 0.6)  { alter($r->{exact}, \%topic_settings) }
    elsif ($what < 0.75) { alter('', \%node_settings) }
    elsif ($what < 0.85) { alter_quota() }
    elsif ($what < 0.93) { add_partition($r->{exact}) }
    else                 { renew($r->{again}) }
    if (time > $restore) {
        $c->alter_config($_->{exact}, 'min.insync.replicas' => undef) for @running;
        $restore = time + 0.3;
    }
    sleep rand 0.03;
}
$c->alter_config($_->{exact}, 'min.insync.replicas' => undef) for @running;
$c->alter_quota({ 'client-id' => undef }, { map { $_ => undef } keys %quotas });

for my $r (@running) {
    { local $SIG{PIPE} = 'IGNORE'; syswrite $r->{in}, "\n" }    # whose client has given up says why
    my $out = do { local $/; local $SIG{ALRM} = sub { kill 'KILL', $r->{pid} }; alarm 120; readline $r->{out} };
    waitpid $r->{pid}, 0;
    alarm 0;
    is($?, 0, "$r->{name}: each record once and in order") or diag $out;
    note $out;
}
note join ', ', map { "$_: $count{$_}" } sort keys %count;
unlike($node->log_text, qr/PANIC|assert/i, 'no process failed');
is($node->stop, 0, 'stop');
done_testing;
