/*
 * dynlib.c - libraries that are loaded when they are needed first
 *
 * Runs in: every process. Never: unloads; code and data of a library may be in use anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/dynlib.h"

#include <dlfcn.h>
#include <string.h>

#include "ottla/common/assert.h"

#define FUNCTIONS_MAX 64

int
dynlib_load(const char *soname, const DynFunction *functions, int count, ErrInfo *err)
{
    void *found[FUNCTIONS_MAX];
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

    ot_assert(count <= FUNCTIONS_MAX);
    if (library == NULL)
        return err_set(err, OT_E_UNSUPPORTED, "%s cannot be loaded: %s", soname, dlerror());
    for (int i = 0; i < count; i++) {
        found[i] = dlsym(library, functions[i].name);
        if (found[i] == NULL)
            return err_set(err, OT_E_UNSUPPORTED, "%s has no %s: another version is needed", soname,
                           functions[i].name);
    }
    for (int i = 0; i < count; i++) /* POSIX: a pointer to a function fits a void * */
        memcpy(functions[i].into, &found[i], sizeof found[i]);
    return 0;
}
