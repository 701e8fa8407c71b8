# A deletion that was acknowledged stays one when kill -9 comes before the folders got their new names: after the start they are
# removed, not set aside as strays; folders of nobody's are. Snapshots do not forget it either. (log.md 5.3, 5.4)
use strict;
use warnings;
use Ottla::Test::Node;
use Ottla::Test::Wire;
use Test::More;

my $node = Ottla::Test::Node->new(conf => {
    'log.retention.check.interval.ms'                 => 100,
    'log.segment.delete.delay.ms'                     => 100,
    'metadata.log.max.record.bytes.between.snapshots' => 1024,
})->start;
my $batch = Ottla::Test::Wire::batch(100, 1);

sub folders { my ($like) = @_; return grep { -d } glob $node->dir . "/log/$like" }

for my $round (1 .. 3) {
    my $c = Ottla::Test::Wire->new($node);
    my @topics = map { "doomed-$round-$_" } 1 .. 20;
    for my $topic (@topics) {
        $c->create_topic($topic);
        my ($error) = Ottla::Test::Wire::produced($c->call(0, 7, Ottla::Test::Wire::produce_body($topic, $batch)), $topic);
        die "produce: $error" if $error;
    }
    my ($retention) = $node->children_of_kind('retention');
    kill 'STOP', $retention->{pid} or die "kill: $!";    # what a kill at the wrong instant looks like
    $c->delete_topic($_) for @topics;
    is(scalar(folders("doomed-$round-*")), 20, 'deleted, and the folders are still there');
    mkdir $node->dir . "/log/nobodys-$round" or die "mkdir: $!";
    $node->kill9->start;
    $node->wait_until('the folders are gone', sub { !folders("doomed-$round-*") }, 10);
    is(scalar(folders("doomed-*")), 0, 'gone after kill -9, none is a stray');
    $node->wait_until('a stray', sub { folders("nobodys-$round.*-stray") }, 10);
    is(scalar(folders("nobodys-$round.*-stray")), 1, 'a folder of nobody is set aside');
}
is($node->stop('fast'), 0, 'clean stop');
done_testing;
