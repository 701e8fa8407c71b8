/*
 * members.c - who is in a group, of whichever protocol
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "members_int.h"

#include <inttypes.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_consumer_group_describe.h"
#include "ottla/protocol/msg_describe_groups.h"

/* Members that a message names. */
#define MEMBERS_SHOWN 5

static int
read_consumer(Exec *x, StrView group, int32_t node, MemberList *ret)
{
    ConsumerGroupDescribeRequest request;
    ConsumerGroupDescribeResponse response;
    const ConsumerGroupDescribeResponseGroup *g;

    if (client_version(x->client, node, API_ConsumerGroupDescribe) < 0)
        return 0;
    consumer_group_describe_request_init(&request);
    request.group_ids = &group;
    request.group_ids_count = 1;
    if (exec_read(x, node, API_ConsumerGroupDescribe, &request, &response) != 0)
        return -1;
    g = response.groups_count == 1 ? &response.groups[0] : NULL;
    if (g == NULL || g->error_code != 0)
        return 0; /* a classic one, or none: the other API says which */
    ret->exists = true;
    ret->state = g->group_state;
    ret->list = exec_alloc(x, (size_t)g->members_count, sizeof *ret->list);
    if (ret->list == NULL)
        return -1;
    for (int32_t i = 0; i < g->members_count; i++)
        ret->list[ret->count++] =
            (Member){g->members[i].member_id, g->members[i].client_id, g->members[i].client_host};
    return 0;
}

static int
read_classic(Exec *x, StrView group, int32_t node, MemberList *ret)
{
    DescribeGroupsRequest request;
    DescribeGroupsResponse response;
    const DescribeGroupsResponseGroup *g;

    describe_groups_request_init(&request);
    request.groups = &group;
    request.groups_count = 1;
    if (exec_read(x, node, API_DescribeGroups, &request, &response) != 0)
        return -1;
    g = response.groups_count == 1 ? &response.groups[0] : NULL;
    if (g == NULL)
        return fault_set(x->f, FAULT_BAD_REPLY,
                         "the answer to DescribeGroups is not about what was asked");
    ret->state = g->group_state;
    if (g->error_code == KERR_GROUP_ID_NOT_FOUND) {
        ret->state = STRVIEW("Dead");
        return 0;
    }
    if (g->error_code != 0)
        return fault_kafka(x->f, g->error_code, node, "could not look at group \"%.*s\": %s",
                           (int)group.len, group.ptr, fault_kafka_text(g->error_code));
    ret->exists = !strview_equal(g->group_state, STRVIEW("Dead"));
    ret->list = exec_alloc(x, (size_t)g->members_count, sizeof *ret->list);
    if (ret->list == NULL)
        return -1;
    for (int32_t i = 0; i < g->members_count; i++)
        ret->list[ret->count++] =
            (Member){g->members[i].member_id, g->members[i].client_id, g->members[i].client_host};
    return 0;
}

int
members_read(Exec *x, StrView group, MemberList *ret)
{
    for (int attempt = 1;; attempt++) {
        int32_t node;
        int rc;

        *ret = (MemberList){0};
        if (exec_group_node(x, group, &node) != 0 || read_consumer(x, group, node, ret) != 0)
            return -1;
        rc = ret->exists ? 0 : read_classic(x, group, node, ret);
        if (rc == 0)
            return 0;
        /* coordinators load, and move */
        if (x->f->kafka_error == 0 || exec_again(x, x->f->kafka_error, attempt) != 1)
            return -1;
        fault_clear(x->f);
    }
}

int
members_fault(Exec *x, StrView group, int32_t pos)
{
    MemberList members;
    StrBuf text;

    if (members_read(x, group, &members) != 0)
        return -1;
    strbuf_init(&text, 400, x->arena);
    for (int32_t i = 0; i < members.count && i < MEMBERS_SHOWN; i++)
        strbuf_printf(&text, "%s%.*s (client \"%.*s\" at %.*s)", i > 0 ? ", " : "",
                      (int)members.list[i].member_id.len, members.list[i].member_id.ptr,
                      (int)members.list[i].client_id.len, members.list[i].client_id.ptr,
                      (int)members.list[i].host.len, members.list[i].host.ptr);
    (void)fault_set(x->f, "55006", "group \"%.*s\" is in use by %" PRId32 " member%s",
                    (int)group.len, group.ptr, members.count, members.count == 1 ? "" : "s");
    fault_detail(x->f, "%s%s", text.ptr, members.count > MEMBERS_SHOWN ? ", ..." : "");
    fault_hint(x->f,
               "Stop its consumers first, or remove them with ALTER GROUP ... REMOVE MEMBER ALL.");
    x->f->position = pos;
    return -1;
}
