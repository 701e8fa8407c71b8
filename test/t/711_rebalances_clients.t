# The same as 710_rebalances.t of the clients for Java, Python, Go and JavaScript; briefly, unless there is time.
use strict;
use warnings;
use Ottla::Test::Rebalances qw(go_through);

my @brief  = qw(java-range java-consumer kafka-python go-cooperative kafkajs);
my @dynamic = qw(java-range java-cooperative java-consumer confluent-consumer go-range go-cooperative kafkajs);
my @static  = qw(java-range java-cooperative java-consumer kafka-python confluent-consumer go-cooperative);
go_through($ENV{OTTLA_LONG}
    ? ((map { [ $_, 'dynamic' ] } @dynamic), (map { [ $_, 'static' ] } @static), [ 'kafka-python', 'members' ])
    : (map { [ $_, 'brief' ] } @brief));
