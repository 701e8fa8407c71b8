/*
 * test_vfs.c - transfers are whole, faults become codes, files are replaced as a whole
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/vfs.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/vfs_faulty.h"

static char dir[64];
static char path[100];

static int
setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/ottla-test-vfs-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/file", dir);
    vfs_faulty_install();
    return 0;
}

static int
teardown(void **state)
{
    Arena *arena = arena_new(1024, 0);
    StrView *names;
    int32_t count;

    (void)state;
    vfs_faulty_remove();
    if (vfs_list(dir, 100, arena, &names, &count, NULL) == 0) {
        for (int32_t i = 0; i < count; i++) {
            char one[200];

            snprintf(one, sizeof one, "%s/%s", dir, names[i].ptr);
            if (unlink(one) != 0)
                (void)rmdir(one);
        }
    }
    arena_free(arena);
    return rmdir(dir);
}

static int
open_file(void)
{
    int fd = vfs_open(path, O_RDWR | O_CREAT, 0600, NULL);

    assert_true(fd >= 0);
    return fd;
}

static void
short_and_interrupted_transfers_are_finished(void **state)
{
    static const VfsFault faults[] = {
        {VFS_CALL_PWRITEV, 1, true, 0, 3},    {VFS_CALL_PWRITEV, 1, false, EINTR, -1},
        {VFS_CALL_PREAD, 1, true, 0, 1},      {VFS_CALL_PREAD, 2, false, EINTR, -1},
        {VFS_CALL_OPEN, 1, false, EINTR, -1}, {VFS_CALL_FSYNC, 1, false, EINTR, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char read_back[16] = "";
        char sent[] = "abcdefghij";
        struct iovec iov[] = {{sent, 0}, {sent, 4}, {sent + 4, 4}, {sent, 0}, {sent + 8, 2}};
        int fd;

        vfs_faulty_plan(faults[i]);
        fd = open_file();
        assert_int_equal(vfs_pwritev(fd, iov, 5, 2, NULL), 0);
        assert_int_equal(vfs_fsync(fd, NULL), 0);
        assert_int_equal(vfs_pread_full(fd, read_back, 10, 2, NULL), 0);
        assert_string_equal(read_back, "abcdefghij");
        assert_int_equal(vfs_size(fd, NULL), 12);
        assert_int_equal(vfs_pread(fd, read_back, 16, 8, NULL), 4);
        assert_int_equal(vfs_pread_full(fd, read_back, 16, 8, NULL), OT_E_EOF);
        assert_int_equal(vfs_truncate(fd, 0, NULL), 0);
        vfs_close(fd);
    }
}

static void
faults_become_codes(void **state)
{
    ErrInfo err;
    char buffer[4];
    int fd = open_file();

    (void)state;
    vfs_faulty_plan((VfsFault){VFS_CALL_PWRITEV, 1, false, ENOSPC, 4});
    assert_int_equal(vfs_pwrite(fd, "0123456789", 10, 0, &err), OT_E_NO_SPACE);
    assert_int_equal(vfs_size(fd, NULL), 4);
    vfs_faulty_plan((VfsFault){VFS_CALL_ANY, 1, true, EIO, -1});
    assert_int_equal(vfs_fdatasync(fd, &err), OT_E_IO);
    assert_int_equal(vfs_syncfs(fd, &err), OT_E_IO);
    assert_int_equal(vfs_truncate(fd, 0, &err), OT_E_IO);
    assert_int_equal(vfs_rename(path, path, &err), OT_E_IO);
    assert_int_equal(vfs_unlink(path, &err), OT_E_IO);
    assert_int_equal(vfs_mkdir(path, 0700, &err), OT_E_IO);
    assert_int_equal(vfs_sync_dir(dir, &err), OT_E_IO);
    assert_int_equal(vfs_open(path, O_RDWR, 0, &err), OT_E_IO);
    assert_int_equal(vfs_faulty_count(VFS_CALL_ANY), 8);
    /* what cannot be read harms itself alone */
    assert_int_equal(vfs_open(path, O_RDONLY, 0, &err), OT_E_READ);
    assert_int_equal(vfs_pread(fd, buffer, sizeof buffer, 0, &err), OT_E_READ);
    assert_int_equal(err.code, OT_E_READ);
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_COUNT});
    assert_int_equal(vfs_open("/no/such/path", O_RDONLY, 0, &err), OT_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "/no/such/path"));
    assert_int_equal(vfs_code(EMFILE), OT_E_LIMIT);
    assert_int_equal(vfs_code(EDQUOT), OT_E_NO_SPACE);
    vfs_close(fd);
    vfs_close(-1);
}

/* Whatever call fails, the file is the old one or the new one. */
static void
replacing_is_all_or_nothing(void **state)
{
    static const uint8_t old[] = "the old text", new[] = "a new one";
    Arena *arena = arena_new(1024, 0);

    (void)state;
    for (uint64_t nth = 1; nth < 20; nth++) {
        BytesView bytes;
        int rc;

        vfs_faulty_plan((VfsFault){.call = VFS_CALL_COUNT});
        assert_int_equal(
            vfs_replace_file(path, (BytesView){old, sizeof old}, 0600, VFS_SYNCED, NULL), 0);
        vfs_faulty_plan((VfsFault){VFS_CALL_ANY, nth, false, EIO, -1});
        rc = vfs_replace_file(path, (BytesView){new, sizeof new}, 0600, VFS_SYNCED, NULL);
        if (vfs_faulty_count(VFS_CALL_ANY) < nth) {
            assert_true(nth > 5); /* open, write, flush, rename, open and flush of the folder */
            break;
        }
        assert_int_equal(rc, OT_E_IO);
        vfs_faulty_plan((VfsFault){.call = VFS_CALL_COUNT});
        assert_int_equal(vfs_read_file(path, 1000, arena, &bytes, NULL), 0);
        assert_true((bytes.len == sizeof old && memcmp(bytes.ptr, old, sizeof old) == 0) ||
                    (bytes.len == sizeof new &&memcmp(bytes.ptr, new, sizeof new) == 0));
    }
    arena_free(arena);
}

static void
files_are_read_within_a_limit(void **state)
{
    Arena *arena = arena_new(1024, 8192);
    BytesView bytes;

    (void)state;
    assert_int_equal(vfs_replace_file(path, (BytesView){(const uint8_t *)"12345", 5}, 0600,
                                      VFS_NOT_SYNCED, NULL),
                     0);
    assert_int_equal(vfs_read_file(path, 5, arena, &bytes, NULL), 0);
    assert_string_equal((const char *)bytes.ptr, "12345");
    assert_int_equal(vfs_read_file(path, 4, arena, &bytes, NULL), OT_E_LIMIT);
    assert_int_equal(vfs_read_file(dir, 1000000, arena, &bytes, NULL), OT_E_READ);
    arena_free(arena);
}

static void
folders_are_made_listed_removed(void **state)
{
    Arena *arena = arena_new(1024, 0);
    char deep[200];
    StrView *names;
    int32_t count;
    struct stat st;

    (void)state;
    snprintf(deep, sizeof deep, "%s/b//c", dir);
    assert_int_equal(vfs_mkdirs(deep, 0700, NULL), 0);
    assert_int_equal(vfs_mkdirs(deep, 0700, NULL), 0);
    assert_int_equal(vfs_mkdir(deep, 0700, NULL), OT_E_EXISTS);
    assert_int_equal(vfs_stat(deep, &st, NULL), 0);
    vfs_close(open_file());
    assert_int_equal(vfs_mkdirs(path, 0700, NULL), OT_E_EXISTS);
    assert_int_equal(vfs_list(dir, 10, arena, &names, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(names[0].ptr, "b");
    assert_string_equal(names[1].ptr, "file");
    assert_int_equal(vfs_list(dir, 1, arena, &names, &count, NULL), OT_E_LIMIT);
    assert_int_equal(vfs_sync_dir(dir, NULL), 0);
    assert_int_equal(vfs_rmdir(deep, NULL), 0);
    arena_free(arena);
}

/* The lock outlives the supervisor in its children and conflicts with a POSIX lock, as Java takes it. */
static void
locks_are_inherited(void **state)
{
    int fd = open_file(), other = open_file();
    struct flock posix = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t holder, child;
    int status;

    (void)state;
    assert_int_equal(vfs_try_lock(fd, NULL, NULL), 0);
    assert_int_equal(vfs_try_lock(other, &holder, NULL), OT_E_BUSY);
    assert_int_equal(holder, -1);
    assert_int_equal(fcntl(other, F_SETLK, &posix), -1);
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    vfs_close(fd);
    assert_int_equal(vfs_try_lock(other, NULL, NULL), OT_E_BUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(vfs_try_lock(other, NULL, NULL), 0);
    vfs_close(other);
}

static void
space_is_reserved(void **state)
{
    int fd = open_file();

    (void)state;
    assert_int_equal(vfs_allocate(fd, 8192, true, NULL), 0);
    assert_int_equal(vfs_size(fd, NULL), 0);
    assert_int_equal(vfs_allocate(fd, 8192, false, NULL), 0);
    assert_int_equal(vfs_size(fd, NULL), 8192);
    vfs_write_early(fd, 0, 8192);
    vfs_close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_and_interrupted_transfers_are_finished),
        TEST(faults_become_codes),
        TEST(replacing_is_all_or_nothing),
        TEST(files_are_read_within_a_limit),
        TEST(folders_are_made_listed_removed),
        TEST(locks_are_inherited),
        TEST(space_is_reserved),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
