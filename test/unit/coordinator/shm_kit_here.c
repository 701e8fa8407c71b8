/*
 * shm_kit_here.c - the kit of the ipc tests, for the tests of this folder
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/shm_kit.c"
