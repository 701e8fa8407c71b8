/*
 * client_probe.c - does one thing by src/client and prints what came of it
 *
 *   info                              who is there
 *   coordinator GROUP, leader TOPIC P, controller
 *   stat VIEW                         number of rows
 *   offsets TOPIC TIMESTAMP           "offset P N" for each partition
 *   produce TOPIC P COUNT BYTES [CODEC] COUNT records, key "kN" (P -1: by key), value of so many bytes
 *   scan TOPIC P MIN MAX TIME LIMIT   "record P OFFSET KEY SIZE" each ("-": no bound); with counts behind
 *   copy FROM TO                      batches of one topic into another, partition by partition
 *   batches TOPIC                     "batch P OFFSET COUNT CRC"
 *   murmur KEY N                      the partition of a key
 *   wait TOPIC MS                     a scan that follows, until a record comes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/client/consume.h"
#include "ottla/client/produce.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/batch.h"

static Client *c;
static Fault f;
static char **args;
static int arg_count;

static const char *
arg(int i)
{
    return i < arg_count ? args[i] : "";
}

static int64_t
number(int i)
{
    return strcmp(arg(i), "-") == 0 || arg(i)[0] == '\0' ? CLIENT_NO_BOUND
                                                         : strtoll(arg(i), NULL, 10);
}

static StrView
text(int i)
{
    return strview_from(arg(i));
}

static int
info(void)
{
    const ClientInfo *i = client_info(c);

    printf("server %s\nversion %s\ntransport %s\naddress %s\ncluster %s\nnode %d\napis %d\n",
           i->server_name, i->server_version, i->transport, i->address, i->cluster_id, i->node_id,
           i->api_count);
    return 0;
}

static int
who(const char *command)
{
    int32_t node = -1;
    int status = strcmp(command, "coordinator") == 0 ? client_coordinator(c, 0, text(0), &node, &f)
                 : strcmp(command, "leader") == 0
                     ? client_leader(c, text(0), (int32_t)number(1), &node, &f)
                     : client_controller(c, &node, &f);

    if (status == 0)
        printf("node %d\n", node);
    return status;
}

static int
count_row(void *count, const ClientStatCell *cells, int32_t n)
{
    (void)cells;
    (void)n;
    ++*(int64_t *)count;
    return 0;
}

static int
stat_view(void)
{
    ClientStatQuery q = {arg(0), NULL, 0, NULL, 0};
    int64_t rows = 0;
    int status = client_stat(c, CLIENT_HERE, &q, count_row, &rows, &f);

    if (status == 0)
        printf("rows %" PRId64 "\n", rows);
    return status;
}

static int
offsets(void)
{
    ClientOffsetsQuery q = {text(0), number(1), false};
    ClientOffset *found;
    int32_t count;

    if (client_partition_count(c, q.topic, &count, &f) != 0)
        return -1;
    found = calloc((size_t)count, sizeof *found);
    if (found == NULL)
        abort();
    for (int32_t i = 0; i < count; i++)
        found[i].partition = i;
    if (client_offsets(c, &q, found, count, &f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++)
        printf("offset %d %" PRId64 "\n", i, found[i].offset);
    free(found);
    return 0;
}

static void
produced(void *unused, const ClientProduced *p)
{
    (void)unused;
    printf("produced %d %" PRId64 "\n", p->partition, p->offset);
}

static int
produce(void)
{
    ClientProducerOptions options = {.codec = arg(4)[0] == '\0' ? 0 : (int)number(4),
                                     .produced = produced};
    size_t size = (size_t)number(3);
    uint8_t *value = malloc(size + 1);
    ClientProducer *p;
    int status;

    if (value == NULL)
        abort();
    memset(value, 'v', size);
    if (client_producer_open(c, &options, &p, &f) != 0)
        return -1;
    status = 0;
    for (int64_t i = 0; i < number(2) && status == 0; i++) {
        char key[32];
        BatchRecord record = {.timestamp = -1, .value = {value, (int32_t)size}};

        record.key = (BytesView){(const uint8_t *)key, snprintf(key, sizeof key, "k%" PRId64, i)};
        status = client_producer_add(p, text(0), (int32_t)number(1), &record, &f);
        if (status == 0 && client_producer_full(p))
            status = client_producer_flush(p, &f);
    }
    if (status == 0)
        status = client_producer_flush(p, &f);
    client_producer_close(p);
    free(value);
    return status;
}

static int
scan(void)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    int32_t partition = (int32_t)number(1);
    int64_t before = client_bytes_in(c);
    ClientScan *s;
    ClientRecord r;
    int got = 0;

    o.topic = text(0);
    if (partition >= 0) {
        o.partitions = &partition;
        o.partition_count = 1;
    }
    o.offset_min = number(2);
    o.offset_max = number(3);
    o.timestamp_min = number(4);
    o.limit = number(5) < 0 ? 0 : number(5);
    if (client_scan_open(c, &o, &s, &f) != 0)
        return -1;
    while ((o.limit == 0 || client_scan_counts(s).records < o.limit) &&
           (got = client_scan_next(s, &r, &f)) == 1)
        printf("record %d %" PRId64 " %.*s %d%s\n", r.partition, r.record.offset, r.record.key.len,
               (const char *)r.record.key.ptr, r.record.value.len, r.crc_ok ? "" : " bad");
    printf("bytes %" PRId64 "\nfetches %" PRId64 "\n", client_bytes_in(c) - before,
           client_scan_counts(s).fetches);
    client_scan_close(s);
    return got < 0 ? -1 : 0;
}

static int
batches(const char *to)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    ClientProducerOptions po = {.codec = 0};
    ClientProducer *p = NULL;
    ClientScan *s;
    ClientRecord r;
    int got;

    o.topic = text(0);
    if (client_scan_open(c, &o, &s, &f) != 0 ||
        (to != NULL && client_producer_open(c, &po, &p, &f) != 0))
        return -1;
    while ((got = client_scan_next_batch(s, &r, &f)) == 1) {
        if (to == NULL)
            printf("batch %d %" PRId64 " %d %08x\n", r.partition, batch_base_offset(r.batch),
                   batch_record_count(r.batch), batch_crc(r.batch));
        else if (client_producer_add_batch(p, strview_from(to), r.partition,
                                           (BytesView){r.batch, (int32_t)r.batch_size}, &f) != 0)
            break;
    }
    if (got == 0 && p != NULL)
        got = client_producer_flush(p, &f);
    client_producer_close(p);
    client_scan_close(s);
    return got == 0 ? 0 : -1;
}

static int
wait_record(void)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    ClientScan *s;
    ClientRecord r;
    int got = 0;

    o.topic = text(0);
    o.follow = true;
    o.max_wait_ms = (int32_t)number(1);
    o.timestamp_min = INT64_MAX; /* what is there now is not wanted */
    if (client_scan_open(c, &o, &s, &f) != 0)
        return -1;
    printf("waiting\n");
    (void)fflush(stdout);
    for (int i = 0; i < 100 && got == 0; i++)
        got = client_scan_next(s, &r, &f);
    if (got == 1)
        printf("record %d %" PRId64 "\n", r.partition, r.record.offset);
    client_scan_close(s);
    return got == 1 ? 0 : -1;
}

static int
run(const char *command)
{
    if (strcmp(command, "info") == 0)
        return info();
    if (strcmp(command, "stat") == 0)
        return stat_view();
    if (strcmp(command, "offsets") == 0)
        return offsets();
    if (strcmp(command, "produce") == 0)
        return produce();
    if (strcmp(command, "scan") == 0)
        return scan();
    if (strcmp(command, "copy") == 0)
        return batches(arg(1));
    if (strcmp(command, "batches") == 0)
        return batches(NULL);
    if (strcmp(command, "wait") == 0)
        return wait_record();
    return who(command);
}

int
main(int argc, char **argv)
{
    static ClientTarget target;
    int status;

    if (argc < 3)
        return 2;
    args = argv + 3;
    arg_count = argc - 3;
    if (strcmp(argv[2], "murmur") == 0) {
        StrView key = text(0);
        printf("partition %d\n",
               client_partition_for((BytesView){(const uint8_t *)key.ptr, key.len},
                                    (int32_t)number(1)));
        return 0;
    }
    client_target_init(&target);
    status = client_target_parse(&target, strview_from(argv[1]), &f);
    if (status == 0)
        status = client_open(&target, &c, &f);
    if (status == 0)
        status = run(argv[2]);
    if (status != 0)
        printf("fault %s %s | %s | %s\n", f.sqlstate, f.message, f.detail, f.hint);
    client_close(c);
    return status == 0 ? 0 : 1;
}
