/*
 * decide_kit.h - an image of three brokers and what decisions see of it, for tests of decisions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_TEST_DECIDE_KIT_H
#define OTTLA_TEST_DECIDE_KIT_H

#include "controller/controller_kit.h"
#include "controller/image_build.h"

extern ImageWriter decide_writer;
extern Arena *decide_arena;
extern RandomSeq decide_random;
extern DecideContext decide_context; /* of the newest API versions */
extern RecordList decide_records;

/* Brokers 1 to 3: 1 and 2 live, 3 is fenced; metadata.version 30. */
int decide_setup(void **state);
int decide_teardown(void **state);

/* Applies decide_records to the image and empties the list. */
void decide_apply(void);

#endif
