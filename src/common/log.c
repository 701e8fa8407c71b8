/*
 * log.c - one line per event
 *
 * Runs in: every process. Never: allocates, waits for anything but the write itself, and not for that in the
 * supervisor (log_never_wait) or where the logger collects lines (LogStyle.collected).
 * Invariants:
 *   L1  all lines of one message leave in one write(), whole lines only; into a pipe, which takes PIPE_BUF bytes as one, in
 *       as many as that takes, each of whole lines
 *   L2  no byte below 0x20 but the line feeds at line ends and the tab of continuation lines
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/log_values.h"
#include "ottla/common/own_page.h"
#include "ottla/common/text.h"

#define PATIENCE_MS 20   /* of a process that never waits */
#define PIECE_TRIES 1000 /* with a pipe that had room, which others took */

typedef struct LevelRow {
    const char *name;
    char priority; /* of syslog and the journal */
} LevelRow;

static const LevelRow levels[LL_COUNT] = {
    [LL_DEBUG5] = {"DEBUG5", '7'}, [LL_DEBUG4] = {"DEBUG4", '7'},   [LL_DEBUG3] = {"DEBUG3", '7'},
    [LL_DEBUG2] = {"DEBUG2", '7'}, [LL_DEBUG1] = {"DEBUG1", '7'},   [LL_INFO] = {"INFO", '6'},
    [LL_NOTICE] = {"NOTICE", '5'}, [LL_WARNING] = {"WARNING", '4'}, [LL_ERROR] = {"ERROR", '3'},
    [LL_LOG] = {"LOG", '5'},       [LL_FATAL] = {"FATAL", '3'},     [LL_PANIC] = {"PANIC", '2'},
};

typedef struct Category {
    char name[32];
    LogLevel level; /* LL_COUNT: row not in use */
} Category;

/* Private to the process; children inherit them by fork. */
static OWN_PAGE LogIdentity identity = {.node_id = -1};
static LogStyle style = {.fd = STDERR_FILENO, .line_prefix = LOG_PREFIX_DEFAULT};
static void (*keeper)(const LogEntry *entry);
static LogLevel threshold = LL_INFO;
static Category categories[LOG_CATEGORIES_MAX];
static OWN_PAGE int category_count;
static OWN_PAGE uint64_t line_number;
static OWN_PAGE pid_t line_number_of; /* a child counts from 1 */
static OWN_PAGE bool never_waits;
static OWN_PAGE uint64_t lost; /* messages that nobody took, since the last one that somebody did */
static const LogLosses *losses;

/* Bytes of the message under construction; end is one behind the last usable byte. */
typedef struct Out {
    char *at;
    char *end;
} Out;

static void
put_char(Out *out, char c)
{
    if (out->at < out->end)
        *out->at++ = c;
}

static void
put_text(Out *out, const char *text)
{
    while (*text != '\0')
        put_char(out, *text++);
}

/* Bytes for a line [L2]: control bytes as \xNN. */
static void
put_clean(Out *out, const char *text)
{
    static const char hex[] = "0123456789abcdef";

    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;

        if (c >= 0x20 && c != 0x7f) {
            put_char(out, *text);
        } else {
            put_char(out, '\\');
            put_char(out, 'x');
            put_char(out, hex[c >> 4]);
            put_char(out, hex[c & 15]);
        }
    }
}

const char *
log_level_name(LogLevel level)
{
    return levels[level].name;
}

bool
log_level_from_name(StrView name, LogLevel *ret)
{
    if (text_equal_nocase(name, STRVIEW("debug"))) {
        *ret = LL_DEBUG1;
        return true;
    }
    if (text_equal_nocase(name, STRVIEW("warn"))) {
        *ret = LL_WARNING;
        return true;
    }
    for (int i = 0; i < LL_COUNT; i++) {
        if (text_equal_nocase(name, strview_from(levels[i].name))) {
            *ret = (LogLevel)i;
            return true;
        }
    }
    return false;
}

void
log_set_identity(const LogIdentity *new_identity)
{
    identity = *new_identity;
}

void
log_set_request(const char *api, int32_t correlation_id)
{
    identity.api = api;
    identity.correlation_id = correlation_id;
}

void
log_set_style(const LogStyle *new_style)
{
    style = *new_style;
}

void
log_set_keeper(void (*keep)(const LogEntry *entry))
{
    keeper = keep;
}

void
log_set_losses(const LogLosses *new_losses)
{
    losses = new_losses;
}

void
log_never_wait(bool yes)
{
    never_waits = yes;
    lost = 0;
}

bool
log_stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char here[64];
    struct stat st;

    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(here, sizeof here, "%" PRIu64 ":%" PRIu64, (uint64_t)st.st_dev, (uint64_t)st.st_ino);
    return strcmp(here, stream) == 0;
}

void
log_set_threshold(LogLevel level)
{
    ot_assert(level < LL_COUNT);
    threshold = level;
}

bool
log_set_category(const char *component, LogLevel level)
{
    int free_row = -1;

    if (strlen(component) >= sizeof categories[0].name)
        return false;
    for (int i = 0; i < category_count; i++) {
        if (strcmp(categories[i].name, component) == 0) {
            categories[i].level = level;
            return true;
        }
        if (categories[i].level == LL_COUNT)
            free_row = i;
    }
    if (level == LL_COUNT)
        return true;
    if (free_row < 0 && category_count == LOG_CATEGORIES_MAX)
        return false;
    if (free_row < 0)
        free_row = category_count++;
    snprintf(categories[free_row].name, sizeof categories[0].name, "%s", component);
    categories[free_row].level = level;
    return true;
}

void
log_reset_categories(void)
{
    category_count = 0;
}

/* The threshold that counts for a component. */
static LogLevel
threshold_of(const char *component)
{
    for (int i = 0; i < category_count; i++) {
        if (categories[i].level != LL_COUNT && strcmp(categories[i].name, component) == 0)
            return categories[i].level;
    }
    return threshold;
}

bool
log_enabled(LogLevel level, const char *component)
{
    return level >= threshold_of(component);
}

/* Components of lines; the second half is of parts that say nothing yet. */
static const char *const component_names[LOG_CATEGORY_COUNT] = {
    "root",    "backend", "checkpointer", "controller", "datadir",   "exporter",
    "listen",  "logger",  "raft",         "replica",    "retention", "settings",
    "startup", "storage", "supervisor",   "acl.audit",  "auth",      "cleaner",
    "group",   "quota",   "request",      "txn"};

const char *
log_category_name(int category)
{
    ot_assert(category >= 0 && category < LOG_CATEGORY_COUNT);
    return component_names[category];
}

int
log_category_find(StrView name)
{
    for (int i = 0; i < LOG_CATEGORY_COUNT; i++)
        if (strview_equal(name, strview_from(component_names[i])))
            return i;
    return -1;
}

LogLevel
log_category_level(int category)
{
    return category == 0 ? threshold : threshold_of(log_category_name(category));
}

/* Where a message came from, and what hangs on it. */
typedef struct Message {
    const LogPlace *place;
    const LogMore *more; /* NULL: nothing */
    bool cut;            /* its text is longer than a line may be */
    LogLevel level;
    const char *component;
    const char *text; /* as it is being written */
} Message;

/* The code among its values; without one that of its level, as PostgreSQL has them. */
static const char *
code_of(const Message *message, char *buffer, size_t size)
{
    const char *values = message->cut ? NULL : log_values_begin(message->text);
    StrView code;

    if (values != NULL && log_values_find(values, "code", &code)) {
        snprintf(buffer, size, "%.*s", code.len, code.ptr);
        return buffer;
    }
    if (message->level == LL_WARNING)
        return "01000";
    return message->level == LL_ERROR || message->level >= LL_FATAL ? "XX000" : "00000";
}

/* One escape of the line prefix as text, into buffer when it has to be made. NULL: there is no such escape. */
static const char *
prefix_value(char escape, const Message *message, char *buffer, size_t size)
{
    const char *text;

    buffer[0] = '\0';
    switch (escape) {
    case 'm':
        clock_format(clock_wall_ms(), buffer);
        return buffer;
    case 't':
        clock_format(clock_wall_ms(), buffer);
        memcpy(buffer + 19, " UTC", 5); /* without the milliseconds */
        return buffer;
    case 'n':
        snprintf(buffer, size, "%" PRId64 ".%03d", clock_wall_ms() / 1000,
                 (int)(clock_wall_ms() % 1000));
        return buffer;
    case 'p':
        snprintf(buffer, size, "%d", (int)getpid());
        return buffer;
    case 'N':
        snprintf(buffer, size, "%" PRId32, identity.node_id);
        return buffer;
    case 'l':
        snprintf(buffer, size, "%" PRIu64, line_number);
        return buffer;
    case 'k':
        text = identity.kind;
        break;
    case 'i':
        text = identity.instance;
        break;
    case 'c':
        text = identity.session;
        break;
    case 'h':
        text = identity.client_host;
        break;
    case 'r':
        text = identity.client_address;
        break;
    case 'u':
        text = identity.principal;
        break;
    case 'a':
        text = identity.client_id;
        break;
    case 'L':
        text = identity.listener;
        break;
    case 'C':
        text = message->component;
        break;
    case 'e':
        return code_of(message, buffer, size);
    case '%':
        return "%";
    default:
        return NULL;
    }
    return text == NULL ? "" : text;
}

/* The prefix with its escapes; "%-10u" and "%10u" pad. As with PostgreSQL unknown ones leave nothing. */
static void
put_prefix(Out *out, const Message *message)
{
    const char *at = style.line_prefix == NULL ? "" : style.line_prefix;

    for (; *at != '\0'; at++) {
        char buffer[64];
        const char *value;
        bool left = false;
        size_t width = 0, len;

        if (*at != '%') {
            put_char(out, *at);
            continue;
        }
        at++;
        if (*at == '-') {
            left = true;
            at++;
        }
        for (; *at >= '0' && *at <= '9' && width < 100; at++)
            width = width * 10 + (size_t)(*at - '0');
        if (*at == '\0')
            return;
        if (*at == 'q') {
            if (identity.session == NULL)
                return;
            continue;
        }
        value = prefix_value(*at, message, buffer, sizeof buffer);
        if (value == NULL)
            continue;
        len = strlen(value);
        for (size_t i = len; !left && i < width; i++)
            put_char(out, ' ');
        put_clean(out, value);
        for (size_t i = len; left && i < width; i++)
            put_char(out, ' ');
    }
}

/* One line into out. tag is "INFO" or "DETAIL". */
static void
put_line(Out *out, const Message *message, const char *tag, const char *text)
{
    const LevelRow *level = &levels[message->level];
    Out line = {out->at, out->end};

    /* Room for the cut mark and the line feed stays, whatever the text is. */
    if (line.end - line.at > LOG_LINE_MAX)
        line.end = line.at + LOG_LINE_MAX;
    if (line.end - line.at < 64)
        return;
    line.end -= 4;
    if (style.collected && tag != level->name)
        put_char(&line, '\t');
    if (style.priority_prefix) {
        put_char(&line, '<');
        put_char(&line, level->priority);
        put_char(&line, '>');
    }
    put_prefix(&line, message);
    put_text(&line, tag);
    put_text(&line, ":  ");
    if (tag == level->name) {
        put_clean(&line, message->component);
        put_text(&line, ": ");
    }
    put_clean(&line, text);
    if (line.at == line.end) {
        line.end += 3;
        put_text(&line, "...");
    }
    *line.at++ = '\n';
    out->at = line.at;
}

/* The message as a whole, its text as a line would show it; bytes holds that. */
static LogEntry
entry_of(const Message *message, const char *text, char bytes[LOG_LINE_MAX])
{
    static const LogMore nothing;
    Out out = {bytes, bytes + LOG_LINE_MAX - 1};

    put_clean(&out, message->component);
    put_text(&out, ": ");
    put_clean(&out, text);
    *out.at = '\0';
    return (LogEntry){
        .level = message->level,
        .priority = levels[message->level].priority - '0',
        .component = message->component,
        .text = bytes,
        .more = message->more == NULL ? &nothing : message->more,
        .place = message->place,
        .identity = &identity,
        .cut = message->cut,
    };
}

static bool
write_to_sink(const Message *message, const char *text)
{
    char bytes[LOG_LINE_MAX];
    const LogEntry entry = entry_of(message, text, bytes);

    return style.sink(&entry);
}

static void
give_to_keeper(const Message *message, const char *text)
{
    char bytes[LOG_LINE_MAX];
    const LogEntry entry = entry_of(message, text, bytes);

    keeper(&entry);
}

/* Neither the supervisor nor who writes into the logger's pipe waits for a reader that stands still. */
static bool
is_bounded(void)
{
    return never_waits || style.collected;
}

/* A reader that is only busy shall miss nothing; one that stands still is waited for once. */
static int
patience_ms(void)
{
    return lost > 0 ? 0 : PATIENCE_MS;
}

/* Would a write wait? A reader that is gone makes it fail, which is not waiting. */
static bool
fd_takes_now(void)
{
    struct pollfd look = {.fd = style.fd, .events = POLLOUT};

    return poll(&look, 1, patience_ms()) != 0;
}

static void
count_lost(void)
{
    lost++;
    if (losses != NULL)
        losses->add();
}

/* How much of these lines a pipe takes in one piece: whole lines, if it is at all possible [L1]. */
static size_t
piece_of(const char *lines, size_t len)
{
    const char *end;

    if (len <= PIPE_BUF)
        return len;
    end = memrchr(lines, '\n', PIPE_BUF);
    return end == NULL ? PIPE_BUF : (size_t)(end + 1 - lines);
}

void
log_put_lines(const char *lines, size_t len)
{
    int tries = PIECE_TRIES;

    /* A pipe may take a part; anything else means that nobody can be told. */
    while (len > 0) {
        size_t piece = len;
        ssize_t sent;

        if (is_bounded()) {
            if (!fd_takes_now()) {
                count_lost();
                return;
            }
            piece = piece_of(lines, len); /* that much is taken when some is */
        }
        sent = write(style.fd, lines, piece);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN && style.collected) {
            if (--tries > 0)
                continue; /* others were quicker */
            count_lost();
        }
        if (sent <= 0)
            return;
        lines += sent;
        len -= (size_t)sent;
    }
}

static void
write_lines(Message *message, const char *text)
{
    char bytes[4 * LOG_LINE_MAX];
    Out out = {bytes, bytes + sizeof bytes};
    const LogMore *more = message->more;

    message->text = text;
    put_line(&out, message, levels[message->level].name, text);
    if (more != NULL && more->detail != NULL)
        put_line(&out, message, "DETAIL", more->detail);
    if (more != NULL && more->hint != NULL)
        put_line(&out, message, "HINT", more->hint);
    if (more != NULL && more->context != NULL)
        put_line(&out, message, "CONTEXT", more->context);
    log_put_lines(bytes, (size_t)(out.at - bytes));
}

static void
write_message(Message *message, const char *text)
{
    if (line_number_of != getpid())
        line_number = 0;
    line_number_of = getpid();
    line_number++;
    if (style.sink == NULL || !write_to_sink(message, text))
        write_lines(message, text);
}

/* Will a message be taken at once? Then whoever takes it hears first how many were not. */
static bool
takes_now(void)
{
    static const LogPlace here = {.file = __FILE__, .line = __LINE__, .function = __func__};
    Message message = {.place = &here,
                       .level = LL_WARNING,
                       .component = identity.kind == NULL ? "supervisor" : identity.kind};
    char text[80];
    uint64_t count;

    if (style.sink != NULL && style.sink_takes != NULL ? !style.sink_takes(patience_ms())
                                                       : !fd_takes_now())
        return false;
    count = losses == NULL ? lost : losses->take();
    lost = 0;
    if (count > 0) {
        snprintf(text, sizeof text, "log lines were lost, nobody took them; lines=%" PRIu64, count);
        write_message(&message, text);
    }
    return true;
}

static void write_formatted(Message *message, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
write_formatted(Message *message, const char *format, va_list args)
{
    char text[LOG_LINE_MAX];
    int saved_errno = errno;
    int len = vsnprintf(text, sizeof text, format, args);

    if (len >= 0) {
        message->cut = (size_t)len >= sizeof text;
        if (keeper != NULL)
            give_to_keeper(message, text);
        if (!is_bounded() || takes_now())
            write_message(message, text);
        else
            count_lost();
    }
    errno = saved_errno;
}

void
log_msg_from(const LogPlace *place, LogLevel level, const char *component, const char *format, ...)
{
    va_list args;

    if (!log_enabled(level, component))
        return;
    va_start(args, format);
    write_formatted(&(Message){.place = place, .level = level, .component = component}, format,
                    args);
    va_end(args);
}

void
log_more_from(const LogPlace *place, LogLevel level, const char *component, const LogMore *more,
              const char *format, ...)
{
    va_list args;

    if (!log_enabled(level, component))
        return;
    va_start(args, format);
    write_formatted(
        &(Message){.place = place, .more = more, .level = level, .component = component}, format,
        args);
    va_end(args);
}

bool
log_rate_allow(LogRate *rate, int64_t now_us, uint32_t per_second, uint32_t *ret_dropped)
{
    *ret_dropped = 0;
    if (rate->count == 0 || now_us - rate->window_start_us >= 1000000 ||
        now_us < rate->window_start_us) {
        rate->window_start_us = now_us;
        rate->count = 0;
    }
    if (rate->count >= per_second) {
        if (rate->dropped < UINT32_MAX)
            rate->dropped++;
        return false;
    }
    rate->count++;
    *ret_dropped = rate->dropped;
    rate->dropped = 0;
    return true;
}

void
log_limited_from(const LogPlace *place, LogRate *rate, uint32_t per_second, LogLevel level,
                 const char *component, const char *format, ...)
{
    char detail[64];
    LogMore more = {.detail = detail};
    uint32_t dropped;
    va_list args;

    if (!log_enabled(level, component) ||
        !log_rate_allow(rate, clock_mono_us(), per_second, &dropped))
        return;
    snprintf(detail, sizeof detail, "left out %" PRIu32 " more of this kind", dropped);
    va_start(args, format);
    write_formatted(&(Message){.place = place,
                               .more = dropped == 0 ? NULL : &more,
                               .level = level,
                               .component = component},
                    format, args);
    va_end(args);
}

const char *
log_escape(StrView text, char *buffer, size_t size)
{
    char *at = buffer, *end = buffer + size - 4; /* room for "..." and the zero */

    ot_assert(size >= 8);
    if (text.ptr == NULL) {
        memcpy(buffer, "null", 5);
        return buffer;
    }
    for (int32_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        char piece[8];
        size_t len;

        if (c >= 0x20 && c < 0x7f)
            len =
                (size_t)snprintf(piece, sizeof piece, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
        else
            len = (size_t)snprintf(piece, sizeof piece, "\\x%02x", c);
        if (len > (size_t)(end - at)) {
            memcpy(at, "...", 4);
            return buffer;
        }
        memcpy(at, piece, len);
        at += len;
    }
    *at = '\0';
    return buffer;
}
