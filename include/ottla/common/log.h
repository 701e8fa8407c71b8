/*
 * log.h - one line per event, for journalctl and for people
 *
 * A line reads "component: what happened: why; key=value ..." behind the prefix that
 * log.line.prefix describes ("2025-03-01 12:00:00.123 UTC [4711] backend INFO:  "). Library code
 * returns errors and stays silent; process code logs and decides (style.md 6, 17).
 *
 * Each line leaves in one write(), so lines of several processes never mix. Nothing is allocated.
 * Where lines go elsewhere (log_sink.h), each message is one record with fields; topic, partition and code
 * among the values at its end are fields, too (OTTLA_TOPIC ...).
 * Control bytes in the text become \xNN; names from outside go through log_escape() first. Record
 * contents and secrets never appear.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_LOG_H
#define OTTLA_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/log_events.h"
#include "ottla/common/view.h"

/* In the order of the threshold. */
typedef enum LogLevel {
    LL_DEBUG5,
    LL_DEBUG4,
    LL_DEBUG3,
    LL_DEBUG2,
    LL_DEBUG1,
    LL_INFO,    /* what clients cause; rate-limited per kind */
    LL_NOTICE,  /* leader, ISR and role changes: fixed phrases that tests may wait for */
    LL_WARNING, /* unusual, the node copes */
    LL_ERROR,   /* somebody must act */
    LL_LOG,     /* for the operator: start, stop, reload */
    LL_FATAL,   /* this process ends */
    LL_PANIC,   /* all processes end or start anew */
    LL_COUNT
} LogLevel;

#define LOG_LINE_MAX 2048 /* bytes of one line; longer ones are cut and end in "..." */

/* Where in the code a message comes from; LOG_HERE is made by the macros below. */
typedef struct LogPlace {
    const char *file;
    const char *function;
    int line;
} LogPlace;

#define LOG_HERE (&(const LogPlace){__FILE__, __func__, __LINE__})

/*
 * log_msg(level, component, format, ...): one line. The format has no line feed at its end, no full
 * stop, and starts in lower case.
 */
#define log_msg(...) log_msg_from(LOG_HERE, __VA_ARGS__)
void log_msg_from(const LogPlace *place, LogLevel level, const char *component, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

/* The continuation lines of a message, each of which may be NULL, and which event it tells of. */
typedef struct LogMore {
    const char *detail;
    const char *hint;
    const char *context;
    LogEvent event; /* its MESSAGE_ID in the journal; LOG_EVENT_NONE: none */
} LogMore;

/* log_more(level, component, more, format, ...): as log_msg with continuation lines, in one write(). */
#define log_more(...) log_more_from(LOG_HERE, __VA_ARGS__)
void log_more_from(const LogPlace *place, LogLevel level, const char *component,
                   const LogMore *more, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* log_event(level, component, event, format, ...): as log_msg, of an event that has a MESSAGE_ID. */
#define log_event(level, component, which, ...) \
    log_more(level, component, (&(const LogMore){.event = (which)}), __VA_ARGS__)

/* Would log_msg write this level for this component? For messages that cost something to build. */
bool log_enabled(LogLevel level, const char *component);

/* One kind of message and how often it came; static per call site, zero at first. */
typedef struct LogRate {
    int64_t window_start_us;
    uint32_t count;   /* in this window */
    uint32_t dropped; /* since the last line that was written */
} LogRate;

#define LOG_RATE_PER_SECOND 10

/*
 * May a message of this kind be written at now_us? At most per_second in a second.
 * ret_dropped: how many were held back since the last allowed one (0 when refused).
 */
bool log_rate_allow(LogRate *rate, int64_t now_us, uint32_t per_second, uint32_t *ret_dropped);

/*
 * log_limited(rate, per_second, level, component, format, ...): as log_msg, at most per_second lines of
 * this kind a second; says how many were left out.
 */
#define log_limited(rate, per_second, ...) log_limited_from(LOG_HERE, rate, per_second, __VA_ARGS__)
void log_limited_from(const LogPlace *place, LogRate *rate, uint32_t per_second, LogLevel level,
                      const char *component, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/*
 * Outside bytes made printable: ASCII as it is, '"' and '\' behind a backslash, others \xNN; cut with
 * "..." when it does not fit. Null gives "null". Returns buffer; size is at least 8.
 */
const char *log_escape(StrView text, char *buffer, size_t size);

/*
 * Who this process is; the strings are kept by pointer and stay valid until they are replaced. Set
 * after fork. Members that do not apply are NULL or -1.
 */
typedef struct LogIdentity {
    const char *instance;
    const char *kind; /* "supervisor", "backend" */
    int32_t node_id;  /* -1: not known */
    /* Only in backends: */
    const char *session; /* hex start time and pid */
    const char *client_address;
    const char *client_host;
    const char *principal;
    const char *client_id;
    const char *listener;
    const char *api; /* of the request that was begun last */
    int32_t correlation_id;
} LogIdentity;

void log_set_identity(const LogIdentity *identity);

/* The request that lines tell of from now on; the name is kept by pointer, NULL: none. */
void log_set_request(const char *api, int32_t correlation_id);

/* One message for a destination that takes it whole. */
typedef struct LogEntry {
    LogLevel level;
    int priority; /* of syslog and the journal */
    const char *component;
    const char *text; /* "component: what happened", clean and cut */
    const LogMore *more;
    const LogPlace *place;
    const LogIdentity *identity;
    bool cut; /* the text was too long, its end is missing */
} LogEntry;

/* Where messages go and how lines look; the line_prefix is kept by pointer. */
typedef struct LogStyle {
    int fd;                  /* 2 by default */
    bool priority_prefix;    /* "<6>" first, as systemd wants it from stderr */
    const char *line_prefix; /* LOG_PREFIX_DEFAULT; NULL: none */
    /* fd is the logger's pipe (log_pipe.h): nobody waits for it as log_never_wait has it; continuation lines
     * begin with a tab. */
    bool collected;
    /* Takes messages instead of fd; what it does not take (false) is written as lines. NULL: none. */
    bool (*sink)(const LogEntry *entry);
    bool (*sink_takes)(int patience_ms); /* would sink take a message by then? NULL: asked of fd */
} LogStyle;

/* Is given every message that is logged, whatever becomes of it elsewhere; NULL: nobody is. Never logs itself. */
void log_set_keeper(void (*keep)(const LogEntry *entry));

/* Where processes count together what nobody took, so that one that ends takes no count along. Neither logs. */
typedef struct LogLosses {
    void (*add)(void);
    uint64_t (*take)(void); /* all that were added; they are told by who takes them */
} LogLosses;

/* NULL: this process counts for itself. */
void log_set_losses(const LogLosses *losses);

#define LOG_PREFIX_DEFAULT "%m [%p] %k "
#define LOG_PREFIX_JOURNAL "%k " /* the journal has its own time and pid */

void log_set_style(const LogStyle *style);

/* For sinks that make lines of their own: writes whole lines to the style's fd, as those of log.c are. */
void log_put_lines(const char *lines, size_t len);

/*
 * This process, the supervisor, shall not wait for who reads its lines, a journal on a dying disk maybe: what is not
 * taken in 20 ms, or at once when others were lost before, is lost, and counted in a line before the next that is
 * taken. A file always takes lines.
 */
void log_never_wait(bool yes);

/* Does the journal read stderr (JOURNAL_STREAM)? */
bool log_stderr_is_journal(void);

/* Lines below the threshold are not written (LL_INFO at start). */
void log_set_threshold(LogLevel level);

/*
 * Threshold of one component, over the general one; LL_COUNT takes it back. False: the name is longer
 * than 31 bytes or LOG_CATEGORIES_MAX names have one.
 */
#define LOG_CATEGORIES_MAX 64
bool log_set_category(const char *component, LogLevel level);

/* Forgets the thresholds of all components. */
void log_reset_categories(void);

/*
 * The components whose thresholds a request can change (BROKER_LOGGER): number 0 is "root", the general
 * threshold. log_category_find: -1 when there is none of that name.
 */
#define LOG_CATEGORY_COUNT 22
const char *log_category_name(int category);
int log_category_find(StrView name);

/* The threshold in force for it. */
LogLevel log_category_level(int category);

/* "WARNING"; and back, in any case ("debug" is LL_DEBUG1). False: no such level. */
const char *log_level_name(LogLevel level);
bool log_level_from_name(StrView name, LogLevel *ret);

#endif
