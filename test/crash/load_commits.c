/*
 * load_commits.c - clients that commit offsets and read them back, while coordinators are killed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load_commits.h"

#include <stdio.h>
#include <string.h>

#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_find_coordinator.h"
#include "ottla/protocol/msg_offset_commit.h"
#include "ottla/protocol/msg_offset_fetch.h"

#define GROUPS     4 /* of each committer: on several coordinators */
#define LOOK_EVERY 8 /* commits */
#define RETRY_MS   5

static const char *const group_names[COMMITTERS][GROUPS] = {
    {"crash-0-a", "crash-0-b", "crash-0-c", "crash-0-d"},
    {"crash-1-a", "crash-1-b", "crash-1-c", "crash-1-d"},
    {"crash-2-a", "crash-2-b", "crash-2-c", "crash-2-d"},
};

/* Of a group whose coordinator is gone, loads, or has just left the shard. */
static bool
ends_by_itself(int16_t error)
{
    return is_transient(error) || error == KERR_NOT_COORDINATOR;
}

/* The last commit to a group among the first n; -1: none. */
static int64_t
last_of(int64_t n, int group)
{
    int64_t last = n - 1 - (n - 1 - group + GROUPS) % GROUPS;
    return n == 0 || last < 0 ? -1 : last;
}

/* The first question about a group makes the topic of offsets. */
static bool
find_coordinator(WireClient *client, ClientState *me)
{
    FindCoordinatorRequest request;
    FindCoordinatorResponse response;
    find_coordinator_request_init(&request);
    request.key = STRVIEW("crash");
    for (;;) {
        WireResult result =
            wire_client_call(client, &(WireCall){10, 3, &find_coordinator_request_desc, &request,
                                                 &find_coordinator_response_desc, &response});
        if (result != WIRE_OK) {
            if (!client_broke(client, me, result)) {
                return false;
            }
        } else if (response.error_code == 0) {
            return true;
        } else if (!ends_by_itself(response.error_code)) {
            client_fail(me, "no coordinator, error", response.error_code);
        }
        wait_ms(RETRY_MS);
    }
}

/* One commit; ret_code: of its answer. */
static WireResult
commit(WireClient *client, StrView group, int64_t offset, int16_t *ret_code)
{
    OffsetCommitRequest request;
    OffsetCommitRequestTopic topic;
    OffsetCommitRequestPartition partition;
    OffsetCommitResponse response;
    WireResult result;
    offset_commit_request_init(&request);
    offset_commit_request_topic_init(&topic);
    offset_commit_request_partition_init(&partition);
    partition.committed_offset = offset;
    partition.committed_metadata = STRVIEW("");
    topic.name = STRVIEW(TOPIC);
    topic.partitions = &partition;
    topic.partitions_count = 1;
    request.group_id = group;
    request.topics = &topic;
    request.topics_count = 1;
    result = wire_client_call(client, &(WireCall){8, 8, &offset_commit_request_desc, &request,
                                                  &offset_commit_response_desc, &response});
    if (result == WIRE_OK) {
        *ret_code = response.topics_count == 1 && response.topics[0].partitions_count == 1
                        ? response.topics[0].partitions[0].error_code
                        : KERR_UNKNOWN_SERVER_ERROR;
    }
    return result;
}

/* What a group's part of an answer says: 0 and the offset, or an error. */
static int16_t
fetched(const OffsetFetchResponseGroup *group, const char *name, int64_t *ret)
{
    const OffsetFetchResponseGroupPartition *partition;
    if (group->error_code != 0) {
        return group->error_code;
    }
    if (!strview_equal(group->group_id, strview_from(name)) || group->topics_count != 1 ||
        group->topics[0].partitions_count != 1) {
        return KERR_UNKNOWN_SERVER_ERROR;
    }
    partition = &group->topics[0].partitions[0];
    *ret = partition->committed_offset;
    return partition->error_code;
}

/* All groups of a committer by one request; ret_code: the first of theirs that is not 0. */
static WireResult
fetch_all(WireClient *client, int committer, int64_t ret[GROUPS], int16_t *ret_code)
{
    int32_t index = 0;
    OffsetFetchRequest request;
    OffsetFetchRequestGroup groups[GROUPS];
    OffsetFetchRequestGroupTopic topic;
    OffsetFetchResponse response;
    WireResult result;
    offset_fetch_request_init(&request);
    offset_fetch_request_group_topic_init(&topic);
    topic.name = STRVIEW(TOPIC);
    topic.partition_indexes = &index;
    topic.partition_indexes_count = 1;
    for (int g = 0; g < GROUPS; g++) {
        offset_fetch_request_group_init(&groups[g]);
        groups[g].group_id = strview_from(group_names[committer][g]);
        groups[g].topics = &topic;
        groups[g].topics_count = 1;
    }
    request.groups = groups;
    request.groups_count = GROUPS;
    result = wire_client_call(client, &(WireCall){9, 8, &offset_fetch_request_desc, &request,
                                                  &offset_fetch_response_desc, &response});
    if (result != WIRE_OK) {
        return result;
    }
    *ret_code = response.groups_count == GROUPS ? 0 : KERR_UNKNOWN_SERVER_ERROR;
    for (int g = 0; g < GROUPS && *ret_code == 0; g++) {
        *ret_code = fetched(&response.groups[g], group_names[committer][g], &ret[g]);
    }
    return result;
}

/* Each group says its last commit of the first `done`; one more may have been sent. */
static const char *
compare(const int64_t offsets[GROUPS], int64_t done)
{
    for (int g = 0; g < GROUPS; g++) {
        if (offsets[g] < last_of(done, g)) {
            return "an acknowledged commit is lost";
        }
        if (offsets[g] > last_of(done + 1, g)) {
            return "a group has an offset that nobody committed";
        }
    }
    return NULL;
}

void
committer_main(int committer, ClientState *me)
{
    WireClient client;
    int64_t n = 0, looked = -1;
    wire_client_init(&client, server_port);
    if (!client_connect(&client, me) || !find_coordinator(&client, me)) {
        return;
    }
    while (atomic_u32_load(&shared->stop) == 0) {
        bool look = n % LOOK_EVERY == 0 && looked != n;
        int64_t offsets[GROUPS];
        int16_t code = 0;
        WireResult result =
            look ? fetch_all(&client, committer, offsets, &code)
                 : commit(&client, strview_from(group_names[committer][n % GROUPS]), n, &code);
        if (result != WIRE_OK) {
            if (!client_broke(&client, me, result)) {
                return;
            }
        } else if (code != 0) {
            if (!ends_by_itself(code)) {
                client_fail(me, look ? "offset fetch error" : "offset commit error", code);
            }
            atomic_u32_add(&me->resent, 1);
            wait_ms(RETRY_MS);
        } else if (look) {
            const char *wrong = compare(offsets, n);
            if (wrong != NULL) {
                client_fail(me, wrong, n);
            }
            looked = n;
        } else {
            atomic_i64_store(&me->done, ++n);
            wait_ms(1);
        }
    }
}

const char *
committer_check(int committer, ClientState *me)
{
    int64_t deadline = now_ms() + SETTLE_MS;
    int64_t offsets[GROUPS];
    int16_t code = 0;
    WireClient client;
    WireResult result = WIRE_BROKEN;
    wire_client_init(&client, server_port);
    do {
        if (result == WIRE_BROKEN && !wire_client_connect(&client)) {
            return "the node cannot be reached";
        }
        result = fetch_all(&client, committer, offsets, &code);
        wait_ms(RETRY_MS);
    } while ((result == WIRE_BROKEN || (result == WIRE_OK && code != 0)) && now_ms() < deadline);
    wire_client_close(&client);
    if (result != WIRE_OK || code != 0) {
        return "offsets cannot be read";
    }
    return compare(offsets, atomic_i64_load(&me->done));
}
