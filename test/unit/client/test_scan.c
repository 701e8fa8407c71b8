/*
 * test_scan.c - scans: bounds, aborted transactions, and answers to Fetch that are wrong in any way
 *
 * The server is a process of its own on a TCP port. Its log: offsets 0 to 2 plain, 3 and 4 of a transaction that is aborted at 5, 6 and 7
 * of one that is committed at 8.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/consume.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/random.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/protocol/frame.h"
#include "ottla/protocol/msg_api_versions.h"
#include "ottla/protocol/msg_fetch.h"
#include "ottla/protocol/msg_list_offsets.h"
#include "ottla/protocol/msg_metadata.h"

#define LOG_END 9

typedef enum Mode {
    MODE_GOOD,
    MODE_PIECES,   /* a batch at a time, with what was aborted told each time that it is met */
    MODE_SAME,     /* the first batch, whatever is asked for */
    MODE_MORE,     /* two partitions, where there is one */
    MODE_EMPTY,    /* nothing, although there should be something */
    MODE_CUT,      /* half a batch */
    MODE_FLIP,     /* records with some bytes changed */
    MODE_FLIP_ALL, /* the answer with some bytes changed */
} Mode;

static struct Orders {
    volatile int mode;
    volatile uint64_t seed;
} * orders;
static pid_t server_pid;
static uint16_t server_port;
static uint8_t log_bytes[4096];
static int32_t log_len;

/* ---- the log ---- */

static void
add_batch(int64_t offset, int32_t count, int64_t producer_id, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchBuilder *builder;
    BytesView bytes;

    options.base_offset = offset;
    if (producer_id >= 0) {
        options.producer_id = producer_id;
        options.producer_epoch = 0;
        options.base_sequence = (int32_t)offset;
        options.attributes = BATCH_ATTR_TRANSACTIONAL;
    }
    builder = batch_builder_new(&options, arena);
    for (int32_t i = 0; i < count; i++)
        assert_int_equal(batch_builder_add(builder,
                                           &(BatchRecord){.timestamp = 1000 + offset + i,
                                                          .value = {(const uint8_t *)"v", 1}},
                                           NULL),
                         0);
    assert_int_equal(batch_builder_finish(builder, &bytes, NULL), 0);
    memcpy(log_bytes + log_len, bytes.ptr, (size_t)bytes.len);
    log_len += bytes.len;
}

static void
add_marker(int64_t offset, int64_t producer_id, bool commit, Arena *arena)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BytesView bytes;

    options.base_offset = offset;
    options.producer_id = producer_id;
    options.producer_epoch = 0;
    assert_int_equal(end_txn_batch_build(&options, commit, 0, 1000 + offset, arena, &bytes, NULL),
                     0);
    memcpy(log_bytes + log_len, bytes.ptr, (size_t)bytes.len);
    log_len += bytes.len;
}

/* ---- the server ---- */

static void
send_all(int fd, const void *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
        _exit(0);
}

static void
flip(uint8_t *bytes, size_t len)
{
    RandomSeq seq = {orders->seed};

    for (uint64_t left = 1 + random_seq_below(&seq, 3); left > 0; left--)
        bytes[random_seq_below(&seq, len)] = (uint8_t)random_seq_next(&seq);
}

static void
fill_fetch(FetchResponse *response, WireReader *r, int16_t version)
{
    static uint8_t copy[sizeof log_bytes];
    static FetchResponseTopic topic;
    static FetchResponsePartition partition, partitions[2];
    static FetchResponseAbortedTransaction aborted = {.producer_id = 9, .first_offset = 3};
    FetchRequest request;
    int32_t at = 0;

    fetch_request_read(r, version, &request);
    fetch_response_init(response);
    fetch_response_topic_init(&topic);
    fetch_response_partition_init(&partition);
    while (at < log_len &&
           batch_last_offset(log_bytes + at) < request.topics[0].partitions[0].fetch_offset)
        at += (int32_t)batch_size(log_bytes + at);
    memcpy(copy, log_bytes, sizeof copy);
    if (orders->mode == MODE_FLIP)
        flip(copy + at, (size_t)(log_len - at));
    partition.records = records_in_memory(copy + at, log_len - at);
    if (orders->mode == MODE_SAME)
        partition.records = records_in_memory(copy, (int32_t)batch_size(copy));
    if (orders->mode == MODE_PIECES && at < log_len)
        partition.records = records_in_memory(copy + at, (int32_t)batch_size(copy + at));
    if (orders->mode == MODE_EMPTY)
        partition.records = WIRE_EMPTY_RECORDS;
    if (orders->mode == MODE_CUT)
        partition.records = records_in_memory(copy + at, 40);
    partition.high_watermark = partition.last_stable_offset =
        orders->mode == MODE_EMPTY ? 1 : LOG_END;
    partition.aborted_transactions = &aborted;
    partition.aborted_transactions_count =
        request.isolation_level == 1 &&
        (orders->mode != MODE_PIECES || request.topics[0].partitions[0].fetch_offset <= 5);
    partitions[0] = partitions[1] = partition;
    topic.topic = STRVIEW("t");
    topic.partitions = partitions;
    topic.partitions_count = orders->mode == MODE_MORE ? 2 : 1;
    response->responses = &topic;
    response->responses_count = 1;
}

static void
fill_offsets(ListOffsetsResponse *response, WireReader *r, int16_t version)
{
    static ListOffsetsResponseTopic topic;
    static ListOffsetsResponsePartition partition;
    ListOffsetsRequest request;
    int64_t timestamp;

    list_offsets_request_read(r, version, &request);
    timestamp = request.topics[0].partitions[0].timestamp;
    list_offsets_response_init(response);
    list_offsets_response_topic_init(&topic);
    list_offsets_response_partition_init(&partition);
    partition.offset = timestamp == CLIENT_OFFSET_LATEST     ? LOG_END
                       : timestamp == CLIENT_OFFSET_EARLIEST ? 0
                       : timestamp > 1008                    ? -1
                       : timestamp > 1000                    ? timestamp - 1000
                                                             : 0;
    topic.name = STRVIEW("t");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    response->topics = &topic;
    response->topics_count = 1;
}

static void
fill_metadata(MetadataResponse *response)
{
    static MetadataResponseBroker broker;
    static MetadataResponseTopic topic;
    static MetadataResponsePartition partition;

    metadata_response_init(response);
    metadata_response_broker_init(&broker);
    metadata_response_topic_init(&topic);
    metadata_response_partition_init(&partition);
    broker.node_id = partition.leader_id = 7;
    broker.host = STRVIEW("127.0.0.1");
    broker.port = server_port;
    topic.name = STRVIEW("t");
    topic.partitions = &partition;
    topic.partitions_count = 1;
    response->brokers = &broker;
    response->brokers_count = 1;
    response->topics = &topic;
    response->topics_count = 1;
}

static void
answer(int fd, const RequestHead *head, WireReader *r, Arena *arena)
{
    static const int16_t keys[] = {API_Fetch, API_ListOffsets, API_Metadata, API_ApiVersions};
    static ApiVersionsResponseApiVersion apis[4];
    static union {
        ApiVersionsResponse versions;
        MetadataResponse metadata;
        ListOffsetsResponse offsets;
        FetchResponse fetch;
    } m;
    FrameBody body = {NULL, &m, head->api_version};
    FrameOut out;

    if (head->api->key == API_ApiVersions) {
        api_versions_response_init(&m.versions);
        for (int i = 0; i < 4; i++)
            apis[i] = (ApiVersionsResponseApiVersion){.api_key = keys[i],
                                                      .min_version = api_find(keys[i])->offer_lo,
                                                      .max_version = api_find(keys[i])->offer_hi};
        m.versions.api_keys = apis;
        m.versions.api_keys_count = 4;
        body.desc = &api_versions_response_desc;
    } else if (head->api->key == API_Metadata) {
        fill_metadata(&m.metadata);
        body.desc = &metadata_response_desc;
    } else if (head->api->key == API_ListOffsets) {
        fill_offsets(&m.offsets, r, head->api_version);
        body.desc = &list_offsets_response_desc;
    } else {
        fill_fetch(&m.fetch, r, head->api_version);
        body.desc = &fetch_response_desc;
    }
    if (frame_encode_response(head, &body, &out, arena, NULL) != 0)
        _exit(9);
    if (orders->mode == MODE_FLIP_ALL && head->api->key == API_Fetch)
        flip(out.buf + 8, out.len - 8);
    send_all(fd, out.buf, out.len);
}

static void
serve(int fd)
{
    static uint8_t frame[65536];
    Arena *arena = arena_new(65536, 0);
    uint8_t size[4];

    while (recv(fd, size, 4, MSG_WAITALL) == 4) {
        uint32_t len = wire_load32(size);
        WireReader r;
        RequestHead head;

        if (len > sizeof frame || recv(fd, frame, len, MSG_WAITALL) != (ssize_t)len)
            break;
        wire_reader_init(&r, frame, len, arena);
        if (frame_read_head(&r, &head) != 0)
            _exit(9);
        answer(fd, &head, &r, arena);
        arena_reset(arena);
    }
    _exit(0);
}

static int
start_server(void **state)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Arena *arena = arena_new(65536, 0);

    (void)state;
    add_batch(0, 3, -1, arena);
    add_batch(3, 1, 9, arena);
    add_batch(4, 1, 9, arena);
    add_marker(5, 9, false, arena);
    add_batch(6, 2, 9, arena);
    add_marker(8, 9, true, arena);
    arena_free(arena);
    orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (orders == MAP_FAILED || fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&here, &len) != 0)
        return -1;
    server_port = ntohs(here.sin_port);
    server_pid = fork();
    if (server_pid == 0) {
        (void)signal(SIGCHLD, SIG_IGN);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int client = accept(fd, NULL, NULL);
            if (client >= 0 && fork() == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(client);
            }
            (void)close(client);
        }
    }
    (void)close(fd);
    return server_pid > 0 ? 0 : -1;
}

static int
stop_server(void **state)
{
    (void)state;
    (void)kill(server_pid, SIGKILL);
    return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

/* ---- the client ---- */

static Fault f;

static Client *
connected(void)
{
    static ClientTarget target;
    char text[128];
    Client *c;

    client_target_init(&target);
    (void)snprintf(text, sizeof text,
                   "host=127.0.0.1 port=%u connect_timeout=300ms request_timeout=300ms",
                   server_port);
    assert_int_equal(client_target_parse(&target, strview_from(text), &f), 0);
    assert_int_equal(client_open(&target, &c, &f), 0);
    return c;
}

/* The offsets that a scan gives, as text; "!CODE" behind them when it fails. */
static const char *
offsets_of(Client *c, const ClientScanOptions *options)
{
    static char text[512];
    ClientScan *scan;
    ClientRecord record;
    size_t len = 0;
    int got;

    text[0] = '\0';
    if (client_scan_open(c, options, &scan, &f) != 0) {
        (void)snprintf(text, sizeof text, "!%s", f.sqlstate);
        return text;
    }
    while ((got = client_scan_next(scan, &record, &f)) == 1 && len < sizeof text - 32)
        len += (size_t)snprintf(text + len, sizeof text - len, "%lld ",
                                (long long)record.record.offset);
    if (got < 0)
        (void)snprintf(text + len, sizeof text - len, "!%s", f.sqlstate);
    client_scan_close(scan);
    return text;
}

static void
test_bounds(void **state)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    Client *c = connected();

    (void)state;
    orders->mode = MODE_GOOD;
    o.topic = STRVIEW("t");
    assert_string_equal(offsets_of(c, &o), "0 1 2 6 7 ");
    orders->mode = MODE_PIECES;
    assert_string_equal(offsets_of(c, &o), "0 1 2 6 7 ");
    orders->mode = MODE_GOOD;
    o.uncommitted = true;
    assert_string_equal(offsets_of(c, &o), "0 1 2 3 4 5 6 7 8 ");
    o.offset_min = 2;
    o.offset_max = 4;
    assert_string_equal(offsets_of(c, &o), "2 3 4 ");
    o.offset_min = -2;
    o.offset_max = CLIENT_NO_BOUND;
    assert_string_equal(offsets_of(c, &o), "7 8 ");
    o.offset_min = CLIENT_NO_BOUND;
    o.timestamp_min = 1006;
    assert_string_equal(offsets_of(c, &o), "6 7 8 ");
    o.timestamp_until = 1008;
    assert_string_equal(offsets_of(c, &o), "6 7 ");
    o.timestamp_min = 5000;
    assert_string_equal(offsets_of(c, &o), "");
    client_close(c);
}

static void
test_wrong(void **state)
{
    static const struct {
        Mode mode;
        const char *want;
    } cases[] = {{MODE_SAME, "0 1 2 !08P01"},
                 {MODE_EMPTY, "!57P05"},
                 {MODE_CUT, "!08P01"},
                 {MODE_MORE, "!08P01"}};
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    Client *c = connected();

    (void)state;
    o.topic = STRVIEW("t");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        orders->mode = cases[i].mode;
        assert_string_equal(offsets_of(c, &o), cases[i].want);
    }
    orders->mode = MODE_GOOD;
    assert_string_equal(offsets_of(c, &o), "0 1 2 6 7 ");
    client_close(c);
}

/* Any bytes: the scan ends, with records or a fault, and the next one works. */
static void
test_flips(void **state)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    Client *c = connected();

    (void)state;
    o.topic = STRVIEW("t");
    for (uint64_t seed = 1; seed <= 200; seed++) {
        orders->mode = seed % 2 == 0 ? MODE_FLIP : MODE_FLIP_ALL;
        orders->seed = seed;
        o.uncommitted = seed % 3 == 0;
        (void)offsets_of(c, &o);
        assert_true(strlen(offsets_of(c, &o)) < 480);
    }
    orders->mode = MODE_GOOD;
    o.uncommitted = false;
    assert_string_equal(offsets_of(c, &o), "0 1 2 6 7 ");
    client_close(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_flips)};

    (void)setenv("HOME", "/nonexistent", 1);
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
