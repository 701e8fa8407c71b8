/*
 * log_dirs_int.h - what the requests about log directories share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_LOG_DIRS_INT_H
#define OTTLA_BACKEND_LOG_DIRS_INT_H

#include "ottla/controller/image.h"

/* Does the directory take no new replicas, as this node's registration says (KIP-1066)? */
bool log_dir_is_cordoned(const Image *image, int dir);

#endif
