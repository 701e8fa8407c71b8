/*
 * row.c - rows of named values, printed as text or as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/inspect/row.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#include "ottla/common/text.h"

void
row_out_init(RowOut *out, FILE *to, bool json)
{
    *out = (RowOut){.to = to, .json = json, .escape_controls = isatty(fileno(to)) == 1};
    strbuf_init(&out->line, INT_MAX, NULL);
}

void
row_out_fini(RowOut *out)
{
    strbuf_release(&out->line);
}

void
row_out_remark(RowOut *out, const char *format, ...)
{
    va_list args;

    if (out->json)
        return;
    va_start(args, format);
    vfprintf(out->to, format, args);
    va_end(args);
    fputc('\n', out->to);
}

void
row_out_begin(RowOut *out, const char *prefix)
{
    strbuf_clear(&out->line);
    strbuf_add_cstr(&out->line, out->json ? "{" : prefix);
    out->first = true;
}

static void
add_name(RowOut *out, const char *name)
{
    if (!out->first)
        strbuf_add_char(&out->line, out->json ? ',' : ' ');
    out->first = false;
    if (out->json)
        strbuf_printf(&out->line, "\"%s\":", name);
    else
        strbuf_printf(&out->line, "%s: ", name);
}

void
row_out_int(RowOut *out, const char *name, int64_t value)
{
    add_name(out, name);
    strbuf_printf(&out->line, "%" PRId64, value);
}

void
row_out_bool(RowOut *out, const char *name, bool value)
{
    add_name(out, name);
    strbuf_add_cstr(&out->line, value ? "true" : "false");
}

void
row_out_optional(RowOut *out, const char *name, bool is_set, int64_t value)
{
    add_name(out, name);
    if (out->json && is_set)
        strbuf_printf(&out->line, "%" PRId64, value);
    else if (out->json)
        strbuf_add_cstr(&out->line, "null");
    else if (is_set)
        strbuf_printf(&out->line, "OptionalLong[%" PRId64 "]", value);
    else
        strbuf_add_cstr(&out->line, "OptionalLong.empty");
}

/* UTF-8 as it is, what is none as U+FFFD; control characters as \xNN where the reader is a person. */
static void
add_safe(RowOut *out, StrView value)
{
    for (int32_t i = 0; i < value.len;) {
        const uint8_t *at = (const uint8_t *)value.ptr + i;
        bool valid;
        int32_t n = text_utf8_step((StrView){value.ptr + i, value.len - i}, &valid);

        if (!valid)
            strbuf_add_cstr(&out->line, "\xef\xbf\xbd");
        else if (out->escape_controls && (*at < 0x20 || *at == 0x7f))
            strbuf_printf(&out->line, "\\x%02x", *at);
        else
            strbuf_add(&out->line, at, (size_t)n);
        i += n;
    }
}

void
row_out_text(RowOut *out, const char *name, StrView value)
{
    if (value.ptr == NULL && !out->json)
        return;
    add_name(out, name);
    if (out->json)
        strbuf_add_json(&out->line, value);
    else
        add_safe(out, value);
}

static bool
is_utf8(BytesView value)
{
    bool valid = true;

    for (int32_t i = 0; i < value.len && valid;)
        i += text_utf8_step((StrView){(const char *)value.ptr + i, value.len - i}, &valid);
    return valid;
}

void
row_out_bytes(RowOut *out, const char *name, BytesView value)
{
    if (out->json && value.ptr != NULL && !is_utf8(value)) {
        add_name(out, name);
        strbuf_add_cstr(&out->line, "{\"hex\":\"");
        strbuf_add_hex(&out->line, value);
        strbuf_add_cstr(&out->line, "\"}");
        return;
    }
    row_out_text(out, name, (StrView){(const char *)value.ptr, value.len});
}

void
row_out_json(RowOut *out, const char *name, StrView json)
{
    add_name(out, name);
    strbuf_add_view(&out->line, json);
}

bool
row_out_end(RowOut *out)
{
    strbuf_add_cstr(&out->line, out->json ? "}\n" : "\n");
    if (strbuf_failed(&out->line))
        return false;
    return fwrite(out->line.ptr, 1, out->line.len, out->to) == out->line.len;
}
