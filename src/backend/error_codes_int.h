/*
 * error_codes_int.h - which errors an answer holds, for statistics
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_ERROR_CODES_INT_H
#define OTTLA_BACKEND_ERROR_CODES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/request_int.h"

/* Counts every error in an answer that is about to be encoded. For answers that have some: it looks at all of them. */
void error_codes_count(const Request *rq, const MessageDesc *desc, const void *msg);

/* The same for an encoded body; true: it holds an error. One that cannot be read holds none. */
bool error_codes_count_body(const Request *rq, BytesView body);

#endif
