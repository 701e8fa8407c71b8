/*
 * headers.c - headers of messages as JSON, and back
 *
 * All bytes are hostile. JSON is read by SQLite, which has a parser with limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/sql/headers.h"

#include <sqlite3.h>
#include <string.h>

#include "ottla/common/base64.h"
#include "ottla/common/text.h"

#define HEADERS_MAX    10000
#define TEXT_MAX_BYTES ((size_t)1 << 30)

void
headers_to_json(BytesView encoded, StrBuf *to)
{
    RecordHeader header;
    bool first = true;

    strbuf_add_char(to, '[');
    while (record_header_next(&encoded, &header)) {
        StrView value = {(const char *)header.value.ptr, header.value.len};

        strbuf_add_cstr(to, first ? "[" : ",[");
        strbuf_add_json(to, header.key);
        strbuf_add_char(to, ',');
        if (value.ptr == NULL || text_is_utf8(value)) {
            strbuf_add_json(to, value);
        } else {
            strbuf_add_cstr(to, "{\"base64\":\"");
            base64_encode(to, header.value);
            strbuf_add_cstr(to, "\"}");
        }
        strbuf_add_char(to, ']');
        first = false;
    }
    strbuf_add_char(to, ']');
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
headers_from_json(sqlite3 *db, StrView json, Arena *arena, RecordHeader **ret, int32_t *ret_count,
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
    int rc = sqlite3_prepare_v2(db, question, -1, &statement, NULL);
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
