/*
 * fuzz_stat.c - any bytes as a request of OttlaStat, on a connection that may ask
 *
 * The input is the body of the request; the node has two logs of a few segments and a history of rebalances. In the place
 * of its coordinators, and of group_pages.c, pages of groups are made up here. Claims: what does not parse
 * closes the connection, what is asked wrongly gets 42 and why; a page has at most STAT_PAGE_ROWS rows, as many
 * values in each of its columns, only rows that pass the filters, and a cursor that goes on; and a
 * request takes no more memory than its bounds allow.
 *
 * Corpus: test/fuzz/corpus/stat, made by test/fuzz/seed_stat.pl.
 * Kit: storage/storage_kit
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/fetch_session_int.h"
#include "ottla/coordinator/group_pages.h"
#include "backend/stat_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/controller/image.h"
#include "ottla/coordinator/shared.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/quota_table.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/ipc/slot.h"
#include "ottla/protocol/apis.h"
#include "storage/storage_kit.h"

#define BODY_MAX     4096
#define ANSWER_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- groups, in the place of group_pages.c ------------------------------------------------------------ */

#define PAGES        12 /* more than a table takes */
#define PAGE_OFFSETS 1000

bool
group_pages_init(GroupPages *pages, GroupWalkWhat what, StrView only, int64_t patience_us)
{
    (void)patience_us; /* pages are there at once */
    *pages = (GroupPages){.what = what, .only = only, .arena = arena_new(65536, 0)};
    return pages->arena != NULL;
}

void
group_pages_end(GroupPages *pages)
{
    arena_free(pages->arena);
}

static void
make_offsets(GroupPages *pages, GroupWalkResponseGroup *group)
{
    static GroupWalkResponseOwner owner;

    group_walk_response_owner_init(&owner);
    owner.member_id = STRVIEW("member");
    group->owners = arena_calloc(pages->arena, 1, sizeof owner);
    group->topics = arena_calloc(pages->arena, 1, sizeof *group->topics);
    ot_assert(group->owners != NULL && group->topics != NULL);
    group->owners[group->owners_count++] = owner;
    group->topics[0].name = STRVIEW("orders");
    group->topics[0].partitions =
        arena_calloc(pages->arena, PAGE_OFFSETS, sizeof *group->topics[0].partitions);
    ot_assert(group->topics[0].partitions != NULL);
    group->topics_count = 1;
    for (int32_t i = 0; i < PAGE_OFFSETS; i++)
        group->topics[0].partitions[group->topics[0].partitions_count++] =
            (GroupWalkResponsePartition){.partition = i, .committed = i - 1, .owner = i % 3 - 1};
}

/* Page by page: the number of the page stands where the worker's would. Every second one goes on with a group. */
GroupPagesStatus
group_pages_next(GroupPages *pages, GroupPagesTurn turn, GroupPlace *place, int16_t *ret_code)
{
    GroupWalkResponse *page = &pages->page;

    (void)turn;
    *ret_code = 0;
    if (place->worker >= PAGES)
        return GROUP_PAGES_OVER;
    arena_reset(pages->arena);
    group_walk_response_init(page);
    if (pages->what == WALK_SHARDS) {
        page->shards = arena_calloc(pages->arena, 1, sizeof *page->shards);
        ot_assert(page->shards != NULL);
        page->shards[page->shards_count++] =
            (GroupWalkResponseShard){.state = STRVIEW("active"), .partition = place->worker};
    } else {
        page->groups = arena_calloc(pages->arena, 1, sizeof *page->groups);
        ot_assert(page->groups != NULL);
        group_walk_response_group_init(&page->groups[page->groups_count++]);
        page->groups[0].group_id = STRVIEW("app");
        page->groups[0].continued = place->worker % 2 != 0;
        if (pages->what == WALK_OFFSETS)
            make_offsets(pages, &page->groups[0]);
    }
    place->worker++;
    place->place.topic = place->worker % 2 != 0 ? STRVIEW("orders") : STRVIEW("");
    return GROUP_PAGES_PAGE;
}

/* ---- a node --------------------------------------------------------------------------------------------- */

/* Zeroed pages that cost nothing until they are written, as a node has them: some regions are hundreds of MiB. */
static void *
region_of(size_t bytes)
{
    void *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    ot_assert(region != MAP_FAILED);
    return region;
}

/* Regions that the kit of logs does not have: an image that was never published, empty entries of coordinators. */
static void
make_regions(void)
{
    ShmLimits limits;

    shm_limits_default(&limits);
    control_shm_init(region_of(control_shm_size(&limits)), &limits);
    request_stats_shm_init(region_of(request_stats_shm_size(&limits)), &limits);
    image_shm_init(region_of(image_shm_size(&limits)), &limits);
    coordinators_shm_init(region_of(coordinators_shm_size(&limits)), &limits);
    fetch_session_shm_init(region_of(fetch_session_shm_size(&limits)), &limits);
    quota_usage_shm_init(region_of(quota_usage_shm_size(&limits)), &limits);
    my_slot_index = 0;
    my_slot = slot_at(0);
}

/* Processes that look as if they served somebody, a worker, and requests that were counted. */
static void
make_processes(void)
{
    for (int32_t i = 0; i < 6; i++) {
        SlotClient client = {.connected_ms = 1000, .listener = i % 3 - 1};

        my_slot = slot_at(i);
        atomic_u64_store(&my_slot->state, UINT64_C(1) << 8 | SLOT_RUNNING);
        atomic_u32_store(&my_slot->kind, PROC_BACKEND);
        slot_text_set(client.client_id, sizeof client.client_id, STRVIEW("app"));
        slot_text_set(client.peer, sizeof client.peer, STRVIEW("[::1]:4711"));
        slot_set_client(&client);
        slot_set_request((uint64_t)(i % 2) << 48 | UINT64_C(7) << 32, 1);
        slot_set_topic((uint64_t)i + 1, "orders", i);
        slot_set_title("backend PLAINTEXT idle");
        for (int16_t version = 0; version < 3; version++)
            request_stats_add(request_stats_row(API_Fetch, version), 1000 * i, 100);
    }
    my_slot = slot_at(slot_backend_count());
    atomic_u64_store(&my_slot->state, UINT64_C(1) << 8 | SLOT_RUNNING);
    atomic_u32_store(&my_slot->kind, PROC_RETENTION);
    slot_set_title("retention idle");
    control_tell_death(PROC_RETENTION, 0, false, 9);
    my_slot = slot_at(0);
}

/* Once for all inputs: a request changes nothing. */
static void
make_node(void)
{
    static bool made;
    PartitionRef orders;

    if (made)
        return;
    made = true;
    ot_assert(kit_setup(NULL) == 0);
    make_regions();
    make_processes();
    kit_settings.segment_bytes = 1000;
    orders = kit_partition("orders", 0);
    for (int i = 0; i < 40; i++)
        (void)kit_append_ok(orders, &(KitBatch){.count = 2, .value_bytes = 30});
    (void)kit_append_ok(kit_partition("other", 3), &(KitBatch){.count = 1});
    (void)kit_partition("idle", 1);
    for (int i = 0; i < 1500; i++)
        rebalance_history_add(i % 3, &(GroupRebalance){.group = STRVIEW("app"),
                                                       .cause = REBALANCE_NEW_MEMBER,
                                                       .cause_member = STRVIEW("member"),
                                                       .generation = i,
                                                       .begin_wall_ms = 1000 + i / 700});
}

static bool
is_null(const OttlaStatResponseColumn *column, int32_t row)
{
    return row / 8 < column->nulls.len && (column->nulls.ptr[row / 8] >> row % 8 & 1) != 0;
}

/* Does every row of the column equal the filter? */
static void
check_filter(const OttlaStatRequestFilter *filter, const OttlaStatResponseColumn *column,
             int32_t rows)
{
    int64_t number = 0;

    if (!strview_equal(filter->column, column->name))
        return;
    if (column->type == STAT_BOOLEAN)
        number = strview_equal(filter->value, STRVIEW("true"));
    else if (column->type == STAT_INTEGER && filter->value.ptr != NULL)
        ot_assert(text_to_int64(filter->value, &number));
    for (int32_t i = 0; i < rows; i++) {
        ot_assert(is_null(column, i) == (filter->value.ptr == NULL));
        if (column->type == STAT_TEXT && filter->value.ptr != NULL)
            ot_assert(strview_equal(column->texts[i], filter->value));
        else if (filter->value.ptr != NULL)
            ot_assert(column->numbers[i] == number);
    }
}

static void
check_answer(const OttlaStatRequest *in, const OttlaStatResponse *out)
{
    if (out->error_code != 0) {
        ot_assert(out->error_code == KERR_INVALID_REQUEST && out->error_message.len > 0);
        ot_assert(out->columns_count == 0 && out->row_count == 0);
        return;
    }
    ot_assert(out->row_count >= 0 && out->row_count <= STAT_PAGE_ROWS);
    ot_assert(out->next_cursor == STAT_END || out->next_cursor > in->cursor);
    for (int32_t c = 0; c < out->columns_count; c++) {
        const OttlaStatResponseColumn *column = &out->columns[c];

        ot_assert(column->type == STAT_TEXT ? column->texts_count == out->row_count
                                            : column->numbers_count == out->row_count);
        for (int32_t i = 0; i < in->filters_count; i++)
            check_filter(&in->filters[i], column, out->row_count);
    }
}

/* The answer's bytes in one piece, behind the header; the caller frees what *ret_bytes is. */
static BytesView
join(const OutMsg *msg, uint8_t **ret_bytes)
{
    size_t used = 0;

    *ret_bytes = malloc((size_t)msg->bytes_left + 1);
    ot_assert(*ret_bytes != NULL);
    for (int32_t i = 0; i < msg->count; i++) {
        memcpy(*ret_bytes + used, msg->pieces[i].mem, msg->pieces[i].len);
        used += msg->pieces[i].len;
    }
    ot_assert(used == (size_t)msg->bytes_left && used >= 9); /* size, correlation id, tags */
    return (BytesView){*ret_bytes + 9, (int32_t)used - 9};
}

static void
ask(Arena *arena, Conn *conn, BytesView body)
{
    Request rq = {
        .head = {.api = api_find(API_OttlaStat)}, .body = body, .conn = conn, .arena = arena};
    OttlaStatRequest in;
    OttlaStatResponse out;
    uint8_t *bytes;
    BytesView answer;
    WireReader r;

    if (h_ottla_stat_start(&rq) == REQ_CLOSE) {
        ot_assert(conn->close_reason[0] != '\0');
        return;
    }
    answer = join(&rq.out, &bytes);
    arena_set_cap(arena, 2 * ANSWER_BYTES);
    wire_reader_init(&r, body.ptr, (size_t)body.len, arena);
    ottla_stat_request_desc.read(&r, 0, &in);
    ot_assert(r.err == 0);
    wire_reader_init(&r, answer.ptr, (size_t)answer.len, arena);
    ottla_stat_response_desc.read(&r, 0, &out);
    ot_assert(r.err == 0 && wire_left(&r) == 0);
    check_answer(&in, &out);
    free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Conn conn = {.fd = -1};
    Arena *arena;

    if (size > BODY_MAX)
        return 0;
    fuzz_quiet();
    make_node();
    arena = arena_new(8192, LIMIT_BACKEND_BASE_BYTES + 8 * size);
    ot_assert(arena != NULL);
    ask(arena, &conn, (BytesView){data, (int32_t)size});
    ot_assert(arena_bytes(arena) <= ANSWER_BYTES);
    arena_free(arena);
    return 0;
}
