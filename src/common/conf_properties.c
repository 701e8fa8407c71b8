/*
 * conf_properties.c - Kafka's server.properties, by Java's rules
 *
 * Runs in: supervisor. Never: logs; reports with file and line.
 * Spec: shell-and-service.md 12.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

/* The file's bytes, and the natural line that is read now. */
typedef struct Source {
    const uint8_t *at;
    const uint8_t *end;
    int line;
} Source;

/* One natural line, without its end. False: no more. */
static bool
next_natural(Source *source, BytesView *ret)
{
    const uint8_t *start = source->at;

    if (start == source->end)
        return false;
    source->line++;
    while (source->at < source->end && *source->at != '\n' && *source->at != '\r')
        source->at++;
    *ret = (BytesView){start, (int32_t)(source->at - start)};
    if (source->at + 1 < source->end && source->at[0] == '\r' && source->at[1] == '\n')
        source->at++;
    if (source->at < source->end)
        source->at++;
    return true;
}

/* An odd number of backslashes at the end joins the next line. */
static bool
continues(BytesView line)
{
    int32_t count = 0;

    while (count < line.len && line.ptr[line.len - 1 - count] == '\\')
        count++;
    return count % 2 == 1;
}

static BytesView
without_leading_blanks(BytesView line)
{
    while (line.len > 0 && is_blank(line.ptr[0])) {
        line.ptr++;
        line.len--;
    }
    return line;
}

/* A logical line: comments skipped, continuations joined. False: no more. */
static bool
next_logical(Source *source, StrBuf *ret, int *ret_line)
{
    BytesView line;

    strbuf_clear(ret);
    do {
        if (!next_natural(source, &line))
            return false;
        line = without_leading_blanks(line);
    } while (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '!');
    *ret_line = source->line;
    while (continues(line)) {
        strbuf_add(ret, line.ptr, (size_t)line.len - 1);
        if (!next_natural(source, &line))
            return true;
        line = without_leading_blanks(line);
    }
    strbuf_add(ret, line.ptr, (size_t)line.len);
    return true;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static void
add_utf8(StrBuf *out, uint32_t c)
{
    if (c < 0x80) {
        strbuf_add_char(out, (char)c);
    } else if (c < 0x800) {
        strbuf_add_char(out, (char)(0xc0 | c >> 6));
        strbuf_add_char(out, (char)(0x80 | (c & 63)));
    } else {
        strbuf_add_char(out, (char)(0xe0 | c >> 12));
        strbuf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
        strbuf_add_char(out, (char)(0x80 | (c & 63)));
    }
}

/* Escapes resolved: \t \n \r \f \uXXXX, any other character stands for itself. False: bad \u. */
static bool
unescape(StrView text, StrBuf *out)
{
    strbuf_clear(out);
    for (int32_t i = 0; i < text.len; i++) {
        uint32_t code = 0;

        if (text.ptr[i] != '\\' || i + 1 == text.len) {
            strbuf_add(out, text.ptr + i, 1);
            continue;
        }
        i++;
        switch (text.ptr[i]) {
        case 't':
            strbuf_add_char(out, '\t');
            break;
        case 'n':
            strbuf_add_char(out, '\n');
            break;
        case 'r':
            strbuf_add_char(out, '\r');
            break;
        case 'f':
            strbuf_add_char(out, '\f');
            break;
        case 'u':
            if (text.len - i < 5)
                return false;
            for (int digit = 1; digit <= 4; digit++) {
                int value = hex_value(text.ptr[i + digit]);

                if (value < 0)
                    return false;
                code = code << 4 | (uint32_t)value;
            }
            i += 4;
            add_utf8(out, code);
            break;
        default:
            strbuf_add(out, text.ptr + i, 1);
            break;
        }
    }
    return true;
}

/* The key ends at the first '=', ':' or blank without a backslash before it. */
static void
split(StrView line, StrView *ret_key, StrView *ret_value)
{
    int32_t at = 0, key_len;

    while (at < line.len && line.ptr[at] != '=' && line.ptr[at] != ':' &&
           !is_blank((uint8_t)line.ptr[at]))
        at += line.ptr[at] == '\\' && at + 1 < line.len ? 2 : 1;
    key_len = at;
    while (at < line.len && is_blank((uint8_t)line.ptr[at]))
        at++;
    if (at < line.len && (line.ptr[at] == '=' || line.ptr[at] == ':'))
        at++;
    while (at < line.len && is_blank((uint8_t)line.ptr[at]))
        at++;
    *ret_key = (StrView){line.ptr, key_len};
    *ret_value = (StrView){line.ptr + at, line.len - at};
}

static void
put_line(ConfReader *reader, StrView line, StrBuf *key, StrBuf *value)
{
    StrView raw_key, raw_value;
    int id;

    split(line, &raw_key, &raw_value);
    if (!unescape(raw_key, key) || !unescape(raw_value, value)) {
        conf_error(reader, "\\u is not followed by four hexadecimal digits");
        return;
    }
    if (strbuf_failed(key) || strbuf_failed(value)) {
        conf_error(reader, "line of more than %d bytes", LIMIT_CONF_LINE_BYTES);
        return;
    }
    if (value->len > 0 && is_blank((uint8_t)value->ptr[value->len - 1]))
        conf_warning(reader, "%s: the value ends in a blank", key->ptr);
    id = conf_find(CONF_SCOPE_BROKER, strbuf_view(key));
    if (id >= 0 && reader->set->settings[id].place != NULL &&
        strncmp(reader->set->settings[id].place, reader->file, strlen(reader->file)) == 0)
        conf_warning(reader, "%s is set a second time; the last one counts", key->ptr);
    conf_put(reader, strbuf_view(key), strbuf_view(value));
}

void
conf_read_properties(ConfReader *reader, const char *path)
{
    ConfReader inner = *reader;
    StrBuf line, key, value;
    BytesView bytes;
    Source source;
    ErrInfo err;

    if (vfs_read_file(path, LIMIT_CONF_FILE_BYTES, reader->set->arena, &bytes, &err) < 0) {
        conf_error(reader, "%s", err.text);
        return;
    }
    inner.file = path;
    inner.what = NULL;
    inner.properties = true;
    source = (Source){bytes.ptr, bytes.ptr + bytes.len, 0};
    strbuf_init(&line, LIMIT_CONF_LINE_BYTES, NULL);
    strbuf_init(&key, LIMIT_CONF_LINE_BYTES, NULL);
    strbuf_init(&value, LIMIT_CONF_LINE_BYTES, NULL);
    while (next_logical(&source, &line, &inner.line)) {
        if (strbuf_failed(&line))
            conf_error(&inner, "line of more than %d bytes", LIMIT_CONF_LINE_BYTES);
        else
            put_line(&inner, strbuf_view(&line), &key, &value);
    }
    strbuf_release(&line);
    strbuf_release(&key);
    strbuf_release(&value);
}
