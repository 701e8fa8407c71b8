/*
 * controller_kit.h - a small shared region, folders and requests for tests of the controller
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_TEST_CONTROLLER_KIT_H
#define OTTLA_TEST_CONTROLLER_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "controller/controller.h"
#include "controller/decide.h"
#include "controller/one_node.h"

/* A folder of its own below /tmp; removed by kit_remove. */
const char *kit_folder(void);
void kit_remove(const char *folder);

/* Maps a region with everything the controller needs. image_bytes 0: 64 MiB. */
void kit_region(size_t image_bytes, int32_t partitions);
void kit_region_end(void);

/* Formats folder as a fresh single node and starts a controller on it. */
void kit_format(const char *folder);
void kit_start(Controller *c, const char *folder);

/* All of it; the folder. */
const char *kit_open(Controller *c, size_t image_bytes, int32_t partitions);
void kit_close(Controller *c, const char *folder);

/* The settings that kit_start uses, to be changed. */
ControllerSettings kit_settings(const char *folder);

/* Directory of the golden data (../shared/peers/golden), or NULL. */
const char *kit_golden(void);

/* One CreateTopics of one topic; the error code. */
int16_t kit_create(Controller *c, const char *name, int32_t partitions);

#endif
