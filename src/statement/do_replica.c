/*
 * do_replica.c - EXPLAIN REPLICA: what the high watermark, the disk and an acknowledgement wait for
 *
 * Metadata says who is in sync, the node's view partitions how far it is; design.md 6 says what acks=all waits for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/msg_describe_configs.h"
#include "ottla/protocol/msg_metadata.h"

typedef struct Replica {
    Exec *x;
    bool known;
    const char *state, *role, *directory;
    int64_t end, high_watermark, last_stable, durable;
} Replica;

static const char *
text_of(Exec *x, const ClientStatCell *cells, int32_t count, const char *name)
{
    const ClientStatCell *cell = exec_stat_cell(cells, count, name);

    return cell == NULL ? "unknown" : exec_text(x, "%.*s", (int)cell->text.len, cell->text.ptr);
}

static int64_t
number_of(const ClientStatCell *cells, int32_t count, const char *name)
{
    const ClientStatCell *cell = exec_stat_cell(cells, count, name);

    return cell == NULL ? -1 : cell->number;
}

static int
take_row(void *arg, const ClientStatCell *cells, int32_t count)
{
    Replica *r = arg;

    r->known = true;
    r->state = text_of(r->x, cells, count, "state");
    r->role = text_of(r->x, cells, count, "role");
    r->directory = text_of(r->x, cells, count, "directory");
    r->end = number_of(cells, count, "end_offset");
    r->high_watermark = number_of(cells, count, "high_watermark");
    r->last_stable = number_of(cells, count, "last_stable_offset");
    r->durable = number_of(cells, count, "durable_offset");
    return 0;
}

static const char *
ids_text(Exec *x, const int32_t *ids, int32_t count)
{
    StrBuf out;

    strbuf_init(&out, 4096, x->arena);
    for (int32_t i = 0; i < count; i++)
        strbuf_printf(&out, "%s%" PRId32, i > 0 ? ", " : "", ids[i]);
    return out.len == 0 ? "none" : out.ptr;
}

static StrView
config_of(const DescribeConfigsResponseResult *have, const char *name, const char *otherwise)
{
    for (int32_t i = 0; i < have->configs_count; i++) {
        if (strview_equal(have->configs[i].name, strview_from(name)) &&
            have->configs[i].value.ptr != NULL)
            return have->configs[i].value;
    }
    return strview_from(otherwise);
}

static void
row(PrintTable *table, const char *what, const char *where, const char *waits)
{
    print_table_add_text(table, what);
    print_table_add_text(table, where);
    print_table_add_text(table, waits);
}

static const char *
offset_text(Exec *x, int64_t offset)
{
    return offset < 0 ? NULL : exec_text(x, "%" PRId64, offset);
}

static void
explain_leader(Exec *x, const MetadataResponsePartition *p, PrintTable *table)
{
    if (p->leader_id >= 0)
        row(table, "leader",
            exec_text(x, "broker %" PRId32 ", epoch %" PRId32, p->leader_id, p->leader_epoch),
            p->leader_id == p->replica_nodes[0]
                ? "nothing: it is the preferred one"
                : "an election of the preferred one: ELECT PREFERRED LEADER FOR TOPIC ...");
    else
        row(table, "leader", "none",
            "a replica that was in sync to come back; or ELECT UNCLEAN LEADER, which may lose "
            "records");
    if (p->isr_nodes_count == p->replica_nodes_count)
        row(table, "in-sync replicas", ids_text(x, p->isr_nodes, p->isr_nodes_count),
            "nothing: all replicas are in sync");
    else
        row(table, "in-sync replicas", ids_text(x, p->isr_nodes, p->isr_nodes_count),
            exec_text(x, "%" PRId32 " of %" PRId32 " replicas to catch up; offline: %s",
                      p->replica_nodes_count - p->isr_nodes_count, p->replica_nodes_count,
                      ids_text(x, p->offline_replicas, p->offline_replicas_count)));
}

static void
explain_offsets(Exec *x, const Replica *r, const MetadataResponsePartition *p, PrintTable *table)
{
    row(table, "log end", offset_text(x, r->end), "producers");
    if (r->high_watermark == r->end)
        row(table, "high watermark", offset_text(x, r->high_watermark),
            "nothing: every in-sync replica has every record");
    else
        row(table, "high watermark", offset_text(x, r->high_watermark),
            exec_text(x, "the slowest of the in-sync replicas %s, which lack %" PRId64 " records",
                      ids_text(x, p->isr_nodes, p->isr_nodes_count), r->end - r->high_watermark));
    if (r->last_stable >= 0 && r->last_stable < r->high_watermark)
        row(table, "last stable offset", offset_text(x, r->last_stable),
            "the end of the oldest open transaction: FIND HANGING TRANSACTIONS");
    if (r->durable < 0)
        return;
    if (r->durable >= r->end)
        row(table, "durable offset", offset_text(x, r->durable), "nothing: all of it is on disk");
    else
        row(table, "durable offset", offset_text(x, r->durable),
            exec_text(x,
                      "the next flush, for %" PRId64
                      " records: by a producer that waits for the disk, by flush.messages "
                      "or flush.ms, or by the checkpoint",
                      r->end - r->durable));
}

static void
explain_ack(Exec *x, const MetadataResponsePartition *p,
            const DescribeConfigsResponseResult *configs, PrintTable *table)
{
    StrView durability = config_of(configs, "acks.durability", "auto");
    StrView min_text = config_of(configs, "min.insync.replicas", "1");
    bool disk = strview_equal(durability, STRVIEW("disk")) ||
                (strview_equal(durability, STRVIEW("auto")) && p->isr_nodes_count == 1);
    int32_t min_isr = 1;

    (void)text_to_int32(min_text, &min_isr); /* what is no number counts as the default */
    row(table, "acks=1", NULL, p->leader_id >= 0 ? "nothing but the leader's own log" : "a leader");
    if (p->isr_nodes_count < min_isr)
        row(table, "acks=all", NULL,
            exec_text(x,
                      "refused with NOT_ENOUGH_REPLICAS: %" PRId32
                      " in sync, min.insync.replicas is %" PRId32,
                      p->isr_nodes_count, min_isr));
    else
        row(table, "acks=all", NULL,
            exec_text(x,
                      "the high watermark%s (acks.durability %.*s, %" PRId32
                      " in sync, min.insync.replicas %" PRId32 ")",
                      disk ? " and the disk" : "", (int)durability.len, durability.ptr,
                      p->isr_nodes_count, min_isr));
}

/* The partition that the statement names. */
static int
find_partition(Exec *x, const MetadataResponse *metadata, const MetadataResponsePartition **ret)
{
    const StatementItem *topic = &x->s->items[statement_find(x->s, ITEM_TOPIC, 0)];
    const StatementItem *number = &x->s->items[statement_find(x->s, ITEM_PARTITION, 0)];
    int16_t error = metadata->topics_count == 1 ? metadata->topics[0].error_code
                                                : KERR_UNKNOWN_TOPIC_OR_PARTITION;

    if (error != 0) {
        bool missing = error == KERR_UNKNOWN_TOPIC_OR_PARTITION;

        (void)fault_kafka(x->f, error, -1, "topic \"%.*s\" %s", (int)topic->text.len,
                          topic->text.ptr, missing ? "does not exist" : "cannot be looked at");
        x->f->position = topic->pos;
        return -1;
    }
    for (int32_t i = 0; i < metadata->topics[0].partitions_count; i++) {
        *ret = &metadata->topics[0].partitions[i];
        if ((*ret)->partition_index == statement_number_of(x->s, ITEM_PARTITION, -1) &&
            (*ret)->replica_nodes_count > 0)
            return 0;
    }
    return exec_bad_value(x, number, "topic \"%.*s\" has no partition %.*s", (int)topic->text.len,
                          topic->text.ptr, (int)number->text.len, number->text.ptr);
}

int
do_explain_replica(Exec *x)
{
    const StatementItem *topic = &x->s->items[statement_find(x->s, ITEM_TOPIC, 0)];
    ClientStatFilter filters[2] = {{"topic", topic->text},
                                   {"partition", statement_text_of(x->s, ITEM_PARTITION)}};
    ClientStatQuery query = {.view = "partitions", .filters = filters, .filter_count = 2};
    int32_t node = (int32_t)statement_number_of(x->s, ITEM_BROKER, CLIENT_HERE);
    Replica r = {.x = x};
    Items one = {.noun = "topic"};
    MetadataResponse metadata;
    const MetadataResponsePartition *p = NULL;
    DescribeConfigsResponseResult configs;
    PrintTable table;

    if (items_add(x, &one, topic->text, -1, topic->pos) == NULL ||
        exec_metadata(x, &one, &metadata) != 0 || find_partition(x, &metadata, &p) != 0 ||
        configs_read(x, RESOURCE_TOPIC, topic->text, false, &configs) != 0)
        return -1;
    if (node == CLIENT_HERE && p->leader_id >= 0)
        node = p->leader_id;
    if (client_stat(x->client, node, &query, take_row, &r, x->f) != 0 || x->f->sqlstate[0] != '\0')
        return -1;
    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("what"), 'l');
    print_table_add_column(&table, STRVIEW("now"), 'l');
    print_table_add_column(&table, STRVIEW("waits for"), 'l');
    explain_leader(x, p, &table);
    if (r.known) {
        row(&table, "log", exec_text(x, "%s, %s", r.state, r.role),
            strcmp(r.state, "failed") == 0
                ? exec_text(x, "its directory %s to work again", r.directory)
            : strcmp(r.state, "unopened") == 0 ? "its first reader or writer, who opens it"
                                               : "nothing");
        if (strcmp(r.state, "open") == 0)
            explain_offsets(x, &r, p, &table);
    } else {
        row(&table, "log", "not on this broker", "a reassignment that brings it there");
    }
    explain_ack(x, p, &configs, &table);
    return exec_table(x, &table);
}
