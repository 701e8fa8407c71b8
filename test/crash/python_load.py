"""Two producers of kafka-python while processes of a node are killed.

    python_load.py SERVER

An idempotent one with acks=all, a plain one with acks=1, a topic each. They go on until a line comes on stdin, then
flush; a consumer reads both topics from the beginning. Exit code 0: every message whose future succeeded is there,
those of the idempotent producer once and in order.

SPDX-License-Identifier: Apache-2.0
"""
import logging
import select
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

FLUSH_S = 60
PER_TURN = 20
logging.disable(logging.CRITICAL)


class Writer:
    def __init__(self, server, topic, **how):
        self.topic, self.sent, self.done, self.failed = topic, 0, set(), 0
        self.producer = KafkaProducer(bootstrap_servers=server, retries=100000, delivery_timeout_ms=120000,
                                      request_timeout_ms=10000, retry_backoff_ms=20, linger_ms=2, **how)

    def send(self):
        number = self.sent
        self.sent += 1
        future = self.producer.send(self.topic, b"%d" % number, partition=0, timestamp_ms=1000)
        future.add_callback(lambda _: self.done.add(number))
        future.add_errback(self.fail)

    def fail(self, _):
        self.failed += 1

    def check(self, server):
        consumer = KafkaConsumer(bootstrap_servers=server, enable_auto_commit=False, auto_offset_reset="earliest",
                                 consumer_timeout_ms=FLUSH_S * 1000)
        part = TopicPartition(self.topic, 0)
        consumer.assign([part])
        end, found = consumer.end_offsets([part])[part], []
        while len(found) < end:
            found.append(int(next(consumer).value))
        lost = self.done - set(found)
        print(f"# {self.topic}: {self.sent} sent, {len(self.done)} delivered, {self.failed} failed, {len(lost)} lost")
        return self.done and not lost and found


def main():
    server = sys.argv[1]
    exact = Writer(server, "python-idempotent", acks="all", enable_idempotence=True)
    plain = Writer(server, "python-plain", acks=1)
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        for _ in range(PER_TURN):
            exact.send()
            plain.send()
    for writer in (exact, plain):
        writer.producer.flush(FLUSH_S)
    found = exact.check(server)
    in_order = bool(found) and (exact.failed > 0 or found == list(range(len(found))))
    print(f"# in order: {in_order}")
    return 0 if plain.check(server) and in_order else 1


sys.exit(main())
