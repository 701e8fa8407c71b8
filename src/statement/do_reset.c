/*
 * do_reset.c - ALTER GROUP ... RESET OFFSETS
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "exec_int.h"
#include "members_int.h"
#include "offsets_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "reset_int.h"

/* Bytes of a file of offsets. */
#define RESET_FILE_MAX (16 << 20)

typedef struct Reset {
    StrView group;
    ResetTo to;
    int64_t timestamp;
    int64_t asked;
    Items partitions;
    ResetPartition *known; /* of each */
} Reset;

static int
time_asked(Exec *x, Reset *r)
{
    int32_t at = statement_find(x->s, ITEM_TIMESTAMP, 0);
    int64_t now_ms = clock_wall_ms(), duration;

    r->to = RESET_TIME;
    if (at >= 0) {
        if (!value_timestamp_ms(x->s->items[at].text, now_ms, x->env->timezone, &r->timestamp))
            return exec_bad_value(x, &x->s->items[at], "\"%.*s\" is no time",
                                  (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
        return 0;
    }
    at = statement_find(x->s, ITEM_DURATION, 0);
    if (!value_duration_ms(x->s->items[at].text, &duration) || duration > now_ms)
        return exec_bad_value(x, &x->s->items[at], "\"%.*s\" is no duration",
                              (int)x->s->items[at].text.len, x->s->items[at].text.ptr);
    r->timestamp = now_ms - duration;
    return 0;
}

static int
what_is_asked(Exec *x, Reset *r)
{
    const Statement *s = x->s;

    r->group = statement_text_of(s, ITEM_GROUP);
    if (statement_has(s, ITEM_TIMESTAMP) || statement_has(s, ITEM_DURATION))
        return time_asked(x, r);
    r->to = statement_has(s, ITEM_EARLIEST)  ? RESET_EARLIEST
            : statement_has(s, ITEM_LATEST)  ? RESET_LATEST
            : statement_has(s, ITEM_CURRENT) ? RESET_CURRENT
            : statement_has(s, ITEM_OFFSET)  ? RESET_OFFSET
            : statement_has(s, ITEM_SHIFT)   ? RESET_SHIFT
                                             : RESET_FILE;
    r->asked = statement_number_of(s, r->to == RESET_SHIFT ? ITEM_SHIFT : ITEM_OFFSET, 0);
    return 0;
}

static int
read_text(const char *path, Arena *arena, StrView *ret)
{
    BytesView bytes;

    if (vfs_read_file(path, RESET_FILE_MAX, arena, &bytes, NULL) != 0)
        return -1;
    *ret = (StrView){(const char *)bytes.ptr, bytes.len};
    return 0;
}

/* TO FILE: the partitions and offsets of a file, all or, with FOR TOPIC, those that are also named. */
static int
take_file(Exec *x, Reset *r)
{
    const StatementItem *item = &x->s->items[statement_find(x->s, ITEM_FILE, 0)];
    const char *path = exec_text(x, "%.*s", (int)item->text.len, item->text.ptr);
    Items named = r->partitions;
    StrView text;
    int32_t line_number = 0;

    if (read_text(path, x->arena, &text) != 0) {
        (void)fault_set(x->f, FAULT_NO_FILE, "could not read file \"%s\"", path);
        x->f->position = item->pos;
        return -1;
    }
    r->partitions = (Items){.noun = "topic"};
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', (size_t)text.len);
        StrView line = {text.ptr, end == NULL ? text.len : (int32_t)(end - text.ptr)}, topic;
        int32_t partition, used = line.len + (end != NULL);
        int64_t offset;
        Item *added;

        text = (StrView){text.ptr + used, text.len - used};
        line_number++;
        if (text_trim(line).len == 0)
            continue;
        if (!reset_csv_line(line, &topic, &partition, &offset))
            return exec_bad_value(x, item, "%s:%" PRId32 ": not topic,partition,offset", path,
                                  line_number);
        if (named.count > 0 && items_find(&named, topic, partition) == NULL)
            continue;
        added = items_add(x, &r->partitions, topic, partition, item->pos);
        if (added == NULL)
            return -1;
        added->number = offset;
    }
    /* without partitions all of the group would be meant */
    return r->partitions.count > 0
               ? 0
               : exec_bad_value(x, item, "file \"%s\" names no partition to reset", path);
}

static int
look_up(Exec *x, Reset *r)
{
    int32_t count;
    int64_t *committed, *starts, *ends, *times = NULL;

    if (offsets_committed(x, r->group, &r->partitions, &committed) != 0)
        return -1;
    count = r->partitions.count;
    if (count == 0) {
        (void)fault_set(x->f, "42704", "group \"%.*s\" has committed no offsets", (int)r->group.len,
                        r->group.ptr);
        fault_hint(x->f, "Name the topics: RESET OFFSETS FOR TOPIC ...");
        return -1;
    }
    starts = exec_alloc(x, (size_t)count, sizeof *starts);
    ends = exec_alloc(x, (size_t)count, sizeof *ends);
    times = exec_alloc(x, (size_t)count, sizeof *times);
    r->known = exec_alloc(x, (size_t)count, sizeof *r->known);
    if (starts == NULL || ends == NULL || times == NULL || r->known == NULL ||
        offsets_at(x, &r->partitions, OFFSETS_START, starts) != 0 ||
        offsets_at(x, &r->partitions, OFFSETS_END, ends) != 0 ||
        (r->to == RESET_TIME && offsets_at(x, &r->partitions, r->timestamp, times) != 0))
        return -1;
    for (int32_t i = 0; i < count; i++)
        r->known[i] = (ResetPartition){
            .committed = committed[i],
            .start = starts[i],
            .end = ends[i],
            .at_time = times[i],
            .asked = r->to == RESET_FILE ? r->partitions.list[i].number : r->asked,
        };
    return 0;
}

/* Chooses the targets and shows them. */
static int
choose(Exec *x, Reset *r)
{
    PrintTable table;

    print_table_init(&table, x->arena, (StrView){0});
    print_table_add_column(&table, STRVIEW("topic"), 'l');
    print_table_add_column(&table, STRVIEW("partition"), 'r');
    print_table_add_column(&table, STRVIEW("before"), 'r');
    print_table_add_column(&table, STRVIEW("after"), 'r');
    print_table_add_column(&table, STRVIEW("lag after"), 'r');
    for (int32_t i = 0; i < r->partitions.count; i++) {
        Item *item = &r->partitions.list[i];
        const ResetPartition *p = &r->known[i];
        bool clamped;

        item->number = reset_target(r->to, p, &clamped);
        if (clamped)
            exec_notice(x, "NOTICE", "offset for %s was moved into what the log holds: %" PRId64,
                        item_label(x, &r->partitions, item), item->number);
        print_table_add_cell(&table, item->name);
        print_table_add_int(&table, item->partition);
        if (p->committed < 0)
            print_table_add_null(&table);
        else
            print_table_add_int(&table, p->committed);
        print_table_add_int(&table, item->number);
        print_table_add_int(&table, p->end - item->number);
    }
    return x->s->explain ? 0 : exec_table(x, &table);
}

int
do_reset_offsets(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "reset the offset of"};
    int32_t group_pos = x->s->items[statement_find(x->s, ITEM_GROUP, 0)].pos;
    Reset r = {0};
    MemberList members;
    int32_t done;
    int rc;

    if (what_is_asked(x, &r) != 0 || members_read(x, r.group, &members) != 0)
        return -1;
    if (members.count > 0)
        return members_fault(x, r.group, group_pos);
    if (partitions_named(x, 0, &r.partitions) != 0 || (r.to == RESET_FILE && take_file(x, &r) != 0))
        return -1;
    if (look_up(x, &r) != 0 || choose(x, &r) != 0)
        return -1;
    if (statement_has(x->s, ITEM_DRY) || x->validate) {
        exec_notice(x, "NOTICE", "dry run, nothing was changed");
        return 0;
    }
    rc = offsets_commit(x, r.group, &r.partitions);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < r.partitions.count; i++) {
        int16_t error = r.partitions.list[i].error;

        if (error == KERR_UNKNOWN_MEMBER_ID || error == KERR_NON_EMPTY_GROUP ||
            error == KERR_REBALANCE_IN_PROGRESS)
            return members_fault(x, r.group, group_pos); /* somebody came in between */
    }
    if (items_report(x, &r.partitions, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ALTER GROUP");
    return 0;
}
