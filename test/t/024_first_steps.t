# What a newcomer does, right and wrong: settings written after the first start, a node started twice, a port that is taken, a
# directory of somebody else, settings that are not. Each ends with the exit code of ottlad(8) and a line that helps.
use strict;
use warnings;
use Test::More;
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch);
use Ottla::Test::Node;

# Runs ottlad until it ends; (exit code, all it said).
sub ottlad {
    my (@arguments) = @_;
    my $said = '';
    my $pid = open my $out, '-|' // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT or die "dup: $!";
        exec 'timeout', 30, Ottla::Test::Node::binary(), @arguments or die "exec: $!";
    }
    $said .= $_ while <$out>;
    close $out;
    return ($? >> 8, $said);
}

my @user = $> == 0 ? ('--user', 'root') : ();
my $node = Ottla::Test::Node->new->start;
my $other = "$node->{base}/other";

subtest 'a file of settings that was not there at the first start' => sub {
    open my $file, '>', "$node->{dir}/ottla.conf" or die "ottla.conf: $!";
    print $file "log.retention.ms = 7d\nlog.retention.bytes = many\n";
    close $file;
    $node->reload;
    $node->wait_for_log(qr{ottla\.conf:2: log\.retention\.bytes = "many"});
    pass('a mistake in it is named');
    my $c = Ottla::Test::Api->new($node);
    $c->make_topic('t');
    my $error = sub { $c->produce('t', batch(records => [ 'x' x 2000 ]), acks => 1)->{error_code} };
    is($error->(), 0, 'a record before');
    open $file, '>', "$node->{dir}/ottla.conf" or die "ottla.conf: $!";
    print $file "message.max.bytes = 1000\n";
    close $file;
    $node->reload;
    $node->wait_until('the limit to be in force', sub { $error->() == 10 });
    pass('what it says is in force');
    unlink "$node->{dir}/ottla.conf" or die "unlink: $!";
    $node->reload;
    $node->wait_until('the limit to be gone', sub { $error->() == 0 });
    pass('and no longer when it is gone');
};

subtest 'mistakes' => sub {
    my @cases = (
        [ 'started twice', 75, qr/locked by process @{[ $node->pid ]}/, '-D', $node->dir, '-p', Ottla::Test::Node::free_port() ],
        [ 'port in use', 1, qr/@{[ $node->port ]}.*in use.*HINT/s, '-D', $other, '-p', $node->port ],
        [ 'a file for a directory', undef, qr/not a directory/, '-D', $node->{log} ],
        [ 'no such setting', 78, qr/unknown setting "log\.retention\.mss"/, '-D', $other, '-c', 'log.retention.mss=1' ],
        [ 'a wrong value', 78, qr/log\.retention\.ms = "soon"/, '-D', $other, '-c', 'log.retention.ms=soon' ],
        [ 'a missing directory that must be there', 1, qr/does not exist/, '-D', "$other-2", '--no-auto-format' ],
        [ 'no directory', 78, qr/-D DIR is missing/ ],
    );
    for my $case (@cases) {
        my ($what, $exit, $pattern, @arguments) = @$case;
        my ($got, $said) = ottlad(@arguments, @arguments ? @user : ());
        is($got, $exit, "$what: exit code") if defined $exit;
        isnt($got, 0, "$what: no success");
        like($said, $pattern, '... and says so');
    }
};

subtest 'somebody else owns the directory' => sub {
    plan skip_all => 'only root can give a directory away' if $> != 0;
    mkdir $_ or die "$_: $!" for my $foreign = "$node->{base}/foreign";
    chown 65534, 65534, $foreign;
    my ($got, $said) = ottlad('-D', $foreign, '-p', Ottla::Test::Node::free_port(), @user);
    is($got, 77, 'exit code') or diag $said;
    like($said, qr/belongs to user 65534.*HINT/s, '... and says what to do');
};

is($node->stop('fast'), 0, 'the node of before was not disturbed');
done_testing;
