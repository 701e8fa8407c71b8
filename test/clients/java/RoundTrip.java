/*
 * RoundTrip.java - the Java client against a node: create, produce with every codec, read back, compare
 *
 *     RoundTrip SERVER PREFIX
 *
 * The records are those of test/clients/README.md. Prints one line per codec; exit code 1 when anything differs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class RoundTrip {
    private static final int COUNT = 300;
    private static final int PARTITIONS = 3;
    private static final long DEADLINE_S = 60;

    private static ProducerRecord<byte[], byte[]> record(String topic, int i) {
        byte[] key = i % 7 == 3 && i % 10 != 9 ? null : ("key-" + i % 11).getBytes();
        byte[] value = null;
        if (i % 10 == 8) {
            value = new byte[0];
        } else if (i % 10 != 9) {
            value = new byte[i * 37 % 1500];
            for (int j = 0; j < value.length; j++) {
                value[j] = (byte) (i * 31 + j * 7);
            }
        }
        ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, i % PARTITIONS, key, value);
        if (i % 3 == 0) {
            r.headers().add("h", String.valueOf(i).getBytes()).add("h", "twice".getBytes()).add("nul", null);
        }
        return r;
    }

    private static boolean same(ProducerRecord<byte[], byte[]> want, ConsumerRecord<byte[], byte[]> got) {
        Header[] a = want.headers().toArray();
        Header[] b = got.headers().toArray();
        boolean headers = a.length == b.length;
        for (int i = 0; headers && i < a.length; i++) {
            headers = Objects.equals(a[i].key(), b[i].key()) && Arrays.equals(a[i].value(), b[i].value());
        }
        return headers && Arrays.equals(want.key(), got.key()) && Arrays.equals(want.value(), got.value());
    }

    private static void produce(String server, String topic, String codec) throws Exception {
        Map<String, Object> conf = new HashMap<>();
        conf.put("bootstrap.servers", server);
        conf.put("compression.type", codec);
        conf.put("enable.idempotence", true);
        conf.put("acks", "all");
        conf.put("linger.ms", 20);
        try (KafkaProducer<byte[], byte[]> p = new KafkaProducer<>(conf, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < COUNT; i++) {
                sent.add(p.send(record(topic, i)));
            }
            for (Future<RecordMetadata> f : sent) {
                f.get(DEADLINE_S, TimeUnit.SECONDS);
            }
        }
    }

    private static void consume(String server, String topic) {
        Map<String, Object> conf = new HashMap<>();
        conf.put("bootstrap.servers", server);
        conf.put("enable.auto.commit", false);
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(conf, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> tps = new ArrayList<>();
            for (int p = 0; p < PARTITIONS; p++) {
                tps.add(new TopicPartition(topic, p));
            }
            c.assign(tps);
            c.seekToBeginning(tps);
            int[] next = {0, 1, 2};
            for (int seen = 0; seen < COUNT;) {
                var polled = c.poll(Duration.ofSeconds(DEADLINE_S));
                if (polled.isEmpty()) {
                    throw new IllegalStateException("nothing came");
                }
                for (ConsumerRecord<byte[], byte[]> r : polled) {
                    if (!same(record(topic, next[r.partition()]), r)) {
                        throw new IllegalStateException("partition " + r.partition() + " offset " + r.offset() + " differs");
                    }
                    next[r.partition()] += PARTITIONS;
                    seen++;
                }
            }
        }
    }

    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                String topic = args[1] + "-" + codec;
                admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get(DEADLINE_S, TimeUnit.SECONDS);
                produce(args[0], topic, codec);
                consume(args[0], topic);
                System.out.println("java: " + codec + ": " + COUNT + " records");
            }
        }
    }
}
