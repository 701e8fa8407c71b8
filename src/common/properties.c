/*
 * properties.c - Java's .properties syntax: names and values of a text, one after another
 *
 * Pure. Runs in: supervisor.
 * Spec: shell-and-service.md 12.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/properties.h"

#include "ottla/common/limits.h"
#include "ottla/common/text.h"

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

/* One natural line, without its end. False: no more. */
static bool
next_natural(Properties *source, BytesView *ret)
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

static bool
is_utf8(BytesView bytes)
{
    StrView text = {(const char *)bytes.ptr, bytes.len};
    bool good = true;

    while (good && text.len > 0) {
        int32_t step = text_utf8_step(text, &good);

        text.ptr += step;
        text.len -= step;
    }
    return good;
}

/* A natural line behind those before it. */
static void
join(Properties *source, BytesView line)
{
    if (is_utf8(line)) {
        strbuf_add(&source->joined, line.ptr, (size_t)line.len);
        return;
    }
    source->latin1 = true;
    for (int32_t i = 0; i < line.len; i++)
        add_utf8(&source->joined, line.ptr[i]);
}

/* A logical line: comments skipped, continuations joined. False: no more. */
static bool
next_logical(Properties *source)
{
    BytesView line;

    strbuf_clear(&source->joined);
    source->latin1 = false;
    do {
        if (!next_natural(source, &line))
            return false;
        line = without_leading_blanks(line);
    } while (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '!');
    while (continues(line)) {
        join(source, (BytesView){line.ptr, line.len - 1});
        if (!next_natural(source, &line))
            return true;
        line = without_leading_blanks(line);
    }
    join(source, line);
    return true;
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

void
properties_init(Properties *properties, BytesView bytes)
{
    *properties = (Properties){.at = bytes.ptr, .end = bytes.ptr + bytes.len};
    strbuf_init(&properties->joined, LIMIT_CONF_LINE_BYTES, NULL);
    strbuf_init(&properties->name, LIMIT_CONF_LINE_BYTES, NULL);
    strbuf_init(&properties->value, LIMIT_CONF_LINE_BYTES, NULL);
}

PropertiesResult
properties_next(Properties *properties)
{
    StrView name, value;

    if (!next_logical(properties))
        return PROPERTIES_END;
    if (strbuf_failed(&properties->joined))
        return PROPERTIES_LONG;
    split(strbuf_view(&properties->joined), &name, &value);
    if (!unescape(name, &properties->name) || !unescape(value, &properties->value))
        return PROPERTIES_BAD_ESCAPE;
    if (strbuf_failed(&properties->name) || strbuf_failed(&properties->value))
        return PROPERTIES_LONG;
    return PROPERTIES_PAIR;
}

void
properties_fini(Properties *properties)
{
    strbuf_release(&properties->joined);
    strbuf_release(&properties->name);
    strbuf_release(&properties->value);
}
