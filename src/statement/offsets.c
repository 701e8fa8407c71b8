/*
 * offsets.c - offsets of partitions and of groups: asked, committed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "offsets_int.h"

#include <inttypes.h>
#include <string.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/msg_list_offsets.h"
#include "ottla/protocol/msg_offset_commit.h"
#include "ottla/protocol/msg_offset_fetch.h"

/* The last versions that name topics; later ones want their ids. */
#define FETCH_BY_NAME  9
#define COMMIT_BY_NAME 9

/* ---- of partitions ---- */

typedef struct ListWork {
    int64_t timestamp;
    int32_t *leaders; /* of each item */
} ListWork;

static int
list_one_leader(Exec *x, Items *items, const ListWork *work, int32_t leader)
{
    ListOffsetsRequest request;
    ListOffsetsResponse response;
    ListOffsetsRequestTopic *topics = exec_alloc(x, (size_t)items->count, sizeof *topics);
    ListOffsetsRequestPartition *partitions =
        exec_alloc(x, (size_t)items->count, sizeof *partitions);

    if (topics == NULL || partitions == NULL)
        return -1;
    list_offsets_request_init(&request);
    request.replica_id = -1;
    request.topics = topics;
    for (int32_t i = 0, used = 0; i < items->count; i++) {
        const Item *item = &items->list[i];
        ListOffsetsRequestTopic *t =
            request.topics_count == 0 ? NULL : &topics[request.topics_count - 1];

        if (!item->pending || work->leaders[i] != leader)
            continue;
        if (t == NULL || !strview_equal(t->name, item->name)) {
            t = &topics[request.topics_count++];
            list_offsets_request_topic_init(t);
            t->name = item->name;
            t->partitions = &partitions[used];
        }
        list_offsets_request_partition_init(&partitions[used]);
        partitions[used].partition_index = item->partition;
        partitions[used].timestamp = work->timestamp;
        t->partitions_count++;
        used++;
    }
    if (exec_read(x, leader, API_ListOffsets, &request, &response) != 0)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++) {
        const ListOffsetsResponseTopic *t = &response.topics[i];

        for (int32_t j = 0; j < t->partitions_count; j++) {
            Item *item = items_find(items, t->name, t->partitions[j].partition_index);

            if (item == NULL)
                continue;
            item->number = t->partitions[j].offset;
            item_done(x, item, t->partitions[j].error_code, (StrView){0}, leader);
        }
    }
    return 0;
}

static int
send_list(Exec *x, Items *items, void *arg)
{
    ListWork *work = arg;

    for (int32_t i = 0; i < items->count; i++) {
        if (items->list[i].pending &&
            client_leader(x->client, items->list[i].name, items->list[i].partition,
                          &work->leaders[i], x->f) != 0) {
            x->f->position = items->list[i].pos;
            return -1;
        }
    }
    /* an item that stays pending after its leader was asked is one to be asked again later, not now */
    for (int32_t i = 0; i < items->count; i++) {
        int32_t leader = work->leaders[i];

        if (!items->list[i].pending || leader < 0)
            continue;
        if (list_one_leader(x, items, work, leader) != 0)
            return -1;
        for (int32_t j = i; j < items->count; j++) {
            if (work->leaders[j] == leader)
                work->leaders[j] = -1;
        }
    }
    return 0;
}

int
offsets_at(Exec *x, const Items *partitions, int64_t timestamp, int64_t *ret)
{
    const ItemsVerdict verdict = {.verb = "find offsets of"};
    Items items = *partitions;
    ListWork work = {.timestamp = timestamp};
    int32_t done;

    items.list = exec_alloc(x, (size_t)items.count, sizeof *items.list);
    work.leaders =
        items.list == NULL ? NULL : exec_alloc(x, (size_t)items.count, sizeof *work.leaders);
    if (work.leaders == NULL)
        return -1;
    for (int32_t i = 0; i < items.count; i++) {
        items.list[i] = partitions->list[i];
        items.list[i].pending = true;
        items.list[i].error = 0;
    }
    if (items_run(x, &items, send_list, &work) != 0 ||
        items_report(x, &items, &verdict, &done) != 0)
        return -1;
    for (int32_t i = 0; i < items.count; i++)
        ret[i] = items.list[i].number;
    return 0;
}

/* ---- of groups: what is committed ---- */

/* One answer in the form of the later versions. */
static int
fetch_new(Exec *x, StrView group, int32_t node, OffsetFetchResponseGroup *ret)
{
    OffsetFetchRequest request;
    OffsetFetchRequestGroup one;
    OffsetFetchResponse response;
    ClientCall call = client_call_to(node, API_OffsetFetch);

    offset_fetch_request_init(&request);
    offset_fetch_request_group_init(&one);
    one.group_id = group;
    one.topics_count = -1; /* all */
    request.groups = &one;
    request.groups_count = 1;
    call.version_max = FETCH_BY_NAME;
    if (exec_read_at(x, call, &request, &response) != 0)
        return -1;
    if (response.groups_count != 1)
        return fault_set(x->f, FAULT_BAD_REPLY,
                         "the answer to OffsetFetch is not about what was asked");
    *ret = response.groups[0];
    return 0;
}

static int
fetch_old(Exec *x, StrView group, int32_t node, OffsetFetchResponseGroup *ret)
{
    OffsetFetchRequest request;
    OffsetFetchResponse response;

    offset_fetch_request_init(&request);
    request.group_id = group;
    request.topics_count = -1; /* all */
    if (exec_read(x, node, API_OffsetFetch, &request, &response) != 0)
        return -1;
    offset_fetch_response_group_init(ret);
    ret->error_code = response.error_code;
    ret->topics = exec_alloc(x, (size_t)response.topics_count, sizeof *ret->topics);
    if (ret->topics == NULL)
        return -1;
    for (int32_t i = 0; i < response.topics_count; i++) {
        const OffsetFetchResponseTopic *from = &response.topics[i];
        OffsetFetchResponseGroupTopic *to = &ret->topics[ret->topics_count++];

        offset_fetch_response_group_topic_init(to);
        to->name = from->name;
        to->partitions = exec_alloc(x, (size_t)from->partitions_count, sizeof *to->partitions);
        if (to->partitions == NULL)
            return -1;
        for (int32_t j = 0; j < from->partitions_count; j++) {
            offset_fetch_response_group_partition_init(&to->partitions[j]);
            to->partitions[j].partition_index = from->partitions[j].partition_index;
            to->partitions[j].committed_offset = from->partitions[j].committed_offset;
            to->partitions[j].error_code = from->partitions[j].error_code;
            to->partitions_count++;
        }
    }
    return 0;
}

/* Until the coordinator has its offsets at hand. */
static int
fetch_all(Exec *x, StrView group, OffsetFetchResponseGroup *ret)
{
    for (int attempt = 1;; attempt++) {
        int32_t node;
        int rc;

        if (exec_group_node(x, group, &node) != 0)
            return -1;
        rc = client_version(x->client, node, API_OffsetFetch) >= 8 ? fetch_new(x, group, node, ret)
                                                                   : fetch_old(x, group, node, ret);
        if (rc != 0)
            return -1;
        if (ret->error_code == 0 || ret->error_code == KERR_GROUP_ID_NOT_FOUND)
            return 0;
        rc = exec_again(x, ret->error_code, attempt);
        if (rc < 0)
            return -1;
        if (rc == 1)
            continue;
        return fault_kafka(x->f, ret->error_code, node,
                           "could not read offsets of group \"%.*s\": %s", (int)group.len,
                           group.ptr, fault_kafka_text(ret->error_code));
    }
}

int
offsets_committed(Exec *x, StrView group, Items *partitions, int64_t **ret)
{
    OffsetFetchResponseGroup have;
    bool all = partitions->count == 0;
    int32_t total = partitions->count;

    if (fetch_all(x, group, &have) != 0)
        return -1;
    for (int32_t i = 0; i < have.topics_count && all; i++)
        total += have.topics[i].partitions_count;
    *ret = exec_alloc(x, (size_t)total, sizeof **ret);
    if (*ret == NULL)
        return -1;
    for (int32_t i = 0; i < total; i++)
        (*ret)[i] = -1;
    for (int32_t i = 0; i < have.topics_count; i++) {
        const OffsetFetchResponseGroupTopic *t = &have.topics[i];

        for (int32_t j = 0; j < t->partitions_count; j++) {
            const OffsetFetchResponseGroupPartition *p = &t->partitions[j];
            Item *item;

            if (p->committed_offset < 0)
                continue;
            item = all ? items_add(x, partitions, t->name, p->partition_index, -1)
                       : items_find(partitions, t->name, p->partition_index);
            if (all && item == NULL)
                return -1;
            if (item != NULL)
                (*ret)[item - partitions->list] = p->committed_offset;
        }
    }
    return 0;
}

/* ---- of groups: committing ---- */

static int
send_commit(Exec *x, Items *items, void *arg)
{
    StrView group = *(const StrView *)arg;
    OffsetCommitRequest request;
    OffsetCommitResponse response;
    OffsetCommitRequestTopic *topics = exec_alloc(x, (size_t)items->count, sizeof *topics);
    OffsetCommitRequestPartition *partitions =
        exec_alloc(x, (size_t)items->count, sizeof *partitions);
    ClientCall call;
    int32_t node;
    int rc;

    if (topics == NULL || partitions == NULL || exec_group_node(x, group, &node) != 0)
        return -1;
    offset_commit_request_init(&request);
    request.group_id = group;
    request.member_id = STRVIEW("");
    request.topics = topics;
    for (int32_t i = 0, used = 0; i < items->count; i++) {
        const Item *item = &items->list[i];
        OffsetCommitRequestTopic *t =
            request.topics_count == 0 ? NULL : &topics[request.topics_count - 1];

        if (!item->pending)
            continue;
        if (t == NULL || !strview_equal(t->name, item->name)) {
            t = &topics[request.topics_count++];
            offset_commit_request_topic_init(t);
            t->name = item->name;
            t->partitions = &partitions[used];
        }
        offset_commit_request_partition_init(&partitions[used]);
        partitions[used].partition_index = item->partition;
        partitions[used].committed_offset = item->number;
        partitions[used].committed_metadata = STRVIEW("");
        t->partitions_count++;
        used++;
    }
    call = client_call_to(node, API_OffsetCommit);
    call.version_max = COMMIT_BY_NAME;
    rc = exec_change_at(x, call, &request, &response);
    if (rc != 0)
        return rc;
    for (int32_t i = 0; i < response.topics_count; i++) {
        const OffsetCommitResponseTopic *t = &response.topics[i];

        for (int32_t j = 0; j < t->partitions_count; j++) {
            Item *item = items_find(items, t->name, t->partitions[j].partition_index);

            if (item != NULL)
                item_done(x, item, t->partitions[j].error_code, (StrView){0}, node);
        }
    }
    return 0;
}

int
offsets_commit(Exec *x, StrView group, Items *partitions)
{
    return items_run(x, partitions, send_commit, &group);
}
