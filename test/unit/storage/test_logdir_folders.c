/*
 * test_logdir_folders.c - in which log directory a partition's folder really lies
 *
 * Proves: the directory that is named counts while the folder is there, or nowhere; else the one where it lies, if it is
 * that topic's; a folder that an older topic of the name left hides nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <sys/stat.h>

#include "ottla/storage/logdir_folders.h"
#include "ottla/storage/logdirs.h"
#include "storage/storage_kit.h"

static const Uuid mine = {{5}}, older = {{6}};

static int
setup(void **state)
{
    ErrInfo err = {0};

    (void)kit_setup(state);
    for (int dir = 1; dir < 3; dir++) {
        char path[300];

        (void)snprintf(path, sizeof path, "%s/dir%d", kit_dir, dir);
        assert_int_equal(mkdir(path, 0750), 0);
        assert_int_equal(logdir_add(path, (Uuid){{(uint8_t)(dir + 1)}}, &err), dir);
    }
    return 0;
}

static void
put(int dir, const char *name, Uuid id)
{
    char path[400];
    ErrInfo err = {0};

    (void)snprintf(path, sizeof path, "%s/%s", logdir_path(dir), name);
    assert_int_equal(mkdir(path, 0750), 0);
    if (!uuid_is_zero(id))
        assert_int_equal(partition_metadata_store(path, id, VFS_NOT_SYNCED, &err), 0);
}

static int
find(int named, const char *topic, int32_t partition)
{
    LogDirFolders *all = logdir_folders_load();
    int dir;

    assert_non_null(all);
    dir = logdir_folders_find(all, named, strview_from(topic), partition, mine);
    logdir_folders_free(all);
    return dir;
}

static void
finds(void **state)
{
    (void)state;
    assert_int_equal(find(1, "none", 0), 1);
    assert_int_equal(find(-1, "none", 0), -1);
    put(1, "t-0", mine);
    assert_int_equal(find(1, "t", 0), 1);
    assert_int_equal(find(0, "t", 0), 1); /* moved, and the metadata does not know yet */
    assert_int_equal(find(-1, "t", 0), 1);
    assert_int_equal(find(0, "t", 1), 0); /* another partition */
    put(2, "t-0", mine);                  /* killed between two renames: the named one counts */
    assert_int_equal(find(2, "t", 0), 2);
    assert_int_equal(find(1, "t", 0), 1);
    put(1, "u-0", older);
    assert_int_equal(find(0, "u", 0), 0); /* not this topic's */
    put(2, "u-0", mine);
    assert_int_equal(find(1, "u", 0), 2); /* the older topic's is in the way */
    put(2, "v-0", (Uuid){{0}});
    assert_int_equal(find(0, "v", 0), 0); /* nobody knows whose */
    assert_int_equal(find(2, "v", 0), 2);
    put(1, "t-2.0123456789abcdef0123456789abcdef-future", mine);
    assert_int_equal(find(0, "t", 2), 0); /* a copy is no log */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds, setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
