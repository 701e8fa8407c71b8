/*
 * own_page.h - variables that every process writes for itself
 *
 * A child shares the pages of its parent until one of the two writes to them. What each process of a node
 * writes, one or two words per module, therefore lies side by side: a connection gets one or two pages of
 * its own for them instead of one for each module (doc/internals/idle-connection.md). For small variables
 * of modules that every backend runs through; a table only where all of them still fit into two pages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_OWN_PAGE_H
#define OTTLA_COMMON_OWN_PAGE_H

#define OWN_PAGE __attribute__((section("ottla_own_page")))

#endif
