/*
 * test_meta_properties.c - meta.properties as Kafka writes it, and as nobody should
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/postmaster/meta_properties.h"

/* As kafka-storage of 4.3 leaves it: a comment with the date, then the keys in its own order. */
static const char kafkas[] = "#\n#Wed Mar 05 10:00:00 UTC 2025\n"
                             "cluster.id=I2eXt9rvSnyhct8BYmW6-w\n"
                             "directory.id=gtuYsYFSLpUJtA3OK6eDWA\n"
                             "node.id=3\nversion=1\nextra.key=1\n";

static void
reads_kafkas(void **unused)
{
    MetaProperties props;
    char id[UUID_TEXT_LEN + 1];

    (void)unused; /* cmocka's signature */
    assert_int_equal(meta_properties_parse(strview_from(kafkas), &props, NULL), 0);
    assert_int_equal(props.version, 1);
    assert_int_equal(props.node_id, 3);
    assert_string_equal(props.cluster_id, "I2eXt9rvSnyhct8BYmW6-w");
    assert_true(props.has_directory_id);
    uuid_to_text(props.directory_id, id);
    assert_string_equal(id, "gtuYsYFSLpUJtA3OK6eDWA");
    assert_int_equal(meta_properties_parse(STRVIEW("version=0\nbroker.id=2\n"), &props, NULL), 0);
    assert_int_equal(props.node_id, 2);
    assert_false(props.has_directory_id);
}

static void
prints_what_it_reads(void **unused)
{
    MetaProperties props, again;
    char text[META_PROPERTIES_MAX];
    char dir[] = "/tmp/ottla-meta-XXXXXX";
    char path[64];

    (void)unused; /* cmocka's signature */
    assert_int_equal(meta_properties_parse(strview_from(kafkas), &props, NULL), 0);
    int len = meta_properties_print(&props, text);
    assert_string_equal(text, "version=1\ncluster.id=I2eXt9rvSnyhct8BYmW6-w\nnode.id=3\n"
                              "directory.id=gtuYsYFSLpUJtA3OK6eDWA\n");
    assert_int_equal(meta_properties_parse((StrView){text, len}, &again, NULL), 0);
    assert_memory_equal(&props.directory_id, &again.directory_id, 16);

    assert_non_null(mkdtemp(dir));
    assert_int_equal(meta_properties_load(dir, &again, NULL), OT_E_NOT_FOUND);
    assert_int_equal(meta_properties_store(dir, &props, NULL), 0);
    assert_int_equal(meta_properties_load(dir, &again, NULL), 0);
    assert_string_equal(again.cluster_id, props.cluster_id);
    snprintf(path, sizeof path, "%s/meta.properties", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void
refuses_damage(void **unused)
{
    static const char *const bad[] = {
        "version=1\nnode.id=1\n",
        "version=1\ncluster.id=x\n",
        "version=2\ncluster.id=x\nnode.id=1\n",
        "version=1\ncluster.id=x\nnode.id=-1\n",
        "version=1\ncluster.id=x\nnode.id=one\n",
        "version=1\ncluster.id=x\nnode.id=1\ndirectory.id=short\n",
        "version=1\ncluster.id=\nnode.id=1\n",
        "version=1\nno separator\n",
        "version=1\ncluster.id=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
    };
    MetaProperties props;

    (void)unused; /* cmocka's signature */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(meta_properties_parse(strview_from(bad[i]), &props, NULL), OT_E_CORRUPT);
    for (size_t cut = 0; cut < sizeof kafkas; cut++) /* no prefix reads beyond its end */
        (void)meta_properties_parse((StrView){kafkas, (int32_t)cut}, &props, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_kafkas),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(refuses_damage),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
