/*
 * conf_put.c - one setting from any source, and the rules between settings
 *
 * Runs in: supervisor. Never: logs; reports with file and line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"

static void add_line(const ConfReader *reader, StrBuf *to, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
add_line(const ConfReader *reader, StrBuf *to, const char *format, va_list args)
{
    if (reader->file != NULL && reader->line > 0)
        strbuf_printf(to, "%s:%d: ", reader->file, reader->line);
    else if (reader->file != NULL)
        strbuf_printf(to, "%s: ", reader->file);
    else if (reader->what != NULL)
        strbuf_printf(to, "%s: ", reader->what);
    strbuf_vprintf(to, format, args);
    strbuf_add_char(to, '\n');
}

static void watch_error(ConfReader *reader, bool bad_value, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* The first error of a setting is told with it; of a line that sets nothing, each by itself. */
static void
watch_error(ConfReader *reader, bool bad_value, const char *format, va_list args)
{
    ConfWatch *watch = reader->watch;
    ConfEntry alone = {
        .file = reader->file == NULL ? "" : reader->file, .line = reader->line, .id = -1};
    ConfEntry *entry = watch->entry == NULL ? &alone : watch->entry;

    if (entry->error != NULL)
        return;
    vsnprintf(watch->error, sizeof watch->error, format, args);
    entry->error = watch->error;
    entry->bad_value = bad_value;
    if (entry == &alone)
        watch->take(watch->arg, entry);
}

void
conf_error(ConfReader *reader, const char *format, ...)
{
    va_list args;

    if (reader->watch != NULL) {
        va_start(args, format);
        watch_error(reader, false, format, args);
        va_end(args);
    }
    if (reader->report->error_count++ >= LIMIT_CONF_ERRORS)
        return;
    va_start(args, format);
    add_line(reader, &reader->report->errors, format, args);
    va_end(args);
}

/* As conf_error, but a reload goes on without this one setting. */
static void bad_value(ConfReader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
bad_value(ConfReader *reader, const char *format, ...)
{
    va_list args;

    if (reader->watch != NULL) {
        va_start(args, format);
        watch_error(reader, true, format, args);
        va_end(args);
    }
    reader->report->skipped_count++;
    if (reader->report->error_count++ >= LIMIT_CONF_ERRORS)
        return;
    va_start(args, format);
    add_line(reader, &reader->report->errors, format, args);
    va_end(args);
}

void
conf_warning(ConfReader *reader, const char *format, ...)
{
    va_list args;

    if (reader->report->warning_count++ >= LIMIT_CONF_ERRORS)
        return;
    va_start(args, format);
    add_line(reader, &reader->report->warnings, format, args);
    va_end(args);
}

static char *
place_text(ConfReader *reader)
{
    if (reader->file != NULL)
        return arena_printf(reader->set->arena, "%s:%d", reader->file, reader->line);
    if (reader->place != NULL)
        return arena_printf(reader->set->arena, "%s", reader->place);
    return arena_printf(reader->set->arena, "%s", reader->what);
}

static void
put_extra(ConfReader *reader, StrView name, StrView value)
{
    ConfSet *set = reader->set;
    ConfExtra *extra = NULL;

    for (int i = 0; i < set->extra_count; i++) {
        if (strview_equal(strview_from(set->extras[i].name), name))
            extra = &set->extras[i];
    }
    if (extra == NULL && set->extra_count == CONF_EXTRAS_MAX) {
        conf_error(reader, "more than %d settings beside the known ones", CONF_EXTRAS_MAX);
        return;
    }
    if (extra == NULL)
        extra = &set->extras[set->extra_count++];
    *extra = (ConfExtra){arena_strdup(set->arena, name), arena_strdup(set->arena, value),
                         place_text(reader)};
    if (extra->name == NULL || extra->value == NULL || extra->place == NULL) {
        set->extra_count--;
        conf_error(reader, "no memory for the settings");
    }
}

/* What may follow "listener.name.NAME." or "listener.name.NAME.MECHANISM.". */
static bool
is_listener_setting(StrView name)
{
    static const char *const others[] = {"principal.builder.class", "connections.max.reauth.ms",
                                         "max.connections", "max.connection.creation.rate",
                                         "num.network.threads"};

    if (conf_find(CONF_SCOPE_BROKER, name) < 0)
        return false;
    if (name.len > 4 && memcmp(name.ptr, "ssl.", 4) == 0)
        return true;
    if (name.len > 5 && memcmp(name.ptr, "sasl.", 5) == 0)
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strview_equal(name, strview_from(others[i])))
            return true;
    }
    return false;
}

/* Behind the first dot. False: there is none. */
static bool
skip_word(StrView *name)
{
    const char *dot = memchr(name->ptr, '.', (size_t)name->len);

    if (dot == NULL)
        return false;
    name->len -= (int32_t)(dot + 1 - name->ptr);
    name->ptr = dot + 1;
    return true;
}

int
conf_listener_row(StrView name)
{
    static const char prefix[] = "listener.name.";
    StrView rest = {name.ptr + sizeof prefix - 1, name.len - (int32_t)sizeof prefix + 1};

    if (name.len < (int32_t)sizeof prefix || memcmp(name.ptr, prefix, sizeof prefix - 1) != 0 ||
        !skip_word(&rest))
        return -1;
    if (!is_listener_setting(rest) && (!skip_word(&rest) || !is_listener_setting(rest)))
        return -1;
    return conf_find(CONF_SCOPE_BROKER, rest);
}

/* The value of a setting beside the table is bad: what is in force stays. */
static void
keep_extra(ConfReader *reader, StrView name)
{
    const char *text = arena_strdup(reader->set->arena, name);
    const char *old = text == NULL ? NULL : conf_static_extra(text);

    if (old != NULL)
        put_extra(reader, name, strview_from(old));
}

/* listener.name.<listener>.[<mechanism>.]<setting>: true when it is one; checked and kept. */
static bool
put_listener_setting(ConfReader *reader, StrView name, StrView value)
{
    int id = conf_listener_row(name);
    ErrInfo err;

    if (id < 0)
        return false;
    if (conf_check(&conf_rows[id], value, &err) == 0) {
        put_extra(reader, name, text_trim(value));
        return true;
    }
    bad_value(reader, "listener setting %s", err.text);
    keep_extra(reader, name);
    return true;
}

/* log.level.<component>: true when it is one. */
static bool
put_log_level(ConfReader *reader, StrView name, StrView value)
{
    static const char prefix[] = "log.level.";
    LogLevel level;
    char shown[80];

    if (name.len < (int32_t)sizeof prefix || memcmp(name.ptr, prefix, sizeof prefix - 1) != 0)
        return false;
    if (log_level_from_name(text_trim(value), &level)) {
        put_extra(reader, name, text_trim(value));
        return true;
    }
    bad_value(reader, "%.*s = \"%s\": no level of messages", (int)name.len, name.ptr,
              log_escape(value, shown, sizeof shown));
    keep_extra(reader, name);
    return true;
}

/* Settings that Kafka 4 no longer has: files of older releases still name them. */
static bool
is_gone(StrView name)
{
    static const char *const gone[] = {"inter.broker.protocol.version",
                                       "broker.id.generation.enable",
                                       "log.message.format.version",
                                       "log.message.downconversion.enable",
                                       "control.plane.listener.name",
                                       "leader.imbalance.per.broker.percentage",
                                       "controlled.shutdown.max.retries",
                                       "controlled.shutdown.retry.backoff.ms",
                                       "log.message.timestamp.difference.max.ms",
                                       "offsets.commit.required.acks"};

    if (name.len > 10 && memcmp(name.ptr, "zookeeper.", 10) == 0)
        return true;
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        if (strview_equal(name, strview_from(gone[i])))
            return true;
    }
    return false;
}

/* A name without row: one of the families beside the table, a gone one, or a mistake. */
static void
put_unknown(ConfReader *reader, StrView name, StrView value)
{
    const char *nearest;
    char shown[120];

    if (put_listener_setting(reader, name, value) || put_log_level(reader, name, value))
        return;
    log_escape(name, shown, sizeof shown);
    if (is_gone(name)) {
        conf_warning(reader, "%s no longer exists and is ignored", shown);
        return;
    }
    nearest = conf_nearest(CONF_SCOPE_BROKER, name);
    if (reader->properties) {
        conf_warning(reader, "unknown setting \"%s\" is kept without effect%s%s%s", shown,
                     nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest,
                     nearest == NULL ? "" : "\"?");
        put_extra(reader, name, value);
        return;
    }
    conf_error(reader, "unknown setting \"%s\"%s%s%s", shown,
               nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest,
               nearest == NULL ? "" : "\"?");
}

/* on, off, yes, no, 1, 0 and unique prefixes, as in PostgreSQL. NULL: none of these. */
static const char *
boolean_word(StrView value)
{
    static const struct {
        const char *word;
        int32_t least;
        const char *means;
    } words[] = {{"true", 1, "true"}, {"false", 1, "false"}, {"yes", 1, "true"}, {"no", 1, "false"},
                 {"on", 2, "true"},   {"off", 2, "false"},   {"1", 1, "true"},   {"0", 1, "false"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (value.len >= words[i].least && (size_t)value.len <= strlen(words[i].word) &&
            text_equal_nocase(value, (StrView){words[i].word, value.len}))
            return words[i].means;
    }
    return NULL;
}

/* The conveniences of ottla.conf and -c: what a person writes to what Kafka would take. */
static StrView
from_convenience(ConfReader *reader, const ConfRow *row, StrView value)
{
    StrView text = text_trim(value);
    int64_t number;

    if (row->type == CONF_TYPE_BOOLEAN) {
        const char *word = boolean_word(text);

        return word == NULL ? value : strview_from(word);
    }
    if (conf_is_number(row) && row->unit != TEXT_UNIT_NONE &&
        text_to_quantity(text, row->unit, &number)) {
        StrView made = strview_from(arena_printf(reader->set->arena, "%lld", (long long)number));

        return made.ptr == NULL ? value : made;
    }
    for (const char *const *allowed = row->values; allowed != NULL && *allowed != NULL; allowed++) {
        if (row->type == CONF_TYPE_STRING && text_equal_nocase(text, strview_from(*allowed)))
            return strview_from(*allowed);
    }
    return value;
}

ConfSetting
conf_parse(const ConfRow *row, StrView value)
{
    ConfSetting setting = {0};

    if (row->type == CONF_TYPE_DOUBLE)
        setting.real = conf_text_double(row, value);
    else if (conf_is_number(row))
        setting.number = conf_text_int64(row, value);
    return setting;
}

static void
put(ConfReader *reader, StrView name, StrView value)
{
    int id = reader->properties ? conf_find(CONF_SCOPE_BROKER, name) : conf_find_loose(name);
    const ConfRow *row;
    ConfSetting setting;
    ErrInfo err;

    if (value.len > 0 && memchr(value.ptr, 0, (size_t)value.len) != NULL) {
        conf_error(reader, "the value of %.*s holds a zero byte", (int)name.len, name.ptr);
        return;
    }
    if (id < 0) {
        put_unknown(reader, name, value);
        return;
    }
    row = &conf_rows[id];
    if (row->change == CONF_CHANGE_DYNAMIC) {
        conf_error(reader, "%s can only be set by a request to the cluster", row->name);
        return;
    }
    if (!reader->properties)
        value = from_convenience(reader, row, value);
    if (conf_check(row, value, &err) < 0) {
        reader->set->skipped[id] = true;
        if (!reader->properties && row->unit != TEXT_UNIT_NONE)
            bad_value(reader, "%s; units: %s", err.text, text_units_of(row->unit));
        else
            bad_value(reader, "%s", err.text);
        return;
    }
    reader->set->skipped[id] = false;
    setting = conf_parse(row, value);
    /* A prefix for log lines means its last blank. */
    setting.text =
        arena_strdup(reader->set->arena, id == CONF_LOG_LINE_PREFIX ? value : text_trim(value));
    setting.place = place_text(reader);
    if (setting.text == NULL || setting.place == NULL)
        conf_error(reader, "no memory for the settings");
    else
        reader->set->settings[id] = setting;
}

void
conf_put(ConfReader *reader, StrView name, StrView value)
{
    ConfWatch *watch = reader->watch;
    ConfEntry entry = {.name = name, .value = value};

    if (watch == NULL) {
        put(reader, name, value);
        return;
    }
    entry.file = reader->file == NULL ? "" : reader->file;
    entry.line = reader->line;
    entry.id = reader->properties ? conf_find(CONF_SCOPE_BROKER, name) : conf_find_loose(name);
    watch->entry = &entry;
    put(reader, name, value);
    watch->entry = NULL;
    if (entry.id >= 0 && entry.error == NULL)
        entry.text = reader->set->settings[entry.id].text;
    watch->take(watch->arg, &entry);
}

void
conf_adopt(ConfSet *set, int id)
{
    ConfSetting *setting = &set->settings[id];

    if (setting->text == NULL)
        return;
    setting->text = arena_strdup(set->arena, strview_from(setting->text));
    setting->place = arena_strdup(set->arena, strview_from(setting->place));
}

static int64_t
number_of(const ConfSet *set, ConfId id)
{
    StrView text = strview_from(conf_rows[id].default_text);

    return set->settings[id].text != NULL ? set->settings[id].number
                                          : conf_text_int64(&conf_rows[id], text);
}

/* Times whose bounds their rows do not tell, as in Kafka. */
static void
check_times(ConfReader *reader)
{
    const ConfSetting *s = reader->set->settings;

    if (s[CONF_LOG_ROLL_MS].text != NULL && s[CONF_LOG_ROLL_MS].number < 1)
        conf_error(reader, "log.roll.ms must be at least 1");
    if (s[CONF_LOG_ROLL_JITTER_MS].text != NULL && s[CONF_LOG_ROLL_JITTER_MS].number < 0)
        conf_error(reader, "log.roll.jitter.ms must be at least 0");
    if (s[CONF_LOG_RETENTION_MS].text != NULL && s[CONF_LOG_RETENTION_MS].number == 0)
        conf_error(reader, "log.retention.ms must be at least 1, or -1");
}

void
conf_check_together(ConfReader *reader)
{
    const ConfSet *set = reader->set;
    const char *overrides = set->settings[CONF_MAX_CONNECTIONS_PER_IP_OVERRIDES].text;

    reader->file = NULL;
    reader->what = NULL;
    check_times(reader);
    if (number_of(set, CONF_MAX_CONNECTIONS_PER_IP) == 0 &&
        (overrides == NULL || *overrides == '\0'))
        conf_error(reader, "max.connections.per.ip may be 0 only beside "
                           "max.connections.per.ip.overrides");
    if (set->settings[CONF_NODE_ID].text != NULL && set->settings[CONF_BROKER_ID].text != NULL &&
        set->settings[CONF_BROKER_ID].number >= 0 &&
        set->settings[CONF_NODE_ID].number != set->settings[CONF_BROKER_ID].number)
        conf_error(reader, "node.id and broker.id differ");
    if (number_of(set, CONF_LOG_CLEANER_MIN_COMPACTION_LAG_MS) >
        number_of(set, CONF_LOG_CLEANER_MAX_COMPACTION_LAG_MS))
        conf_error(reader, "log.cleaner.min.compaction.lag.ms is above "
                           "log.cleaner.max.compaction.lag.ms");
    if (number_of(set, CONF_QUEUED_MAX_REQUEST_BYTES) > 0 &&
        number_of(set, CONF_QUEUED_MAX_REQUEST_BYTES) <
            number_of(set, CONF_SOCKET_REQUEST_MAX_BYTES))
        conf_error(reader, "queued.max.request.bytes is below socket.request.max.bytes");
    if (number_of(set, CONF_BROKER_HEARTBEAT_INTERVAL_MS) >=
        number_of(set, CONF_BROKER_SESSION_TIMEOUT_MS))
        conf_error(reader, "broker.heartbeat.interval.ms is not below broker.session.timeout.ms");
    if (number_of(set, CONF_GROUP_MIN_SESSION_TIMEOUT_MS) >
        number_of(set, CONF_GROUP_MAX_SESSION_TIMEOUT_MS))
        conf_error(reader, "group.min.session.timeout.ms is above group.max.session.timeout.ms");
}
