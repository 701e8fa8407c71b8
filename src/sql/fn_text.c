/*
 * fn_text.c - SQL functions on numbers, times and text
 *
 * Arguments come from statements and from messages: all of them are hostile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "ottla/common/clock.h"
#include "ottla/print/print.h"

#define REGEX_STEPS_MAX 1000000 /* of one match */
#define REGEX_DEPTH_MAX 20000
#define REGEX_HEAP_KB   4096

/* Bytes of a text or blob; false: NULL. */
static bool
bytes_of(sqlite3_value *value, StrView *ret)
{
    int type = sqlite3_value_type(value);

    if (type == SQLITE_NULL)
        return false;
    ret->ptr =
        type == SQLITE_BLOB ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
    ret->len = sqlite3_value_bytes(value);
    if (ret->ptr == NULL)
        *ret = STRVIEW("");
    return true;
}

static void
fn_human_bytes(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    char text[PRINT_HUMAN_MAX];

    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    print_human(sqlite3_value_int64(argv[0]), PRINT_UNIT_BYTES, text);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* Milliseconds of a number or a text that is a point in time. */
static bool
time_of(sqlite3_context *context, sqlite3_value *value, int64_t *ret)
{
    Sql *sql = sqlite3_user_data(context);
    StrView text;

    if (sqlite3_value_type(value) == SQLITE_INTEGER || sqlite3_value_type(value) == SQLITE_FLOAT) {
        *ret = sqlite3_value_int64(value);
        return true;
    }
    return bytes_of(value, &text) && time_from_text(sql, text, ret);
}

static void
fn_ago(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    int64_t then;
    char text[PRINT_HUMAN_MAX];

    (void)argc;
    if (!time_of(context, argv[0], &then))
        return;
    print_human(clock_wall_ms() - then, PRINT_UNIT_MS, text);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void
fn_ts(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    int64_t ms;
    char text[SQL_TIME_MAX];

    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    if (sqlite3_value_type(argv[0]) == SQLITE_TEXT) {
        if (time_of(context, argv[0], &ms))
            sqlite3_result_int64(context, ms);
        else
            sqlite3_result_error(context, "ts: no point in time; write 2026-03-01T12:00:00Z", -1);
        return;
    }
    if (time_of(context, argv[0], &ms) && ms >= 0) {
        time_to_text(sqlite3_user_data(context), ms, text);
        sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
    }
}

static void
fn_now_ms(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    sqlite3_result_int64(context, clock_wall_ms());
}

static void
fn_error_name(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    int64_t number = sqlite3_value_int64(argv[0]);

    (void)argc;
    if (sqlite3_value_type(argv[0]) != SQLITE_NULL)
        sqlite3_result_text(context,
                            fault_kafka_name(number < INT16_MIN || number > INT16_MAX
                                                 ? INT16_MAX
                                                 : (int16_t)number),
                            -1, SQLITE_STATIC);
}

/* ---- patterns ---- */

static void
free_code(void *code)
{
    pcre2_code_free(code);
}

/* The compiled pattern; NULL: the context has an error. SQLite keeps it while the pattern is a constant. */
static pcre2_code *
compile(sqlite3_context *context, StrView pattern)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.ptr, (PCRE2_SIZE)pattern.len,
                                     PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &at, NULL);
    PCRE2_UCHAR message[120];
    char text[200];

    if (code != NULL)
        return code;
    (void)pcre2_get_error_message(error, message, sizeof message); /* at least cut */
    (void)snprintf(text, sizeof text, "regexp: %s at byte %zu", (const char *)message, (size_t)at);
    sqlite3_result_error(context, text, -1);
    return NULL;
}

static void
fn_regexp(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView pattern, text;
    pcre2_code *code = sqlite3_get_auxdata(context, 0);
    pcre2_code *made = NULL;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *match = pcre2_match_context_create(NULL);

    (void)argc;
    if (data == NULL || match == NULL) {
        sqlite3_result_error_nomem(context);
    } else if (bytes_of(argv[0], &pattern) && bytes_of(argv[1], &text) &&
               (code != NULL || (code = made = compile(context, pattern)) != NULL)) {
        int rc;

        (void)pcre2_set_match_limit(match, REGEX_STEPS_MAX); /* these cannot fail */
        (void)pcre2_set_depth_limit(match, REGEX_DEPTH_MAX);
        (void)pcre2_set_heap_limit(match, REGEX_HEAP_KB);
        rc = pcre2_match(code, (PCRE2_SPTR)text.ptr, (PCRE2_SIZE)text.len, 0, 0, data, match);
        if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
            sqlite3_result_error(context, "regexp: the pattern takes too many steps", -1);
        else
            sqlite3_result_int(context, rc >= 0);
        if (made != NULL)
            sqlite3_set_auxdata(context, 0, made, free_code);
    }
    pcre2_match_context_free(match);
    pcre2_match_data_free(data);
}

/*
 * A pattern of the backslash commands: * any, ? one character, all else as it is; in double quotes these are
 * plain characters, too. Anchored at both ends. Backtracks to the last star alone, so time is length times length.
 */
static bool
glob_match(StrView pattern, StrView text)
{
    int32_t p = 0, t = 0;
    int32_t star = -1, star_text = 0;
    bool quoted = false, star_quoted = false;

    for (;;) {
        while (p < pattern.len && pattern.ptr[p] == '"') {
            quoted = !quoted;
            p++;
        }
        if (p < pattern.len && !quoted && pattern.ptr[p] == '*') {
            star = ++p;
            star_text = t;
            star_quoted = quoted;
            continue;
        }
        if (t == text.len && p == pattern.len)
            return true;
        if (t < text.len && p < pattern.len &&
            ((!quoted && pattern.ptr[p] == '?') || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
            if (pattern.ptr[p - 1] == '?' && !quoted) /* one character, not one byte */
                while (t < text.len && ((unsigned char)text.ptr[t] & 0xc0) == 0x80)
                    t++;
            continue;
        }
        if (star < 0 || star_text >= text.len)
            return false;
        p = star;
        t = ++star_text;
        quoted = star_quoted;
    }
}

static void
fn_glob_match(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    StrView pattern, text;

    (void)argc;
    if (bytes_of(argv[0], &pattern) && bytes_of(argv[1], &text))
        sqlite3_result_int(context, glob_match(pattern, text));
}

/* The last value of a header, as consumers take it, out of [["name","value"], ...]. */
static void
fn_header(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    static const char text[] = "SELECT json_extract(value, '$[1]') FROM json_each(?1) WHERE "
                               "json_extract(value, '$[0]') = ?2 "
                               "ORDER BY key DESC LIMIT 1";
    sqlite3_stmt *statement = NULL;

    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    if (sqlite3_prepare_v2(sqlite3_context_db_handle(context), text, -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_bind_value(statement, 1, argv[0]) != SQLITE_OK ||
        sqlite3_bind_value(statement, 2, argv[1]) != SQLITE_OK)
        sqlite3_result_error(context, "header: cannot look into the headers", -1);
    else if (sqlite3_step(statement) == SQLITE_ROW)
        sqlite3_result_value(context, sqlite3_column_value(statement, 0));
    (void)sqlite3_finalize(statement); /* malformed JSON: no header, NULL */
}

int
functions_text_register(Sql *sql)
{
    static const struct {
        const char *name;
        int argc;
        bool constant;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"human_bytes", 1, true, fn_human_bytes},
        {"ago", 1, false, fn_ago},
        {"ts", 1, false, fn_ts},
        {"now_ms", 0, false, fn_now_ms},
        {"error_name", 1, true, fn_error_name},
        {"regexp", 2, true, fn_regexp},
        {"glob_match", 2, true, fn_glob_match},
        {"header", 2, true, fn_header},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function_v2(sql->db, functions[i].name, functions[i].argc,
                                        SQLITE_UTF8 | SQLITE_INNOCUOUS |
                                            (functions[i].constant ? SQLITE_DETERMINISTIC : 0),
                                        sql, functions[i].fn, NULL, NULL, NULL);
    return rc;
}
