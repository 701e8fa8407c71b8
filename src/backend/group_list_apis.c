/*
 * group_list_apis.c - the APIs that name several groups: where keys and results lie, how a refusal looks
 *
 * Spec: groups-and-transactions.md 2.14, 3.3, 4.12; observed.md 11, 12.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/group_list_apis_int.h"

#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_consumer_group_describe.h"
#include "ottla/protocol/msg_delete_groups.h"
#include "ottla/protocol/msg_describe_groups.h"
#include "ottla/protocol/msg_offset_fetch.h"

/* What one may do with a group where everything is allowed (observed.md 11). */
#define GROUP_OPERATIONS 3400

#define PLACE(type, field, element)                                           \
    {                                                                         \
        offsetof(type, field), offsetof(type, field##_count), sizeof(element) \
    }

/* ---- DescribeGroups ---- */

static void
describe_init(void *ret)
{
    describe_groups_response_group_init(ret);
}

static void
describe_set_code(void *result, int16_t code)
{
    ((DescribeGroupsResponseGroup *)result)->error_code = code;
}

static bool
describe_edits(int16_t version, const void *in)
{
    return version >= 3 && ((const DescribeGroupsRequest *)in)->include_authorized_operations;
}

static void
describe_edit(int16_t version, void *result)
{
    DescribeGroupsResponseGroup *group = result;

    (void)version; /* the same in all */
    if (group->error_code == 0)
        group->authorized_operations = GROUP_OPERATIONS;
}

/* ---- ConsumerGroupDescribe ---- */

static void
consumer_init(void *ret)
{
    consumer_group_describe_response_group_init(ret);
}

static void
consumer_set_code(void *result, int16_t code)
{
    ((ConsumerGroupDescribeResponseGroup *)result)->error_code = code;
}

static bool
consumer_edits(int16_t version, const void *in)
{
    (void)version; /* the same in all */
    return ((const ConsumerGroupDescribeRequest *)in)->include_authorized_operations;
}

static void
consumer_edit(int16_t version, void *result)
{
    ConsumerGroupDescribeResponseGroup *group = result;

    (void)version; /* the same in all */
    if (group->error_code == 0)
        group->authorized_operations = GROUP_OPERATIONS;
}

/* ---- DeleteGroups ---- */

static void
delete_init(void *ret)
{
    delete_groups_response_result_init(ret);
}

static void
delete_set_code(void *result, int16_t code)
{
    ((DeleteGroupsResponseResult *)result)->error_code = code;
}

/* ---- OffsetFetch 8 and above ---- */

static void
fetch_init(void *ret)
{
    offset_fetch_response_group_init(ret);
}

static void
fetch_set_code(void *result, int16_t code)
{
    ((OffsetFetchResponseGroup *)result)->error_code = code;
}

/* ---- the table ---- */

static const GroupListApi rows[] = {
    {.request = &describe_groups_request_desc,
     .response = &describe_groups_response_desc,
     .keys = PLACE(DescribeGroupsRequest, groups, StrView),
     .results = PLACE(DescribeGroupsResponse, groups, DescribeGroupsResponseGroup),
     .result_group_at = offsetof(DescribeGroupsResponseGroup, group_id),
     .plain = true,
     .init_result = describe_init,
     .set_code = describe_set_code,
     .edits = describe_edits,
     .edit = describe_edit},
    {.request = &consumer_group_describe_request_desc,
     .response = &consumer_group_describe_response_desc,
     .keys = PLACE(ConsumerGroupDescribeRequest, group_ids, StrView),
     .results = PLACE(ConsumerGroupDescribeResponse, groups, ConsumerGroupDescribeResponseGroup),
     .result_group_at = offsetof(ConsumerGroupDescribeResponseGroup, group_id),
     .plain = true,
     .no_empty_id = true,
     .init_result = consumer_init,
     .set_code = consumer_set_code,
     .edits = consumer_edits,
     .edit = consumer_edit},
    {.request = &delete_groups_request_desc,
     .response = &delete_groups_response_desc,
     .keys = PLACE(DeleteGroupsRequest, groups_names, StrView),
     .results = PLACE(DeleteGroupsResponse, results, DeleteGroupsResponseResult),
     .result_group_at = offsetof(DeleteGroupsResponseResult, group_id),
     .plain = true,
     .unique = true,
     .init_result = delete_init,
     .set_code = delete_set_code},
    {.request = &offset_fetch_request_desc,
     .response = &offset_fetch_response_desc,
     .keys = PLACE(OffsetFetchRequest, groups, OffsetFetchRequestGroup),
     .results = PLACE(OffsetFetchResponse, groups, OffsetFetchResponseGroup),
     .result_group_at = offsetof(OffsetFetchResponseGroup, group_id),
     .init_result = fetch_init,
     .set_code = fetch_set_code},
};

_Static_assert(offsetof(OffsetFetchRequestGroup, group_id) == 0, "keys begin with the group id");

const GroupListApi *
group_list_api(int16_t api_key)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].request->number == api_key)
            return &rows[i];
    return NULL;
}
