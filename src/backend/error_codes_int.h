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

/*
 * Counts every error in an answer; true: it holds some. For answers that may: it looks at all of them.
 */
bool error_codes_count(const Request *rq, const MessageDesc *desc, const void *msg);

#endif
