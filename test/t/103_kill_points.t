# kill -9 at every marked point of the code: each name that a crashpoint() in the sources has is armed in turn, and whatever
# process of a loaded node comes by there first dies at that instant. Nothing acknowledged is lost or doubled (design.md 2, 4).
# A coordinator that dies is started again alone; whoever else keeps state for others takes all with it.
# Clients: writers and readers of raw requests, idempotent and not, acks=all and 1, commits of offsets for groups, and topics
# made and deleted (crash_load.c);
# librdkafka, idempotent and not (rdkafka_load.c); kafka-python where it can be had (python_load.py); one in Perl
# that fills and ages topics so that segments roll and go, and has a log move between two directories.
# A new name is covered at once; one that nothing reaches fails the test.
use strict;
use warnings;
use File::Temp qw(tempdir);
use IPC::Open2;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(time sleep);
use Ottla::Test::Api;
use Ottla::Test::Clients;
use Ottla::Test::Crashpoints;
use Ottla::Test::Node;
use Ottla::Test::Wait qw(comes_true);
use Ottla::Test::Wire;

my $REACH_S      = 30;                              # until somebody must have come by
my $PACE_S       = 0.02;                            # of the client in Perl, between rounds
my $COORDINATORS = 4;
my $ALONE_MAX    = 5;                               # so many of them within a minute, and as many at points of mailboxes: no rule
my $CYCLES_MAX   = 3;                               # five crash cycles within ten minutes end a node (design.md 4)
my $rounds       = $ENV{OTTLA_LONG} ? 25 : 1;
my $seed         = $ENV{OTTLA_SEED} // int(rand(1 << 31));
my $crash        = "$ENV{OTTLA_BUILD}/release/crash";
srand $seed;

# ---- the points ----

my %file_of = Ottla::Test::Crashpoints::names('src');
my @names   = $ENV{OTTLA_POINT} ? $ENV{OTTLA_POINT} : sort keys %file_of;
ok(@names > 0, scalar(@names) . ' names in the sources');

# What must be done besides the load: who dies in an append leaves something to repair; logs are opened by a start; a
# start finds folders of deleted topics that nobody could rename any more; a log moves now and then; groups are loaded
# by a coordinator that is started.
sub is_repair  { $_[0] =~ /^plog\.repair\./ }
sub is_open    { $_[0] =~ /^plog\.open\./ }
sub is_removed { $_[0] =~ /^controller\.removed\./ }
sub is_rare    { $_[0] =~ /^plog\.move\./ }
sub is_load    { $_[0] =~ /^coordinator\.mid_load$/ }
sub is_alone   { $_[0] =~ /^coordinator\./ }

# ---- the node and its armed rows ----

# No disk is waited for: what processes wrote survives them.
local $ENV{TMPDIR} = '/dev/shm' if -w '/dev/shm';
my $base = tempdir(CLEANUP => 1);
chmod 0755, $base;
my @dirs = map { "$base/$_" } qw(a b);
mkdir $_ or die "$_: $!" for @dirs;
my $points = Ottla::Test::Crashpoints->new("$base/crashpoints");
my $node   = Ottla::Test::Node->new($points->node,
    conf => {
        'log.dirs'                                        => join(',', @dirs),
        'log.segment.bytes'                               => 1 << 20,
        'log.retention.ms'                                => -1,
        'log.retention.check.interval.ms'                 => 100,
        'log.initial.task.delay.ms'                       => 100,
        'log.segment.delete.delay.ms'                     => 100,
        'checkpoint.interval.ms'                          => 100,
        'log.flush.interval.ms'                           => 100,    # who appends with acks=1 asks for it
        'group.coordinator.threads'                       => $COORDINATORS,
        'log.admin'                                       => 'false',  # topics come and go by the thousand
        'metadata.log.max.record.bytes.between.snapshots' => 1 << 13,
        'internal.metadata.log.segment.bytes'             => 1 << 14,
    });

# ---- the client in Perl ----

my $MIB    = 1 << 20;
my @filled = ([ 'filled', { 'retention.bytes' => 1 } ], [ 'aged', { 'retention.ms' => 1 } ], [ 'moved', { 'retention.bytes' => 4 << 20 } ]);

# A log is to go elsewhere; no, it is to stay; yes, it is to go.
sub change_directory {
    my ($n) = @_;
    my $c = Ottla::Test::Api->new($node);
    $c->ask(AlterReplicaLogDirs => 2, { dirs => [ { path => $dirs[ $_ % 2 ], topics => [ { name => 'moved', partitions => [0] } ] } ] }) for $n, $n + 1, $n;
    return;
}

sub fill_topics {
    my $stop = 0;
    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{__WARN__} = sub { };    # answers that broke off
    my $batch = Ottla::Test::Wire::batch(300_000, 1000);
    my $turn = 0;
    while (!$stop) {
        eval {
            local $SIG{ALRM} = sub { die "silence\n" };
            my $c = Ottla::Test::Wire->new($node);
            $c->create_topic($_->[0], 1, 'segment.bytes' => $MIB, 'file.delete.delay.ms' => 100, %{ $_->[1] }) for @filled;
            while (!$stop) {
                alarm 5;
                $c->call(0, 7, Ottla::Test::Wire::produce_body($_->[0], $batch, -1)) // die "broken\n" for @filled;
                change_directory(int($turn / 8)) if $turn++ % 8 == 0;
                alarm 0;
                sleep $PACE_S;
            }
        };
        alarm 0;
        sleep $PACE_S;
    }
    POSIX::_exit(0);
}

# ---- killing ----

my ($kills, $restarts, @alone, %unreached) = (0, 0);

# between: done while nobody lives.
sub restart_node {
    my ($between) = @_;
    $node->kill9;
    $between->() if $between;
    $node->launch;
    $restarts++;
    return;
}

sub crash_cycles { return scalar(() = $_[0] =~ /stopping all processes after a crash/g) }

# Its successor is there, and all others stayed; but for one who dies again and again.
sub settle_alone {
    my ($pid, $cycles) = @_;
    push @alone, time;
    $node->wait_until('another coordinator', sub {
        my @now = $node->children_of_kind('coordinator');
        @now == $COORDINATORS && !grep { $_->{pid} == $pid } @now;
    }, 20);
    return if grep({ $_ > time - 60 } @alone) >= $ALONE_MAX;
    is(crash_cycles($node->log_of_this_start), $cycles, 'nobody else was stopped');
    return;
}

# A worker's death stops all children; too many of these would end the node. Two may die at the same point at once; who dies
# while all are being stopped because of another has no obituary of its own. cycles: how many there were before.
sub settle {
    my ($pid, $cycles) = @_;
    my $log;
    $node->wait_until("obituary of $pid, or of all", sub {
        $log = $node->log_of_this_start;
        $log =~ / died by signal 9: .* pid=$pid / || crash_cycles($log) > $cycles;
    }, 20);
    $node->wait_until('recovery', sub {
        $log = $node->log_of_this_start;
        $log !~ /.*stopping all processes after a crash(?!.*(?:node recovered after a crash|supervisor: ready;))/s;
    }, 20);
    return if crash_cycles($log) < $CYCLES_MAX;
    restart_node();
    $node->wait_ready;
    return;
}

sub delete_under_a_stopped_retention {
    my ($retention) = $node->children_of_kind('retention');
    my $c = Ottla::Test::Wire->new($node);
    my $topic = 'doomed-' . ++$restarts;
    $c->create_topic($topic);
    $c->call(0, 7, Ottla::Test::Wire::produce_body($topic, Ottla::Test::Wire::batch(100, 1), -1)) // die 'broken';
    kill 'STOP', $retention->{pid};
    $c->delete_topic($topic);
    return;
}

sub kill_at {
    my ($point) = @_;
    my $cycles = is_removed($point) || is_open($point) ? 0 : crash_cycles($node->log_of_this_start);
    if (is_removed($point)) {
        delete_under_a_stopped_retention();
        restart_node(sub { $points->arm(0, $point, 1) });
    } elsif (is_open($point)) {
        restart_node(sub { $points->arm(0, $point, 1) });
    } else {
        $points->arm(0, $point, is_rare($point) ? 1 : 1 + int rand 3);
        $points->arm(1, 'plog.append.written', 1) if is_repair($point);
        $points->arm(1, 'coordinator.after_append', 1) if is_load($point);
    }
    my $begin = time;
    comes_true(sub {
        $points->arm(1, 'plog.append.written', 1) if is_repair($point) && $points->died(1);
        $points->died(0);
    }, (is_rare($point) ? 3 : 1) * $REACH_S);
    my $reached = $points->died(0);
    note sprintf '%.2f s: %s %s', time - $begin, $point, $reached ? "killed $reached" : 'not reached';
    $unreached{$point} = 1 if !$reached;
    $kills++ if $reached;
    $points->disarm;
    $node->wait_ready;
    settle_alone($reached, $cycles) if $reached && is_alone($point);
    settle($reached, $cycles) if $reached;
    return;
}

# ---- the test ----

$node->start;
my $setup = Ottla::Test::Wire->new($node);
$setup->create_topic($_) for qw(rdkafka-idempotent rdkafka-plain python-idempotent python-plain);
my $filler = fork // die "fork: $!";
fill_topics() if !$filler;
my @clients = ([ 'librdkafka', "$crash/rdkafka_load", $node->port ]);
SKIP: {
    my $why = Ottla::Test::Clients::missing('python');
    skip $why, 1 if defined $why;
    push @clients, [ 'kafka-python', "$Ottla::Test::Clients::cache/python/bin/python", 'test/crash/python_load.py', $node->address ];
    pass('kafka-python takes part');
}
for my $client (@clients) {
    my ($name, @command) = @$client;
    my $pid = open2(my $out, my $in, @command);
    $client = { name => $name, pid => $pid, out => $out, in => $in };
}
my @order    = map { shuffle @names } 1 .. $rounds;
my $load_pid = open2(my $from, my $to, "$crash/crash_load", $node->port, $node->pid, 'node', scalar(@order), $seed);
my $said = '';
while (my $line = <$from>) {
    if ($line ne "kill\n") {
        $said .= $line;
    } elsif (eval { kill_at(shift @order); 1 }) {
        syswrite $to, "up\n";
    } else {
        fail('starts again') or diag $@;
        close $to;
    }
}
waitpid $load_pid, 0;
is($? >> 8, 0, "the load's own checks, seed $seed") or diag $said, $node->log_tail;
note $said;
kill 'TERM', $filler;
waitpid $filler, 0;
for my $client (@clients) {
    print { $client->{in} } "stop\n";
    my $text = do { local $/; readline $client->{out} };
    waitpid $client->{pid}, 0;
    is($? >> 8, 0, "the checks of $client->{name}") or diag $text, $node->log_tail;
    note $text;
}
note "$kills processes killed, $restarts times the node";
is_deeply([ sort keys %unreached ], [], 'somebody came by at every point');
unlike($node->log_text, qr/PANIC|AddressSanitizer|runtime error|cannot be opened/, 'no process failed by itself');
is($node->stop('fast'), 0, 'clean stop') or diag $node->log_tail;
$node->start;
is($node->stop('fast'), 0, 'and start and stop again');
done_testing;
