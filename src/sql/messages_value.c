/*
 * messages_value.c - keys, values and headers of messages as values of SQL
 *
 * All bytes are hostile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/base64.h"
#include "ottla/common/text.h"
#include "ottla/sql/headers.h"
#include "sql/messages_int.h"

#define TEXT_MAX_BYTES ((size_t)1 << 30) /* of a value in another form */

static bool
has_zero(BytesView bytes)
{
    return bytes.len > 0 && memchr(bytes.ptr, '\0', (size_t)bytes.len) != NULL;
}

static StrView
as_text(BytesView bytes)
{
    return (StrView){(const char *)bytes.ptr, bytes.len};
}

/* A text made piece by piece becomes the value. */
static bool
take_text(StrBuf *text, SqlValue *ret)
{
    if (strbuf_failed(text))
        return false;
    *ret = (SqlValue){.type = SQL_TEXT, .bytes = strbuf_view(text)};
    return true;
}

/* Is the text a JSON document? */
static bool
is_json(Sql *sql, StrView text)
{
    sqlite3_stmt *statement = NULL;
    bool yes =
        sqlite3_prepare_v2(sql->db, "SELECT json_valid(?1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, text.ptr, text.len, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) == 1;

    (void)sqlite3_finalize(statement); /* its result was looked at */
    return yes;
}

/* As it is if it is JSON, as a string if it is text, else as base64 in a string. */
static void
add_as_json(Sql *sql, StrBuf *text, BytesView bytes)
{
    if (!text_is_utf8(as_text(bytes))) {
        strbuf_add_char(text, '"');
        base64_encode(text, bytes);
        strbuf_add_char(text, '"');
    } else if (is_json(sql, as_text(bytes))) {
        strbuf_add_view(text, as_text(bytes));
    } else {
        strbuf_add_json(text, as_text(bytes));
    }
}

bool
messages_value(SqlScan *scan, SqlFormat format, BytesView bytes, SqlValue *ret)
{
    StrBuf text;

    if (bytes.ptr == NULL) {
        *ret = (SqlValue){.type = SQL_NULL};
        return true;
    }
    strbuf_init(&text, TEXT_MAX_BYTES, scan->arena);
    switch (format) {
    case SQL_FORMAT_AUTO:
        ret->type = has_zero(bytes) || !text_is_utf8(as_text(bytes)) ? SQL_BLOB : SQL_TEXT;
        ret->bytes = as_text(bytes);
        return true;
    case SQL_FORMAT_TEXT:
    case SQL_FORMAT_BLOB:
        ret->type = format == SQL_FORMAT_TEXT ? SQL_TEXT : SQL_BLOB;
        ret->bytes = as_text(bytes);
        return true;
    case SQL_FORMAT_HEX:
        strbuf_add_hex(&text, bytes);
        return take_text(&text, ret);
    case SQL_FORMAT_BASE64:
        base64_encode(&text, bytes);
        return take_text(&text, ret);
    case SQL_FORMAT_JSON:
        add_as_json(scan->sql, &text, bytes);
        return take_text(&text, ret);
    case SQL_FORMAT_COUNT:
        break;
    }
    return false;
}

bool
messages_headers(Arena *arena, BytesView encoded, SqlValue *ret)
{
    StrBuf text;

    strbuf_init(&text, TEXT_MAX_BYTES, arena);
    headers_to_json(encoded, &text);
    return take_text(&text, ret);
}
