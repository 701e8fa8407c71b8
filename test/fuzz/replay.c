/*
 * replay.c - runs a fuzz target over its kept corpus, as a test, without libFuzzer
 *
 * Built as replay_NAME, it gives every file of test/fuzz/corpus/NAME, or the files named on its
 * command line, to LLVMFuzzerTestOneInput. A target that finds a fault aborts. TAP output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes go into an allocation of exactly their size, so that ASan sees every byte beyond. */
static void
replay(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL || fseek(in, 0, SEEK_END) != 0) {
        printf("Bail out! %s cannot be read\n", path);
        exit(1);
    }
    size_t size = (size_t)ftell(in);
    rewind(in);
    uint8_t *data = malloc(size);
    if ((data == NULL && size > 0) || fread(data, 1, size, in) != size) {
        printf("Bail out! %s cannot be read\n", path);
        exit(1);
    }
    (void)fclose(in);
    printf("# %s\n", path);
    (void)fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            replay(argv[i]);
        return 0;
    }
    const char *name = strrchr(argv[0], '/');
    name = name == NULL ? argv[0] : name + 1;
    if (strncmp(name, "replay_", 7) != 0) {
        printf("Bail out! name the files\n");
        return 1;
    }
    char pattern[256];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof pattern, "test/fuzz/corpus/%s/*", name + 7);
    if (glob(pattern, 0, NULL, &found) != 0) {
        printf("1..0 # SKIP no corpus %s\n", pattern);
        return 0;
    }
    printf("1..1\n");
    for (size_t i = 0; i < found.gl_pathc; i++)
        replay(found.gl_pathv[i]);
    printf("ok 1 - %zu inputs of %s\n", found.gl_pathc, name + 7);
    globfree(&found);
    return 0;
}
