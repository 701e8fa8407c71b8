/*
 * h_ottla_stat.c - OttlaStat: a page of a view of what this node knows of itself
 *
 * Runs in: backend. Only on connections of our own programs (conn_is_own). Spec: shell-and-service.md 6.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "backend/dispatch_int.h"
#include "backend/stat_int.h"
#include "ottla/common/text.h"

typedef struct Fault {
    char text[192];
} Fault;

static bool
fault(Fault *f, const char *what, StrView name)
{
    snprintf(f->text, sizeof f->text, "%s \"%.*s\"", what, (int)(name.len < 100 ? name.len : 100),
             name.ptr);
    return false;
}

/* Index of a column of the view, -1: it has none of that name. */
static int32_t
column_of(const StatView *view, StrView name)
{
    for (int32_t c = 0; c < view->column_count; c++)
        if (strview_equal(strview_from(view->columns[c].name), name))
            return c;
    return -1;
}

static bool
take_columns(StatScan *scan, const OttlaStatRequest *in, Fault *f)
{
    if (in->columns == NULL) {
        scan->wanted = UINT64_MAX >> (STAT_COLUMNS_MAX - scan->view->column_count);
        return true;
    }
    for (int32_t i = 0; i < in->columns_count; i++) {
        int32_t c = column_of(scan->view, in->columns[i]);

        if (c < 0)
            return fault(f, "the view has no column", in->columns[i]);
        scan->wanted |= UINT64_C(1) << c;
    }
    return true;
}

static bool
take_filter(StatScan *scan, const OttlaStatRequestFilter *in, Fault *f)
{
    int32_t c = column_of(scan->view, in->column);

    if (c < 0)
        return fault(f, "the view has no column", in->column);
    if ((scan->filtered >> c & 1) != 0)
        return fault(f, "more than one filter on column", in->column);
    scan->filtered |= UINT64_C(1) << c;
    scan->filters[c].text = in->value;
    if (in->value.ptr == NULL || scan->view->columns[c].type == STAT_TEXT)
        return true;
    if (scan->view->columns[c].type == STAT_REAL)
        return fault(f, "no filter can be on the real numbers of column", in->column);
    if (scan->view->columns[c].type == STAT_BOOLEAN) {
        scan->filters[c].number = strview_equal(in->value, STRVIEW("true"));
        return scan->filters[c].number != 0 || strview_equal(in->value, STRVIEW("false")) ||
               fault(f, "neither \"true\" nor \"false\":", in->value);
    }
    return text_to_int64(in->value, &scan->filters[c].number) ||
           fault(f, "not a number:", in->value);
}

static bool
begin(StatScan *scan, const OttlaStatRequest *in, Fault *f)
{
    scan->view = stat_view_find(in->view);
    if (scan->view == NULL)
        return fault(f, "there is no view", in->view);
    if (in->cursor < 0) {
        snprintf(f->text, sizeof f->text, "the cursor is none of ours");
        return false;
    }
    if (!take_columns(scan, in, f))
        return false;
    for (int32_t i = 0; i < in->filters_count; i++)
        if (!take_filter(scan, &in->filters[i], f))
            return false;
    return true;
}

/* The columns of the page, empty. */
static bool
make_room(StatScan *scan)
{
    Arena *arena = scan->rq->arena;

    request_grow(scan->rq, (size_t)scan->view->column_count * STAT_PAGE_ROWS * 24);
    for (int32_t c = 0; c < scan->view->column_count; c++) {
        if ((scan->wanted >> c & 1) == 0)
            continue;
        scan->nulls[c] = arena_calloc(arena, STAT_PAGE_ROWS / 8 + 1, 1);
        if (scan->view->columns[c].type == STAT_TEXT)
            scan->texts[c] = arena_calloc(arena, STAT_PAGE_ROWS, sizeof(StrView));
        else
            scan->numbers[c] = arena_calloc(arena, STAT_PAGE_ROWS, sizeof(int64_t));
        if (scan->nulls[c] == NULL || (scan->texts[c] == NULL && scan->numbers[c] == NULL))
            return false;
    }
    return true;
}

static void
put_column(const StatScan *scan, int32_t c, OttlaStatResponseColumn *out)
{
    int32_t null_bytes = (scan->row_count + 7) / 8;
    bool any = false;

    ottla_stat_response_column_init(out);
    out->name = strview_from(scan->view->columns[c].name);
    out->type = (int8_t)scan->view->columns[c].type;
    out->numbers = scan->numbers[c];
    out->numbers_count = scan->numbers[c] == NULL ? 0 : scan->row_count;
    out->texts = scan->texts[c];
    out->texts_count = scan->texts[c] == NULL ? 0 : scan->row_count;
    for (int32_t i = 0; i < null_bytes; i++)
        any |= scan->nulls[c][i] != 0;
    out->nulls = (BytesView){scan->nulls[c], any ? null_bytes : 0};
}

static bool
put_columns(const StatScan *scan, OttlaStatResponse *out)
{
    out->columns =
        arena_calloc(scan->rq->arena, (size_t)scan->view->column_count, sizeof *out->columns);
    if (out->columns == NULL)
        return false;
    for (int32_t c = 0; c < scan->view->column_count; c++)
        if ((scan->wanted >> c & 1) != 0)
            put_column(scan, c, &out->columns[out->columns_count++]);
    return true;
}

static ReqResult
refuse(Request *rq, int16_t code, const char *why)
{
    OttlaStatResponse out;

    ottla_stat_response_init(&out);
    out.error_code = code;
    out.error_message = strview_from(why);
    rq->failed = true;
    return request_respond(rq, &ottla_stat_response_desc, &out);
}

static ReqResult
answer(StatScan *scan)
{
    Request *rq = scan->rq;
    OttlaStatResponse out;

    ottla_stat_response_init(&out);
    if (!make_room(scan))
        return request_close(rq, "no memory for a view");
    out.next_cursor = scan->view->scan(scan, scan->cursor);
    if (scan->failed || !put_columns(scan, &out))
        return request_close(rq, "no memory for a view");
    out.row_count = scan->row_count;
    request_grow(rq, (size_t)scan->text_bytes + (size_t)scan->row_count * STAT_COLUMNS_MAX * 16);
    return request_respond(rq, &ottla_stat_response_desc, &out);
}

ReqResult
h_ottla_stat_start(Request *rq)
{
    OttlaStatRequest in;
    StatScan *scan;
    Fault f;

    if (!request_read(rq, &ottla_stat_request_desc, &in))
        return REQ_CLOSE;
    scan = arena_calloc(rq->arena, 1, sizeof *scan);
    if (scan == NULL)
        return request_close(rq, "no memory for a view");
    scan->rq = rq;
    if (!begin(scan, &in, &f))
        return refuse(rq, KERR_INVALID_REQUEST, f.text);
    scan->cursor = in.cursor;
    rq->state = scan;
    rq->wait_event = WAIT_EV_COORDINATOR_REPLY;
    return h_ottla_stat_finish(rq);
}

ReqResult
h_ottla_stat_finish(Request *rq)
{
    StatScan *scan = rq->state;
    StatReady ready = STAT_READY;

    if (scan->view->prepare != NULL)
        ready = scan->view->prepare(scan, &scan->cursor);
    if (ready == STAT_WAIT)
        return REQ_PENDING;
    return ready == STAT_FAILED ? refuse(rq, scan->code, scan->why) : answer(scan);
}

void
h_ottla_stat_drop(Request *rq)
{
    StatScan *scan = rq->state;

    if (scan->view->drop != NULL)
        scan->view->drop(scan);
}
