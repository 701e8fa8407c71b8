/*
 * Storm.java - the Java client while settings, partitions and topics change under it
 *
 *     Storm SERVER TOPIC AGAIN
 *
 * Writes numbers to every partition that TOPIC has, idempotently, and reads them at the same time by assigned
 * partitions; writes to AGAIN, which is deleted and made anew meanwhile, and may fail there with what Kafka says of
 * topics that come and go. A line on stdin ends it: all that was sent to TOPIC must have been acknowledged and
 * read, each number once and in order, and AGAIN takes another hundred records and gives them back. Exit code 0 if so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Storm {
    private static final int LAST = 100;
    private static final int DEADLINE_MS = 60_000;
    private static final int LOOK_MS = 200;
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};

    private final String server;
    private final String topic;
    private final String again;
    private final Map<Integer, Long> sent = new TreeMap<>();
    private final Map<Integer, Long> read = new TreeMap<>();
    private final AtomicLong acked = new AtomicLong();
    private final Set<String> wrong = ConcurrentHashMap.newKeySet();
    private final Map<String, AtomicLong> refused = new ConcurrentHashMap<>();

    private Storm(String[] args) {
        server = args[0];
        topic = args[1];
        again = args[2];
    }

    private KafkaProducer<byte[], byte[]> producer(String codec, int blockMs) {
        Map<String, Object> p = new HashMap<>();
        p.put("bootstrap.servers", server);
        p.put("acks", "all");
        p.put("enable.idempotence", true);
        p.put("compression.type", codec);
        p.put("linger.ms", 1);
        p.put("retry.backoff.ms", 20);
        p.put("max.block.ms", blockMs);
        p.put("request.timeout.ms", Math.min(blockMs, 10_000));
        p.put("delivery.timeout.ms", 2 * blockMs);
        p.put("metadata.max.age.ms", LOOK_MS);
        return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Map<String, Object> p = new HashMap<>();
        p.put("bootstrap.servers", server);
        p.put("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", false);
        p.put("fetch.max.wait.ms", 50);
        p.put("metadata.max.age.ms", LOOK_MS);
        return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] value(int partition, long number) {
        byte[] head = (partition + " " + number + " ").getBytes();
        byte[] value = new byte[head.length + (int) (number * 7919 % 3000)];
        System.arraycopy(head, 0, value, 0, head.length);
        for (int i = head.length; i < value.length; i++) {
            value[i] = (byte) ('a' + number % 26);
        }
        return value;
    }

    private void send(KafkaProducer<byte[], byte[]> p, int partition) {
        long number = sent.merge(partition, 1L, Long::sum) - 1;
        p.send(new ProducerRecord<>(topic, partition, null, value(partition, number)), (m, e) -> {
            if (e == null) {
                acked.incrementAndGet();
            } else {
                wrong.add("not acknowledged: " + e);
            }
        });
    }

    private void sendAgain(KafkaProducer<byte[], byte[]> p) {
        try {
            p.send(new ProducerRecord<>(again, 0, null, "x".getBytes()), (m, e) -> {
                if (e != null) {
                    note(e);
                }
            });
        } catch (RuntimeException e) {
            note(e);
        }
    }

    /* A topic that is gone is told by errors that may be tried again, and by time-outs. */
    private void note(Exception e) {
        refused.computeIfAbsent(e.getClass().getSimpleName(), k -> new AtomicLong()).incrementAndGet();
        if (!(e instanceof RetriableException)) {
            wrong.add(again + ": " + e);
        }
    }

    private void take(ConsumerRecord<byte[], byte[]> r) {
        long want = read.getOrDefault(r.partition(), 0L);
        if (!java.util.Arrays.equals(r.value(), value(r.partition(), want))) {
            String got = new String(r.value(), 0, Math.min(20, r.value().length));
            wrong.add(r.partition() + ": at offset " + r.offset() + " \"" + got + "\" instead of " + want);
        }
        read.put(r.partition(), want + 1);
    }

    private void poll(KafkaConsumer<byte[], byte[]> c) {
        c.poll(Duration.ofMillis(20)).forEach(this::take);
    }

    private int assign(KafkaConsumer<byte[], byte[]> c) {
        List<TopicPartition> all = new ArrayList<>();
        for (PartitionInfo i : c.partitionsFor(topic)) {
            all.add(new TopicPartition(topic, i.partition()));
        }
        c.assign(all);
        return all.size();
    }

    private void storm(KafkaConsumer<byte[], byte[]> c) throws Exception {
        List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
        for (String codec : CODECS) {
            producers.add(producer(codec, DEADLINE_MS));
        }
        KafkaProducer<byte[], byte[]> comesAndGoes = producer("none", 2000);
        long look = 0;
        int partitions = 0;
        while (System.in.available() == 0 && wrong.isEmpty()) {
            if (System.currentTimeMillis() >= look) {
                partitions = assign(c);
                look = System.currentTimeMillis() + LOOK_MS;
            }
            for (int i = 0; i < partitions; i++) {
                for (int n = 0; n < 10; n++) {
                    send(producers.get(i % producers.size()), i);
                }
            }
            sendAgain(comesAndGoes);
            poll(c);
        }
        producers.forEach(KafkaProducer::flush);
        producers.forEach(KafkaProducer::close);
        comesAndGoes.close(Duration.ofSeconds(5));
    }

    private void readRest(KafkaConsumer<byte[], byte[]> c) {
        long end = System.currentTimeMillis() + DEADLINE_MS;
        assign(c);
        while (!read.equals(sent) && wrong.isEmpty()) {
            poll(c);
            if (System.currentTimeMillis() > end) {
                wrong.add("read " + read + " of " + sent);
            }
        }
        long behind = c.endOffsets(c.assignment()).values().stream().mapToLong(Long::longValue).sum();
        long all = sent.values().stream().mapToLong(Long::longValue).sum();
        if (behind != all || acked.get() != all) {
            wrong.add("sent " + all + ", acknowledged " + acked + ", stored " + behind);
        }
    }

    private void lastOfAgain(KafkaConsumer<byte[], byte[]> c) throws Exception {
        TopicPartition part = new TopicPartition(again, 0);
        Set<Long> offsets = new TreeSet<>();
        Set<Long> found = new TreeSet<>();
        try (KafkaProducer<byte[], byte[]> p = producer("none", DEADLINE_MS)) {
            List<Future<RecordMetadata>> all = new ArrayList<>();
            for (int i = 0; i < LAST; i++) {
                all.add(p.send(new ProducerRecord<>(again, 0, null, "last".getBytes())));
            }
            for (Future<RecordMetadata> f : all) {
                offsets.add(f.get(DEADLINE_MS, TimeUnit.MILLISECONDS).offset());
            }
        }
        c.assign(List.of(part));
        c.seekToBeginning(List.of(part));
        long end = System.currentTimeMillis() + DEADLINE_MS;
        while (!found.containsAll(offsets) && System.currentTimeMillis() < end) {
            c.poll(Duration.ofMillis(50)).forEach(r -> {
                if ("last".equals(new String(r.value()))) {
                    found.add(r.offset());
                }
            });
        }
        if (offsets.size() != LAST || !found.containsAll(offsets)) {
            wrong.add(again + ": " + offsets.size() + " offsets, " + found.size() + " read");
        }
    }

    private int run() throws Exception {
        try (KafkaConsumer<byte[], byte[]> c = consumer()) {
            storm(c);
            if (wrong.isEmpty()) {
                readRest(c);
                lastOfAgain(c);
            }
        }
        System.out.println("# java: " + acked + " acknowledged, read " + read + ", refused by " + again + ": " + refused);
        wrong.stream().limit(10).forEach(w -> System.out.println("# wrong: " + w));
        return wrong.isEmpty() && acked.get() > 0 ? 0 : 1;
    }

    public static void main(String[] args) throws Exception {
        System.exit(new Storm(args).run());
    }
}
