# Groups of librdkafka, classic and consumer, static and dynamic members, which join, leave, are killed, are stopped, are parted
# from the node while they go on, and come back: at every moment a partition has at most one owner whose commits are accepted,
# no committed offset goes back, and each step costs as many rebalances as with Kafka (test/perl: Rebalances). In its scripts: a
# member that falls silent (groups 9), static members that restart (groups 14, of the newer protocol groups 31) and are gone
# (groups 16), cooperative members (groups 17), a group that moves to the newer protocol and back (groups 32; where none may:
# 709_no_migration.t).
use strict;
use warnings;
use Ottla::Test::Rebalances qw(go_through);

go_through(
    (map { [ $_, 'dynamic' ], [ $_, 'brief' ] } qw(c-range c-cooperative c-consumer)),
    (map { [ $_, 'static' ], [ $_, 'twins' ] } qw(c-range c-consumer)),
    [ 'c-new-range', 'moves' ],
    $ENV{OTTLA_LONG} ? ((map { [ $_, 'dynamic' ] } qw(c-new-range c-consumer-range)), [ 'c-cooperative', 'static' ], [ 'c-cooperative', 'twins' ]) : (),
);
