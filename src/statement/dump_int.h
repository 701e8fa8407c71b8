/*
 * dump_int.h - words of statements that are made
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_DUMP_INT_H
#define OTTLA_STATEMENT_DUMP_INT_H

#include "ottla/common/strbuf.h"

/* A name as statements take it: bare where that is safe, else in double quotes. */
void dump_name(StrBuf *out, StrView name);

/* A value: bare when it is a plain number or word, else in single quotes. */
void dump_value(StrBuf *out, StrView value);

/* A text in single quotes. */
void dump_literal(StrBuf *out, StrView text);

#endif
