/*
 * kit.c - what fuzz targets share: a folder in memory, files out of an input, right checksums
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/log.h"
#include "ottla/protocol/batch.h"

static char folder[64];

uint8_t
fuzz_byte(FuzzInput *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

BytesView
fuzz_piece(FuzzInput *in)
{
    size_t len = (size_t)fuzz_byte(in) << 8;
    BytesView ret;

    len |= fuzz_byte(in);
    if (len > (size_t)(in->end - in->at))
        len = (size_t)(in->end - in->at);
    ret = (BytesView){in->at, (int32_t)len};
    in->at += len;
    return ret;
}

BytesView
fuzz_rest(FuzzInput *in)
{
    BytesView ret = {in->at, (int32_t)(in->end - in->at)};

    in->at = in->end;
    return ret;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    if (where->level > 0)
        (void)remove(path); /* what stays is seen by the next run */
    return 0;
}

void
fuzz_clear(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* may not be there yet */
}

static void
remove_folder(void)
{
    fuzz_clear(folder);
    (void)rmdir(folder); /* the process ends */
}

const char *
fuzz_folder(void)
{
    if (folder[0] == 0) {
        (void)snprintf(folder, sizeof folder, "%s/ottla-fuzz-XXXXXX",
                       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        ot_assert(mkdtemp(folder) != NULL);
        ot_assert(setenv("TMPDIR", folder, 1) == 0);
        ot_assert(atexit(remove_folder) == 0);
    }
    return folder;
}

void
fuzz_write(const char *where, const char *name, BytesView bytes)
{
    char path[512];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s/%s", where, name);
    out = fopen(path, "wb");
    ot_assert(out != NULL);
    ot_assert(bytes.len == 0 || fwrite(bytes.ptr, 1, (size_t)bytes.len, out) == (size_t)bytes.len);
    ot_assert(fclose(out) == 0);
}

BytesView
fuzz_sealed(BytesView batches, uint8_t **ret)
{
    int64_t at = 0, size;
    uint8_t *copy = malloc((size_t)batches.len + 1);

    ot_assert(copy != NULL);
    if (batches.len > 0)
        memcpy(copy, batches.ptr, (size_t)batches.len);
    while (batch_scan((BytesView){copy + at, (int32_t)(batches.len - at)}, batches.len - at,
                      &size) == BATCH_SCAN_OK) {
        batch_seal(copy + at, (size_t)size);
        at += size;
    }
    *ret = copy;
    return (BytesView){copy, batches.len};
}

void
fuzz_quiet(void)
{
    log_set_threshold(LL_PANIC);
}
