#!/usr/bin/perl
# 310_configs.t - settings are described and changed by request, and take effect while the node runs
#
# Proves: acceptance scenarios 16 to 20 of admin-and-security.md 14; each setting that can change while
# the node runs and that something acts upon does so without a restart, for topics that exist and
# connections that live; the same for a file read again on SIGHUP; what was set survives kill -9; what
# has no use is kept and says so; hostile requests are answered as Kafka answers them, and the node goes
# on; Apache Kafka's own kafka-configs.sh works, where it is at hand.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 'test/perl';
use Ottla::Test::Api;
use Ottla::Test::Batch qw(batch batches);
use Ottla::Test::Node;
use Test::More;
use Time::HiRes qw(time);

my ($TOPIC, $NODE, $LOGGER, $METRICS, $GROUP) = (2, 4, 8, 16, 32);
my ($SET, $DELETE, $APPEND, $SUBTRACT) = 0 .. 3;

my $node = Ottla::Test::Node->new(conf => {
        'log.retention.hours'                   => 1,
        'log.retention.check.interval.ms'       => 50,
        'log.initial.task.delay.ms'             => 50,
        'log.segment.delete.delay.ms'           => 50,
        'producer.id.expiration.check.interval.ms' => 50,
        'acks.durability'                       => 'memory',
    });
mkdir $node->dir;
write_conf("log.index.interval.bytes = 4096\n");
$node->start;
my $c = Ottla::Test::Api->new($node);

sub write_conf {
    my ($text) = @_;
    open my $file, '>', $node->dir . '/ottla.conf' or die $!;
    print $file $text;
    close $file;
}

# Error code of one change: (type, name, key, operation, value).
sub alter {
    my ($type, $name, $key, $op, $value) = @_;
    my $answer = $c->ask(IncrementalAlterConfigs => 1, { resources => [ { resource_type => $type, resource_name => $name,
        configs => [ { name => $key, config_operation => $op, value => $value } ] } ] });
    return $answer->{responses}[0]{error_code};
}

sub set_all { my ($key, $value) = @_; return alter($NODE, '', $key, $SET, $value) }

# A cluster default while the code runs.
sub with_default {
    my ($key, $value, $code) = @_;
    is(set_all($key, $value), 0, "$key=$value");
    $code->();
    is(alter($NODE, '', $key, $DELETE, undef), 0, "$key as before");
}

# The entries of a resource by name.
sub described {
    my ($type, $name, $keys, %o) = @_;
    my $answer = $c->ask(DescribeConfigs => 4, { include_synonyms => 1, include_documentation => $o{docs} ? 1 : 0,
        resources => [ { resource_type => $type, resource_name => $name, configuration_keys => $keys } ] });
    my $r = $answer->{results}[0];
    return $r->{error_code} if $r->{error_code};
    return { map { $_->{name} => $_ } @{ $r->{configs} } };
}

sub value_of { my ($type, $name, $key) = @_; my $d = described($type, $name, [$key])->{$key}; return $d && $d->{value} }

sub synonyms { my ($e) = @_; return join ' ', map { "$_->{name}=$_->{value}/$_->{source}" } @{ $e->{synonyms} } }

sub noise { my ($bytes) = @_; return join '', map { chr(33 + int rand 90) } 1 .. $bytes }

my $noise = noise(300_000);

sub segments { my ($topic) = @_; return scalar(my @all = glob $node->dir . "/log/$topic-0/*.log") }

my $topics = 0;

sub topic { my (%configs) = @_; my $name = 't' . ++$topics; $c->make_topic($name, 1, %configs); return $name }

# ---- scenarios ----

subtest 'admin 16: where a value comes from' => sub {
    my $t = topic('retention.ms' => 1000);
    is(set_all('log.retention.ms', 2000), 0, 'a default of all nodes');
    my $e = described($TOPIC, $t, ['retention.ms'])->{'retention.ms'};
    is("$e->{value} $e->{config_source}", '1000 1', 'the topic\'s own counts');
    is(synonyms($e), 'retention.ms=1000/1 log.retention.ms=2000/3 log.retention.hours=1/4 log.retention.hours=168/5', 'the others in their order');
    is(alter($TOPIC, $t, 'retention.ms', $DELETE, undef), 0, 'deleted');
    $e = described($TOPIC, $t, ['retention.ms'])->{'retention.ms'};
    is("$e->{value} $e->{config_source}", '2000 3', 'then the default of all');
    is(alter($NODE, '', 'log.retention.ms', $DELETE, undef), 0, 'deleted');
    $e = described($TOPIC, $t, ['retention.ms'])->{'retention.ms'};
    is($e->{value}, 3600000, 'then the file\'s hours');
};

subtest 'admin 17: lists' => sub {
    my $t = topic();
    is(alter($TOPIC, $t, 'cleanup.policy', $APPEND, 'compact'), 0, 'append');
    is(value_of($TOPIC, $t, 'cleanup.policy'), 'delete,compact', 'to the default');
    is(alter($TOPIC, $t, 'cleanup.policy', $SUBTRACT, 'delete'), 0, 'subtract');
    is(value_of($TOPIC, $t, 'cleanup.policy'), 'compact', 'one is left');
    is(alter($TOPIC, $t, 'retention.ms', $APPEND, '1'), 40, 'a number is no list');
};

subtest 'admin 18: settings of nodes' => sub {
    is(alter($NODE, '2', 'log.retention.ms', $SET, '1000'), 42, 'another node');
    is(alter($NODE, '', 'ssl.keystore.location', $SET, '/x'), 42, 'a listener\'s store for all');
    is(alter($NODE, '1', 'num.replica.fetchers', $SET, '8'), 42, '1 to 8');
    is(alter($NODE, '1', 'num.replica.fetchers', $SET, '2'), 0, '1 to 2');
    is(value_of($NODE, '1', 'num.replica.fetchers'), 2, 'is described');
    is(alter($NODE, '1', 'num.replica.fetchers', $DELETE, undef), 0, 'deleted');
};

subtest 'admin 19: the older request replaces all' => sub {
    my $t = topic('retention.ms' => 1000, 'flush.ms' => 5);
    my $answer = $c->ask(AlterConfigs => 2, { resources => [ { resource_type => $TOPIC, resource_name => $t,
        configs => [ { name => 'flush.ms', value => '6' } ] } ] });
    is($answer->{responses}[0]{error_code}, 0, 'accepted');
    my $d = described($TOPIC, $t);
    is($d->{'flush.ms'}{value}, 6, 'what it names');
    isnt($d->{'retention.ms'}{config_source}, 1, 'the other is gone');
};

# A line at INFO for each connection that sends nonsense.
sub nonsense {
    my $s = $node->connect_tcp;
    syswrite $s, pack 'N/a*', "\x7f\x7f";
    sysread $s, my $end, 1;
}

subtest 'admin 20: levels of log lines' => sub {
    is(alter($LOGGER, '1', 'backend', $SET, 'FOO'), 40, 'no level');
    is(value_of($LOGGER, '1', 'backend'), 'INFO', 'as it was');
    nonsense();
    $node->wait_for_log(qr/closing connection: request header/);
    is(alter($LOGGER, '1', 'backend', $SET, 'ERROR'), 0, 'ERROR');
    is(value_of($LOGGER, '1', 'backend'), 'ERROR', 'is described');
    $node->log_new;
    nonsense() for 1 .. 3;
    is(alter($LOGGER, '1', 'backend', $DELETE, undef), 0, 'deleted');
    nonsense();
    $node->wait_for_log(qr/closing connection: request header/);
    my @lines = grep { /closing connection: request header/ } split /\n/, $node->log_text;
    is(scalar @lines, 2, 'silent in between');
    my %known = map { $_ => 1 } keys %{ described($LOGGER, '1') };
    my %used;
    for my $file (glob 'src/*/*.c src/bin/*/*.c') {
        my $text = Ottla::Test::Node::slurp($file);
        $used{$1} = $file while $text =~ /log_(?:msg|more|limited)\((?:[^;"]*?,)?\s*"([a-z.]+)",/g;
    }
    is(join(' ', map { "$_ ($used{$_})" } grep { !$known{$_} } sort keys %used), '', 'every component of a line is a logger');
};

# ---- each setting takes effect ----

subtest 'segments roll as a new default says' => sub {
    my $t = topic();
    $c->produce($t, batch(records => [$noise])) for 1 .. 4;
    is(segments($t), 1, 'one so far');
    with_default('log.segment.bytes', 1 << 20, sub {
        $c->produce($t, batch(records => [$noise])) for 1 .. 4;
        cmp_ok(segments($t), '>=', 2, 'the topic that was there rolls');
    });
    my $aged = topic();
    $c->produce($aged, batch(records => ['x']));
    with_default('log.roll.ms', 1, sub {
        $node->wait_until('time rolls', sub {
            $c->produce($aged, batch(records => ['x']));
            segments($aged) >= 2;
        });
        pass('by time, too');
    });
};

subtest 'what a batch may be' => sub {
    my $t = topic();
    my $big = batch(records => [$noise]);
    my $now = int(time * 1000);
    is($c->produce($t, $big)->{error_code}, 0, 'a large batch');
    with_default('message.max.bytes', 1000, sub { is($c->produce($t, $big)->{error_code}, 10, 'is too large now') });
    is($c->produce($t, $big)->{error_code}, 0, 'and no more');
    my $late = batch(records => [ { value => 'v', timestamp => $now + 1_800_000 } ]);
    with_default('log.message.timestamp.after.max.ms', 1000, sub { is($c->produce($t, $late)->{error_code}, 32, 'too far ahead') });
    my $old = batch(records => [ { value => 'v', timestamp => $now - 1_800_000 } ]);
    with_default('log.message.timestamp.before.max.ms', 1000, sub { is($c->produce($t, $old)->{error_code}, 32, 'too old') });
    with_default('log.cleanup.policy', 'compact', sub { is($c->produce($t, batch(records => ['v']))->{error_code}, 87, 'no key') });
    with_default('log.message.timestamp.type', 'LogAppendTime', sub {
        cmp_ok($c->produce($t, batch(records => ['v']))->{log_append_time_ms}, '>=', $now, 'append time');
    });
    is($c->produce($t, batch(records => ['v']))->{log_append_time_ms}, -1, 'and no more');
};

# Bytes of one batch of a new topic as it is stored.
sub stored_size {
    my ($data) = @_;
    my $t = topic();
    $c->produce($t, batch(records => [$data]));
    return -s $node->dir . "/log/$t-0/00000000000000000000.log";
}

subtest 'how a batch is stored' => sub {
    my $text = substr($noise, 0, 3000) x 20;
    for my $codec ([ gzip => 1 ], [ snappy => 2 ], [ lz4 => 3 ], [ zstd => 4 ]) {
        my $t = topic();
        with_default('compression.type', $codec->[0], sub { $c->produce($t, batch(records => [$text])) });
        my ($b) = batches($c->fetch($t, 0)->{records});
        is($b->{codec}, $codec->[0], $codec->[0]);
    }
    is(set_all('compression.type', 'zstd'), 0, 'zstd for all');
    my %size;
    for my $level (1, 19) {
        with_default('compression.zstd.level', $level, sub { $size{$level} = stored_size(join ' ', map { $_ * 7919 % 10007 } 1 .. 8000) });
    }
    cmp_ok($size{19}, '<', $size{1}, 'more effort, fewer bytes');
    is(set_all('compression.type', 'gzip'), 0, 'gzip for all');
    for my $level (1, 9) {
        with_default('compression.gzip.level', $level, sub { $size{$level} = stored_size(join ' ', map { $_ * 7919 % 10007 } 1 .. 8000) });
    }
    cmp_ok($size{9}, '<', $size{1}, 'gzip, too');
    is(alter($NODE, '', 'compression.type', $DELETE, undef), 0, 'as it comes');
};

# Index entries that eight batches make in a new topic; a roll brings them to the file.
sub index_entries {
    my $t = topic();
    $c->produce($t, batch(records => [ substr $noise, 0, 2000 ])) for 1 .. 8;
    alter($TOPIC, $t, 'segment.ms', $SET, 1);
    $node->wait_until('a roll', sub {
        $c->produce($t, batch(records => ['v']));
        segments($t) >= 2;
    });
    return (-s $node->dir . "/log/$t-0/00000000000000000000.index") / 8;
}

subtest 'indexes' => sub {
    my $coarse = index_entries();
    my $fine;
    with_default('log.index.interval.bytes', 1, sub { $fine = index_entries() });
    cmp_ok($fine, '>', $coarse, 'an entry per batch');
    my $t = topic();
    with_default('log.index.size.max.bytes', 16, sub {
        with_default('log.index.interval.bytes', 1, sub { $c->produce($t, batch(records => ['v'])) for 1 .. 8 });
    });
    cmp_ok(segments($t), '>=', 2, 'a full index rolls');
};

subtest 'retention' => sub {
    my $start = sub { $c->offset_at($_[0], -2)->{offset} };
    my $t = topic('segment.bytes' => 1 << 20);
    $c->produce($t, batch(records => [$noise])) for 1 .. 8;
    is($start->($t), 0, 'all is there');
    with_default('log.retention.bytes', 1 << 20, sub {
        $node->wait_until('less', sub { $start->($t) > 0 });
        pass('by size');
    });
    my $left = $start->($t);
    cmp_ok($left, '<', 8, 'not all');
    with_default('log.retention.ms', 1, sub {
        $node->wait_until('nothing', sub { $start->($t) == 8 });
        pass('by time');
    });
    # Files go after the delay of the time when their segments went.
    my $waiting = sub { my ($t) = @_; return scalar(my @files = glob $node->dir . "/log/$t-0/*.deleted") };
    my ($kept, $quick) = map { topic('segment.bytes' => 1 << 20) } 1 .. 2;
    is(alter($NODE, '1', 'log.segment.delete.delay.ms', $SET, 600_000), 0, 'a long delay');
    is(alter($TOPIC, $quick, 'file.delete.delay.ms', $SET, 1), 0, 'a short one for one topic');
    for my $t ($kept, $quick) {
        $c->produce($t, batch(records => [$noise])) for 1 .. 8;
        is(alter($TOPIC, $t, 'retention.ms', $SET, 1), 0, 'all goes');
        $node->wait_until('gone', sub { $start->($t) == 8 });
    }
    $node->wait_until('files gone', sub { segments($quick) == 1 && !$waiting->($quick) });
    cmp_ok($waiting->($kept), '>', 0, 'the others wait');
    is(alter($NODE, '1', 'log.segment.delete.delay.ms', $DELETE, undef), 0, 'as before');
};

# What a view of the node says of a partition.
sub stat_of {
    my ($t, $column) = @_;
    my $own = Ottla::Test::Wire->new($node->connect_unix);
    return $own->stat('partitions', [$column], { topic => $t })->[0]{$column};
}

subtest 'flushes' => sub {
    my $t = topic();
    my $durable = sub { stat_of($t, 'durable_offset') };
    my $v = batch(records => ['v']);
    $c->produce($t, $v) for 1 .. 2;
    is($durable->(), 0, 'memory is enough for an answer');
    with_default('log.flush.interval.messages', 3, sub {
        $c->produce($t, $v);
        $node->wait_until('a flush by number', sub { $durable->() == 3 });
        pass('the third record is flushed with those before it');
    });
    $c->produce($t, $v);
    is($durable->(), 3, 'no more after that');
    with_default('log.flush.interval.ms', 1, sub {
        $c->produce($t, $v);
        $node->wait_until('a flush by time', sub { $durable->() == 5 });
        pass('by time');
    });
    with_default('acks.durability', 'disk', sub {
        $c->produce($t, $v);
        is($durable->(), 6, 'acks=all waits for the disk');
    });
};

subtest 'producers are forgotten' => sub {
    my $t = topic();
    my $id = $c->ask(InitProducerId => 4, { transactional_id => undef, transaction_timeout_ms => 1000, producer_id => -1, producer_epoch => -1 })->{producer_id};
    $c->produce($t, batch(records => ['v'], producer_id => $id, epoch => 0, sequence => 0));
    my $known = sub {
        my $a = $c->ask(DescribeProducers => 0, { topics => [ { name => $t, partition_indexes => [0] } ] });
        return scalar @{ $a->{topics}[0]{partitions}[0]{active_producers} };
    };
    is($known->(), 1, 'known');
    with_default('producer.id.expiration.ms', 1, sub {
        $node->wait_until('forgotten', sub { $known->() == 0 });
        pass('forgotten');
    });
};

# A connection that is served; undef: it was closed or is not accepted.
sub served {
    my ($seconds) = @_;
    my $s = Ottla::Test::Api->new($node) or return undef;
    $s->tell(ApiVersions => 2, {}) or return undef;
    return $s->hear($seconds) ? $s : undef;
}

subtest 'connections' => sub {
    my @kept = ($c);
    is(alter($NODE, '1', 'max.connections.per.ip', $SET, 2), 0, 'two per address');
    $node->wait_until('a third is refused', sub { my $s = served(5); push @kept, $s if $s && @kept < 2; @kept == 2 && !served(5) });
    is(alter($NODE, '1', 'max.connections.per.ip.overrides', $SET, '127.0.0.1:4'), 0, 'four for this one');
    $node->wait_until('a third is served', sub { push @kept, served(5) // (); @kept >= 3 });
    is(alter($NODE, '1', 'max.connections.per.ip', $DELETE, undef), 0, 'as before');
    is(alter($NODE, '1', 'max.connections.per.ip.overrides', $DELETE, undef), 0, 'as before');
    @kept = ($c);
    is(alter($NODE, '', 'max.connections', $SET, 2), 0, 'two in all');
    $node->wait_until('a third waits', sub { my $s = served(0.3); push @kept, $s if $s && @kept < 2; @kept == 2 && !served(0.3) });
    is(alter($NODE, '', 'max.connections', $DELETE, undef), 0, 'as before');
    ok(served(5), 'and is let in');
};

# ---- what is kept without use ----

subtest 'compaction is asked for' => sub {
    $c->make_topic("compact$_", 1, 'cleanup.policy' => 'compact') for 1 .. 3;
    is(value_of($TOPIC, 'compact2', 'cleanup.policy'), 'compact', 'kept');
    my @said = grep { /nothing is compacted yet/ } split /\n/, $node->log_text;
    is(scalar @said, 1, 'said once');
};

subtest 'what has no use says so' => sub {
    $node->log_new;
    is(set_all('log.cleaner.backoff.ms', 5), 0, 'is accepted');
    $node->wait_for_log(qr/set by request, but nothing acts on them yet: log\.cleaner\.backoff\.ms/);
    is(alter($NODE, '', 'log.cleaner.backoff.ms', $DELETE, undef), 0, 'deleted');
};

subtest 'documentation' => sub {
    my $d = described($NODE, '1', undef, docs => 1);
    my @mute = grep { !$d->{$_}{documentation} } keys %$d;
    is(join(' ', @mute), '', scalar(keys %$d) . ' settings say what they do');
    like($d->{'background.threads'}{documentation}, qr/without effect/, 'one without use says so');
    like($d->{'num.replica.fetchers'}{documentation}, qr/nothing acts on it yet/, 'one for later says so');
    is(scalar(grep { $d->{$_}{is_sensitive} && defined $d->{$_}{value} } keys %$d), 0, 'no password is told');
    is($d->{'super.users'}, undef, 'what is not Kafka\'s is not listed');
    is(described($NODE, '1', ['acks.durability'])->{'acks.durability'}{value}, 'memory', 'unless it is asked for');
};

# ---- the files ----

subtest 'SIGHUP' => sub {
    my $t = topic();
    my $coarse = index_entries();
    write_conf("log.index.interval.bytes = 1\nmessage.max.bytes = 5000\nauto.create.topics.enable = off\n");
    $node->reload->wait_for_log(qr/Reloaded/);
    $node->wait_until('smaller batches', sub { $c->produce($t, batch(records => [$noise]))->{error_code} == 10 });
    cmp_ok(index_entries(), '>', $coarse, 'topics go by the file');
    is(value_of($TOPIC, $t, 'max.message.bytes'), 5000, 'is described');
    my $d = described($NODE, '1', ['message.max.bytes'])->{'message.max.bytes'};
    is("$d->{value} $d->{config_source}", '5000 4', 'as the file\'s');
    with_default('message.max.bytes', 1 << 20, sub { is($c->produce($t, batch(records => [$noise]))->{error_code}, 0, 'a request weighs more') });
    my $m = $c->ask(Metadata => 12, { topics => [ { name => 'unheard.of' } ], allow_auto_topic_creation => 1 });
    is($m->{topics}[0]{error_code}, 3, 'nothing is created any more');
    write_conf("log.index.interval.bytes = 4096\n");
    $node->reload->wait_for_log(qr/Reloaded/);
    $node->wait_until('as before', sub { $c->produce($t, batch(records => [$noise]))->{error_code} == 0 });
};

# ---- hostile requests ----

sub varint { my ($n) = @_; my $o = ''; for (; $n > 127; $n >>= 7) { $o .= chr($n & 127 | 128) } return $o . chr $n }

sub compact { my ($s) = @_; return varint(1 + length $s) . $s }

# What comes of raw bytes behind the header: bytes of the answer, 'closed' without one.
sub raw_answer {
    my ($key, $version, $body) = @_;
    my $s = Ottla::Test::Api->new($node);
    $s->send($key, $version, $body);
    my $bytes = $s->receive(20);
    return defined $bytes ? length $bytes : 'closed';
}

subtest 'hostile requests' => sub {
    my $t = topic();
    my $wish = sub { my ($value) = @_; "\0" . varint(2) . chr($TOPIC) . compact($t) . varint(2) . compact('retention.ms') . "\0" . compact($value) . "\0\0\0\0" };
    is(raw_answer(44, 1, $wish->('x' x (1 << 20))), 'closed', 'a value of 1 MiB');
    is(raw_answer(44, 1, $wish->('x' x 32768)), 'closed', 'one byte above the longest');
    isnt(raw_answer(44, 1, $wish->('x' x 32767)), 'closed', 'the longest is answered');
    for my $count ("\x7f\xff\xff\xff", "\xff\xff\xff\xfb", "\xff\xff\xff\xff") {
        is(raw_answer(44, 0, "$count\0"), 'closed', 'a count of ' . unpack 'l>', $count);
        is(raw_answer(33, 0, "$count\0"), 'closed', 'for AlterConfigs, too');
        is(raw_answer(32, 1, "$count\0"), 'closed', 'for DescribeConfigs, too');
    }
    is(raw_answer(32, 1, "\0\0\0\1\2\0\1a\x7f\xff\xff\xff\0"), 'closed', 'a count of keys');
    my $many = sub { [ map { { name => "k$_", config_operation => $SET, value => 'v' } } 1 .. $_[0] ] };
    my $try = sub { $c->ask(IncrementalAlterConfigs => 1, { resources => $_[0], validate_only => $_[1] // 0 })->{responses} };
    is($try->([ { resource_type => $NODE, resource_name => '1', configs => $many->(10001) } ])->[0]{error_code}, 44, '10,001 records');
    is($try->([ { resource_type => $NODE, resource_name => '1', configs => $many->(10000) } ], 1)->[0]{error_code}, 0, '10,000 would do');
    is(described($NODE, '1', ['k1'])->{k1}, undef, 'nothing was kept');
    my $groups = $try->([ map { { resource_type => $GROUP, resource_name => "g$_",
        configs => [ { name => 'consumer.session.timeout.ms', value => '50000' } ] } } 1 .. 10001 ]);
    is(scalar(grep { $_->{error_code} == 44 } @$groups), 10001, '10,001 groups: each is told');
    my $twice = $try->([ map { { resource_type => $TOPIC, resource_name => $t, configs => [] } } 1 .. 20000 ]);
    is(scalar(grep { $_->{error_code} == 42 } @$twice), 20000, 'one topic 20,000 times');
    my $lists = $try->([ { resource_type => $TOPIC, resource_name => $t, configs => [ { name => 'leader.replication.throttled.replicas',
        config_operation => $APPEND, value => join ',', map { $_ . ':1' } 1 .. 4500 } ] } ]);
    is($lists->[0]{error_code}, 0, 'a list of 4,500');
    is($try->([ { resource_type => $TOPIC, resource_name => $t, configs => [ { name => 'retention.ms', config_operation => 9, value => '1' } ] } ])->[0]{error_code},
        42, 'an operation that is none');
    is(described($TOPIC, $t, [ map { "k$_" } 1 .. 100_000 ]) && 1, 1, '100,000 unknown keys');
    my $answer = $c->ask(DescribeConfigs => 4, { include_synonyms => 1, include_documentation => 1,
        resources => [ map { { resource_type => $NODE, resource_name => '1' } } 1 .. 30 ] });
    is(scalar @{ $answer->{results} }, 30, 'one node 30 times');
    ok(served(5), 'the node goes on');
};

# ---- what was set is kept ----

subtest 'kill -9 and restart' => sub {
    my $t = topic('message.timestamp.type' => 'LogAppendTime');
    is(alter($TOPIC, $t, 'max.message.bytes', $SET, 2000), 0, 'topic');
    is(set_all('message.max.bytes', 5000), 0, 'all nodes');
    is(alter($NODE, '1', 'producer.id.expiration.ms', $SET, 7777), 0, 'one node');
    is(alter($GROUP, 'g', 'consumer.session.timeout.ms', $SET, 50000), 0, 'group');
    is(alter($METRICS, 'm', 'interval.ms', $SET, 5000), 0, 'subscription');
    is(alter($LOGGER, '1', 'replica', $SET, 'DEBUG'), 0, 'a level');
    is(set_all('num.recovery.threads.per.data.dir', 4), 0, 'workers at the start');
    my $other = topic();
    $node->kill9;
    $node->start;
    $c = Ottla::Test::Api->new($node);
    is($c->produce($t, batch(records => [ substr $noise, 0, 3000 ]))->{error_code}, 10, 'the topic\'s own size');
    is($c->produce($other, batch(records => [ substr $noise, 0, 3000 ]))->{error_code}, 0, 'that of all');
    is($c->produce($other, batch(records => [ substr $noise, 0, 6000 ]))->{error_code}, 10, 'and its end');
    is(value_of($NODE, '1', 'producer.id.expiration.ms'), 7777, 'one node');
    is(value_of($GROUP, 'g', 'consumer.session.timeout.ms'), 50000, 'group');
    is(value_of($METRICS, 'm', 'interval.ms'), 5000, 'subscription');
    is(value_of($LOGGER, '1', 'replica'), 'INFO', 'levels end with the node');
    is(alter($NODE, '', 'message.max.bytes', $DELETE, undef), 0, 'as before');
    $node->restart;
    $c = Ottla::Test::Api->new($node);
    is(value_of($TOPIC, $t, 'max.message.bytes'), 2000, 'still there');
    is(value_of($TOPIC, $other, 'max.message.bytes'), 1048588, 'still gone');
};

# ---- Apache Kafka's own tool ----

my $peer = ($ENV{OTTLA_SHARED} // '../shared') . '/peers/kafka';

# What each call of the tool says, all run at once.
sub kafka_configs {
    my @out = map {
        open my $out, '-|', "$peer tool configs --bootstrap-server @{[ $node->address ]} $_ 2>&1" or die "$peer: $!";
        $out;
    } @_;
    return map { local $/; my $text = <$_> // ''; close $_; $? == 0 ? $text : "exit $?: $text" } @out;
}

subtest 'kafka-configs.sh' => sub {
    plan skip_all => 'no Kafka here' if !-x $peer || !grep { -x "$_/java" } split /:/, $ENV{PATH};
    plan skip_all => 'Kafka\'s jars are not in the cache' if !-d ($ENV{PEERS_CACHE} // "$ENV{HOME}/.cache/ottla-peers");
    my $t = topic();
    my ($topics, $brokers) = ("--entity-type topics --entity-name $t", '--entity-type brokers --entity-name 1');
    my @said = kafka_configs("--alter $topics --add-config retention.ms=7000,cleanup.policy=[compact,delete]",
        "--alter $brokers --add-config log.flush.interval.ms=9000");
    like($said[0], qr/Completed updating config for topic $t/, 'topic: set');
    like($said[1], qr/Completed updating config for broker 1/, 'broker: set');
    @said = kafka_configs("--describe $topics", "--describe --all $brokers");
    like($said[0], qr/retention\.ms=7000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:retention\.ms=7000/, 'topic: described');
    like($said[0], qr/cleanup\.policy=compact,delete /, 'a list');
    like($said[1], qr/log\.flush\.interval\.ms=9000 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:log\.flush\.interval\.ms=9000/,
        'broker: described with all');
    return if !$ENV{OTTLA_LONG}; # each call costs two seconds of a processor
    @said = kafka_configs("--alter $topics --delete-config retention.ms", "--alter $brokers --delete-config log.flush.interval.ms",
        '--alter --entity-type brokers --entity-default --add-config num.partitions=5');
    like($said[$_], qr/Completed/, 'deleted') for 0, 1;
    is(value_of($TOPIC, $t, 'retention.ms'), 3600000, 'of the topic');
    is(value_of($NODE, '1', 'log.flush.interval.ms'), undef, 'of the broker');
    like($said[2], qr/InvalidRequestException/, 'a refusal is told');
};

is($node->stop, 0, 'stop');
done_testing;
