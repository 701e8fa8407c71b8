/*
 * headers.h - headers of messages as JSON, and back
 *
 * [["name","value"], ...]; null is null; a value that is no UTF-8 is {"base64":"..."}.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_HEADERS_H
#define OTTLA_SQL_HEADERS_H

#include "ottla/client/fault.h"
#include "ottla/common/strbuf.h"
#include "ottla/protocol/record.h"

struct sqlite3;

/* encoded: the headers of a record. */
void headers_to_json(BytesView encoded, StrBuf *to);

/*
 * Also from {"name":"value", ...}. The database only reads the JSON; the result lies in the arena. 22023: it is neither, or
 * there are more than 10,000.
 */
int headers_from_json(struct sqlite3 *db, StrView json, Arena *arena, RecordHeader **ret,
                      int32_t *ret_count, Fault *f) __attribute__((warn_unused_result));

#endif
