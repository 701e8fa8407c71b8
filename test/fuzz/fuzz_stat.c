/*
 * fuzz_stat.c - any bytes as a request of OttlaStat, on a connection that may ask
 *
 * The input is the body of the request; the node has two logs of a few segments. Claims: what does not parse
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

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/stat_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/errlist.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "storage/storage_kit.h"

#define BODY_MAX     4096
#define ANSWER_BYTES ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    kit_settings.segment_bytes = 1000;
    orders = kit_partition("orders", 0);
    for (int i = 0; i < 40; i++)
        (void)kit_append_ok(orders, &(KitBatch){.count = 2, .value_bytes = 30});
    (void)kit_append_ok(kit_partition("other", 3), &(KitBatch){.count = 1});
    (void)kit_partition("idle", 1);
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
