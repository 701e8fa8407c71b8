/*
 * properties.h - Java's .properties syntax: names and values of a text, one after another
 *
 * Pure. Bytes that are no UTF-8 are read as ISO-8859-1, line by line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_PROPERTIES_H
#define OTTLA_COMMON_PROPERTIES_H

#include "ottla/common/strbuf.h"

typedef struct Properties {
    const uint8_t *at;
    const uint8_t *end;
    int line;    /* where the line of the last name ends; from 1 */
    bool latin1; /* the last line was no UTF-8 */
    StrBuf name, value;
    StrBuf joined; /* a line with its continuations */
} Properties;

typedef enum PropertiesResult {
    PROPERTIES_END,
    PROPERTIES_PAIR,      /* name and value are there until the next call */
    PROPERTIES_LONG,      /* a line of more than LIMIT_CONF_LINE_BYTES */
    PROPERTIES_BAD_ESCAPE /* \u without four hexadecimal digits */
} PropertiesResult;

/* The bytes stay where they are. */
void properties_init(Properties *properties, BytesView bytes);

/* The next name and value; after a fault reading goes on behind that line. */
PropertiesResult properties_next(Properties *properties);

void properties_fini(Properties *properties);

#endif
