"""One Python client against a node: create, produce with every codec, read back, compare.

    roundtrip.py confluent|kafka-python SERVER PREFIX

The records are those of test/clients/README.md. Prints one line per codec; exit code 1 when anything differs.

SPDX-License-Identifier: Apache-2.0
"""
import sys

COUNT, PARTITIONS, DEADLINE_S = 300, 3, 60


def record(i, null_header=None):
    """(key, value, headers, partition) of record i; null_header stands for null where a client knows no null headers."""
    key = None if i % 7 == 3 and i % 10 != 9 else b"key-%d" % (i % 11)
    if i % 10 == 9:
        value = None
    elif i % 10 == 8:
        value = b""
    else:
        value = bytes((i * 31 + j * 7) & 0xFF for j in range(i * 37 % 1500))
    headers = [("h", b"%d" % i), ("h", b"twice"), ("nul", null_header)] if i % 3 == 0 else []
    return key, value, headers, i % PARTITIONS


def expected(null_header):
    parts = {p: [] for p in range(PARTITIONS)}
    for i in range(COUNT):
        key, value, headers, p = record(i, null_header)
        parts[p].append((key, value, headers))
    return parts


class Confluent:
    null_header = None
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")

    def __init__(self, server):
        import confluent_kafka
        from confluent_kafka.admin import AdminClient
        self.ck, self.server = confluent_kafka, server
        self.admin = AdminClient({"bootstrap.servers": server})
        self.name = "confluent-kafka " + confluent_kafka.version()[0]

    def create(self, topic):
        from confluent_kafka.admin import NewTopic
        for f in self.admin.create_topics([NewTopic(topic, PARTITIONS, 1)], operation_timeout=DEADLINE_S).values():
            f.result()

    def produce(self, topic, codec):
        failed = []
        p = self.ck.Producer({"bootstrap.servers": self.server, "compression.type": codec,
                              "enable.idempotence": True, "linger.ms": 20})
        for i in range(COUNT):
            key, value, headers, part = record(i)
            p.produce(topic, value=value, key=key, headers=headers, partition=part,
                      on_delivery=lambda err, _msg: err and failed.append(err))
        assert p.flush(DEADLINE_S) == 0, "not all delivered"
        assert not failed, failed[0]

    def consume(self, topic):
        c = self.ck.Consumer({"bootstrap.servers": self.server, "group.id": "unused", "enable.auto.commit": False,
                              "enable.partition.eof": True, "check.crcs": True})
        c.assign([self.ck.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        got, ended = {p: [] for p in range(PARTITIONS)}, set()
        while len(ended) < PARTITIONS:
            m = c.poll(DEADLINE_S)
            assert m is not None, "nothing came"
            if m.error():
                assert m.error().code() == self.ck.KafkaError._PARTITION_EOF, m.error()
                ended.add(m.partition())
            else:
                got[m.partition()].append((m.key(), m.value(), list(m.headers() or [])))
        c.close()
        return got


class KafkaPython:
    null_header = b""
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")

    def __init__(self, server):
        import kafka
        self.k, self.server = kafka, server
        self.name = "kafka-python " + kafka.__version__

    def create(self, topic):
        from kafka.admin import KafkaAdminClient, NewTopic
        admin = KafkaAdminClient(bootstrap_servers=self.server)
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
        admin.close()

    def produce(self, topic, codec):
        p = self.k.KafkaProducer(bootstrap_servers=self.server, compression_type=None if codec == "none" else codec,
                                 enable_idempotence=True, acks="all", linger_ms=20)
        sent = []
        for i in range(COUNT):
            key, value, headers, part = record(i, self.null_header)
            sent.append(p.send(topic, value=value, key=key, headers=headers, partition=part))
        p.flush(DEADLINE_S)
        for f in sent:
            f.get(DEADLINE_S)
        p.close()

    def consume(self, topic):
        c = self.k.KafkaConsumer(bootstrap_servers=self.server, enable_auto_commit=False, group_id=None, check_crcs=True)
        tps = [self.k.TopicPartition(topic, p) for p in range(PARTITIONS)]
        c.assign(tps)
        first, ends = c.beginning_offsets(tps), c.end_offsets(tps)
        for tp in tps:
            c.seek(tp, first[tp])
        got = {p: [] for p in range(PARTITIONS)}
        while sum(map(len, got.values())) < sum(ends[tp] - first[tp] for tp in tps):
            polled = c.poll(timeout_ms=DEADLINE_S * 1000)
            assert polled, "nothing came"
            for tp, messages in polled.items():
                for m in messages:
                    got[tp.partition].append((m.key, m.value, list(m.headers)))
        c.close()
        return got


def main():
    which, server, prefix = sys.argv[1:]
    client = {"confluent": Confluent, "kafka-python": KafkaPython}[which](server)
    want = expected(client.null_header)
    for codec in client.codecs:
        topic = "%s-%s" % (prefix, codec)
        client.create(topic)
        client.produce(topic, codec)
        got = client.consume(topic)
        assert got == want, "%s: %s differs" % (client.name, codec)
        print("%s: %s: %d records" % (client.name, codec, COUNT))


main()
