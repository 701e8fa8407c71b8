/*
 * log_sink.c - destinations of log messages beside plain lines: the journal with its fields, syslog, JSON
 *
 * Runs in: every process whose log.destination says so. Never: fails a caller; what is not taken is
 * written to stderr by log.c.
 * Spec: shell-and-service.md 11.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log_sink.h"

#include <inttypes.h>
#include <paths.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/log_values.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/systemd_lib.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define IDENTIFIER     "ottlad"

/* ---- fields -------------------------------------------------------------------------------------- */

static void add_field(LogFields *fields, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "NAME=value"; cut where the room ends. */
static void
add_field(LogFields *fields, const char *format, ...)
{
    char *start = fields->bytes + fields->used;
    size_t room = sizeof fields->bytes - fields->used;
    va_list args;
    int len;

    ot_assert(fields->count < LOG_JOURNAL_FIELDS_MAX);
    va_start(args, format);
    len = vsnprintf(start, room, format, args);
    va_end(args);
    if (len <= 0 || room <= 1)
        return;
    if ((size_t)len >= room)
        len = (int)room - 1;
    fields->list[fields->count++] = (struct iovec){start, (size_t)len};
    fields->used += (size_t)len;
}

static void
add_text(LogFields *fields, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        add_field(fields, "%s=%s", name, value);
}

static const char *
event_id(LogEvent event)
{
    static const char *const ids[LOG_EVENT_COUNT] = {
#define LOG_EVENT_ID(name, id) [LOG_EVENT_##name] = id,
        LOG_EVENTS(LOG_EVENT_ID)
#undef LOG_EVENT_ID
    };

    ot_assert(event < LOG_EVENT_COUNT);
    return ids[event];
}

/* The message as people read it: continuation lines below the first. */
static void
add_message(LogFields *fields, const LogEntry *entry)
{
    const LogMore *more = entry->more;

    add_field(
        fields, "MESSAGE=%s%s%s%s%s%s%s", entry->text,
        more->detail == NULL ? "" : "\nDETAIL:  ", more->detail == NULL ? "" : more->detail,
        more->hint == NULL ? "" : "\nHINT:  ", more->hint == NULL ? "" : more->hint,
        more->context == NULL ? "" : "\nCONTEXT:  ", more->context == NULL ? "" : more->context);
}

/* Values at the end of messages that have a field of their own. */
static const struct {
    const char *key;
    const char *field;
} listed[] = {{"topic", "OTTLA_TOPIC"},
              {"partition", "OTTLA_PARTITION"},
              {"code", "OTTLA_CODE"},
              {"group", "OTTLA_GROUP"}};

void
log_journal_fields(const LogEntry *entry, LogFields *ret)
{
    const LogIdentity *who = entry->identity;
    const char *list = entry->cut ? NULL : log_values_begin(entry->text);
    StrView value;

    ret->count = 0;
    ret->used = 0;
    add_field(ret, "PRIORITY=%d", entry->priority);
    add_field(ret, "SYSLOG_IDENTIFIER=" IDENTIFIER);
    add_text(ret, "MESSAGE_ID", event_id(entry->more->event));
    add_field(ret, "CODE_FILE=%s", entry->place->file);
    add_field(ret, "CODE_LINE=%d", entry->place->line);
    add_field(ret, "CODE_FUNC=%s", entry->place->function);
    add_text(ret, "OTTLA_INSTANCE", who->instance);
    if (who->node_id >= 0)
        add_field(ret, "OTTLA_NODE_ID=%" PRId32, who->node_id);
    add_text(ret, "OTTLA_KIND", who->kind);
    add_text(ret, "OTTLA_CATEGORY", entry->component);
    add_field(ret, "OTTLA_LEVEL=%s", log_level_name(entry->level));
    add_text(ret, "OTTLA_SESSION", who->session);
    add_text(ret, "OTTLA_LISTENER", who->listener);
    add_text(ret, "OTTLA_CLIENT_ADDR", who->client_address);
    add_text(ret, "OTTLA_PRINCIPAL", who->principal);
    add_text(ret, "OTTLA_CLIENT_ID", who->client_id);
    if (who->api != NULL) {
        add_text(ret, "OTTLA_API", who->api);
        add_field(ret, "OTTLA_CORRELATION_ID=%" PRId32, who->correlation_id);
    }
    for (size_t i = 0; list != NULL && i < sizeof listed / sizeof listed[0]; i++)
        if (log_values_find(list, listed[i].key, &value))
            add_field(ret, "%s=%.*s", listed[i].field, value.len, value.ptr);
    add_message(ret, entry);
    add_text(ret, "OTTLA_DETAIL", entry->more->detail);
    add_text(ret, "OTTLA_HINT", entry->more->hint);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static void
add_pair(StrBuf *line, StrView name, StrView value)
{
    size_t before = line->len;

    if (line->len > 1)
        strbuf_add_char(line, ',');
    strbuf_add_json(line, name);
    strbuf_add_char(line, ':');
    strbuf_add_json(line, value);
    if (strbuf_failed(line)) { /* left out; the next may fit */
        line->failed = false;
        strbuf_truncate(line, before);
    }
}

size_t
log_json_line(const LogEntry *entry, int64_t wall_ms, pid_t pid, char ret[LOG_JSON_MAX])
{
    char time[CLOCK_TEXT_LEN + 1], number[16];
    LogFields fields;
    StrBuf line;

    log_journal_fields(entry, &fields);
    clock_format(wall_ms, time);
    time[10] = 'T';
    memcpy(time + 23, "Z", 2);
    snprintf(number, sizeof number, "%d", (int)pid);
    strbuf_init_in(&line, ret, LOG_JSON_MAX - 2); /* room for the end */
    strbuf_add_char(&line, '{');
    add_pair(&line, STRVIEW("TIME"), strview_from(time));
    add_pair(&line, STRVIEW("_PID"), strview_from(number));
    for (int i = 0; i < fields.count; i++) {
        const char *text = fields.list[i].iov_base;
        int32_t len = (int32_t)fields.list[i].iov_len;
        int32_t name = (int32_t)((const char *)memchr(text, '=', (size_t)len) - text);

        add_pair(&line, (StrView){text, name}, (StrView){text + name + 1, len - name - 1});
    }
    memcpy(ret + line.len, "}\n", 3);
    return line.len + 2;
}

bool
log_json_write(const LogEntry *entry)
{
    static char line[LOG_JSON_MAX]; /* of this process, which writes one at a time */

    log_put_lines(line, log_json_line(entry, clock_wall_ms(), getpid(), line));
    return true;
}

/* ---- destinations -------------------------------------------------------------------------------- */

bool
log_journal_found(void)
{
    return access(JOURNAL_SOCKET, W_OK) == 0;
}

/* A new socket each time: one that was connected to a reader that is gone looks as if it took everything. */
bool
log_socket_takes(const char *path, int patience_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pollfd look = {.events = POLLOUT};
    bool takes = true;

    if (strlen(path) >= sizeof address.sun_path)
        return true;
    memcpy(address.sun_path, path, strlen(path));
    look.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (look.fd < 0)
        return false;
    if (connect(look.fd, (const struct sockaddr *)&address, sizeof address) == 0)
        takes = poll(&look, 1, patience_ms) != 0;
    close(look.fd);
    return takes;
}

bool
log_journal_takes(int patience_ms)
{
    return log_socket_takes(JOURNAL_SOCKET, patience_ms);
}

bool
log_syslog_takes(int patience_ms)
{
    return log_socket_takes(_PATH_LOG, patience_ms);
}

bool
log_journal_write(const LogEntry *entry)
{
    const SystemdLib *lib = systemd_lib(NULL);
    LogFields fields;

    if (lib == NULL)
        return false;
    log_journal_fields(entry, &fields);
    return lib->journal_sendv(fields.list, fields.count) >= 0;
}

bool
log_syslog_write(const LogEntry *entry)
{
    int priority = LOG_DAEMON | entry->priority;
    const LogMore *more = entry->more;
    const struct {
        const char *tag, *text;
    } rest[] = {{"DETAIL", more->detail}, {"HINT", more->hint}, {"CONTEXT", more->context}};

    openlog(IDENTIFIER, LOG_PID, LOG_DAEMON);
    syslog(priority, "%s:  %s", log_level_name(entry->level), entry->text);
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
        if (rest[i].text != NULL)
            syslog(priority, "%s:  %s", rest[i].tag, rest[i].text);
    return true;
}
