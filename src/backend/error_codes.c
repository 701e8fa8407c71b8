/*
 * error_codes.c - which errors an answer holds, for statistics
 *
 * An answer may hold an error for each thing that the request named. They are found by the description of the
 * message: every field called errorCode, wherever it is. Answers without an error never come here.
 *
 * Runs in: backend. Never: changes an answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/error_codes_int.h"

#include <string.h>

#include "ottla/ipc/request_stats.h"

#define DEPTH_MAX 8 /* of structures in structures; messages have at most five */

/* Errors in a row are often the same one. */
typedef struct Tally {
    int16_t api_key;
    int16_t code;
    uint64_t count;
    uint64_t all;
} Tally;

static void
flush(Tally *tally)
{
    request_stats_error(tally->api_key, tally->code, tally->count);
    tally->all += tally->count;
    tally->count = 0;
}

static void
add(Tally *tally, int16_t code)
{
    if (code == 0)
        return;
    if (code != tally->code)
        flush(tally);
    tally->code = code;
    tally->count++;
}

/* Calls itself for each structure of the description, whose depth does not depend on the message. */
static void
look(const StructDesc *desc, const char *at, int depth, Tally *tally)
{
    for (uint32_t i = 0; i < desc->fields_count; i++) {
        const FieldDesc *f = &desc->fields[i];
        const char *value = at + f->pos;
        int32_t count = 1;

        if (f->type == WIRE_INT16 && !f->array && strcmp(f->name, "errorCode") == 0) {
            int16_t code;

            memcpy(&code, value, sizeof code);
            add(tally, code);
        }
        if (f->type != WIRE_STRUCT || depth == DEPTH_MAX)
            continue;
        if (f->array)
            memcpy(&count, at + f->count_pos, sizeof count);
        if (f->array || f->pointer)
            memcpy(&value, at + f->pos, sizeof value);
        for (int32_t k = 0; value != NULL && k < count; k++)
            look(f->sub, value + (size_t)k * f->sub->bytes, depth + 1, tally);
    }
}

bool
error_codes_count(const Request *rq, const MessageDesc *desc, const void *msg)
{
    Tally tally = {.api_key = rq->head.api->key};

    look(desc->body, msg, 0, &tally);
    flush(&tally);
    return tally.all > 0;
}
