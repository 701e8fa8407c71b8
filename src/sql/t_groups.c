/*
 * t_groups.c - groups and their members
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/strbuf.h"
#include "sql/cache_int.h"
#include "sql/lag_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))

/* ---- groups ---- */

enum {
    GROUP_ID,
    GROUP_TYPE,
    GROUP_PROTOCOL_TYPE,
    GROUP_PROTOCOL,
    GROUP_STATE,
    GROUP_COORDINATOR,
    GROUP_MEMBERS,
    GROUP_EPOCH,
    GROUP_TOPICS,
    GROUP_TOTAL_LAG,
    GROUP_IS_SIMPLE
};

static const SqlColumnDef group_columns[] = {
    [GROUP_ID] = {"group_id", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [GROUP_TYPE] = {"type", SQL_DECL_TEXT, 0},
    [GROUP_PROTOCOL_TYPE] = {"protocol_type", SQL_DECL_TEXT, 0},
    [GROUP_PROTOCOL] = {"protocol", SQL_DECL_TEXT, 0},
    [GROUP_STATE] = {"state", SQL_DECL_TEXT, 0},
    [GROUP_COORDINATOR] = {"coordinator", SQL_DECL_INTEGER, 0},
    [GROUP_MEMBERS] = {"members", SQL_DECL_INTEGER, 0},
    [GROUP_EPOCH] = {"epoch", SQL_DECL_INTEGER, 0},
    [GROUP_TOPICS] = {"topics", SQL_DECL_INTEGER, 0},
    [GROUP_TOTAL_LAG] = {"total_lag", SQL_DECL_INTEGER, 0},
    [GROUP_IS_SIMPLE] = {"is_simple", SQL_DECL_BOOLEAN, 0},
};

#define GROUP_DESCRIBED (BIT(GROUP_PROTOCOL) | BIT(GROUP_MEMBERS) | BIT(GROUP_EPOCH))
#define GROUP_OFFSETS   (BIT(GROUP_TOPICS) | BIT(GROUP_TOTAL_LAG))

static const SqlCallDef group_calls[] = {
    {"ListGroups", 0},
    {"DescribeGroups", GROUP_DESCRIBED},
    {"ConsumerGroupDescribe", GROUP_DESCRIBED},
    {"OffsetFetch", GROUP_OFFSETS},
    {"ListOffsets", BIT(GROUP_TOTAL_LAG)},
};

static void
set_group_offsets(SqlScan *scan, SqlValue *row, const CacheGroup *group)
{
    int64_t total = 0;
    int32_t topics = 0;

    if (!group->offsets_asked)
        return;
    for (int32_t i = 0; group->offsets != NULL && i < group->offsets->topics_count; i++) {
        const OffsetFetchResponseGroupTopic *topic = &group->offsets->topics[i];

        topics++;
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            const CachePartition *partition =
                cache_partition(scan->sql, topic->name, topic->partitions[p].partition_index);
            int64_t lag = partition_lag(partition, topic->partitions[p].committed_offset);

            total += lag > 0 ? lag : 0;
        }
    }
    row_int(scan, row, GROUP_TOPICS, topics);
    row_int(scan, row, GROUP_TOTAL_LAG, total);
}

static int
scan_groups(SqlScan *scan, Fault *f)
{
    CacheGroups groups;

    if (cache_groups(scan->sql, scan_key(scan, GROUP_ID), (scan->used & GROUP_DESCRIBED) != 0,
                     &groups, f) != 0)
        return -1;
    if ((scan->used & GROUP_OFFSETS) != 0 && cache_group_offsets(scan->sql, &groups, f) != 0)
        return -1;
    if (scan_uses(scan, GROUP_TOTAL_LAG) && lag_ask_for_ends(scan, &groups, NULL, NULL, f) != 0)
        return -1;
    for (int32_t i = 0; i < groups.count; i++) {
        const CacheGroup *group = groups.groups[i];
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            break;
        row_text(scan, row, GROUP_ID, group->group_id);
        row_text(scan, row, GROUP_TYPE, group->type);
        row_text(scan, row, GROUP_PROTOCOL_TYPE, group->protocol_type);
        row_text(scan, row, GROUP_PROTOCOL, group->protocol);
        row_text(scan, row, GROUP_STATE, group->state);
        row_int(scan, row, GROUP_COORDINATOR, group->coordinator);
        if (group->described)
            row_int(scan, row, GROUP_MEMBERS, group->member_count);
        if (group->epoch >= 0)
            row_int(scan, row, GROUP_EPOCH, group->epoch);
        set_group_offsets(scan, row, group);
        row_bool(scan, row, GROUP_IS_SIMPLE, group->protocol_type.len == 0);
    }
    return scan_end(scan, f);
}

const SqlTable table_groups = {.name = "groups",
                               .help = "consumer and share groups",
                               SQL_COLUMNS(group_columns),
                               SQL_CALLS(group_calls),
                               .rows_of = SQL_ROWS_GROUPS,
                               .scan = scan_groups};

/* ---- members ---- */

enum {
    MEMBER_GROUP,
    MEMBER_ID,
    MEMBER_INSTANCE,
    MEMBER_CLIENT,
    MEMBER_HOST,
    MEMBER_RACK,
    MEMBER_EPOCH,
    MEMBER_SUBSCRIBED,
    MEMBER_REGEX,
    MEMBER_ASSIGNED,
    MEMBER_N_ASSIGNED,
    MEMBER_TARGET,
    MEMBER_ASSIGNOR
};

static const SqlColumnDef member_columns[] = {
    [MEMBER_GROUP] = {"group_id", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [MEMBER_ID] = {"member_id", SQL_DECL_TEXT, 0},
    [MEMBER_INSTANCE] = {"instance_id", SQL_DECL_TEXT, 0},
    [MEMBER_CLIENT] = {"client_id", SQL_DECL_TEXT, 0},
    [MEMBER_HOST] = {"host", SQL_DECL_TEXT, 0},
    [MEMBER_RACK] = {"rack", SQL_DECL_TEXT, 0},
    [MEMBER_EPOCH] = {"member_epoch", SQL_DECL_INTEGER, 0},
    [MEMBER_SUBSCRIBED] = {"subscribed", SQL_DECL_JSON, 0},
    [MEMBER_REGEX] = {"subscribed_regex", SQL_DECL_TEXT, 0},
    [MEMBER_ASSIGNED] = {"assigned", SQL_DECL_JSON, 0},
    [MEMBER_N_ASSIGNED] = {"n_assigned", SQL_DECL_INTEGER, 0},
    [MEMBER_TARGET] = {"target", SQL_DECL_JSON, 0},
    [MEMBER_ASSIGNOR] = {"assignor", SQL_DECL_TEXT, 0},
};

static const SqlCallDef member_calls[] = {
    {"ListGroups", 0}, {"DescribeGroups", 0}, {"ConsumerGroupDescribe", 0}};

/* {"orders":[0,1]} */
static void
set_assigned(SqlScan *scan, SqlValue *row, int32_t column, const CacheAssigned *list, int32_t count)
{
    StrBuf text;

    if (!scan_uses(scan, column))
        return;
    strbuf_init(&text, 16 << 20, scan->arena);
    strbuf_add_char(&text, '{');
    for (int32_t i = 0; i < count; i++) {
        strbuf_add_cstr(&text, i == 0 ? "" : ",");
        strbuf_add_json(&text, list[i].topic);
        strbuf_add_cstr(&text, ":[");
        for (int32_t p = 0; p < list[i].count; p++)
            strbuf_printf(&text, "%s%d", p == 0 ? "" : ",", (int)list[i].partitions[p]);
        strbuf_add_char(&text, ']');
    }
    strbuf_add_char(&text, '}');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, column, strbuf_view(&text));
}

static void
set_member(SqlScan *scan, SqlValue *row, const CacheGroup *group, const CacheMember *m)
{
    int64_t assigned = 0;

    for (int32_t i = 0; i < m->assigned_count; i++)
        assigned += m->assigned[i].count;
    row_text(scan, row, MEMBER_GROUP, group->group_id);
    row_text(scan, row, MEMBER_ID, m->member_id);
    row_text(scan, row, MEMBER_INSTANCE, m->instance_id);
    row_text(scan, row, MEMBER_CLIENT, m->client_id);
    row_text(scan, row, MEMBER_HOST, m->host);
    row_text(scan, row, MEMBER_RACK, m->rack);
    if (m->epoch >= 0)
        row_int(scan, row, MEMBER_EPOCH, m->epoch);
    row_strings_json(scan, row, MEMBER_SUBSCRIBED, m->subscribed, m->subscribed_count);
    if (m->regex.len > 0)
        row_text(scan, row, MEMBER_REGEX, m->regex);
    set_assigned(scan, row, MEMBER_ASSIGNED, m->assigned, m->assigned_count);
    row_int(scan, row, MEMBER_N_ASSIGNED, assigned);
    if (m->target != NULL)
        set_assigned(scan, row, MEMBER_TARGET, m->target, m->target_count);
    row_text(scan, row, MEMBER_ASSIGNOR, group->protocol);
}

static int
scan_members(SqlScan *scan, Fault *f)
{
    CacheGroups groups;

    if (cache_groups(scan->sql, scan_key(scan, MEMBER_GROUP), true, &groups, f) != 0)
        return -1;
    for (int32_t i = 0; i < groups.count; i++) {
        for (int32_t m = 0; m < groups.groups[i]->member_count; m++) {
            SqlValue *row = scan_row(scan);

            if (row == NULL)
                return scan_end(scan, f);
            set_member(scan, row, groups.groups[i], &groups.groups[i]->members[m]);
        }
    }
    return scan_end(scan, f);
}

const SqlTable table_group_members = {.name = "group_members",
                                      .help = "members of groups and what they have",
                                      SQL_COLUMNS(member_columns),
                                      SQL_CALLS(member_calls),
                                      .rows_of = SQL_ROWS_GROUPS,
                                      .rows_guess = 5,
                                      .scan = scan_members};
