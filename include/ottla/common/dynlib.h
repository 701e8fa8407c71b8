/*
 * dynlib.h - libraries that are loaded when they are needed first
 *
 * A library that is linked costs each of the processes of a node, one per connection, page tables and
 * mappings whether it is used or not (doc/internals/idle-connection.md). What few processes need is
 * loaded by this: by its soname, when its first function is wanted, and kept for the life of the process
 * and of its children. Modules that use it: systemd_lib.c, codec_libs.c, security/crypto_lib.c, shell/kafka_lib.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_DYNLIB_H
#define OTTLA_COMMON_DYNLIB_H

#include "ottla/common/err.h"

/* A function of the library, and where its address is stored. */
typedef struct DynFunction {
    const char *name;
    void *into; /* address of a pointer to a function of the right type */
} DynFunction;

/* A row of a table of them, for a struct whose members are named like the library's functions. */
#define DYN_FUNCTION(table, prefix, function) \
    {                                         \
#prefix #function, &(table).function  \
    }

/*
 * Loads the library and stores all addresses, or none. OT_E_UNSUPPORTED: it is not installed, or lacks
 * a function; the text names both.
 */
int dynlib_load(const char *soname, const DynFunction *functions, int count, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
