/*
 * test_datadir.c - directories: formatting, identity, locks, modes
 *
 * Proves: an empty directory becomes a node; a second open finds the same ids; a formatting that
 * was cut short is completed; ids that do not fit, lost metadata and strange files are refused; a
 * held lock names its holder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/vfs.h"
#include "ottla/ipc/node.h"
#include "ottla/postmaster/datadir.h"
#include "ottla/postmaster/meta_properties.h"
#include "ottla/storage/logdirs.h"

static char base[] = "/tmp/ottla-datadir-XXXXXX";
static char path_buffer[256];

static const char *
in_base(const char *name)
{
    snprintf(path_buffer, sizeof path_buffer, "%s/%s", base, name);
    return path_buffer;
}

static DatadirSettings
settings_for(const char *name)
{
    static char dir[256];

    snprintf(dir, sizeof dir, "%s/%s", base, name);
    return (DatadirSettings){.data_dir = dir,
                             .node_id = -1,
                             .auto_format = true,
                             .voter_listener = "CONTROLLER",
                             .voter_host = "localhost",
                             .voter_port = 9093};
}

static void
let_go(Datadir *dir)
{
    for (int i = 0; i < dir->place_count; i++)
        vfs_close(dir->places[i].lock_fd);
    if (dir->pid_fd >= 0)
        datadir_remove_pid_file(dir);
    vfs_close(dir->pid_fd);
    logdirs_clear();
}

/* Opens and closes again; the code, with the text in err. */
static int
try_open(const DatadirSettings *settings, ErrInfo *err)
{
    Datadir dir;
    int rc = datadir_prepare(settings, -1, -1, &dir, err);

    if (rc == 0)
        rc = datadir_open(&dir, settings, err);
    if (rc == 0)
        let_go(&dir);
    return rc;
}

static void
assert_refused(const DatadirSettings *settings, int code, const char *text)
{
    ErrInfo err = {0};

    assert_int_equal(try_open(settings, &err), code);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", err.text, text);
}

static void
formats_once(void **unused)
{
    DatadirSettings s = settings_for("one");
    ErrInfo err = {0};
    char cluster[NODE_CLUSTER_ID_MAX];
    Uuid meta_id;
    MetaProperties props;

    (void)unused; /* cmocka's signature */
    if (try_open(&s, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(node_info.freshly_formatted);
    assert_int_equal(node_info.node_id, 1);
    assert_int_equal(strlen(node_info.cluster_id), 22);
    memcpy(cluster, node_info.cluster_id, sizeof cluster);
    meta_id = node_info.metadata_dir_id;
    assert_int_equal(meta_properties_load(in_base("one/log"), &props, NULL), 0);
    assert_false(uuid_equal(props.directory_id, meta_id));

    assert_int_equal(try_open(&s, &err), 0);
    assert_false(node_info.freshly_formatted);
    assert_string_equal(node_info.cluster_id, cluster);
    assert_true(uuid_equal(node_info.metadata_dir_id, meta_id));

    s.node_id = 7;
    assert_refused(&s, OT_E_CONFIG, "node.id is 7");
    s.node_id = -1;
    s.cluster_id = "other";
    assert_refused(&s, OT_E_CONFIG, "cluster.id is other");
    s.cluster_id = NULL;
    assert_int_equal(chmod(s.data_dir, 0755), 0);
    assert_refused(&s, OT_E_PERMISSION, "mode 0755");
    assert_int_equal(chmod(s.data_dir, 0750), 0);
}

static void
completes_what_was_cut_short(void **unused)
{
    DatadirSettings s = settings_for("two");
    ErrInfo err = {0};

    (void)unused; /* cmocka's signature */
    assert_int_equal(try_open(&s, &err), 0);
    /* Killed between the two meta.properties: that of the metadata directory comes first. */
    assert_int_equal(unlink(in_base("two/log/meta.properties")), 0);
    assert_int_equal(try_open(&s, &err), 0);
    assert_int_equal(access(in_base("two/log/meta.properties"), F_OK), 0);
    s.auto_format = false;
    assert_int_equal(unlink(in_base("two/log/meta.properties")), 0);
    assert_refused(&s, OT_E_CONFIG, "--no-auto-format");
    s.auto_format = true;
    assert_int_equal(try_open(&s, &err), 0);
    assert_int_equal(unlink(in_base("two/meta/meta.properties")), 0);
    assert_refused(&s, OT_E_CONFIG, "its metadata is lost");
}

static void
refuses_strange_files(void **unused)
{
    DatadirSettings s = settings_for("three");

    (void)unused; /* cmocka's signature */
    assert_int_equal(mkdir(in_base("three"), 0750), 0);
    assert_int_equal(mkdir(in_base("three/log"), 0750), 0);
    assert_int_equal(mkdir(in_base("three/log/topic-0"), 0750), 0);
    assert_refused(&s, OT_E_CONFIG, "there is \"topic-0\"");
    assert_int_equal(access(in_base("three/ottlad.pid"), F_OK), -1);
    s = settings_for("absent");
    s.auto_format = false;
    assert_refused(&s, OT_E_NOT_FOUND, "does not exist");
}

static void
honours_log_dirs(void **unused)
{
    DatadirSettings s = settings_for("four");
    char dirs[512];
    ErrInfo err = {0};

    (void)unused; /* cmocka's signature */
    snprintf(dirs, sizeof dirs, "%s/a , %s/b/", base, base);
    s.log_dirs = dirs;
    if (try_open(&s, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(node_info.metadata_dir, in_base("a")); /* Kafka's rule: the first */
    assert_int_equal(access(in_base("b/meta.properties"), F_OK), 0);
    assert_int_equal(mkdir(in_base("b/__cluster_metadata-0"), 0750), 0);
    assert_refused(&s, OT_E_CONFIG, "outside of the metadata directory");
    snprintf(dirs, sizeof dirs, "%s/a,%s/a", base, base);
    assert_refused(&s, OT_E_CONFIG, "twice");
}

static void
names_the_holder(void **unused)
{
    DatadirSettings s = settings_for("five");
    ErrInfo err = {0};
    Datadir held;
    char text[64];

    (void)unused; /* cmocka's signature */
    assert_int_equal(datadir_prepare(&s, -1, -1, &held, &err), 0);
    assert_int_equal(datadir_open(&held, &s, &err), 0);
    const PidFileInfo info = {.port = 1, .socket_dir = "", .listen_address = "localhost"};
    assert_int_equal(datadir_write_pid_file(&held, &info, &err), 0);
    logdirs_clear();
    snprintf(text, sizeof text, "locked by process %d", (int)getpid());
    assert_refused(&s, OT_E_BUSY, text);
    let_go(&held);
    assert_int_equal(try_open(&s, &err), 0);
}

static int
make_base(void **unused)
{
    (void)unused; /* cmocka's signature */
    return mkdtemp(base) == NULL;
}

static int
remove_base(void **unused)
{
    (void)unused; /* cmocka's signature */
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", base, (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, NULL, 0) != pid;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_once),          cmocka_unit_test(completes_what_was_cut_short),
        cmocka_unit_test(refuses_strange_files), cmocka_unit_test(honours_log_dirs),
        cmocka_unit_test(names_the_holder),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
