/*
 * err.c - error texts, and the way from our codes to Kafka's
 *
 * Runs in: every process. Never: logs, allocates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/assert.h"

/* The texts are for one line: what would break it is replaced. */
static void
keep_on_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n' || *text == '\r')
            *text = ' ';
    }
}

static void
format_text(ErrInfo *err, const char *format, va_list args)
{
    if (vsnprintf(err->text, sizeof err->text, format, args) < 0)
        err->text[0] = '\0';
    keep_on_one_line(err->text);
}

int
err_set(ErrInfo *err, int code, const char *format, ...)
{
    va_list args;

    ot_assert(code < 0);
    if (err == NULL)
        return code;
    err->code = code;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    return code;
}

int
err_set_errno(ErrInfo *err, int code, int errno_value, const char *format, ...)
{
    va_list args;
    char buffer[64];
    size_t len;

    ot_assert(code < 0);
    if (err == NULL)
        return code;
    err->code = code;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    len = strlen(err->text);
    if (snprintf(err->text + len, sizeof err->text - len, ": %s",
                 strerror_r(errno_value, buffer, sizeof buffer)) < 0)
        err->text[len] = '\0';
    return code;
}

void
err_prefix(ErrInfo *err, const char *format, ...)
{
    char old[sizeof err->text];
    va_list args;
    size_t len;

    if (err == NULL)
        return;
    memcpy(old, err->text, sizeof old);
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    len = strlen(err->text);
    if (snprintf(err->text + len, sizeof err->text - len, ": %s", old) < 0)
        err->text[len] = '\0';
}

/* The row of an OT_E_* code; NULL: no such code. */
static const ErrRow *
find_row(int code)
{
    int kafka = -code - 1000;
    int internal = -2001 - code;

    if (code == 0)
        return &err_kafka_rows[KERR_NONE - KERR_FIRST];
    if (kafka >= KERR_FIRST && kafka <= KERR_LAST)
        return &err_kafka_rows[kafka - KERR_FIRST];
    if (internal >= 0 && internal < OT_E_INTERNAL_COUNT)
        return &err_internal_rows[internal];
    return NULL;
}

int16_t
err_to_kafka(int code)
{
    const ErrRow *row = find_row(code);

    return row == NULL ? KERR_UNKNOWN_SERVER_ERROR : row->kafka;
}

const char *
err_name(int code)
{
    const ErrRow *row = find_row(code);

    return row == NULL ? "unknown" : row->name;
}

const char *
err_text(int code)
{
    const ErrRow *row = find_row(code);

    return row == NULL ? "an error without a name" : row->text;
}
