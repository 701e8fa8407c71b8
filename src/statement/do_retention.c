/*
 * do_retention.c - EXPLAIN RETENTION: why each segment is still there, and when it goes
 *
 * The node itself says why (view segments): it is what its retention worker acts upon.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exec_int.h"
#include "ottla/common/clock.h"
#include "ottla/protocol/msg_describe_configs.h"

/* Segments that one statement shows. */
#define SEGMENTS_MAX 100000

typedef struct Segment {
    int64_t partition, base, next, bytes, newest; /* newest: -1: no record, or not known */
    int64_t from;                                 /* when time takes it; -1: no time does */
    bool active, goes;
    const char *why;
} Segment;

typedef struct Segments {
    Exec *x;
    Segment *list;
    int32_t count, room;
} Segments;

static int64_t
number_of(const ClientStatCell *cells, int32_t count, const char *name)
{
    const ClientStatCell *cell = exec_stat_cell(cells, count, name);

    return cell == NULL ? -1 : cell->number;
}

static int
take_row(void *arg, const ClientStatCell *cells, int32_t count)
{
    const ClientStatCell *why = exec_stat_cell(cells, count, "deletable_reason");
    Segments *all = arg;
    Segment *s;

    if (all->count == SEGMENTS_MAX)
        return fault_set(all->x->f, FAULT_LIMIT, "more than %d segments; name a partition",
                         SEGMENTS_MAX);
    if (all->count == all->room) {
        int32_t room = all->room == 0 ? 64 : 2 * all->room;
        Segment *list = exec_alloc(all->x, (size_t)room, sizeof *list);

        if (list == NULL)
            return -1;
        if (all->count > 0)
            memcpy(list, all->list, (size_t)all->count * sizeof *list);
        all->list = list;
        all->room = room;
    }
    s = &all->list[all->count++];
    *s = (Segment){
        .partition = number_of(cells, count, "partition"),
        .base = number_of(cells, count, "base_offset"),
        .next = number_of(cells, count, "next_offset"),
        .bytes = number_of(cells, count, "size_bytes"),
        .newest = number_of(cells, count, "max_timestamp"),
        .active = number_of(cells, count, "active") > 0,
        .goes = number_of(cells, count, "deletable") > 0,
        .from = number_of(cells, count, "deletable_from"),
        .why = why == NULL ? "" : exec_text(all->x, "%.*s", (int)why->text.len, why->text.ptr),
    };
    return 0;
}

static int
compare(const void *a, const void *b)
{
    const Segment *x = a, *y = b;

    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return (x->base > y->base) - (x->base < y->base);
}

/* "7d 3h" and the like; the two largest units. */
static const char *
span(Exec *x, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms < units[i].ms)
            continue;
        if (i + 1 == sizeof units / sizeof units[0])
            return exec_text(x, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
        return exec_text(x, "%" PRId64 "%s %" PRId64 "%s", ms / units[i].ms, units[i].unit,
                         ms % units[i].ms / units[i + 1].ms, units[i + 1].unit);
    }
    return "0s";
}

static void
show(Exec *x, const Segments *all, PrintTable *table)
{
    int64_t now_ms = clock_wall_ms(), bytes = 0, leaving = 0, until = 0;

    print_table_init(table, x->arena, (StrView){0});
    print_table_add_column(table, STRVIEW("partition"), 'r');
    print_table_add_column(table, STRVIEW("segment"), 'r');
    print_table_add_column(table, STRVIEW("offsets"), 'r');
    print_table_add_column(table, STRVIEW("size"), 'r');
    print_table_column_unit(table, PRINT_UNIT_BYTES);
    print_table_add_column(table, STRVIEW("newest"), 'r');
    print_table_add_column(table, STRVIEW("goes"), 'l');
    print_table_add_column(table, STRVIEW("why"), 'l');
    for (int32_t i = 0; i < all->count; i++) {
        const Segment *s = &all->list[i];

        print_table_add_int(table, s->partition);
        print_table_add_int(table, s->base);
        print_table_add_int(table, s->next - s->base);
        print_table_add_int(table, s->bytes);
        if (s->newest < 0)
            print_table_add_null(table);
        else
            print_table_printf(
                table, "%s%s", s->newest > now_ms ? "in " : "",
                exec_text(x, s->newest > now_ms ? "%s" : "%s ago",
                          span(x, s->newest > now_ms ? s->newest - now_ms : now_ms - s->newest)));
        /* segments go in their order: what holds an older one holds this one, too */
        if (i == 0 || all->list[i - 1].partition != s->partition)
            until = 0;
        until = s->from < 0 || until < 0 ? -1 : s->from > until ? s->from : until;
        if (s->goes)
            print_table_add_text(table, "next check");
        else if (until < 0)
            print_table_add_text(table, "never by time");
        else if (until <= now_ms)
            print_table_add_text(table, "when what holds it is gone");
        else
            print_table_printf(table, "in %s", span(x, until - now_ms));
        print_table_printf(table, "%s%s", s->why, s->active ? " (written to)" : "");
        bytes += s->bytes;
        leaving += s->goes ? s->bytes : 0;
    }
    print_table_add_footer(table,
                           "%" PRId32 " segments of %" PRId64 " bytes, %" PRId64
                           " of them go at the next check.",
                           all->count, bytes, leaving);
}

/* The settings that decide. */
static int
add_settings(Exec *x, StrView topic, PrintTable *table)
{
    static const char *const names[] = {
        "cleanup.policy", "retention.ms",         "retention.bytes",       "segment.ms",
        "segment.bytes",  "file.delete.delay.ms", "message.timestamp.type"};
    DescribeConfigsResponseResult have;
    StrBuf line;

    if (configs_read(x, RESOURCE_TOPIC, topic, false, &have) != 0)
        return -1;
    strbuf_init(&line, 4096, x->arena);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (int32_t j = 0; j < have.configs_count; j++) {
            if (strview_equal(have.configs[j].name, strview_from(names[i])))
                strbuf_printf(&line, "%s%s = %.*s", line.len > 0 ? ", " : "", names[i],
                              (int)have.configs[j].value.len, have.configs[j].value.ptr);
        }
    }
    print_table_add_footer(table, "Settings: %s.", line.ptr);
    return 0;
}

int
do_explain_retention(Exec *x)
{
    const StatementItem *topic = &x->s->items[statement_find(x->s, ITEM_TOPIC, 0)];
    ClientStatFilter filters[2] = {{"topic", topic->text},
                                   {"partition", statement_text_of(x->s, ITEM_PARTITION)}};
    ClientStatQuery query = {.view = "segments",
                             .filters = filters,
                             .filter_count = statement_has(x->s, ITEM_PARTITION) ? 2 : 1};
    Segments all = {.x = x};
    Items one = {.noun = "topic"}, partitions = {0};
    PrintTable table;

    if (items_add(x, &one, topic->text, -1, topic->pos) == NULL ||
        partitions_of(x, &one, &partitions) != 0)
        return -1;
    if (filters[1].value.ptr != NULL &&
        items_find(&partitions, topic->text,
                   (int32_t)statement_number_of(x->s, ITEM_PARTITION, 0)) == NULL)
        return exec_bad_value(x, &x->s->items[statement_find(x->s, ITEM_PARTITION, 0)],
                              "topic \"%.*s\" has no partition %.*s", (int)topic->text.len,
                              topic->text.ptr, (int)filters[1].value.len, filters[1].value.ptr);
    if (client_stat(x->client, CLIENT_HERE, &query, take_row, &all, x->f) != 0 ||
        x->f->sqlstate[0] != '\0')
        return -1;
    if (all.count > 1)
        qsort(all.list, (size_t)all.count, sizeof *all.list, compare);
    show(x, &all, &table);
    if (add_settings(x, topic->text, &table) != 0)
        return -1;
    return exec_table(x, &table);
}
