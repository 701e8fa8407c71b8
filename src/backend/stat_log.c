/*
 * stat_log.c - the view server_log: the last lines that the processes of this node have logged
 *
 * Runs in: backend. Cursor: serial of the line. Spec: shell-and-service.md 6.1, 11.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "backend/stat_int.h"
#include "ottla/common/log_values.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/server_log.h"

enum {
    L_NODE_ID,
    L_SERIAL,
    L_TS,
    L_LEVEL,
    L_CATEGORY,
    L_PID,
    L_KIND,
    L_CODE,
    L_MESSAGE,
    L_DETAIL,
    L_HINT
};

static const StatColumn columns[] = {
    [L_NODE_ID] = {"node_id", STAT_INTEGER}, [L_SERIAL] = {"serial", STAT_INTEGER},
    [L_TS] = {"ts", STAT_INTEGER},           [L_LEVEL] = {"level", STAT_TEXT},
    [L_CATEGORY] = {"category", STAT_TEXT},  [L_PID] = {"pid", STAT_INTEGER},
    [L_KIND] = {"kind", STAT_TEXT},          [L_CODE] = {"code", STAT_TEXT},
    [L_MESSAGE] = {"message", STAT_TEXT},    [L_DETAIL] = {"detail", STAT_TEXT},
    [L_HINT] = {"hint", STAT_TEXT},
};

/* Among the values at its end: "code=N". */
static void
put_code(StatScan *scan, const char *message)
{
    const char *values = log_values_begin(message);
    StrView code;

    if (values != NULL && log_values_find(values, "code", &code))
        stat_text(scan, L_CODE, code);
}

/* What begins so far into the line's texts. */
static void
put_part(StatScan *scan, int32_t column, const ServerLogLine *line, int32_t at)
{
    if (at > 0 && at < SERVER_LOG_TEXT)
        stat_text(scan, column,
                  (StrView){line->text + at,
                            (int32_t)strnlen(line->text + at, SERVER_LOG_TEXT - (size_t)at)});
}

static StrView
name_of(const char *name, size_t size)
{
    return (StrView){name, (int32_t)strnlen(name, size)};
}

static void
put_log_line(StatScan *scan, uint64_t serial, ServerLogLine *line)
{
    line->text[sizeof line->text - 1] = '\0';
    stat_integer(scan, L_NODE_ID, node_info.node_id);
    stat_integer(scan, L_SERIAL, (int64_t)serial);
    stat_integer(scan, L_TS, line->ts_ms);
    if (line->level >= 0 && line->level < LL_COUNT)
        stat_text(scan, L_LEVEL, strview_from(log_level_name((LogLevel)line->level)));
    stat_text(scan, L_CATEGORY, name_of(line->category, sizeof line->category));
    stat_integer(scan, L_PID, line->pid);
    stat_text(scan, L_KIND, name_of(line->kind, sizeof line->kind));
    put_code(scan, line->text);
    stat_text(scan, L_MESSAGE, strview_from(line->text));
    put_part(scan, L_DETAIL, line, line->detail);
    put_part(scan, L_HINT, line, line->hint);
    stat_end(scan);
}

static int64_t
scan_log(StatScan *scan, int64_t cursor)
{
    uint64_t first, end;

    server_log_range(&first, &end);
    for (uint64_t at = (uint64_t)cursor > first ? (uint64_t)cursor : first; at < end; at++) {
        ServerLogLine line;

        if (!stat_look(scan))
            return (int64_t)at;
        if (server_log_read(at, &line))
            put_log_line(scan, at, &line);
    }
    return STAT_END;
}

const StatView stat_server_log_view = {.name = "server_log",
                                       .columns = columns,
                                       .column_count = sizeof columns / sizeof columns[0],
                                       .scan = scan_log};
