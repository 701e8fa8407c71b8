/*
 * Member.java - one member of a consumer group, by the Java client; what it takes and prints: test/clients/README.md
 *
 *     Member server=HOST:PORT group=G topic=T [protocol=consumer] [assignor=A] [instance=I] [session=MS]
 *            [heartbeat=MS] [pace=MS] [to=TOPIC [commit=before]]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Member implements ConsumerRebalanceListener {
    private static final Duration COMMIT_LIMIT = Duration.ofSeconds(5);
    private static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true);
    private static final Map<String, String> ARG = new HashMap<>();

    private final KafkaConsumer<byte[], byte[]> consumer;
    private KafkaProducer<byte[], byte[]> producer;
    private final TreeSet<Integer> owned = new TreeSet<>();
    private final Map<Integer, Long> next = new TreeMap<>(); // to be committed, of owned partitions

    private static long now() {
        Instant i = Instant.now();
        return i.getEpochSecond() * 1_000_000 + i.getNano() / 1000;
    }

    private static void put(Map<String, Object> conf, String key, String arg) {
        if (ARG.containsKey(arg)) {
            conf.put(key, ARG.get(arg));
        }
    }

    private Member() {
        Map<String, Object> c = common();
        c.put("enable.auto.commit", false);
        c.put("auto.offset.reset", "earliest");
        c.put("fetch.max.wait.ms", 50);
        c.put("max.poll.records", 10);
        c.put("metadata.max.age.ms", 500);
        put(c, "group.id", "group");
        put(c, "group.instance.id", "instance");
        if (ARG.getOrDefault("protocol", "classic").equals("consumer")) {
            c.put("group.protocol", "consumer");
            put(c, "group.remote.assignor", "assignor");
        } else {
            put(c, "partition.assignment.strategy", "assignor");
            put(c, "session.timeout.ms", "session");
            put(c, "heartbeat.interval.ms", "heartbeat");
        }
        consumer = new KafkaConsumer<>(c, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        if (ARG.containsKey("to")) {
            Map<String, Object> p = common();
            p.put("enable.idempotence", true);
            p.put("acks", "all");
            producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
        }
    }

    private static Map<String, Object> common() {
        Map<String, Object> c = new HashMap<>();
        put(c, "bootstrap.servers", "server");
        c.put("reconnect.backoff.ms", 20);
        c.put("reconnect.backoff.max.ms", 300);
        c.put("retry.backoff.ms", 50);
        return c;
    }

    private void printOwned() {
        StringBuilder s = new StringBuilder("owns " + now());
        owned.forEach(p -> s.append(' ').append(p));
        OUT.println(s);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        partitions.forEach(tp -> owned.add(tp.partition()));
        printOwned();
    }

    // What was polled before is committed already, but for what was refused.
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commit();
        onPartitionsLost(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        for (TopicPartition tp : partitions) {
            owned.remove(tp.partition());
            next.remove(tp.partition());
        }
        printOwned();
    }

    // True: all that was to be committed was accepted.
    private boolean commit() {
        if (next.isEmpty()) {
            return true;
        }
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        StringBuilder text = new StringBuilder();
        next.forEach((p, o) -> {
            offsets.put(new TopicPartition(ARG.get("topic"), p), new OffsetAndMetadata(o));
            text.append(' ').append(p).append(':').append(o);
        });
        long start = now();
        try {
            consumer.commitSync(offsets, COMMIT_LIMIT);
            OUT.println("commit " + start + " " + now() + text);
            next.clear();
            return true;
        } catch (FencedInstanceIdException e) {
            throw e;
        } catch (KafkaException e) {
            OUT.println("refused " + start + " " + now() + " " + e.getClass().getSimpleName() + text);
            return false;
        }
    }

    private void copy(Iterable<ConsumerRecord<byte[], byte[]>> records) throws Exception {
        if (producer == null) {
            return;
        }
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> r : records) {
            sent.add(producer.send(new ProducerRecord<>(ARG.get("to"), r.partition(), r.key(), r.value())));
        }
        for (Future<RecordMetadata> f : sent) {
            f.get();
        }
    }

    private void round() throws Exception {
        int pace = Integer.parseInt(ARG.getOrDefault("pace", "20"));
        long end = System.nanoTime() + pace * 1_000_000L;
        var records = consumer.poll(Duration.ofMillis(pace));
        boolean before = ARG.getOrDefault("commit", "after").equals("before");
        if (!before) {
            copy(records);
        }
        records.forEach(r -> next.put(r.partition(), r.offset() + 1));
        if (commit() && before) {
            copy(records);
        }
        long left = (end - System.nanoTime()) / 1_000_000L;
        if (left > 0) {
            Thread.sleep(left);
        }
    }

    private void run() throws Exception {
        consumer.subscribe(List.of(ARG.get("topic")), this);
        OUT.println("started " + now() + " " + org.apache.kafka.common.utils.AppInfoParser.getVersion());
        while (System.in.available() == 0) {
            try {
                round();
            } catch (FencedInstanceIdException | UnreleasedInstanceIdException e) {
                throw e;
            } catch (ApiException e) {
                OUT.println("error " + now() + " " + e.getClass().getSimpleName() + ": " + e.getMessage());
            }
        }
        consumer.close();
        if (producer != null) {
            producer.close();
        }
        OUT.println("end " + now());
    }

    public static void main(String[] args) {
        for (String a : args) {
            String[] pair = a.split("=", 2);
            ARG.put(pair[0], pair[1]);
        }
        try {
            new Member().run();
        } catch (Exception e) {
            OUT.println("fatal " + now() + " " + e.getClass().getSimpleName() + ": " + e.getMessage());
            Runtime.getRuntime().halt(3); // no farewell to the group
        }
    }
}
