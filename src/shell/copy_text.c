/*
 * copy_text.c - lines of csv and JSON that messages are copied to and from
 *
 * A text that begins with \x is written in hexadecimal, too, so that reading it back gives the same bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "copy_int.h"

#include <errno.h>

#include "ottla/common/base64.h"
#include "ottla/common/text.h"

static bool
is_plain_text(BytesView bytes)
{
    StrView text = {(const char *)bytes.ptr, bytes.len};

    return text_is_utf8(text) &&
           (bytes.len == 0 || memchr(bytes.ptr, '\0', (size_t)bytes.len) == NULL);
}

void
copy_add_csv(StrBuf *to, BytesView bytes)
{
    bool hex;
    bool quotes = bytes.len == 0;

    if (bytes.ptr == NULL)
        return;
    hex = !is_plain_text(bytes) || (bytes.len >= 2 && memcmp(bytes.ptr, "\\x", 2) == 0);
    if (hex) {
        strbuf_add_cstr(to, "\\x");
        strbuf_add_hex(to, bytes);
        return;
    }
    for (int32_t i = 0; i < bytes.len && !quotes; i++)
        quotes = strchr(",\"\n\r", bytes.ptr[i]) != NULL;
    if (!quotes) {
        strbuf_add(to, bytes.ptr, (size_t)bytes.len);
        return;
    }
    strbuf_add_char(to, '"');
    for (int32_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '"')
            strbuf_add_char(to, '"');
        strbuf_add_char(to, (char)bytes.ptr[i]);
    }
    strbuf_add_char(to, '"');
}

void
copy_add_json(StrBuf *to, BytesView bytes)
{
    if (bytes.ptr == NULL || is_plain_text(bytes)) {
        strbuf_add_json(to, (StrView){(const char *)bytes.ptr, bytes.len});
        return;
    }
    strbuf_add_cstr(to, "{\"base64\":\"");
    base64_encode(to, bytes);
    strbuf_add_cstr(to, "\"}");
}

/* ---- reading ---- */

void
copy_line_init(CopyLine *line)
{
    for (int i = 0; i < COPY_FIELDS_MAX; i++)
        strbuf_init(&line->fields[i].text, COPY_FIELD_BYTES, NULL);
    line->count = 0;
    line->line = 0;
}

void
copy_line_release(CopyLine *line)
{
    for (int i = 0; i < COPY_FIELDS_MAX; i++)
        strbuf_release(&line->fields[i].text);
}

static int
peek(FILE *file)
{
    int c = getc_unlocked(file);

    return c == EOF ? EOF : ungetc(c, file);
}

/*
 * One field; *ret_end: what ended it, ',' '\n' or EOF. As with COPY of psql a quote begins a quoted part wherever it
 * stands, and two of them within that are one that means itself.
 */
static int
read_field(FILE *file, CopyLine *line, CopyField *field, int *ret_end, Fault *f)
{
    int64_t opened = 0; /* line of the quote */
    bool inside = false;
    int c;

    strbuf_clear(&field->text);
    field->quoted = false;
    while ((c = getc_unlocked(file)) != EOF) {
        if (c == '\n')
            line->line++;
        if (inside && c == '"') {
            int next = getc_unlocked(file);

            if (next != '"') {
                inside = false;
                (void)ungetc(next, file);
                continue;
            }
        } else if (!inside && c == '"') {
            inside = field->quoted = true;
            opened = line->line + 1;
            continue;
        } else if (!inside && (c == ',' || c == '\n')) {
            break;
        } else if (!inside && c == '\r' && peek(file) == '\n') {
            continue;
        }
        strbuf_add_char(&field->text, (char)c);
    }
    *ret_end = c;
    if (strbuf_failed(&field->text))
        return fault_set(f, FAULT_LIMIT, "line %lld: a field is too long", (long long)line->line);
    if (inside)
        return fault_set(f, "22P04", "line %lld: unterminated CSV quoted field", (long long)opened);
    return 0;
}

int
copy_read_csv(FILE *file, CopyLine *line, Fault *f)
{
    int end = ',';

    for (line->count = 0; end == ',';) {
        if (line->count == COPY_FIELDS_MAX)
            return fault_set(f, FAULT_LIMIT, "line %lld: more than %d fields",
                             (long long)line->line + 1, COPY_FIELDS_MAX);
        if (read_field(file, line, &line->fields[line->count++], &end, f) != 0)
            return -1;
    }
    if (ferror(file))
        return fault_set(f, FAULT_FILE, "could not read: %s", strerror(errno));
    return end != EOF || line->count > 1 || line->fields[0].text.len > 0 || line->fields[0].quoted;
}

static int
digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool
copy_field_bytes(CopyField *field, BytesView *ret)
{
    char *text = field->text.ptr;
    size_t len = field->text.len;

    *ret = (BytesView){(const uint8_t *)text, (int32_t)len};
    if (len == 0 && !field->quoted)
        *ret = (BytesView){NULL, 0};
    if (len < 2 || text[0] != '\\' || text[1] != 'x')
        return true;
    if (len % 2 != 0)
        return false;
    for (size_t i = 2; i < len; i += 2) {
        int high = digit_of(text[i]);
        int low = digit_of(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        text[i / 2 - 1] = (char)(high << 4 | low);
    }
    ret->len = (int32_t)(len / 2 - 1);
    return true;
}
