/*
 * do_groups.c - DROP GROUP, and what is taken out of a group: offsets, members
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>

#include "exec_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_delete_groups.h"
#include "ottla/protocol/msg_leave_group.h"
#include "ottla/protocol/msg_offset_delete.h"
#include "members_int.h"

/* ---- DROP GROUP ---- */

static int
send_drop(Exec *x, Items *items, void *arg)
{
    (void)arg;
    for (int32_t i = 0; i < items->count; i++) {
        Item *item = &items->list[i];
        DeleteGroupsRequest request;
        DeleteGroupsResponse response;
        int32_t node;
        int rc;

        if (!item->pending)
            continue;
        delete_groups_request_init(&request);
        request.groups_names = &item->name;
        request.groups_names_count = 1;
        if (exec_group_node(x, item->name, &node) != 0)
            return -1;
        rc = exec_change(x, node, API_DeleteGroups, &request, &response);
        if (rc < 0)
            return rc;
        if (rc == EXEC_PLANNED)
            item->pending = false;
        else if (response.results_count == 1)
            item_done(x, item, response.results[0].error_code, (StrView){0}, node);
        else
            return fault_set(x->f, FAULT_BAD_REPLY,
                             "the answer to DeleteGroups is not about what was asked");
    }
    return x->s->explain ? EXEC_PLANNED : 0;
}

int
do_drop_group(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "drop",
                                  .skip = {KERR_GROUP_ID_NOT_FOUND},
                                  .skip_text = "does not exist",
                                  .skip_on = statement_has(x->s, ITEM_IF)};
    Items groups = {0};
    int32_t done;
    int rc;

    if (names_expand(x, ITEM_GROUP, NAMES_GROUPS, verdict.skip_on, &groups) != 0 ||
        names_confirm(x, "Drop", &groups) != 0)
        return -1;
    if (x->validate) {
        exec_notice(x, "NOTICE", "validated only, nothing was dropped");
        exec_tag(x, "DROP GROUP");
        return 0;
    }
    rc = items_run(x, &groups, send_drop, NULL);
    if (rc != 0)
        return rc;
    if (items_report(x, &groups, &verdict, &done) != 0) {
        if (groups.count == 1 && groups.list[0].error == KERR_NON_EMPTY_GROUP)
            return members_fault(x, groups.list[0].name, groups.list[0].pos);
        return -1;
    }
    exec_tag(x, "DROP GROUP");
    return 0;
}

/* ---- ALTER GROUP ... DELETE OFFSETS ---- */

static int
send_delete(Exec *x, Items *items, void *arg)
{
    StrView group = *(const StrView *)arg;
    OffsetDeleteRequest request;
    OffsetDeleteRequestTopic *topics = exec_alloc(x, (size_t)items->count, sizeof *topics);
    OffsetDeleteRequestPartition *partitions =
        exec_alloc(x, (size_t)items->count, sizeof *partitions);
    OffsetDeleteResponse response;
    int32_t node;
    int rc;

    if (topics == NULL || partitions == NULL || exec_group_node(x, group, &node) != 0)
        return -1;
    offset_delete_request_init(&request);
    request.group_id = group;
    request.topics = topics;
    for (int32_t i = 0; i < items->count; i++) {
        const Item *item = &items->list[i];
        OffsetDeleteRequestTopic *t =
            request.topics_count == 0 ? NULL : &topics[request.topics_count - 1];

        if (!item->pending)
            continue;
        if (t == NULL || !strview_equal(t->name, item->name)) {
            t = &topics[request.topics_count++];
            offset_delete_request_topic_init(t);
            t->name = item->name;
            t->partitions = &partitions[i];
        }
        offset_delete_request_partition_init(&t->partitions[t->partitions_count]);
        t->partitions[t->partitions_count++].partition_index = item->partition;
    }
    rc = exec_change(x, node, API_OffsetDelete, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < items->count && response.error_code != 0; i++)
        item_done(x, &items->list[i], response.error_code, (StrView){0}, node);
    for (int32_t i = 0; i < response.topics_count; i++) {
        const OffsetDeleteResponseTopic *t = &response.topics[i];

        for (int32_t j = 0; j < t->partitions_count; j++) {
            Item *item = items_find(items, t->name, t->partitions[j].partition_index);

            if (item != NULL)
                item_done(x, item, t->partitions[j].error_code, (StrView){0}, node);
        }
    }
    return 0;
}

int
do_delete_offsets(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "delete offsets of"};
    StrView group = statement_text_of(x->s, ITEM_GROUP);
    Items items = {0};
    int32_t done;
    int rc;

    if (partitions_named(x, 0, &items) != 0)
        return -1;
    rc = items_run(x, &items, send_delete, &group);
    if (rc != 0)
        return rc;
    if (items.count > 0 && items.list[0].error == KERR_GROUP_ID_NOT_FOUND) {
        (void)fault_kafka(x->f, KERR_GROUP_ID_NOT_FOUND, items.list[0].node,
                          "group \"%.*s\" does not exist", (int)group.len, group.ptr);
        x->f->position = x->s->items[statement_find(x->s, ITEM_GROUP, 0)].pos;
        return -1;
    }
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ALTER GROUP");
    return 0;
}

/* ---- ALTER GROUP ... REMOVE MEMBER ---- */

static int
send_remove(Exec *x, Items *items, void *arg)
{
    StrView group = *(const StrView *)arg;
    bool instance = statement_has(x->s, ITEM_INSTANCE);
    LeaveGroupRequest request;
    LeaveGroupResponse response;
    int32_t node;
    int rc;

    if (exec_group_node(x, group, &node) != 0)
        return -1;
    leave_group_request_init(&request);
    request.group_id = group;
    request.members = exec_alloc(x, (size_t)items->count, sizeof *request.members);
    if (request.members == NULL)
        return -1;
    for (int32_t i = 0; i < items->count; i++) {
        LeaveGroupRequestMember *m = &request.members[request.members_count];

        if (!items->list[i].pending)
            continue;
        leave_group_request_member_init(m);
        m->member_id = instance ? STRVIEW("") : items->list[i].name;
        if (instance)
            m->group_instance_id = items->list[i].name;
        m->reason = STRVIEW("removed by an administrator");
        request.members_count++;
    }
    rc = exec_change(x, node, API_LeaveGroup, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < items->count && response.error_code != 0; i++)
        item_done(x, &items->list[i], response.error_code, (StrView){0}, node);
    for (int32_t i = 0; i < response.members_count && response.error_code == 0; i++) {
        const LeaveGroupResponseMember *m = &response.members[i];
        Item *item = items_find(items, instance ? m->group_instance_id : m->member_id, -1);

        if (item != NULL)
            item_done(x, item, m->error_code, (StrView){0}, node);
    }
    return 0;
}

int
do_remove_member(Exec *x)
{
    const ItemsVerdict verdict = {.verb = "remove"};
    StrView group = statement_text_of(x->s, ITEM_GROUP);
    int32_t at = statement_find(x->s, ITEM_INSTANCE, 0);
    Items items = {.noun = "member"};
    int32_t done;
    int rc;

    if (statement_has(x->s, ITEM_ALL)) {
        MemberList members;

        if (members_read(x, group, &members) != 0)
            return -1;
        for (int32_t i = 0; i < members.count; i++) {
            if (items_add(x, &items, members.list[i].member_id, -1, 0) == NULL)
                return -1;
        }
        if (items.count == 0)
            exec_notice(x, "NOTICE", "group \"%.*s\" has no members", (int)group.len, group.ptr);
    } else {
        at = at >= 0 ? at : statement_find(x->s, ITEM_MEMBER, 0);
        if (items_add(x, &items, x->s->items[at].text, -1, x->s->items[at].pos) == NULL)
            return -1;
    }
    rc = items_run(x, &items, send_remove, &group);
    if (rc != 0)
        return rc;
    if (items_report(x, &items, &verdict, &done) != 0)
        return -1;
    exec_tag(x, "ALTER GROUP");
    return 0;
}
