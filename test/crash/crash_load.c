/*
 * crash_load.c - processes of a loaded node are killed; nothing acknowledged may be lost or doubled
 *
 *     crash_load PORT SUPERVISOR_PID backends|workers|node KILLS SEED
 *
 * Writers send one batch at a time, half of them idempotent, two to a partition, with acks=all to half of
 * the partitions and acks=1 to the others (no process's death may lose either), and
 * send it again until it is acknowledged. Readers follow the partitions by long polls, half of them in
 * fetch sessions, which go on when a connection breaks. Committers commit offsets for groups and read them back. The parent
 * kills with SIGKILL: a random client's backend, or random workers and coordinators by turns. A whole node is killed by who
 * called: for each line "kill" on stdout it kills the node, starts it again on the same port, and
 * answers with a line; meanwhile one more client creates and deletes topics (topic_churn.h). It
 * proves (design.md 2, promises 2 and 4; TAP on stdout):
 *
 *   - a killed backend breaks its own connection and no other, a killed coordinator none
 *   - every acknowledged record is there at the end
 *   - records of idempotent writers are there once and in order
 *   - readers saw every offset once, in order
 *   - a group's committed offset is the last that was acknowledged, or that was sent after it
 *   - created topics are there with their ids, deleted ones are not, after each start and at the end
 *   - nobody ever waited WIRE_ANSWER_SECONDS for an answer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/msg_init_producer_id.h"
#include "ottla/protocol/msg_produce.h"
#include "load_commits.h"
#include "load_kills.h"
#include "load_reading.h"
#include "tap.h"
#include "topic_churn.h"
#include "wire_requests.h"

static const char *const mode_names[MODE_COUNT] = {"backends", "workers", "node"};

static int writer_pause_ms; /* whole nodes take long to kill, and all is read in the end */

static bool
writer_producer_id(WireClient *client, ClientState *me, int64_t *ret_id)
{
    InitProducerIdRequest request;
    InitProducerIdResponse response;
    init_producer_id_request_init(&request);
    request.transactional_id = WIRE_NULL_STRING;
    request.transaction_timeout_ms = 60000;
    for (;;) {
        WireResult result =
            wire_client_call(client, &(WireCall){22, 4, &init_producer_id_request_desc, &request,
                                                 &init_producer_id_response_desc, &response});
        if (result != WIRE_OK) {
            if (!client_broke(client, me, result)) {
                return false;
            }
        } else if (response.error_code == 0) {
            *ret_id = response.producer_id;
            return true;
        } else if (!is_transient(response.error_code)) {
            client_fail(me, "no producer id, error", response.error_code);
        }
        wait_ms(5);
    }
}

/* BATCH_RECORDS records "WRITER NUMBER" from number on. */
static BytesView
writer_batch(int writer, int64_t number, int64_t producer_id, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BytesView bytes = {0};
    if (producer_id >= 0) {
        options.producer_id = producer_id;
        options.producer_epoch = 0;
        options.base_sequence = (int32_t)(number & INT32_MAX);
    }
    BatchBuilder *builder = batch_builder_new(&options, arena);
    for (int i = 0; i < BATCH_RECORDS; i++) {
        char *text = arena_printf(arena, "%d %lld", writer, (long long)(number + i));
        BatchRecord record = {.timestamp = 1000, .value = {(uint8_t *)text, (int32_t)strlen(text)}};
        if (batch_builder_add(builder, &record, NULL) != 0) {
            abort();
        }
    }
    if (batch_builder_finish(builder, &bytes, NULL) != 0) {
        abort();
    }
    return bytes;
}

static void
writer_main(int writer)
{
    ClientState *me = &shared->clients[writer];
    WireClient client;
    Arena *arena = arena_new(1 << 14, 0);
    int64_t producer_id = -1;
    wire_client_init(&client, server_port);
    if (!client_connect(&client, me) ||
        (writer % 2 == 0 && !writer_producer_id(&client, me, &producer_id))) {
        return;
    }
    int64_t number = 0;
    while (atomic_u32_load(&shared->stop) == 0) {
        arena_reset(arena);
        BytesView batch = writer_batch(writer, number, producer_id, arena);
        ProduceRequestPartition partition = {.index = writer / 2,
                                             .records = records_in_memory(batch.ptr, batch.len)};
        ProduceRequestTopic topic = {
            .name = STRVIEW(TOPIC), .partition_data = &partition, .partition_data_count = 1};
        ProduceRequest request = {.transactional_id = WIRE_NULL_STRING,
                                  .acks = (int16_t)(writer / 2 % 2 == 0 ? -1 : 1),
                                  .timeout_ms = 10000,
                                  .topic_data = &topic,
                                  .topic_data_count = 1};
        ProduceResponse response;
        WireResult result =
            wire_client_call(&client, &(WireCall){0, 9, &produce_request_desc, &request,
                                                  &produce_response_desc, &response});
        if (result != WIRE_OK) {
            atomic_u32_add(&me->resent, 1);
            if (!client_broke(&client, me, result)) {
                return;
            }
            continue;
        }
        int16_t error = response.responses[0].partition_responses[0].error_code;
        if (error == 0) {
            number += BATCH_RECORDS;
            atomic_i64_store(&me->done, number);
            wait_ms(writer_pause_ms);
        } else if (is_transient(error)) {
            atomic_u32_add(&me->resent, 1);
            wait_ms(5);
        } else {
            client_fail(me, "produce error", error);
        }
    }
}

static bool
follows(const Record *record, void *arg)
{
    int64_t *next = arg;
    return record->offset == (*next)++;
}

static void
reader_main(int reader)
{
    ClientState *me = &shared->clients[WRITERS + reader];
    WireClient client;
    Arena *arena = arena_new(1 << 14, 0);
    Reading r = {
        .client = &client, .me = me, .partition = reader % PARTITIONS, .sessions = reader % 2 == 0};
    wire_client_init(&client, server_port);
    if (!client_connect(&client, me)) {
        return;
    }
    while (atomic_u32_load(&shared->stop) == 0) {
        FetchResponsePartition got;
        WireResult result = fetch_once(&r, &got);
        arena_reset(arena);
        if (result != WIRE_OK) {
            if (!client_broke(&client, me, result)) {
                return;
            }
        } else if (got.error_code == 0) {
            int64_t want = r.next;
            if (walk_records(&got.records, r.next, follows, &want, arena) < 0) {
                client_fail(me, "offsets do not follow one another after", r.next);
            }
            r.next = want;
            atomic_i64_store(&me->done, r.next);
        } else if (is_transient(got.error_code)) {
            wait_ms(5);
        } else {
            client_fail(me, "fetch error", got.error_code);
        }
    }
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void
topic_create(void)
{
    WireClient client;

    wire_client_init(&client, server_port);
    if (!wire_client_connect(&client) || wire_create_topic(&client, TOPIC, PARTITIONS) != 0) {
        printf("Bail out! the topic cannot be created\n");
        exit(1);
    }
    wire_client_close(&client);
}

/* What the final reading found of each writer. */
typedef struct Tally {
    int64_t next[WRITERS]; /* idempotent: the number that must come */
    int64_t doubled[WRITERS];
    uint8_t *seen[WRITERS]; /* plain: times each number came */
    int64_t seen_count[WRITERS];
    bool out_of_order;
} Tally;

static bool
tally_record(const Record *record, void *arg)
{
    Tally *tally = arg;
    char text[64] = {0};
    int writer;
    long long number;
    memcpy(text, record->value.ptr,
           record->value.len < 63 ? (size_t)record->value.len : sizeof text - 1);
    if (sscanf(text, "%d %lld", &writer, &number) != 2 || writer < 0 || writer >= WRITERS ||
        number < 0) {
        return false;
    }
    if (writer % 2 == 0) {
        tally->out_of_order |= number != tally->next[writer]++;
        return true;
    }
    if (number >= tally->seen_count[writer]) {
        int64_t count = (number + 1) * 2;
        tally->seen[writer] = realloc(tally->seen[writer], (size_t)count);
        memset(tally->seen[writer] + tally->seen_count[writer], 0,
               (size_t)(count - tally->seen_count[writer]));
        tally->seen_count[writer] = count;
    }
    tally->doubled[writer] += tally->seen[writer][number] > 0;
    tally->seen[writer][number] = 1;
    return true;
}

static bool
read_all(Tally *tally)
{
    WireClient client;
    Arena *arena = arena_new(1 << 16, 0);
    wire_client_init(&client, server_port);
    if (!wire_client_connect(&client)) {
        return false;
    }
    for (int32_t p = 0; p < PARTITIONS; p++) {
        int64_t next = 0;
        for (;;) {
            FetchResponsePartition got;
            arena_reset(arena);
            Reading r = {.client = &client, .partition = p, .next = next};
            if (fetch_once(&r, &got) != WIRE_OK) {
                return false;
            }
            if (is_transient(got.error_code)) {
                wait_ms(5);
                continue;
            }
            if (got.error_code != 0) {
                return false;
            }
            if (next == got.high_watermark) {
                break;
            }
            next = walk_records(&got.records, next, tally_record, tally, arena);
            if (next < 0) {
                return false;
            }
        }
    }
    wire_client_close(&client);
    return true;
}

static void
verify_churn(const Churn *churn)
{
    WireClient client;
    WireResult result = WIRE_BROKEN;
    const char *wrong = NULL;
    int created, deleted;
    wire_client_init(&client, server_port);
    if (wire_client_connect(&client)) {
        wrong = churn_check(churn, &client, &result);
    }
    wire_client_close(&client);
    churn_report(churn, &created, &deleted);
    printf("# %d topics created, %d of them deleted%s%s\n", created, deleted,
           wrong != NULL ? "; at the end " : "", wrong != NULL ? wrong : "");
    check(result == WIRE_OK && wrong == NULL,
          "acknowledged creations and deletions of topics stay");
    check(created > 0 && deleted > 0, "... and there were both");
}

static void
verify_commits(void)
{
    const char *wrong = NULL;
    int64_t done = 0;
    for (int i = 0; i < COMMITTERS && wrong == NULL; i++) {
        ClientState *c = &shared->clients[WRITERS + READERS + i];
        done += atomic_i64_load(&c->done);
        wrong = committer_check(i, c);
    }
    printf("# %lld commits acknowledged%s%s\n", (long long)done, wrong != NULL ? "; " : "",
           wrong != NULL ? wrong : "");
    check(done > 0 && wrong == NULL, "each group has its last commit");
}

static void
verify(bool backends)
{
    static Tally tally;
    bool strangers = false, lost = false, too_many = false;
    int64_t acked = 0;
    for (int i = 0; i < CLIENTS; i++) {
        const ClientState *c = &shared->clients[i];
        if (backends && atomic_u32_load(&c->breaks) != atomic_u32_load(&c->expected)) {
            printf("# client %d: %u breaks, %u kills\n", i, atomic_u32_load(&c->breaks),
                   atomic_u32_load(&c->expected));
            strangers = true;
        }
    }
    check(!any_failed(), "no client met an error or silence");
    if (backends) {
        check(!strangers, "connections broke where their backend was killed, and nowhere else");
    }
    check(read_all(&tally), "everything can be read");
    for (int i = 0; i < WRITERS; i++) {
        const ClientState *c = &shared->clients[i];
        int64_t done = atomic_i64_load(&c->done);
        acked += done;
        if (i % 2 == 0) {
            lost |= tally.next[i] < done;
            continue;
        }
        for (int64_t n = 0; n < done; n++) {
            lost |= n >= tally.seen_count[i] || tally.seen[i][n] == 0;
        }
        too_many |= tally.doubled[i] > (int64_t)atomic_u32_load(&c->resent) * BATCH_RECORDS;
    }
    printf("# %lld records acknowledged\n", (long long)acked);
    check(acked > 0 && !lost, "no acknowledged record is lost");
    check(!tally.out_of_order, "records of idempotent writers are there once, in order");
    check(!too_many, "a plain writer's records are doubled only where it sent again");
}

static void
client_main(int i, Churn *churn)
{
    if (i < WRITERS) {
        writer_main(i);
    } else if (i < WRITERS + READERS) {
        reader_main(i - WRITERS);
    } else if (i < CLIENTS) {
        committer_main(i - WRITERS - READERS, &shared->clients[i]);
    } else {
        churn_main(churn, &shared->clients[i]);
    }
}

/* The clients' lives, and the kills among them. */
static bool
run_load(pid_t supervisor, Mode mode, int kills, uint64_t seed, Churn *churn)
{
    RandomSeq seq = {seed};
    int clients = mode == MODE_NODE ? CHURN + 1 : CLIENTS;
    pid_t children[CHURN + 1];
    for (int i = 0; i < clients; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            client_main(i, churn);
            _exit(0);
        }
    }
    int64_t begin = now_ms();
    int killed = kill_many(supervisor, mode, kills, &seq);
    printf("# %d kills in %lld ms\n", killed, (long long)(now_ms() - begin));
    wait_ms(200);
    atomic_u32_store(&shared->stop, 1);
    for (int i = 0; i < clients; i++) {
        (void)waitpid(children[i], NULL, 0);
    }
    return killed == kills;
}

int
main(int argc, char **argv)
{
    Mode mode = 0;
    while (argc == 6 && mode < MODE_COUNT && strcmp(argv[3], mode_names[mode]) != 0) {
        mode++;
    }
    if (argc != 6 || mode == MODE_COUNT) {
        fprintf(stderr, "usage: crash_load PORT SUPERVISOR_PID backends|workers|node KILLS SEED\n");
        return 2;
    }
    server_port = (uint16_t)strtol(argv[1], NULL, 10);
    pid_t supervisor = (pid_t)strtol(argv[2], NULL, 10);
    int kills = (int)strtol(argv[4], NULL, 10);
    uint64_t seed = strtoull(argv[5], NULL, 10);
    Churn *churn = churn_new(seed);
    writer_pause_ms = mode == MODE_NODE ? 1 : 0;
    printf("# seed %s\n", argv[5]);
    fflush(stdout);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || churn == NULL) {
        return 1;
    }
    topic_create();
    check(run_load(supervisor, mode, kills, seed, churn), "work went on after each kill");
    verify(mode == MODE_BACKENDS);
    verify_commits();
    if (mode == MODE_NODE) {
        verify_churn(churn);
    }
    return tap_end();
}
