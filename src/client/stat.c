/*
 * stat.c - views of a node, page by page (OttlaStat)
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: keeps more than one page.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client/client_int.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "ottla/protocol/msg_ottla_stat.h"

#define STAT_COLUMNS_MAX    256 /* of a page, more are refused */
#define STAT_PAGES_MAX      1000000
#define STAT_PAGE_MAX_BYTES ((size_t)256 << 20)

/* Whether the columns of a page have as many values as it says. */
static bool
page_fits(const OttlaStatResponse *page)
{
    if (page->row_count < 0 || page->columns_count < 0 || page->columns_count > STAT_COLUMNS_MAX)
        return false;
    if (page->columns_count == 0 && page->row_count > 0)
        return false; /* nothing of the answer bounds such a number */
    for (int32_t i = 0; i < page->columns_count; i++) {
        const OttlaStatResponseColumn *column = &page->columns[i];
        int32_t values =
            column->type == CLIENT_STAT_TEXT ? column->texts_count : column->numbers_count;

        if (values != page->row_count ||
            (column->nulls.len != 0 && column->nulls.len < (page->row_count + 7) / 8))
            return false;
    }
    return true;
}

static int
give_rows(const OttlaStatResponse *page, ClientStatRow fn, void *arg)
{
    ClientStatCell cells[STAT_COLUMNS_MAX];

    for (int32_t row = 0; row < page->row_count; row++) {
        int result;

        for (int32_t i = 0; i < page->columns_count; i++) {
            const OttlaStatResponseColumn *column = &page->columns[i];
            bool null =
                column->nulls.len != 0 && (column->nulls.ptr[row / 8] >> (row % 8) & 1) != 0;
            bool text = column->type == CLIENT_STAT_TEXT;

            cells[i] =
                (ClientStatCell){.name = column->name,
                                 .type = (ClientStatType)column->type,
                                 .null = null,
                                 .number = text || null ? 0 : column->numbers[row],
                                 .text = !text || null ? WIRE_NULL_STRING : column->texts[row]};
            if (column->type == CLIENT_STAT_REAL) {
                memcpy(&cells[i].real, &cells[i].number, sizeof cells[i].real);
                cells[i].number = 0;
            }
        }
        result = fn(arg, cells, page->columns_count);
        if (result != 0)
            return result;
    }
    return 0;
}

/* Puts the question into the request; its arrays lie in the arena. */
static int
fill_request(const ClientStatQuery *q, OttlaStatRequest *request, Arena *arena, Fault *f)
{
    StrView *columns = arena_calloc(arena, (size_t)q->column_count, sizeof *columns);
    OttlaStatRequestFilter *filters = arena_calloc(arena, (size_t)q->filter_count, sizeof *filters);

    if (columns == NULL || filters == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a question");
    ottla_stat_request_init(request);
    request->view = strview_from(q->view);
    if (q->columns != NULL) {
        for (int32_t i = 0; i < q->column_count; i++)
            columns[i] = strview_from(q->columns[i]);
        request->columns = columns;
        request->columns_count = q->column_count;
    } else {
        request->columns_count = -1;
    }
    for (int32_t i = 0; i < q->filter_count; i++) {
        ottla_stat_request_filter_init(&filters[i]);
        filters[i].column = strview_from(q->filters[i].column);
        filters[i].value = q->filters[i].value;
    }
    request->filters = filters;
    request->filters_count = q->filter_count;
    return 0;
}

/* Fetches one page, waiting while the node is loading what it shows. */
static int
fetch_page(Client *c, int32_t node_id, const OttlaStatRequest *request, OttlaStatResponse *ret,
           Arena *arena, Fault *f)
{
    ClientCall call = client_call_to(node_id, API_OttlaStat);
    int64_t deadline_ms = client_deadline(c);

    for (int attempt = 1;; attempt++) {
        int more;

        if (client_call(c, &call, request, ret, arena, f) != 0)
            return -1;
        if (ret->error_code == KERR_NONE)
            return page_fits(ret)
                       ? 0
                       : fault_set(f, FAULT_BAD_REPLY,
                                   "columns of unequal length in an answer to OttlaStat");
        if (ret->error_message.ptr != NULL)
            (void)fault_kafka(f, ret->error_code, node_id < 0 ? c->info.node_id : node_id,
                              "view \"%.*s\": %.*s", request->view.len, request->view.ptr,
                              ret->error_message.len, ret->error_message.ptr);
        else
            (void)fault_kafka(f, ret->error_code, node_id < 0 ? c->info.node_id : node_id, NULL);
        if (!client_retryable(ret->error_code, NULL))
            return -1;
        more = client_backoff(c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
}

int
client_stat(Client *c, int32_t node_id, const ClientStatQuery *q, ClientStatRow fn, void *arg,
            Fault *f)
{
    Arena *arena = arena_new((size_t)64 << 10, STAT_PAGE_MAX_BYTES);
    OttlaStatRequest request;
    OttlaStatResponse page;
    ArenaMark mark;
    int32_t pages = 0;
    int status;

    if (arena == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a view");
    status = fill_request(q, &request, arena, f);
    mark = arena_mark(arena);
    while (status == 0) {
        status = fetch_page(c, node_id, &request, &page, arena, f);
        if (status != 0 || give_rows(&page, fn, arg) != 0 || page.next_cursor < 0)
            break;
        if (page.next_cursor == request.cursor || ++pages > STAT_PAGES_MAX) {
            status = fault_set(f, FAULT_BAD_REPLY, "pages of a view that do not end");
            break;
        }
        request.cursor = page.next_cursor;
        arena_release(arena, mark);
    }
    arena_free(arena);
    return status;
}

/* ---- who we are there ---- */

typedef struct Whoami {
    char *name;
    bool several; /* more than one session fits, under different names */
} Whoami;

static int
take_principal(void *arg, const ClientStatCell *cells, int32_t count)
{
    Whoami *w = arg;
    StrView name = count == 1 ? cells[0].text : (StrView){NULL, 0};

    if (name.len <= 0 || name.len >= CLIENT_PRINCIPAL_MAX)
        return 0;
    w->several = w->several || (w->name[0] != '\0' && !strview_equal(name, strview_from(w->name)));
    memcpy(w->name, name.ptr, (size_t)name.len);
    w->name[name.len] = '\0';
    return 0;
}

/* Our port of the connection; -1: it has none. */
static int32_t
own_port(const ClientConn *conn)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;

    if (conn->is_socket || getsockname(conn->fd, (struct sockaddr *)&at, &len) != 0)
        return -1;
    return ntohs(at.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&at)->sin6_port
                                          : ((const struct sockaddr_in *)&at)->sin_port);
}

/* Our session is the one that asks just now: by this very request, from this very port. */
bool
client_principal(Client *c, char ret[CLIENT_PRINCIPAL_MAX])
{
    static const char *const wanted[] = {"principal"};
    const ClientConn *conn = client_first(c);
    int32_t port = own_port(conn);
    char request[16], from[16];
    int request_len = snprintf(request, sizeof request, "%" PRId32, conn->correlation + 1);
    int from_len = snprintf(from, sizeof from, "%" PRId32, port);
    const ClientStatFilter filters[] = {
        {"api", STRVIEW("OttlaStat")},
        {"correlation_id", {request, request_len}},
        {"client_port", port < 0 ? (StrView){NULL, 0} : (StrView){from, from_len}},
    };
    const ClientStatQuery query = {"activity", wanted, 1, filters, 3};
    Whoami w = {.name = ret};
    Fault f;

    ret[0] = '\0';
    if (!c->info.is_ottla || client_stat(c, CLIENT_HERE, &query, take_principal, &w, &f) != 0 ||
        w.several)
        ret[0] = '\0';
    return ret[0] != '\0';
}
