/*
 * member.c - one member of a consumer group, by librdkafka; what it takes and prints: test/clients/README.md
 *
 *     member server=HOST:PORT group=G topic=T [protocol=consumer] [assignor=A] [instance=I] [session=MS]
 *            [heartbeat=MS] [pace=MS] [to=TOPIC [commit=before]]
 *
 * A round is up to BATCH records: copied to TOPIC and then committed, or the other way round. A partition that is taken
 * away has its round finished first, unless it is lost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH          10
#define PARTITIONS_MAX 256
#define FLUSH_MS       120000

typedef struct Member {
    rd_kafka_t *rk;
    rd_kafka_t *producer; /* NULL: nothing is copied */
    const char *topic;
    const char *to;
    bool commit_before;
    int pace_ms;
    bool owned[PARTITIONS_MAX];
    int64_t next[PARTITIONS_MAX]; /* to be committed; -1: nothing new */
    rd_kafka_message_t *round[BATCH];
    int n_round;
} Member;

static int64_t
now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

__attribute__((noreturn, format(printf, 1, 2))) static void
fatal(const char *format, ...)
{
    va_list args;
    printf("fatal %lld ", (long long)now_us());
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(3); /* no farewell to the group */
}

static const char *
arg(char **argv, const char *key, const char *otherwise)
{
    size_t len = strlen(key);
    for (char **a = argv + 1; *a != NULL; a++) {
        if (strncmp(*a, key, len) == 0 && (*a)[len] == '=' && (*a)[len + 1] != '\0') {
            return *a + len + 1;
        }
    }
    return otherwise;
}

static void
conf_set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char text[512];
    if (value != NULL &&
        rd_kafka_conf_set(conf, key, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fatal("%s", text);
    }
}

static void
print_owned(const Member *m)
{
    printf("owns %lld", (long long)now_us());
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        if (m->owned[p]) {
            printf(" %d", p);
        }
    }
    printf("\n");
}

static void
round_drop(Member *m)
{
    for (int i = 0; i < m->n_round; i++) {
        rd_kafka_message_destroy(m->round[i]);
    }
    m->n_round = 0;
}

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fatal("not delivered: %s", rd_kafka_err2name(msg->err));
    }
}

static void
round_copy(Member *m)
{
    if (m->producer == NULL) {
        return;
    }
    for (int i = 0; i < m->n_round; i++) {
        const rd_kafka_message_t *msg = m->round[i];
        rd_kafka_resp_err_t err = rd_kafka_producev(
            m->producer, RD_KAFKA_V_TOPIC(m->to), RD_KAFKA_V_PARTITION(msg->partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(msg->key, msg->key_len),
            RD_KAFKA_V_VALUE(msg->payload, msg->len), RD_KAFKA_V_END);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fatal("produce: %s", rd_kafka_err2name(err));
        }
    }
    if (rd_kafka_flush(m->producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fatal("flush: not all delivered");
    }
}

/* Commits what is new of all owned partitions; true: all accepted. What was refused is tried again with the next round. */
static bool
commit(Member *m)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        if (m->owned[p] && m->next[p] >= 0) {
            rd_kafka_topic_partition_list_add(list, m->topic, p)->offset = m->next[p];
        }
    }
    bool all = true;
    if (list->cnt > 0) {
        int64_t start = now_us();
        rd_kafka_resp_err_t err = rd_kafka_commit(m->rk, list, 0);
        int64_t end = now_us();
        for (int i = 0; i < list->cnt; i++) {
            rd_kafka_topic_partition_t *tp = &list->elems[i];
            rd_kafka_resp_err_t e = tp->err != RD_KAFKA_RESP_ERR_NO_ERROR ? tp->err : err;
            if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
                printf("commit %lld %lld %d:%lld\n", (long long)start, (long long)end,
                       tp->partition, (long long)tp->offset);
                m->next[tp->partition] = -1;
            } else {
                printf("refused %lld %lld %s %d:%lld\n", (long long)start, (long long)end,
                       rd_kafka_err2name(e), tp->partition, (long long)tp->offset);
                all = false;
            }
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return all;
}

/* The records at hand are copied and committed. Committed first, those whose commit was refused are copied by nobody. */
static void
round_finish(Member *m)
{
    for (int i = 0; i < m->n_round; i++) {
        m->next[m->round[i]->partition] = m->round[i]->offset + 1;
    }
    if (!m->commit_before) {
        round_copy(m);
        (void)commit(m);
    } else if (commit(m)) {
        round_copy(m);
    }
    round_drop(m);
}

static void
take(Member *m, const rd_kafka_topic_partition_list_t *list, bool owned)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].partition >= PARTITIONS_MAX) {
            fatal("too many partitions");
        }
        m->owned[list->elems[i].partition] = owned;
        m->next[list->elems[i].partition] = -1;
    }
    print_owned(m);
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list,
             void *opaque)
{
    Member *m = opaque;
    bool by_steps = strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
    rd_kafka_error_t *error = NULL;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take(m, list, true);
        if (by_steps) {
            error = rd_kafka_incremental_assign(rk, list);
        } else {
            (void)rd_kafka_assign(rk, list);
        }
    } else {
        if (rd_kafka_assignment_lost(rk)) {
            round_drop(m);
        } else {
            round_finish(m);
        }
        take(m, list, false);
        if (by_steps) {
            error = rd_kafka_incremental_unassign(rk, list);
        } else {
            (void)rd_kafka_assign(rk, NULL);
        }
    }
    if (error != NULL) {
        printf("error %lld %s\n", (long long)now_us(), rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

/* What the client library takes care of itself is a line; what ends it ends the program. */
static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    char text[256];
    (void)opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        fatal("%s", rd_kafka_err2name(rd_kafka_fatal_error(rk, text, sizeof text)));
    }
    printf("error %lld %s: %s\n", (long long)now_us(), rd_kafka_err2name(code), reason);
}

static rd_kafka_t *
client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char **argv)
{
    char text[512];
    conf_set(conf, "bootstrap.servers", arg(argv, "server", NULL));
    conf_set(conf, "reconnect.backoff.ms", "20");
    conf_set(conf, "reconnect.backoff.max.ms", "300");
    if (type == RD_KAFKA_PRODUCER) {
        conf_set(conf, "retry.backoff.ms", "50");
    }
    conf_set(conf, "log_level", "6");
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL) {
        fatal("%s", text);
    }
    return rk;
}

static void
member_start(Member *m, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool consumer = strcmp(arg(argv, "protocol", "classic"), "consumer") == 0;
    conf_set(conf, "group.id", arg(argv, "group", NULL));
    conf_set(conf, "group.instance.id", arg(argv, "instance", NULL));
    conf_set(conf, "enable.auto.commit", "false");
    conf_set(conf, "auto.offset.reset", "earliest");
    conf_set(conf, "fetch.wait.max.ms", "50");
    conf_set(conf, "topic.metadata.refresh.interval.ms", "500");
    conf_set(conf, "coordinator.query.interval.ms", "1000");
    if (consumer) {
        /* The answer to a heartbeat that it gave up may have asked for partitions back: it never
         * learns that, so this long the group waits for it. */
        conf_set(conf, "max.poll.interval.ms", "15000");
        conf_set(conf, "group.protocol", "consumer");
        conf_set(conf, "group.remote.assignor", arg(argv, "assignor", NULL));
    } else {
        conf_set(conf, "partition.assignment.strategy", arg(argv, "assignor", NULL));
        conf_set(conf, "session.timeout.ms", arg(argv, "session", NULL));
        conf_set(conf, "heartbeat.interval.ms", arg(argv, "heartbeat", NULL));
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, m);
    m->topic = arg(argv, "topic", "");
    m->to = arg(argv, "to", NULL);
    m->commit_before = strcmp(arg(argv, "commit", "after"), "before") == 0;
    m->pace_ms = atoi(arg(argv, "pace", "20"));
    m->rk = client_new(RD_KAFKA_CONSUMER, conf, argv);
    if (m->to != NULL) {
        conf = rd_kafka_conf_new();
        conf_set(conf, "enable.idempotence", "true");
        conf_set(conf, "linger.ms", "0");
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        m->producer = client_new(RD_KAFKA_PRODUCER, conf, argv);
    }
    (void)rd_kafka_poll_set_consumer(m->rk);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, m->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(m->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fatal("subscribe: %s", rd_kafka_err2str(err));
    }
}

static void
round_read(Member *m)
{
    int64_t end = now_us() + m->pace_ms * 1000;
    for (int64_t now = now_us(); now < end; now = now_us()) {
        rd_kafka_message_t *msg =
            m->n_round < BATCH ? rd_kafka_consumer_poll(m->rk, (int)((end - now + 999) / 1000))
                               : NULL;
        if (m->n_round == BATCH) {
            (void)usleep((useconds_t)(end - now)); /* the round is full before its time */
        } else if (msg != NULL && msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            m->round[m->n_round++] = msg;
        } else if (msg != NULL) {
            if (msg->err == RD_KAFKA_RESP_ERR__FATAL) {
                on_error(m->rk, msg->err, "", m);
            }
            printf("error %lld %s\n", (long long)now_us(), rd_kafka_err2name(msg->err));
            rd_kafka_message_destroy(msg);
        }
    }
}

int
main(int argc, char **argv)
{
    static Member m;
    (void)argc;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        m.next[p] = -1;
    }
    member_start(&m, argv);
    printf("started %lld %s\n", (long long)now_us(), rd_kafka_version_str());
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    while (poll(&in, 1, 0) == 0) {
        round_read(&m);
        round_finish(&m);
        if (m.producer != NULL) {
            (void)rd_kafka_poll(m.producer, 0);
        }
    }
    rd_kafka_resp_err_t err = rd_kafka_consumer_close(m.rk);
    printf("end %lld %s\n", (long long)now_us(), rd_kafka_err2name(err));
    rd_kafka_destroy(m.rk);
    if (m.producer != NULL) {
        rd_kafka_destroy(m.producer);
    }
    return 0;
}
