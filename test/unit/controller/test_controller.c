/*
 * test_controller.c - the controller on real files: fresh start, requests, restart, torn tail, snapshots, faults
 *
 * Proves C1 to C3 of controller.h as far as one process can, M1 to M4 of metalog.h, and that what was
 * answered is there after a restart.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/vfs_faulty.h"
#include "ottla/storage/partition_slot.h"

static const char *folder;
static Controller controller;

static int
setup(void **state)
{
    (void)state;
    folder = kit_open(&controller, 0, 20000);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    kit_close(&controller, folder);
    return 0;
}

static void
restart(void)
{
    controller_stop(&controller);
    kit_region_end();
    kit_region(0, 20000);
    kit_start(&controller, folder);
}

static const Image *
image(void)
{
    return &controller.image.before;
}

static char *
in_log(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/__cluster_metadata-0/%s", folder, name);
    return path;
}

static void
test_fresh(void **state)
{
    const ImageBroker *broker = image_broker(image(), 1);
    StrView value;

    (void)state;
    assert_non_null(broker);
    assert_false(broker->fenced);
    assert_int_equal(broker->endpoint_count, 1);
    assert_int_equal(broker->log_dir_count, 1);
    assert_int_equal(image_feature(image(), STRVIEW("metadata.version")), 30);
    assert_int_equal(image_feature(image(), STRVIEW("kraft.version")), 1);
    assert_int_equal(image_feature(image(), STRVIEW("transaction.version")), 2);
    assert_true(image_config(image(), IMAGE_CONFIG_BROKER, STRVIEW(""),
                             STRVIEW("min.insync.replicas"), &value));
    assert_true(strview_equal(value, STRVIEW("1")));
    assert_int_equal(controller.quorum.epoch, 1);
    assert_int_equal(controller.quorum.high_watermark, controller.log.end_offset);
    assert_int_equal(access(in_log("quorum-state"), F_OK), 0);
    assert_int_equal(access(in_log("leader-epoch-checkpoint"), F_OK), 0);
    assert_int_equal(access(in_log("partition.metadata"), F_OK), 0);
}

static void
test_create_and_restart(void **state)
{
    const ImageTopic *topic;
    ImagePartition p;
    PartitionSlot *slot;
    Uuid id;

    (void)state;
    assert_int_equal(kit_create(&controller, "first", 3), 0);
    assert_int_equal(kit_create(&controller, "first", 3), KERR_TOPIC_ALREADY_EXISTS);
    assert_int_equal(kit_create(&controller, "a b", 3), KERR_INVALID_TOPIC_EXCEPTION);
    assert_int_equal(kit_create(&controller, "zero", 0), KERR_INVALID_PARTITIONS);
    assert_int_equal(kit_create(&controller, "with.dot", 1), 0);
    assert_int_equal(kit_create(&controller, "with_dot", 1), KERR_INVALID_TOPIC_EXCEPTION);
    topic = image_topic_by_name(image(), STRVIEW("first"));
    assert_non_null(topic);
    id = image_topic_id(topic);
    assert_int_equal(image_topic_partition_count(topic), 3);
    assert_true(image_topic_partition(topic, 2, &p));
    assert_int_equal(p.leader, 1);
    assert_int_equal(p.isr_count, 1);
    slot = pslot_find(p.ref);
    assert_non_null(slot);
    assert_int_equal(slot->partition, 2);
    assert_true(uuid_equal(slot->topic_id, id));
    assert_int_equal(pslot_leadership(slot).role, PSLOT_ROLE_LEADER);

    restart();
    assert_int_equal(controller.quorum.epoch, 2);
    topic = image_topic_by_name(image(), STRVIEW("first"));
    assert_non_null(topic);
    assert_true(uuid_equal(image_topic_id(topic), id));
    assert_ptr_equal(image_topic_by_id(image(), id), topic);
    assert_true(image_topic_partition(topic, 2, &p));
    assert_int_equal(p.leader_epoch, 0); /* stopped in order: nothing to raise */
    assert_non_null(pslot_find(p.ref));
    assert_int_equal(kit_create(&controller, "with_dot", 1), KERR_INVALID_TOPIC_EXCEPTION);
}

static void
test_unclean_start_raises_epochs(void **state)
{
    ControllerSettings settings;
    ErrInfo err = {0};
    ImagePartition p;

    (void)state;
    assert_int_equal(kit_create(&controller, "t", 2), 0);
    controller_stop(&controller);
    kit_region_end();
    kit_region(0, 20000);
    settings = kit_settings(folder);
    settings.logs_may_be_short = true;
    assert_true(logdir_add(folder, settings.metadata_dir_id, &err) >= 0);
    assert_int_equal(controller_start(&controller, &settings, clock_wall_ms(), &err), 0);
    assert_true(image_topic_partition(image_topic_by_name(image(), STRVIEW("t")), 1, &p));
    assert_int_equal(p.leader_epoch, 1);
    assert_int_equal(pslot_leadership(pslot_find(p.ref)).leader_epoch, 1);
}

/* A living node that is unregistered comes back before the answer leaves, and leads what it led. */
static void
test_unregister_self(void **state)
{
    UnregisterBrokerRequest request = {.broker_id = 1};
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    TurnItem item;
    ImagePartition p;
    int64_t epoch;

    (void)state;
    assert_int_equal(kit_create(&controller, "t", 2), 0);
    epoch = image_broker(image(), 1)->epoch;
    item = one_node_item(&unregister_broker_request_desc, 0, &request, arena);
    assert_int_equal(controller_turn(&controller, &item, 1, arena, clock_wall_ms(), &err), 0);
    assert_int_equal(item.status, 0);
    assert_non_null(image_broker(image(), 1));
    assert_true(image_broker(image(), 1)->epoch > epoch);
    assert_false(image_broker(image(), 1)->fenced);
    assert_true(image_topic_partition(image_topic_by_name(image(), STRVIEW("t")), 1, &p));
    assert_int_equal(p.leader, 1);
    assert_int_equal(p.isr_count, 1);
    assert_int_equal(p.elr_count, 0);
    assert_int_equal(p.last_known_elr_count, 0);
    assert_int_equal(pslot_leadership(pslot_find(p.ref)).role, PSLOT_ROLE_LEADER);
    arena_free(arena);
    restart();
    assert_true(image_topic_partition(image_topic_by_name(image(), STRVIEW("t")), 1, &p));
    assert_int_equal(p.leader, 1);
}

/* M1, M2: what a crash leaves behind the last flushed batch is cut, at any byte. */
static void
test_torn_tail(void **state)
{
    struct stat before, after;
    char path[512];
    int64_t end;
    int fd;

    (void)state;
    assert_int_equal(kit_create(&controller, "kept", 1), 0);
    snprintf(path, sizeof path, "%s", in_log("00000000000000000000.log"));
    assert_int_equal(stat(path, &before), 0);
    end = controller.log.end_offset;
    assert_int_equal(kit_create(&controller, "torn", 1), 0);
    assert_int_equal(stat(path, &after), 0);
    controller_stop(&controller);
    kit_region_end();
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, after.st_size - 7), 0);
    close(fd);
    kit_region(0, 20000);
    kit_start(&controller, folder);
    assert_non_null(image_topic_by_name(image(), STRVIEW("kept")));
    assert_null(image_topic_by_name(image(), STRVIEW("torn")));
    assert_true(controller.log.end_offset > end);
    restart();
    assert_non_null(image_topic_by_name(image(), STRVIEW("kept")));
}

static void
test_delete(void **state)
{
    DeleteTopicsRequestTopic topics[3];
    DeleteTopicsRequest request;
    DeleteTopicsResponse response;
    Arena *arena = arena_new(65536, 0);
    ImagePartition p;
    PartitionRef ref;
    ErrInfo err = {0};
    TurnItem item;
    WireReader r;

    (void)state;
    assert_int_equal(kit_create(&controller, "gone", 2), 0);
    assert_true(image_topic_partition(image_topic_by_name(image(), STRVIEW("gone")), 0, &p));
    ref = p.ref;
    delete_topics_request_init(&request);
    for (int i = 0; i < 3; i++)
        delete_topics_request_topic_init(&topics[i]);
    topics[0].name = STRVIEW("gone");
    topics[1].name = STRVIEW("never");
    topics[2].topic_id = random_uuid();
    request.topics = topics;
    request.topics_count = 3;
    request.timeout_ms = 1000;
    item = one_node_item(&delete_topics_request_desc, 6, &request, arena);
    assert_int_equal(controller_turn(&controller, &item, 1, arena, clock_wall_ms(), &err), 0);
    assert_int_equal(item.status, 0);
    wire_reader_init(&r, item.body.ptr, (size_t)item.body.len, arena);
    delete_topics_response_read(&r, 6, &response);
    assert_int_equal(response.responses_count, 3);
    for (int i = 0; i < 3; i++) {
        DeleteTopicsResponseTopic *t = &response.responses[i];
        int16_t wanted = t->name.ptr == NULL ? KERR_UNKNOWN_TOPIC_ID
                         : strview_equal(t->name, STRVIEW("gone"))
                             ? 0
                             : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        assert_int_equal(t->error_code, wanted);
    }
    assert_null(image_topic_by_name(image(), STRVIEW("gone")));
    assert_null(pslot_find(ref));
    assert_int_equal(image_partition_count(image()), 0);
    restart();
    assert_null(image_topic_by_name(image(), STRVIEW("gone")));
    arena_free(arena);
}

static void
test_grow_and_producer_ids(void **state)
{
    CreatePartitionsRequestTopic topic;
    CreatePartitionsRequest request;
    AllocateProducerIdsRequest ids;
    AllocateProducerIdsResponse block;
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    TurnItem items[3];
    WireReader r;

    (void)state;
    assert_int_equal(kit_create(&controller, "grown", 1), 0);
    create_partitions_request_init(&request);
    create_partitions_request_topic_init(&topic);
    topic.name = STRVIEW("grown");
    topic.count = 5;
    topic.assignments_count = -1; /* null: placed by the controller */
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = 1000;
    allocate_producer_ids_request_init(&ids);
    ids.broker_id = 1;
    ids.broker_epoch = image_broker(image(), 1)->epoch;
    items[0] = one_node_item(&create_partitions_request_desc, 3, &request, arena);
    items[1] = one_node_item(&allocate_producer_ids_request_desc, 0, &ids, arena);
    items[2] = one_node_item(&allocate_producer_ids_request_desc, 0, &ids, arena);
    assert_int_equal(controller_turn(&controller, items, 3, arena, clock_wall_ms(), &err), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(items[i].status, 0);
    for (int i = 1; i < 3; i++) { /* each sees what was decided before it in the turn */
        wire_reader_init(&r, items[i].body.ptr, (size_t)items[i].body.len, arena);
        allocate_producer_ids_response_read(&r, 0, &block);
        assert_int_equal(block.error_code, 0);
        assert_int_equal(block.producer_id_start, (i - 1) * 1000);
        assert_int_equal(block.producer_id_len, 1000);
    }
    restart();
    assert_int_equal(image_topic_partition_count(image_topic_by_name(image(), STRVIEW("grown"))),
                     5);
    assert_int_equal(image_next_producer_id(image()), 2000);
    arena_free(arena);
}

/* A snapshot, deletion of what it covers, and a start from it. */
static void
test_snapshot_and_clean(void **state)
{
    ErrInfo err = {0};
    char name[64];

    (void)state;
    controller.log.settings.segment_bytes = 2048;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "topic-%d", i);
        assert_int_equal(kit_create(&controller, name, 2), 0);
    }
    assert_true(controller.log.segment_count > 3);
    assert_int_equal(controller_snapshot(&controller, clock_wall_ms(), &err), 0);
    assert_int_equal(controller_snapshot(&controller, clock_wall_ms(), &err), OT_E_EXISTS);
    controller.log.settings.max_retention_bytes = 1;
    assert_int_equal(controller_housekeep(&controller, clock_wall_ms(), &err), 0);
    assert_int_equal(controller.log.snapshot_count, 1);
    assert_int_equal(controller.log.segment_count, 1);
    assert_int_equal(kit_create(&controller, "after", 1), 0);
    restart();
    assert_int_equal(image_topic_count(image()), 41);
    assert_int_equal(image_partition_count(image()), 81);
    assert_int_equal(image_feature(image(), STRVIEW("kraft.version")), 1);
    assert_non_null(image_topic_by_name(image(), STRVIEW("after")));
}

/* A snapshot when its interval is over, also after the clock was set back by a day. */
static void
test_snapshot_by_time(void **state)
{
    int64_t hour = controller.settings.snapshot_interval_ms;
    int64_t now = clock_wall_ms();
    ErrInfo err = {0};
    int64_t before;

    (void)state;
    assert_int_equal(kit_create(&controller, "a", 1), 0);
    assert_int_equal(controller_housekeep(&controller, now + hour - 10000, &err), 0);
    assert_true(controller.log.bytes_since_snapshot > 0);
    assert_int_equal(controller_housekeep(&controller, now + hour, &err), 0);
    assert_int_equal(controller.log.bytes_since_snapshot, 0);
    assert_int_equal(kit_create(&controller, "b", 1), 0);
    now -= 24 * hour;
    before = controller.log.bytes_since_snapshot;
    assert_int_equal(controller_housekeep(&controller, now, &err), 0);
    assert_int_equal(controller.log.bytes_since_snapshot, before);
    assert_int_equal(controller_housekeep(&controller, now + hour, &err), 0);
    assert_int_equal(controller.log.bytes_since_snapshot, 0);
}

/* An image that is full fails the change alone; what was there stays, and smaller changes pass. */
static void
test_full_image(void **state)
{
    char name[64];
    int16_t code = 0;
    int made = 0;

    (void)state;
    controller_stop(&controller);
    kit_region_end();
    kit_region((size_t)1 << 20, 20000);
    kit_start(&controller, folder);
    for (; code == 0 && made < 10000; made++) {
        snprintf(name, sizeof name, "topic-%d", made);
        code = kit_create(&controller, name, 50);
    }
    made--;
    assert_int_equal(code, KERR_REQUEST_TIMED_OUT);
    assert_int_equal(image_topic_count(image()), made);
    assert_null(image_topic_by_name(image(), strview_from(name)));
    assert_int_equal(controller.hosting.slots_used, made * 50);
}

/* ---- disks that are full or broken (design.md 6) --------------------------------------------------- */

/* One decision; the return code of the turn in *ret_rc. */
static int16_t
turn_item(TurnItem item, Arena *arena, int *ret_rc)
{
    ErrInfo err = {0};

    *ret_rc = controller_turn(&controller, &item, 1, arena, clock_wall_ms(), &err);
    arena_free(arena);
    return item.status;
}

static int16_t
turn(const MessageDesc *desc, int16_t version, const void *request, int *ret_rc)
{
    Arena *arena = arena_new(65536, 0);

    return turn_item(one_node_item(desc, version, request, arena), arena, ret_rc);
}

static int16_t
turn_create(const char *name, int *ret_rc)
{
    Arena *arena = arena_new(65536, 0);

    return turn_item(one_node_create_item(name, 1, arena), arena, ret_rc);
}

static int
ignore_batch(void *arg, BytesView batch, bool from_snapshot, ErrInfo *err)
{
    (void)arg;
    (void)batch;
    (void)from_snapshot;
    (void)err;
    return 0;
}

static int16_t
delete_topic(const char *name)
{
    DeleteTopicsRequestTopic topic;
    DeleteTopicsRequest request;
    int16_t status;
    int rc;

    delete_topics_request_topic_init(&topic);
    topic.name = strview_from(name);
    delete_topics_request_init(&request);
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = 1000;
    status = turn(&delete_topics_request_desc, 6, &request, &rc);
    assert_int_equal(rc, 0);
    return status;
}

/* A full disk: nothing of the request is there, and when there is space the next one works. */
static void
test_no_space(void **state)
{
    int64_t end = controller.log.end_offset;

    (void)state;
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_PWRITEV, .nth = 1, .errno_value = ENOSPC, .short_bytes = -1});
    assert_int_equal(kit_create(&controller, "full", 2), KERR_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_int_equal(controller.log.end_offset, end);
    assert_null(image_topic_by_name(image(), STRVIEW("full")));
    assert_int_equal(kit_create(&controller, "full", 2), 0);
    restart();
    assert_non_null(image_topic_by_name(image(), STRVIEW("full")));
}

/* While there is no space, what makes room lives on the reserve; the rest is refused and not written. */
static void
test_full_disk_takes_deletes(void **state)
{
    AllocateProducerIdsRequest ids;
    int rc;

    (void)state;
    assert_int_equal(kit_create(&controller, "victim", 1), 0);
    vfs_faulty_install();
    vfs_faulty_plan(
        (VfsFault){.call = VFS_CALL_PWRITEV, .nth = 1, .errno_value = EDQUOT, .short_bytes = 5});
    assert_int_equal(kit_create(&controller, "more", 1), KERR_KAFKA_STORAGE_ERROR);
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_FALLOCATE,
                               .nth = 1,
                               .and_later = true,
                               .errno_value = EDQUOT,
                               .short_bytes = -1});
    assert_int_equal(kit_create(&controller, "more", 1), KERR_KAFKA_STORAGE_ERROR);
    assert_int_equal(vfs_faulty_count(VFS_CALL_PWRITEV), 0);
    allocate_producer_ids_request_init(&ids);
    ids.broker_id = 1;
    assert_int_equal(turn(&allocate_producer_ids_request_desc, 0, &ids, &rc), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(delete_topic("victim"), 0);
    assert_null(image_topic_by_name(image(), STRVIEW("victim")));
    assert_int_equal(kit_create(&controller, "more", 1), KERR_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_int_equal(kit_create(&controller, "more", 1), 0);
    restart();
    assert_null(image_topic_by_name(image(), STRVIEW("victim")));
    assert_non_null(image_topic_by_name(image(), STRVIEW("more")));
}

/*
 * Each call of a turn that rolls finds no space, once: the change is there or not, nothing else is lost,
 * and only a flush is taken for a broken disk.
 */
static void
test_no_space_at_any_call(void **state)
{
    int created = 0;

    (void)state;
    controller.log.settings.segment_bytes = 1;
    for (uint64_t nth = 1; nth < 60; nth++) {
        char name[16];
        uint64_t calls;
        int16_t status;
        int rc;

        (void)snprintf(name, sizeof name, "t%d", (int)nth);
        vfs_faulty_install();
        vfs_faulty_plan(
            (VfsFault){.call = VFS_CALL_ANY, .nth = nth, .errno_value = ENOSPC, .short_bytes = -1});
        status = turn_create(name, &rc);
        calls = vfs_faulty_count(VFS_CALL_ANY);
        vfs_faulty_remove();
        if (rc != 0) {
            assert_int_equal(rc, OT_E_IO);
            restart(); /* what was written and not flushed may be there, or not */
            controller.log.settings.segment_bytes = 1;
            if (image_topic_by_name(image(), strview_from(name)) == NULL)
                assert_int_equal(kit_create(&controller, name, 1), 0);
        } else if (status == KERR_KAFKA_STORAGE_ERROR) {
            assert_null(image_topic_by_name(image(), strview_from(name)));
            assert_int_equal(kit_create(&controller, name, 1), 0);
        } else {
            assert_int_equal(status, 0);
        }
        created++;
        if (calls < nth)
            break;
        assert_true(nth < 50);
    }
    assert_true(created > 5);
    restart();
    assert_int_equal(image_topic_count(image()), created);
}

/* EIO and a failed flush end the node; the next start can write the last segment into new files. */
static void
test_broken_disk(void **state)
{
    static const VfsCall calls[] = {VFS_CALL_PWRITEV, VFS_CALL_FSYNC};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const char *name = i == 0 ? "a" : "b";
        int rc;

        vfs_faulty_install();
        vfs_faulty_plan(
            (VfsFault){.call = calls[i], .nth = 1, .errno_value = EIO, .short_bytes = -1});
        (void)turn_create(name, &rc); /* nobody is answered */
        assert_int_equal(rc, OT_E_IO);
        vfs_faulty_plan((VfsFault){.call = VFS_CALL_COUNT});
        controller_stop(&controller);
        kit_region_end();
        kit_region(0, 20000);
        {
            MetaLogSettings settings = kit_settings(folder).log;
            MetaReader nobody = {ignore_batch, NULL};
            struct stat was, now;
            MetaLog log;

            settings.renew = true;
            assert_int_equal(stat(in_log("00000000000000000000.log"), &was), 0);
            assert_int_equal(metalog_open(&log, folder, &settings, NULL), 0);
            assert_int_equal(metalog_replay(&log, &nobody, NULL), 0);
            assert_int_equal(metalog_make_writable(&log, NULL), 0);
            assert_int_equal(stat(in_log("00000000000000000000.log"), &now), 0);
            assert_int_not_equal(was.st_ino, now.st_ino);
            assert_true(now.st_size <= was.st_size);
            metalog_close(&log);
        }
        vfs_faulty_remove();
        kit_start(&controller, folder);
        /* not written at all, or written and only not flushed */
        assert_int_equal(image_topic_by_name(image(), strview_from(name)) != NULL, i == 1);
    }
}

/* A node starts on a full disk: its new epoch takes the blocks of the reserve. */
static void
test_start_on_a_full_disk(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 30; nth++) {
        uint64_t calls;

        controller_stop(&controller);
        kit_region_end();
        kit_region(0, 20000);
        vfs_faulty_install();
        vfs_faulty_plan((VfsFault){
            .call = VFS_CALL_PWRITEV, .nth = nth, .errno_value = ENOSPC, .short_bytes = -1});
        kit_start(&controller, folder);
        calls = vfs_faulty_count(VFS_CALL_PWRITEV);
        vfs_faulty_remove();
        assert_int_equal(kit_create(&controller, "topic", 1), nth == 1 ? 0 : 36);
        if (calls < nth)
            return;
    }
    fail_msg("more writes than thought");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_and_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unregister_self, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unclean_start_raises_epochs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grow_and_producer_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_and_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_image, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_takes_deletes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_space_at_any_call, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_on_a_full_disk, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
