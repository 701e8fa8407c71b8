/*
 * test_image.c - the image: maps against a model, generations, readers beside the writer, killed readers
 *
 * Proves I1 and I2 of image_int.h: readers in threads (under ThreadSanitizer, too) and in processes see
 * whole generations only; a pin keeps what it reaches, the pin of a dead process does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_kit.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/image_build.h"
#include "ottla/common/clock.h"
#include "ottla/common/random.h"
#include "ottla/ipc/slot.h"

static ImageWriter writer;

static int
setup(void **state)
{
    (void)state;
    kit_region((size_t)16 << 20, 16);
    image_writer_init(&writer);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    image_writer_fini(&writer);
    kit_region_end();
    return 0;
}

/* ---- maps ---- */

#define KEYS 500

static int32_t
check_tree(const MapNode *node, int *io_count)
{
    int32_t l, r;

    if (node == NULL)
        return 0;
    l = check_tree(node->left, io_count);
    r = check_tree(node->right, io_count);
    assert_true(l - r <= 1 && r - l <= 1);
    assert_int_equal(node->height, 1 + (l > r ? l : r));
    ++*io_count;
    return node->height;
}

static BytesView
key_number(int number, char text[16])
{
    snprintf(text, 16, "key-%d", number);
    return (BytesView){(const uint8_t *)text, (int32_t)strlen(text)};
}

static void
check_against(const bool *model, const MapNode *root)
{
    char text[16];
    int wanted = 0, found = 0, walked = 0;

    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(image_map_find(root, key_number(i, text)) != NULL, model[i]);
        wanted += model[i];
    }
    (void)check_tree(root, &found);
    assert_int_equal(found, wanted);
    for (const MapNode *node = map_after(root, (BytesView){NULL, 0}, true), *last = NULL;
         node != NULL;
         last = node, node = map_after(root, (BytesView){node->key, node->key_len}, false)) {
        if (last != NULL)
            assert_true(image_key_compare((BytesView){last->key, last->key_len},
                                          (BytesView){node->key, node->key_len}) < 0);
        walked++;
    }
    assert_int_equal(walked, wanted);
}

static void
test_map_model(void **state)
{
    bool model[KEYS] = {false}, kept[KEYS];
    RandomSeq seq = {.state = 42};
    const MapNode *old_root = NULL;
    char text[16];

    (void)state;
    memcpy(kept, model, sizeof kept);
    for (int round = 0; round < 200; round++) {
        for (int n = 0; n < 40; n++) {
            int number = (int)random_seq_below(&seq, KEYS);
            BytesView key = key_number(number, text);

            if (random_seq_below(&seq, 3) > 0) {
                assert_int_equal(build_entry(&writer, MAP_ACL, key, key), 0);
                model[number] = true;
            } else {
                assert_int_equal(build_remove_entry(&writer, MAP_ACL, key),
                                 model[number] ? 0 : OT_E_NOT_FOUND);
                model[number] = false;
            }
        }
        /* The last committed generation has not moved [I1]. */
        check_against(kept, old_root);
        if (random_seq_below(&seq, 4) == 0) {
            image_abort(&writer);
            memcpy(model, kept, sizeof kept);
        } else {
            image_commit(&writer);
            memcpy(kept, model, sizeof kept);
        }
        old_root = writer.before.maps[MAP_ACL];
        check_against(model, writer.now.maps[MAP_ACL]);
        assert_int_equal(writer.now.counts[MAP_ACL], writer.before.counts[MAP_ACL]);
    }
}

/* Everything that is taken out comes back, aborts included. */
static void
test_memory_comes_back(void **state)
{
    ImagePartition p = {.replicas = (const int32_t[]){1, 2, 3},
                        .replica_count = 3,
                        .isr = (const int32_t[]){1},
                        .isr_count = 1};
    char name[32];
    Uuid ids[200];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "topic.%d", i);
        ids[i] = random_uuid();
        assert_int_equal(build_topic(&writer, strview_from(name), ids[i]), 0);
        for (p.partition = 0; p.partition < 20; p.partition++)
            assert_int_equal(build_partition(&writer, ids[i], &p), 0);
        if (i % 7 == 0) {
            image_abort(&writer);
            assert_int_equal(build_topic(&writer, strview_from(name), ids[i]), 0);
        }
        image_commit(&writer);
    }
    assert_true(writer.used > 100000);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(build_remove_topic(&writer, ids[i]), 0);
        image_commit(&writer);
    }
    assert_int_equal(image_publish(&writer), 0);
    image_reclaim(&writer);
    assert_int_equal(writer.used, 0);
    assert_int_equal(writer.now.partition_count, 0);
    assert_int_equal(writer.now.counts[MAP_ALIKE], 0);
}

/* ---- readers beside the writer ---- */

/*
 * The writer keeps two topics of the same number of partitions, all of the same leader epoch: a reader
 * that sees anything else saw half a change or memory that was used again.
 */
static const char *const twins[2] = {"twin-a", "twin-b"};
static Uuid twin_ids[2];

static void
write_generation(RandomSeq *seq, int32_t epoch)
{
    int32_t parts = 1 + (int32_t)random_seq_below(seq, 30);

    for (int t = 0; t < 2; t++) {
        if (epoch > 1)
            assert_int_equal(build_remove_topic(&writer, twin_ids[t]), 0);
        twin_ids[t] = random_uuid();
        assert_int_equal(build_topic(&writer, strview_from(twins[t]), twin_ids[t]), 0);
        for (int32_t i = 0; i < parts; i++) {
            int32_t replicas[3] = {epoch, epoch, epoch};
            ImagePartition p = {.partition = i,
                                .leader = 1,
                                .leader_epoch = epoch,
                                .replicas = replicas,
                                .replica_count = 3};

            assert_int_equal(build_partition(&writer, twin_ids[t], &p), 0);
        }
    }
    image_commit(&writer);
    assert_int_equal(image_publish(&writer), 0);
}

/* False: half a generation was seen. */
static bool
read_generation(const Image *image)
{
    const ImageTopic *topics[2];
    ImagePartition first, p;

    for (int t = 0; t < 2; t++) {
        topics[t] = image_topic_by_name(image, strview_from(twins[t]));
        if (topics[t] == NULL || image_topic_by_id(image, image_topic_id(topics[t])) != topics[t])
            return false;
    }
    if (image_topic_partition_count(topics[0]) != image_topic_partition_count(topics[1]) ||
        !image_topic_partition(topics[0], 0, &first))
        return false;
    for (int t = 0; t < 2; t++)
        for (int32_t i = 0; i < image_topic_partition_count(topics[t]); i++)
            if (!image_topic_partition(topics[t], i, &p) || p.leader_epoch != first.leader_epoch ||
                p.replica_count != 3 || p.replicas[2] != first.leader_epoch || p.partition != i)
                return false;
    return true;
}

static AtomicU32 stop, bad, reads;

static void *
reader_thread(void *arg)
{
    int32_t slot = *(const int32_t *)arg;

    while (atomic_u32_load(&stop) == 0) {
        const Image *image = image_pin_slot(slot);

        if (!read_generation(image))
            atomic_u32_store(&bad, 1);
        image_unpin_slot(slot);
        (void)atomic_u32_add(&reads, 1);
    }
    return NULL;
}

static void
test_readers_in_threads(void **state)
{
    pthread_t threads[3];
    int32_t slots[3] = {1, 5, 70};
    RandomSeq seq = {.state = 7};

    (void)state;
    atomic_u32_store(&stop, 0);
    write_generation(&seq, 1);
    for (int i = 0; i < 3; i++) {
        (void)slot_prepare(slots[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, reader_thread, &slots[i]), 0);
    }
    for (int32_t epoch = 2; epoch < 2000; epoch++) {
        write_generation(&seq, epoch);
        image_reclaim(&writer);
    }
    atomic_u32_store(&stop, 1);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    print_message("# %u reads beside 2,000 generations\n", atomic_u32_load(&reads));
    assert_int_equal(atomic_u32_load(&bad), 0);
    image_reclaim(&writer);
    assert_true(writer.used < 200000); /* nothing piled up */
}

/* Reads until it is killed; a fault of reading ends it with another status than SIGKILL. */
static _Noreturn void
reader_process(int32_t slot)
{
    for (;;) {
        const Image *image = image_pin_slot(slot);

        if (!read_generation(image))
            _exit(3);
        image_unpin_slot(slot);
    }
}

static void
test_killed_readers(void **state)
{
    RandomSeq seq = {.state = 11};
    int32_t epoch = 1;

    (void)state;
    write_generation(&seq, epoch);
    for (int round = 0; round < 60; round++) {
        int32_t slot = round % 4;
        uint32_t generation = slot_prepare(slot);
        int64_t until = clock_mono_us() + 1000 + (int64_t)random_seq_below(&seq, 3000);
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
            reader_process(slot);
        while (clock_mono_us() < until) {
            write_generation(&seq, ++epoch);
            image_reclaim(&writer);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        /* Until the supervisor says so, the dead one's pin holds its generation. */
        write_generation(&seq, ++epoch);
        slot_mark_dead(slot, generation);
        write_generation(&seq, ++epoch);
        image_reclaim(&writer);
        assert_true(writer.used < 200000);
    }
    print_message("# %" PRId32 " generations, 60 readers killed\n", epoch);
}

static void
test_pin_keeps_its_generation(void **state)
{
    RandomSeq seq = {.state = 3};
    const Image *image;
    uint64_t generation;
    int32_t slot;
    int64_t since;

    (void)state;
    assert_null(image_pin_slot(2)); /* nothing is published */
    (void)slot_prepare(2);
    write_generation(&seq, 1);
    image = image_pin_slot(2);
    generation = image_generation(image);
    for (int32_t epoch = 2; epoch < 500; epoch++) {
        write_generation(&seq, epoch);
        image_reclaim(&writer);
        assert_true(read_generation(image));
    }
    assert_int_equal(image_generation(image), generation);
    assert_int_equal(image_oldest_pin(&slot, &since), generation);
    assert_int_equal(slot, 2);
    assert_true(since > 0);
    image_unpin_slot(2);
    image_reclaim(&writer);
    assert_true(writer.used < 100000);
    assert_int_equal(image_oldest_pin(&slot, &since), UINT64_MAX);
}

/* Who holds on to an old generation is killed, but for the owner of a new one or of a young pin. */
static void
test_old_pins_are_killed(void **state)
{
    RandomSeq seq = {.state = 3};
    uint64_t generation;
    pid_t child;
    uint32_t slot_generation = slot_prepare(2);
    int pinned[2], status;
    char byte;

    (void)state;
    assert_int_equal(pipe(pinned), 0);
    write_generation(&seq, 1);
    child = fork();
    if (child == 0) {
        atomic_i32_store(&slot_at(2)->pid, (int)getpid());
        (void)image_pin_slot(2);
        (void)!write(pinned[1], "", 1);
        for (;;)
            (void)pause();
    }
    close(pinned[1]);
    assert_int_equal(read(pinned[0], &byte, 1), 1);
    close(pinned[0]);
    assert_int_equal(image_kill_old_pin(&writer, clock_mono_us(), &generation), 0); /* the newest */
    write_generation(&seq, 2);
    assert_int_equal(image_kill_old_pin(&writer, clock_mono_us() - 60000000, &generation), 0);
    assert_int_equal(image_kill_old_pin(&writer, clock_mono_us(), &generation), child);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    slot_mark_dead(2, slot_generation);
    assert_int_equal(image_kill_old_pin(&writer, clock_mono_us(), &generation), 0);
}

/* A pin as old as the ring stops publication and nothing else. */
static void
test_ring_of_roots(void **state)
{
    RandomSeq seq = {.state = 3};
    uint8_t key = 1;

    (void)state;
    (void)slot_prepare(2);
    write_generation(&seq, 1);
    assert_non_null(image_pin_slot(2));
    for (int i = 0; i < IMAGE_ROOT_RING - 1; i++) {
        assert_int_equal(build_entry(&writer, MAP_ACL, (BytesView){&key, 1}, (BytesView){&key, 1}),
                         0);
        image_commit(&writer);
        assert_int_equal(image_publish(&writer), 0);
    }
    image_commit(&writer);
    assert_int_equal(image_publish(&writer), OT_E_BUSY);
    image_unpin_slot(2);
    assert_int_equal(image_publish(&writer), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_map_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_in_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pin_keeps_its_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_pins_are_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_of_roots, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
