/*
 * conf_convert.c - a server.properties of Kafka's as an ottla.conf that says the same
 *
 * Runs in: ottla-initdb. Never: judges values; who loads the file has done that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/vfs.h"

/* The lines of the file beside its settings: comments and empty ones, which come along. */
typedef struct Lines {
    const uint8_t *at;
    const uint8_t *end;
    int number;    /* of the last line that was taken */
    bool in_value; /* that line goes on in the next: what begins with "#" there is no comment */
} Lines;

static bool
take_line(Lines *lines, StrView *ret)
{
    const uint8_t *start = lines->at, *feed;

    if (start == lines->end)
        return false;
    feed = memchr(start, '\n', (size_t)(lines->end - start));
    *ret = text_trim(
        (StrView){(const char *)start, (int32_t)((feed == NULL ? lines->end : feed) - start)});
    lines->at = feed == NULL ? lines->end : feed + 1;
    lines->number++;
    return true;
}

static bool
goes_on(StrView line)
{
    int32_t count = 0;

    while (count < line.len && line.ptr[line.len - 1 - count] == '\\')
        count++;
    return count % 2 == 1;
}

/* Comments and empty lines up to a line of the file. */
static void
copy_comments(Lines *lines, int up_to, StrBuf *out)
{
    StrView line;

    while (lines->number < up_to && take_line(lines, &line)) {
        bool comment = !lines->in_value && line.len > 0 && (*line.ptr == '#' || *line.ptr == '!');

        if (comment)
            strbuf_printf(out, "#%.*s\n", (int)line.len - 1, line.ptr + 1);
        else if (line.len == 0 && !lines->in_value)
            strbuf_add_char(out, '\n');
        lines->in_value = !comment && goes_on(line);
    }
}

/* In single quotes, as ottla.conf reads it back. */
static void
add_quoted(StrBuf *out, StrView value)
{
    strbuf_add_char(out, '\'');
    for (int32_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'' || value.ptr[i] == '\\')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, value.ptr[i]);
    }
    strbuf_add_char(out, '\'');
}

static void
convert_pair(ConfReader *reader, const Properties *pair, const ConfProviders *providers,
             StrBuf *filled, StrBuf *out)
{
    StrView name = strbuf_view(&pair->name), value;
    int id = conf_find(CONF_SCOPE_BROKER, name);
    bool known = id >= 0 || conf_listener_row(name) >= 0 ||
                 (name.len > 10 && memcmp(name.ptr, "log.level.", 10) == 0);

    if (conf_providers_own(name)) {
        strbuf_printf(out, "# was filled in: %.*s\n", (int)name.len, name.ptr);
        return;
    }
    if (!conf_providers_fill(reader, providers, pair, filled))
        return;
    value = strbuf_view(filled);
    if (!known)
        strbuf_add_cstr(out, "# not known here: ");
    strbuf_printf(out, "%.*s = ", (int)name.len, name.ptr);
    if (memchr(value.ptr, '\n', (size_t)value.len) != NULL)
        conf_error(reader, "%.*s has a value of several lines, which ottla.conf cannot hold",
                   (int)name.len, name.ptr);
    add_quoted(out, value);
    strbuf_add_char(out, '\n');
}

int
conf_convert_properties(const char *path, StrBuf *out, ConfReport *report)
{
    Arena *arena = arena_new(16384, 64 << 20);
    ConfReader reader = {.report = report, .file = path, .properties = true};
    ConfSet set = {.arena = arena};
    ConfProviders providers = {0};
    Properties pairs;
    StrBuf filled;
    BytesView bytes;
    Lines lines;
    ErrInfo err;

    reader.set = &set;
    if (arena == NULL || vfs_read_file(path, LIMIT_CONF_FILE_BYTES, arena, &bytes, &err) < 0) {
        conf_error(&reader, "%s", arena == NULL ? "no memory" : err.text);
        arena_free(arena);
        return OT_E_CONFIG;
    }
    lines = (Lines){.at = bytes.ptr, .end = bytes.ptr + bytes.len};
    conf_providers_find(&reader, bytes, &providers);
    strbuf_init(&filled, LIMIT_CONF_LINE_BYTES, NULL);
    properties_init(&pairs, bytes);
    for (;;) {
        PropertiesResult result = properties_next(&pairs);

        if (result == PROPERTIES_END)
            break;
        reader.line = pairs.line;
        copy_comments(&lines, pairs.line, out);
        if (result == PROPERTIES_PAIR)
            convert_pair(&reader, &pairs, &providers, &filled, out);
        else
            conf_error(&reader, "the line cannot be read");
    }
    copy_comments(&lines, INT32_MAX, out);
    properties_fini(&pairs);
    strbuf_release(&filled);
    arena_free(arena);
    return report->error_count > 0 || strbuf_failed(out) ? OT_E_CONFIG : 0;
}
