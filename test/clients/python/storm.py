"""kafka-python while settings, partitions and topics change under it.

    storm.py SERVER TOPIC AGAIN

The same as test/clients/java/Storm.java: numbers to every partition of TOPIC, idempotently, read at the same time by
assigned partitions; AGAIN is deleted and made anew meanwhile. A line on stdin ends it. Exit code 0: all that was sent to
TOPIC was acknowledged and read, each number once and in order, and AGAIN works at the end.

SPDX-License-Identifier: Apache-2.0
"""
import collections
import logging
import select
import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

LAST = 100
DEADLINE_S = 60
LOOK_S = 0.2
CODECS = (None, "gzip", "snappy", "lz4", "zstd")
logging.disable(logging.CRITICAL)


def value(partition, number):
    return b"%d %d " % (partition, number) + bytes([97 + number % 26]) * (number * 7919 % 3000)


class Storm:
    def __init__(self, server, topic, again):
        self.server, self.topic, self.again = server, topic, again
        self.sent, self.read, self.refused = collections.Counter(), collections.Counter(), collections.Counter()
        self.acked, self.wrong = 0, []
        self.consumer = KafkaConsumer(bootstrap_servers=server, enable_auto_commit=False, auto_offset_reset="earliest",
                                      metadata_max_age_ms=int(LOOK_S * 1000), fetch_max_wait_ms=50)

    def producer(self, codec, block_s):
        return KafkaProducer(bootstrap_servers=self.server, acks="all", enable_idempotence=True, compression_type=codec,
                             linger_ms=1, retry_backoff_ms=20, metadata_max_age_ms=int(LOOK_S * 1000), max_block_ms=block_s * 1000,
                             request_timeout_ms=min(10000, block_s * 1000), delivery_timeout_ms=2000 * block_s)

    def send(self, producer, partition):
        future = producer.send(self.topic, value(partition, self.sent[partition]), partition=partition)
        self.sent[partition] += 1
        future.add_callback(self.acknowledge)
        future.add_errback(lambda e: self.wrong.append(f"not acknowledged: {e!r}"))

    def acknowledge(self, _):
        self.acked += 1

    def send_again(self, producer):
        try:
            producer.send(self.again, b"x", partition=0).add_errback(self.note)
        except Exception as e:  # what a client may see of a topic that is gone is judged by note
            self.note(e)

    def note(self, e):
        self.refused[type(e).__name__] += 1
        # kafka-python says AssertionError of a partition that its newest metadata do not have
        if not isinstance(e, (KafkaTimeoutError, AssertionError)) and not getattr(e, "retriable", False):
            self.wrong.append(f"{self.again}: {e!r}")

    def assign(self):
        parts = [TopicPartition(self.topic, p) for p in sorted(self.consumer.partitions_for_topic(self.topic) or ())]
        if set(parts) != self.consumer.assignment():
            at = {p: self.read[p.partition] for p in parts}
            self.consumer.assign(parts)
            for part, offset in at.items():
                self.consumer.seek(part, offset)
        return len(parts)

    def poll(self):
        for records in self.consumer.poll(timeout_ms=20, max_records=2000).values():
            for r in records:
                want = self.read[r.partition]
                if r.offset != want or r.value != value(r.partition, want):
                    self.wrong.append(f"{r.partition}: at offset {r.offset} {r.value[:20]} instead of {want}")
                self.read[r.partition] += 1

    def storm(self):
        producers = [self.producer(codec, DEADLINE_S) for codec in CODECS]
        comes_and_goes = self.producer(None, 2)
        look, partitions = 0, 0
        while not select.select([sys.stdin], [], [], 0)[0] and not self.wrong:
            if time.monotonic() > look:
                partitions, look = self.assign(), time.monotonic() + LOOK_S
            for partition in range(partitions):
                producer = producers[partition % len(producers)]
                if partition in producer.partitions_for(self.topic):  # it asks for metadata at its own times
                    for _ in range(5):
                        self.send(producer, partition)
            self.send_again(comes_and_goes)
            self.poll()
        for producer in producers:
            producer.flush(DEADLINE_S)
            producer.close()
        comes_and_goes.close(5)

    def read_rest(self):
        end = time.monotonic() + DEADLINE_S
        self.assign()
        while self.read != self.sent and not self.wrong and time.monotonic() < end:
            self.poll()
        stored = sum(self.consumer.end_offsets(list(self.consumer.assignment())).values())
        total = sum(self.sent.values())
        if not self.acked == stored == total or self.read != self.sent:
            self.wrong.append(f"sent {total}, acknowledged {self.acked}, stored {stored}, read {self.read}")

    def last_of_again(self):
        part, found, end = TopicPartition(self.again, 0), set(), time.monotonic() + DEADLINE_S
        producer = self.producer(None, DEADLINE_S)
        futures = [producer.send(self.again, b"last", partition=0) for _ in range(LAST)]
        offsets = {f.get(DEADLINE_S).offset for f in futures}
        producer.close()
        self.consumer.assign([part])
        self.consumer.seek_to_beginning(part)
        while not offsets <= found and time.monotonic() < end:
            for records in self.consumer.poll(timeout_ms=50).values():
                found |= {r.offset for r in records if r.value == b"last"}
        if len(offsets) != LAST or not offsets <= found:
            self.wrong.append(f"{self.again}: {len(offsets)} offsets, {len(offsets & found)} read")

    def run(self):
        self.storm()
        if not self.wrong:
            self.read_rest()
            self.last_of_again()
        print(f"# python: {self.acked} acknowledged, read {dict(self.read)}, refused by {self.again}: {dict(self.refused)}")
        for w in self.wrong[:10]:
            print(f"# wrong: {w}")
        return 0 if self.acked and not self.wrong else 1


sys.exit(Storm(*sys.argv[1:4]).run())
