/*
 * messages_value.c - keys, values and headers of messages as values of SQL, and headers back
 *
 * All bytes are hostile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>

#include "ottla/common/base64.h"
#include "ottla/common/text.h"
#include "sql/messages_int.h"

#define HEADERS_MAX    10000             /* of one record that is written */
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
    RecordHeader header;
    StrBuf text;
    bool first = true;

    strbuf_init(&text, TEXT_MAX_BYTES, arena);
    strbuf_add_char(&text, '[');
    while (record_header_next(&encoded, &header)) {
        strbuf_add_cstr(&text, first ? "[" : ",[");
        strbuf_add_json(&text, header.key);
        strbuf_add_char(&text, ',');
        if (header.value.ptr == NULL || text_is_utf8(as_text(header.value))) {
            strbuf_add_json(&text, as_text(header.value));
        } else {
            strbuf_add_cstr(&text, "{\"base64\":\"");
            base64_encode(&text, header.value);
            strbuf_add_cstr(&text, "\"}");
        }
        strbuf_add_char(&text, ']');
        first = false;
    }
    strbuf_add_char(&text, ']');
    return take_text(&text, ret);
}

/* ---- back ---- */

static StrView
column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return (StrView){text, text == NULL ? 0 : sqlite3_column_bytes(statement, column)};
}

/* One row of the question below becomes a header. False: no memory, or it is none. */
static bool
take_header(sqlite3_stmt *statement, Arena *arena, RecordHeader *ret)
{
    StrView name = column_text(statement, 0);
    StrView type = column_text(statement, 1);
    StrView value = column_text(statement, 2);

    if (name.ptr == NULL || type.ptr == NULL)
        return false;
    ret->key = (StrView){arena_strdup(arena, name), name.len};
    ret->value = (BytesView){NULL, 0};
    if (strview_equal(type, STRVIEW("object"))) {
        StrView base64 = column_text(statement, 3);
        StrBuf bytes;

        strbuf_init(&bytes, TEXT_MAX_BYTES, arena);
        if (base64.ptr == NULL || !base64_decode(&bytes, base64) || strbuf_failed(&bytes))
            return false;
        ret->value = (BytesView){(const uint8_t *)bytes.ptr, (int32_t)bytes.len};
    } else if (!strview_equal(type, STRVIEW("null"))) {
        ret->value = (BytesView){(const uint8_t *)arena_strdup(arena, value), value.len};
        if (ret->value.ptr == NULL)
            return false;
    }
    return ret->key.ptr != NULL;
}

int
messages_parse_headers(Sql *sql, Arena *arena, StrView json, RecordHeader **ret, int32_t *ret_count,
                       Fault *f)
{
    /* Of an array the elements are [name, value]; of an object the names are keys. */
    static const char question[] =
        "WITH h AS (SELECT typeof(key) = 'text' AS named, key, type, value FROM json_each(?1)) "
        "SELECT CASE WHEN named THEN key ELSE json_extract(value, '$[0]') END, "
        "CASE WHEN named THEN type ELSE json_type(value, '$[1]') END, "
        "CASE WHEN named THEN value ELSE json_extract(value, '$[1]') END, "
        "CASE WHEN named THEN CASE type WHEN 'object' THEN json_extract(value, '$.base64') END "
        "ELSE json_extract(value, '$[1].base64') END FROM h";
    sqlite3_stmt *statement = NULL;
    RecordHeader *headers = arena_calloc(arena, 8, sizeof *headers);
    int32_t room = 8;
    int32_t count = 0;
    int rc = sqlite3_prepare_v2(sql->db, question, -1, &statement, NULL);
    bool good = headers != NULL && rc == SQLITE_OK &&
                sqlite3_bind_text(statement, 1, json.ptr, json.len, SQLITE_STATIC) == SQLITE_OK;

    while (good && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (count == room) {
            RecordHeader *more = arena_calloc(arena, (size_t)room * 2, sizeof *more);

            if (more == NULL || room > HEADERS_MAX) {
                good = false;
                break;
            }
            memcpy(more, headers, (size_t)count * sizeof *more);
            headers = more;
            room *= 2;
        }
        good = take_header(statement, arena, &headers[count++]);
    }
    (void)sqlite3_finalize(statement); /* its result was looked at */
    if (!good || rc != SQLITE_DONE) {
        (void)fault_set(f, FAULT_BAD_PARAMETER, "headers cannot be read");
        fault_hint(f, "Write [[\"name\",\"value\"], ...] or {\"name\":\"value\", ...}.");
        return -1;
    }
    *ret = headers;
    *ret_count = count;
    return 0;
}
