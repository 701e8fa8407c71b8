# kill -9 of whole nodes under load, and a start on the same directory: no acknowledged record is lost, none of an idempotent
# producer appears twice, topics are as acknowledged, and the node is back quickly. (test/crash/crash_load.c)
use strict;
use warnings;
use IPC::Open2;
use Test::More;
use Time::HiRes qw(time sleep);
use Ottla::Test::Node;

my $READY_MS_MAX = 5000;
my $kills = $ENV{OTTLA_LONG} ? 200 : 10;
my $seed  = $ENV{OTTLA_SEED} // int(rand(1 << 31));
my $load  = "$ENV{OTTLA_BUILD}/release/crash/crash_load";
srand $seed;

# Small and frequent, so that kills meet rolls, checkpoints, snapshots and removals, too. Records of the load are old: no
# retention.
my $node = Ottla::Test::Node->new(conf => {
    'log.segment.bytes'                               => 1 << 20,
    'log.retention.ms'                                => -1,
    'log.retention.check.interval.ms'                 => 100,
    'log.segment.delete.delay.ms'                     => 100,
    'checkpoint.interval.ms'                          => 100,
    'metadata.log.max.record.bytes.between.snapshots' => 1 << 13,
    'internal.metadata.log.segment.bytes'             => 1 << 15,
    'internal.metadata.delete.delay.millis'           => 100,
})->start;

# A backend that stands still, maybe in the middle of an append, with locks.
sub stop_backend {
    my @backends = $node->children_of_kind('backend');
    my $pid = @backends ? $backends[ rand @backends ]{pid} : return undef;
    return kill('STOP', $pid) ? $pid : undef;
}

# Ways to kill a node; afterwards it is to be started.
my @ways = (
    [ everybody => sub { $node->kill9 } ],

    # Its children end by themselves; the start waits for them.
    [ supervisor => sub { $node->signal('KILL')->wait_exit } ],
    [ 'everybody, one of them stopped before' => sub { stop_backend(); sleep rand 0.2; $node->kill9 } ],
    [ 'everybody, twice' => sub { $node->kill9->launch; sleep rand 0.06; $node->kill9 } ],

    # A child that looks at nothing ends, too: otherwise it would keep the next node from starting.
    [ 'supervisor, while a backend is stopped' => sub { stop_backend(); $node->signal('KILL')->wait_exit } ],
);

my ($ms_max, @ms) = (0);

sub kill_and_start {
    my ($name, $kill) = @{ $ways[ @ms < @ways ? @ms : rand @ways ] };
    $kill->();
    my $begin = time;
    $node->launch if !$node->pid;
    $node->wait_ready;
    push @ms, int((time - $begin) * 1000);
    $ms_max = $ms[-1] if $ms[-1] > $ms_max;
    note "killed $name, ready after $ms[-1] ms";
    return;
}

my $said = '';
my $load_pid = open2(my $from, my $to, $load, $node->port, $node->pid, 'node', $kills, $seed);
while (my $line = <$from>) {
    if ($line ne "kill\n") {
        $said .= $line;
    } elsif (eval { kill_and_start(); 1 }) {
        syswrite $to, "up\n";
    } else {
        fail('starts again') or diag $@;
        close $to;
    }
}
waitpid $load_pid, 0;
my $exit = $? >> 8;
note $said;
is($exit, 0, "the load's own checks, seed $seed") or diag $said, $node->log_tail;
is(scalar @ms, $kills, 'so many were killed');
ok($ms_max < $READY_MS_MAX, "ready within $READY_MS_MAX ms, each time") or diag "@ms";
unlike($node->log_text, qr/PANIC/, 'no process failed by itself');
is($node->stop('fast'), 0, 'clean stop');
$node->start;

# What a kill left of a deleted topic goes, or is set aside when the kill came before its folder got its new name.
sub folders { map { m{/(churn-[^/]+)$} } glob join ' ', map { $node->dir . $_ } '/*/churn-*', '/churn-*' }
my $strays = grep { /-stray$/ } folders();
note "$strays folders set aside";
my @live = map { "$_-0" } split ' ', $said =~ /^# live topics:(.*)$/m ? $1 : '';
my @there;
ok(eval { $node->wait_until('folders of the topics that are there, no others', sub {
    @there = grep { !/-stray$/ } folders();
    "@{[ sort @there ]}" eq "@{[ sort @live ]}";
}, 10) }, 'folders of the topics that are there, no others') or diag "there: @there, expected: @live";
is($node->stop('fast'), 0, 'and start and stop again');
done_testing;
