# The same as 710_rebalances.t of the clients for Java, Python, Go and JavaScript; briefly, unless there is time.
use strict;
use warnings;
use Ottla::Test::Rebalances qw(go_through);

my @twins   = qw(java-range java-consumer kafka-python confluent-consumer go-cooperative);
my @brief   = (@twins, 'kafkajs');
my @dynamic = qw(java-range java-cooperative java-consumer confluent-consumer go-range go-cooperative kafkajs);
my @static  = qw(java-range java-cooperative java-consumer kafka-python confluent-consumer go-cooperative);
go_through(
    (map { [ $_, 'brief' ] } @brief, $ENV{OTTLA_LONG} ? qw(java-cooperative go-range) : ()),
    (map { [ $_, 'twins' ] } @twins, $ENV{OTTLA_LONG} ? 'java-cooperative' : ()),
    $ENV{OTTLA_LONG} ? ((map { [ $_, 'dynamic' ] } @dynamic), (map { [ $_, 'static' ] } @static), [ 'kafka-python', 'members' ]) : (),
);
