"""One member of a consumer group, by kafka-python or confluent-kafka; what it takes and prints: test/clients/README.md

    member.py client=kafka-python|confluent server=HOST:PORT group=G topic=T [protocol=consumer] [assignor=A] [instance=I]
        [session=MS] [heartbeat=MS] [pace=MS] [to=TOPIC [commit=before]]

SPDX-License-Identifier: Apache-2.0
"""
import logging
import os
import select
import sys
import time

BATCH = 10
ARG = dict(a.split("=", 1) for a in sys.argv[1:])
PACE_S = int(ARG.get("pace", "20")) / 1000
logging.disable(logging.CRITICAL)


def now():
    return time.time_ns() // 1000


def say(*words):
    print(*words, flush=True)


def fatal(why):
    say("fatal", now(), why)
    os._exit(3)  # no farewell to the group


class Member:
    """What both clients share: owned partitions, and offsets that are to be committed."""

    def __init__(self):
        self.owned, self.next = set(), {}

    def assigned(self, partitions):
        self.owned |= set(partitions)
        say("owns", now(), *sorted(self.owned))

    def revoked(self, partitions, lost=False):
        if not lost:
            self.commit()
        self.owned -= set(partitions)
        self.next = {p: o for p, o in self.next.items() if p in self.owned}
        say("owns", now(), *sorted(self.owned))

    def commit(self):
        """True: all that was to be committed was accepted."""
        if not self.next:
            return True
        text = [f"{p}:{o}" for p, o in sorted(self.next.items())]
        start = now()
        why = self.commit_sync(self.next)
        if why:
            say("refused", start, now(), why, *text)
            return False
        say("commit", start, now(), *text)
        self.next = {}
        return True

    def round(self):
        end = time.monotonic() + PACE_S
        records = self.poll()  # (partition, offset, key, value)
        before = ARG.get("commit") == "before"
        if not before:
            self.copy(records)
        self.next.update({r[0]: r[1] + 1 for r in records})
        if self.commit() and before:
            self.copy(records)
        time.sleep(max(0, end - time.monotonic()))

    def copy(self, records):
        if records and "to" in ARG:
            self.produce(records)

    def run(self):
        say("started", now(), self.version)
        while not select.select([sys.stdin], [], [], 0)[0]:
            self.round()
        self.close()
        say("end", now())


class KafkaPython(Member):
    def __init__(self):
        super().__init__()
        import kafka
        self.k, self.version = kafka, kafka.__version__
        common = dict(bootstrap_servers=ARG["server"], reconnect_backoff_ms=20, reconnect_backoff_max_ms=300,
                      retry_backoff_ms=50)
        self.consumer = self.patiently(
            kafka.KafkaConsumer, group_id=ARG["group"], enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50,
            max_poll_records=BATCH, metadata_max_age_ms=500, session_timeout_ms=int(ARG["session"]),
            heartbeat_interval_ms=int(ARG["heartbeat"]), group_instance_id=ARG.get("instance"), **common)
        self.producer = self.patiently(kafka.KafkaProducer, acks="all", enable_idempotence=True, **common) if "to" in ARG else None
        member = self

        class Listener(kafka.ConsumerRebalanceListener):
            def on_partitions_assigned(self, assigned):
                member.assigned(tp.partition for tp in assigned)

            def on_partitions_revoked(self, revoked):
                member.revoked([tp.partition for tp in revoked])

        self.consumer.subscribe([ARG["topic"]], listener=Listener())

    def patiently(self, kind, **conf):
        """A node that is away at first is no reason to give up, as it is not later."""
        for _ in range(100):
            try:
                return kind(**conf)
            except self.k.errors.NoBrokersAvailable:
                time.sleep(0.2)
        return kind(**conf)

    def poll(self):
        polled = self.consumer.poll(timeout_ms=int(PACE_S * 1000))
        return [(r.partition, r.offset, r.key, r.value) for part in polled.values() for r in part]

    def commit_sync(self, offsets):
        try:
            self.consumer.commit({self.k.TopicPartition(ARG["topic"], p): self.k.OffsetAndMetadata(o, "", -1)
                                  for p, o in offsets.items()}, timeout_ms=5000)
            return None
        except self.k.errors.FencedInstanceIdError:
            raise
        except self.k.errors.KafkaError as e:
            return type(e).__name__

    def produce(self, records):
        for f in [self.producer.send(ARG["to"], value, key=key, partition=p) for p, _, key, value in records]:
            f.get(120)

    def close(self):
        self.consumer.close()
        if self.producer:
            self.producer.close()


class Confluent(Member):
    def __init__(self):
        super().__init__()
        import confluent_kafka
        self.ck, self.version = confluent_kafka, confluent_kafka.version()
        common = {"bootstrap.servers": ARG["server"], "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 300,
                  "retry.backoff.ms": 50, "error_cb": self.error, "log_level": 3}
        conf = {"group.id": ARG["group"], "enable.auto.commit": False, "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50, "topic.metadata.refresh.interval.ms": 500, "coordinator.query.interval.ms": 1000}
        if ARG.get("protocol") == "consumer":
            conf["group.protocol"] = "consumer"
            conf["max.poll.interval.ms"] = 15000  # see member.c
            names = {"assignor": "group.remote.assignor"}
        else:
            names = {"assignor": "partition.assignment.strategy", "session": "session.timeout.ms",
                     "heartbeat": "heartbeat.interval.ms"}
        names["instance"] = "group.instance.id"
        conf.update({key: ARG[arg] for arg, key in names.items() if ARG.get(arg)})
        self.consumer = confluent_kafka.Consumer(dict(common, **conf))
        self.producer = confluent_kafka.Producer(dict(common, **{"enable.idempotence": True})) if "to" in ARG else None
        numbers = lambda parts: [tp.partition for tp in parts]
        self.consumer.subscribe([ARG["topic"]], on_assign=lambda _c, parts: self.assigned(numbers(parts)),
                                on_revoke=lambda _c, parts: self.revoked(numbers(parts)),
                                on_lost=lambda _c, parts: self.revoked(numbers(parts), lost=True))

    def error(self, e):
        if e.fatal() or e.code() == self.ck.KafkaError._FATAL:
            fatal(e.name())
        say("error", now(), e.name(), e.str())

    def poll(self):
        records = self.consumer.consume(BATCH, PACE_S)
        for r in records:
            if r.error():
                self.error(r.error())
        return [(r.partition(), r.offset(), r.key(), r.value()) for r in records if not r.error()]

    def commit_sync(self, offsets):
        parts = [self.ck.TopicPartition(ARG["topic"], p, o) for p, o in offsets.items()]
        try:
            failed = [tp.error for tp in self.consumer.commit(offsets=parts, asynchronous=False) if tp.error]
            return failed[0].name() if failed else None
        except self.ck.KafkaException as e:
            return e.args[0].name()

    def produce(self, records):
        def delivered(err, _):
            if err:
                fatal(err.name())
        for p, _, key, value in records:
            self.producer.produce(ARG["to"], value=value, key=key, partition=p, on_delivery=delivered)
        if self.producer.flush(120):
            fatal("not all delivered")

    def close(self):
        self.consumer.close()


try:
    {"kafka-python": KafkaPython, "confluent": Confluent}[ARG["client"]]().run()
except Exception as e:  # whatever it is, the driver reads it
    fatal(repr(e))
