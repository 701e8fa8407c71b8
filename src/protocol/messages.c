/*
 * messages.c - looks up messages by name and number, computes bounds from their descriptions
 *
 * Used by tests, fuzzers, tools and the frame code; never on a request's hot path. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/messages.h"

#include "ottla/common/assert.h"

/* Deepest nesting of structs in the tables; a deeper one fails the test that asks for all ratios. */
#define NESTING_MAX 8

const MessageDesc *
message_find(const char *name)
{
    int lo = 0;
    int hi = message_count - 1;
    while (lo <= hi) {
        int mid = (lo + hi) / 2;
        int order = strcmp(name, message_list[mid]->name);
        if (order == 0)
            return message_list[mid];
        if (order < 0)
            hi = mid - 1;
        else
            lo = mid + 1;
    }
    return NULL;
}

const MessageDesc *
message_find_by_number(MessageKind kind, int16_t number)
{
    for (int i = 0; i < message_count; i++)
        if (message_list[i]->kind == kind && message_list[i]->number == number)
            return message_list[i];
    return NULL;
}

static bool
in_range(VersionRange range, int16_t version)
{
    return version >= range.lo && version <= range.hi;
}

/* Fewest bytes of a value that is no struct. */
static size_t
value_min_bytes(WireType type, bool array, bool flexible)
{
    static const size_t fixed[WIRE_TYPE_COUNT] = {
        [WIRE_BOOL] = 1,   [WIRE_INT8] = 1,  [WIRE_INT16] = 2, [WIRE_UINT16] = 2,  [WIRE_INT32] = 4,
        [WIRE_UINT32] = 4, [WIRE_INT64] = 8, [WIRE_UUID] = 16, [WIRE_FLOAT64] = 8,
    };
    if (!array && fixed[type] > 0)
        return fixed[type];
    if (flexible)
        return 1;
    return type == WIRE_STRING && !array ? 2 : 4;
}

/*
 * Fewest bytes of a struct in a version, its section of tagged fields included. The nesting of the
 * tables bounds the recursion.
 */
static size_t
struct_min_bytes(const MessageDesc *desc, const StructDesc *body, int16_t version)
{
    bool flexible = version >= desc->flexible_from;
    size_t sum = flexible ? 1 : 0;
    for (uint32_t i = 0; i < body->fields_count; i++) {
        const FieldDesc *f = &body->fields[i];
        if (f->tag >= 0 || !in_range(f->versions, version))
            continue;
        if (f->type == WIRE_STRUCT && !f->array)
            sum += in_range(f->nullable, version) ? 1 : struct_min_bytes(desc, f->sub, version);
        else
            sum += value_min_bytes(f->type, f->array, flexible && !f->rigid);
    }
    return sum;
}

size_t
message_element_bytes(const FieldDesc *f)
{
    static const size_t sizes[WIRE_TYPE_COUNT] = {
        [WIRE_BOOL] = sizeof(bool),
        [WIRE_INT8] = 1,
        [WIRE_INT16] = 2,
        [WIRE_UINT16] = 2,
        [WIRE_INT32] = 4,
        [WIRE_UINT32] = 4,
        [WIRE_INT64] = 8,
        [WIRE_FLOAT64] = 8,
        [WIRE_STRING] = sizeof(StrView),
        [WIRE_UUID] = sizeof(Uuid),
        [WIRE_BYTES] = sizeof(BytesView),
        [WIRE_RECORDS] = sizeof(RecordsView),
    };
    return f->type == WIRE_STRUCT ? f->sub->bytes : sizes[f->type];
}

/* Worst ratio of each level below body into worst[level]; unknown tags count at their level. */
static void
collect_ratios(const MessageDesc *desc, const StructDesc *body, int16_t version, int level,
               double *worst)
{
    ot_assert(level < NESTING_MAX);
    bool flexible = version >= desc->flexible_from;
    if (flexible && worst[level] < sizeof(WireTag) / 2.0)
        worst[level] = sizeof(WireTag) / 2.0;
    for (uint32_t i = 0; i < body->fields_count; i++) {
        const FieldDesc *f = &body->fields[i];
        if (!in_range(f->versions, version))
            continue;
        if (f->array || f->pointer) {
            size_t least = f->type == WIRE_STRUCT ? struct_min_bytes(desc, f->sub, version)
                                                  : value_min_bytes(f->type, false, flexible);
            least += f->pointer ? 1 : 0;
            double ratio = (double)message_element_bytes(f) / (double)(least == 0 ? 1 : least);
            if (worst[level] < ratio)
                worst[level] = ratio;
        }
        if (f->type == WIRE_STRUCT)
            collect_ratios(desc, f->sub, version, level + 1, worst);
    }
}

double
message_memory_ratio(const MessageDesc *desc)
{
    double most = 0;
    for (int16_t v = desc->versions.lo; v <= desc->versions.hi; v++) {
        double worst[NESTING_MAX] = {0};
        double sum = 0;
        collect_ratios(desc, desc->body, v, 0, worst);
        for (int i = 0; i < NESTING_MAX; i++)
            sum += worst[i];
        most = sum > most ? sum : most;
    }
    return most;
}
