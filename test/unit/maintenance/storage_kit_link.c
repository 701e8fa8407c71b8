/*
 * storage_kit_link.c - the kit of the storage tests, for the tests of this folder
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../storage/storage_kit.c"
