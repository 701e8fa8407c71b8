/*
 * disk.c - a disk that writes down what was asked of it and can lose power at any instant
 *
 * Files are inodes with the bytes they had at the beginning, folders inodes with the names. The record is
 * a list of operations on inodes; each knows when it was synced by looking for a later sync of its inode.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ottla/common/arena.h"
#include "ottla/common/assert.h"
#include "ottla/common/limits.h"
#include "ottla/common/vfs.h"
#include "ottla/storage/reserve.h"

#define SECTOR     512
#define FDS_MAX    4096
#define NO_INODE   (-1)
#define ROOT_INODE 0

typedef enum OpKind {
    OP_WRITE,
    OP_TRUNCATE,
    OP_LINK, /* a new file or folder gets its name */
    OP_UNLINK,
    OP_RENAME,
    OP_SYNC,
    OP_SYNC_ALL,
} OpKind;

typedef struct Op {
    OpKind kind;
    int32_t inode; /* the file; the folder of the names */
    int32_t child; /* LINK, RENAME: what gets the name */
    const char *name;
    const char *to; /* RENAME */
    int64_t pos;    /* TRUNCATE: the size */
    int64_t len;
    const uint8_t *bytes;
} Op;

typedef struct Name {
    const char *name; /* NULL: free */
    int32_t inode;
} Name;

/* Names of a folder, or bytes of a file. */
typedef struct Content {
    Name *names;
    int32_t name_count;
    uint8_t *bytes;
    int64_t size;
    int64_t room;
} Content;

typedef struct Inode {
    bool is_folder;
    int32_t parent; /* folder in which it is: nothing moves between folders here */
    Content base;   /* at the beginning */
    Content now;    /* names alone: bytes are in the real file */
} Inode;

static struct Disk {
    char root[LIMIT_PATH_BYTES];
    size_t root_len;
    Arena *arena;
    Inode *inodes;
    int32_t inode_count, inode_room;
    Op *ops;
    int64_t op_count, op_room;
    int32_t fd_inode[FDS_MAX];
    DiskFault fault;
} disk;

/* ---- contents ----------------------------------------------------------------------------------- */

static Name *
find_name(Content *c, const char *name)
{
    for (int32_t i = 0; i < c->name_count; i++) {
        if (c->names[i].name != NULL && strcmp(c->names[i].name, name) == 0)
            return &c->names[i];
    }
    return NULL;
}

static void
remove_name(Content *c, const char *name)
{
    Name *at = find_name(c, name);

    if (at != NULL)
        at->name = NULL;
}

/* name is kept by pointer. */
static void
put_name(Content *c, const char *name, int32_t inode)
{
    Name *at = find_name(c, name);

    for (int32_t i = 0; at == NULL && i < c->name_count; i++)
        at = c->names[i].name == NULL ? &c->names[i] : NULL;
    if (at == NULL) {
        if ((c->name_count & (c->name_count - 1)) == 0) { /* room is the next power of two */
            size_t room = c->name_count == 0 ? 1 : (size_t)c->name_count * 2;

            c->names = realloc(c->names, room * sizeof *c->names);
            ot_assert(c->names != NULL);
        }
        at = &c->names[c->name_count++];
    }
    *at = (Name){name, inode};
}

static void
resize(Content *c, int64_t size)
{
    if (size > c->room) {
        c->room = size * 2;
        c->bytes = realloc(c->bytes, (size_t)c->room);
        ot_assert(c->bytes != NULL);
    }
    if (size > c->size)
        memset(c->bytes + c->size, 0, (size_t)(size - c->size));
    c->size = size;
}

static Content
copy_content(const Content *from)
{
    Content c = *from;

    if (c.name_count > 0) {
        size_t room = 1;

        while (room < (size_t)c.name_count)
            room *= 2;
        c.names = calloc(room, sizeof *c.names);
        ot_assert(c.names != NULL);
        memcpy(c.names, from->names, (size_t)c.name_count * sizeof *c.names);
    }
    c.room = c.size;
    c.bytes = NULL;
    if (c.size > 0) {
        c.bytes = malloc((size_t)c.size);
        ot_assert(c.bytes != NULL);
        memcpy(c.bytes, from->bytes, (size_t)c.size);
    }
    return c;
}

static void
free_content(Content *c)
{
    free(c->names);
    free(c->bytes);
    *c = (Content){0};
}

static int32_t
new_inode(bool is_folder, int32_t parent)
{
    if (disk.inode_count == disk.inode_room) {
        disk.inode_room = disk.inode_room == 0 ? 256 : disk.inode_room * 2;
        disk.inodes = realloc(disk.inodes, (size_t)disk.inode_room * sizeof *disk.inodes);
        ot_assert(disk.inodes != NULL);
    }
    disk.inodes[disk.inode_count] = (Inode){.is_folder = is_folder, .parent = parent};
    return disk.inode_count++;
}

/* ---- the record --------------------------------------------------------------------------------- */

static Op *
record(OpKind kind, int32_t inode)
{
    if (disk.op_count == disk.op_room) {
        disk.op_room = disk.op_room == 0 ? 1024 : disk.op_room * 2;
        disk.ops = realloc(disk.ops, (size_t)disk.op_room * sizeof *disk.ops);
        ot_assert(disk.ops != NULL);
    }
    disk.ops[disk.op_count] = (Op){.kind = kind, .inode = inode, .child = NO_INODE};
    return &disk.ops[disk.op_count++];
}

static const char *
keep(const char *text)
{
    const char *copy = arena_strdup(disk.arena, strview_from(text));

    ot_assert(copy != NULL);
    return copy;
}

/* The folder of a path, its last name into ret_name; NO_INODE: not below the root. */
static int32_t
folder_of(const char *path, const char **ret_name)
{
    int32_t at = ROOT_INODE;

    if (strncmp(path, disk.root, disk.root_len) != 0 || path[disk.root_len] != '/')
        return NO_INODE;
    if (strstr(path, RESERVE_FILE) != NULL)
        return NO_INODE; /* megabytes that nobody reads: gone after every loss */
    path += disk.root_len + 1;
    for (;;) {
        const char *slash = strchr(path, '/');
        char part[LIMIT_PATH_BYTES];
        Name *name;

        if (slash == NULL) {
            *ret_name = path;
            return at;
        }
        ot_assert((size_t)(slash - path) < sizeof part);
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        name = find_name(&disk.inodes[at].now, part);
        if (name == NULL)
            return NO_INODE;
        at = name->inode;
        path = slash + 1;
    }
}

static int32_t
inode_of(const char *path)
{
    const char *name;
    int32_t folder;
    Name *at;

    if (strcmp(path, disk.root) == 0)
        return ROOT_INODE;
    folder = folder_of(path, &name);
    at = folder == NO_INODE ? NULL : find_name(&disk.inodes[folder].now, name);
    return at == NULL ? NO_INODE : at->inode;
}

static int32_t
inode_of_fd(int fd)
{
    return fd < 0 || fd >= FDS_MAX ? NO_INODE : disk.fd_inode[fd] - 1;
}

/* A new file or folder at a path. */
static int32_t
record_link(const char *path, bool is_folder)
{
    const char *name;
    int32_t folder = folder_of(path, &name);
    int32_t inode;
    Op *op;

    if (folder == NO_INODE)
        return NO_INODE;
    inode = new_inode(is_folder, folder);
    op = record(OP_LINK, folder);
    op->child = inode;
    op->name = keep(name);
    put_name(&disk.inodes[folder].now, op->name, inode);
    return inode;
}

static void
record_truncate(int32_t inode, int64_t size)
{
    record(OP_TRUNCATE, inode)->pos = size;
}

static bool
is_index(int32_t inode)
{
    for (int64_t i = disk.op_count - 1; i >= 0; i--) {
        if (disk.ops[i].kind == OP_LINK && disk.ops[i].child == inode)
            return strstr(disk.ops[i].name, "index") != NULL;
    }
    return false;
}

static int
record_sync(int fd)
{
    int32_t inode = inode_of_fd(fd);
    bool folder;

    if (inode == NO_INODE)
        return 0;
    folder = disk.inodes[inode].is_folder;
    if ((folder && disk.fault == DISK_FOLDER_SYNC_LOST) ||
        (!folder && disk.fault == DISK_FILE_SYNC_LOST) ||
        (!folder && disk.fault == DISK_INDEX_SYNC_LOST && is_index(inode)))
        return 0;
    record(OP_SYNC, inode);
    return 0;
}

/* ---- the calls ---------------------------------------------------------------------------------- */

static int
disk_open(const char *path, int flags, mode_t mode)
{
    int32_t inode = inode_of(path);
    int fd = vfs_real_ops.open(path, flags, mode);

    if (fd < 0)
        return fd;
    ot_assert(fd < FDS_MAX);
    if (inode == NO_INODE && (flags & O_CREAT) != 0)
        inode = record_link(path, false);
    else if (inode != NO_INODE && (flags & O_TRUNC) != 0)
        record_truncate(inode, 0);
    disk.fd_inode[fd] = inode + 1;
    return fd;
}

static int
disk_close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        disk.fd_inode[fd] = 0;
    return vfs_real_ops.close(fd);
}

static ssize_t
disk_pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
    int32_t inode = inode_of_fd(fd);
    ssize_t done = vfs_real_ops.pwritev(fd, iov, count, pos);
    ssize_t copied = 0;
    uint8_t *bytes;
    Op *op;

    if (done <= 0 || inode == NO_INODE)
        return done;
    bytes = arena_alloc(disk.arena, (size_t)done);
    ot_assert(bytes != NULL);
    for (int i = 0; i < count && copied < done; i++) {
        size_t take = iov[i].iov_len;

        if (take > (size_t)(done - copied))
            take = (size_t)(done - copied);
        if (take > 0)
            memcpy(bytes + copied, iov[i].iov_base, take);
        copied += (ssize_t)take;
    }
    op = record(OP_WRITE, inode);
    op->pos = pos;
    op->len = done;
    op->bytes = bytes;
    return done;
}

static ssize_t
disk_pread(int fd, void *buffer, size_t size, off_t pos)
{
    return vfs_real_ops.pread(fd, buffer, size, pos);
}

static int
disk_ftruncate(int fd, off_t size)
{
    int32_t inode = inode_of_fd(fd);
    int rc = vfs_real_ops.ftruncate(fd, size);

    if (rc == 0 && inode != NO_INODE)
        record_truncate(inode, size);
    return rc;
}

static int
disk_syncfs(int fd)
{
    int32_t inode = inode_of_fd(fd);

    ot_assert(inode != NO_INODE); /* a directory of the node: each is a file system of its own */
    if (disk.fault != DISK_FILE_SYNC_LOST)
        record(OP_SYNC_ALL, inode);
    return 0;
}

static int
disk_rename(const char *from, const char *to)
{
    int32_t child = inode_of(from);
    const char *old_name = NULL;
    const char *new_name = NULL;
    int32_t folder = folder_of(from, &old_name);
    int rc = vfs_real_ops.rename(from, to);
    Op *op;

    if (rc != 0 || child == NO_INODE)
        return rc;
    ot_assert(folder_of(to, &new_name) == folder); /* nothing moves between folders here */
    op = record(OP_RENAME, folder);
    op->child = child;
    op->name = keep(old_name);
    op->to = keep(new_name);
    remove_name(&disk.inodes[folder].now, op->name);
    put_name(&disk.inodes[folder].now, op->to, child);
    return rc;
}

static void
record_unlink(const char *path)
{
    const char *name;
    int32_t folder = folder_of(path, &name);
    Op *op;

    if (folder == NO_INODE)
        return;
    op = record(OP_UNLINK, folder);
    op->name = keep(name);
    remove_name(&disk.inodes[folder].now, op->name);
}

static int
disk_unlink(const char *path)
{
    int rc = vfs_real_ops.unlink(path);

    if (rc == 0)
        record_unlink(path);
    return rc;
}

static int
disk_mkdir(const char *path, mode_t mode)
{
    int rc = vfs_real_ops.mkdir(path, mode);

    if (rc == 0)
        (void)record_link(path, true); /* who makes a folder opens it by its name */
    return rc;
}

static int
disk_rmdir(const char *path)
{
    int rc = vfs_real_ops.rmdir(path);

    if (rc == 0)
        record_unlink(path);
    return rc;
}

static int
disk_fallocate(int fd, int mode, off_t pos, off_t size)
{
    (void)mode;
    (void)pos;
    (void)size;
    ot_assert(inode_of_fd(fd) == NO_INODE); /* the reserve */
    return 0;
}

static const VfsOps recording_ops = {
    .open = disk_open,
    .close = disk_close,
    .pwritev = disk_pwritev,
    .pread = disk_pread,
    .ftruncate = disk_ftruncate,
    .fsync = record_sync,
    .fdatasync = record_sync,
    .syncfs = disk_syncfs,
    .rename = disk_rename,
    .unlink = disk_unlink,
    .mkdir = disk_mkdir,
    .rmdir = disk_rmdir,
    .fallocate = disk_fallocate,
};

/* ---- begin and end ------------------------------------------------------------------------------ */

static void
load_file(int32_t inode, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Content *c = &disk.inodes[inode].base;
    struct stat st;

    ot_assert(fd >= 0 && fstat(fd, &st) == 0);
    resize(c, st.st_size);
    ot_assert(pread(fd, c->bytes, (size_t)st.st_size, 0) == st.st_size);
    (void)close(fd);
}

/* Folders are at most two deep: DIR, and those of partitions. */
static void
load_folder(int32_t inode, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    ot_assert(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        char below[LIMIT_PATH_BYTES * 2];
        int32_t child;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        child = new_inode(entry->d_type == DT_DIR, inode);
        put_name(&disk.inodes[inode].base, keep(entry->d_name), child);
        if (entry->d_type == DT_DIR)
            load_folder(child, below);
        else
            load_file(child, below);
    }
    (void)closedir(dir);
    disk.inodes[inode].now = copy_content(&disk.inodes[inode].base);
}

void
disk_begin(const char *root)
{
    DiskFault fault = disk.fault;

    ot_assert(vfs_ops == &vfs_real_ops && root[0] == '/');
    disk = (struct Disk){.fault = fault};
    disk.root_len = strlen(root);
    ot_assert(disk.root_len < sizeof disk.root);
    memcpy(disk.root, root, disk.root_len + 1);
    disk.arena = arena_new(1 << 16, 0);
    ot_assert(disk.arena != NULL);
    load_folder(new_inode(true, NO_INODE), root);
    vfs_ops = &recording_ops;
}

void
disk_end(void)
{
    vfs_ops = &vfs_real_ops;
    for (int32_t i = 0; i < disk.inode_count; i++) {
        free_content(&disk.inodes[i].base);
        free_content(&disk.inodes[i].now);
    }
    free(disk.inodes);
    free(disk.ops);
    arena_free(disk.arena);
    disk.inodes = NULL;
    disk.ops = NULL;
    disk.arena = NULL;
    disk.inode_count = disk.inode_room = 0;
    disk.op_count = disk.op_room = 0;
}

void
disk_set_fault(DiskFault fault)
{
    disk.fault = fault;
}

int64_t
disk_now(void)
{
    return disk.op_count;
}

/* ---- the loss of power -------------------------------------------------------------------------- */

/* How much of what was not synced survives, in 1/16: what file systems do, and what they might. */
typedef struct Luck {
    uint32_t data;  /* a write or truncation */
    uint32_t names; /* a change of names */
    uint32_t torn;  /* of the writes that do not survive: some sectors do */
    uint32_t sizes; /* of the writes that do not survive: the size does */
} Luck;

static Luck
choose_luck(RandomSeq *random)
{
    static const Luck lucks[] = {
        {0, 0, 0, 0},   /* nothing: the journal never committed */
        {16, 16, 0, 0}, /* everything: the cache was written */
        {0, 16, 0, 0},  /* names without bytes: rename before data */
        {0, 16, 0, 16}, /* names and sizes without bytes */
        {16, 0, 0, 0},  /* bytes without names */
        {8, 8, 8, 8},   {14, 14, 8, 8}, {2, 2, 8, 8}, {8, 15, 15, 2}, {15, 8, 2, 2},
    };

    return lucks[random_seq_below(random, sizeof lucks / sizeof lucks[0])];
}

static bool
lucky(RandomSeq *random, uint32_t of_16)
{
    return random_seq_below(random, 16) < of_16;
}

typedef struct Loss {
    int64_t ops;
    bool *synced; /* per operation */
    Content *contents;
    Content *blocked; /* per folder: names whose state is unknown to later changes */
    RandomSeq *random;
    Luck luck;
} Loss;

/* Which operations were synced before the power failed? */
static void
mark_synced(Loss *loss)
{
    bool *later = calloc((size_t)disk.inode_count, sizeof *later);
    bool *all =
        calloc((size_t)disk.inode_count, sizeof *all); /* of a folder and what is below it */

    ot_assert(later != NULL && all != NULL);
    for (int64_t i = loss->ops - 1; i >= 0; i--) {
        const Op *op = &disk.ops[i];

        all[op->inode] |= op->kind == OP_SYNC_ALL;
        later[op->inode] |= op->kind == OP_SYNC;
        loss->synced[i] = later[op->inode];
        for (int32_t at = op->inode; at != NO_INODE; at = disk.inodes[at].parent)
            loss->synced[i] |= all[at];
    }
    free(later);
    free(all);
}

static void
apply_write(Content *c, const Op *op)
{
    if (op->pos + op->len > c->size)
        resize(c, op->pos + op->len);
    memcpy(c->bytes + op->pos, op->bytes, (size_t)op->len);
}

/* Some sectors of a write. */
static void
apply_torn(Loss *loss, Content *c, const Op *op)
{
    int64_t at = op->pos;

    while (at < op->pos + op->len) {
        int64_t end = at - at % SECTOR + SECTOR;

        if (end > op->pos + op->len)
            end = op->pos + op->len;
        if (lucky(loss->random, 8))
            apply_write(c, &(Op){.pos = at, .len = end - at, .bytes = op->bytes + (at - op->pos)});
        at = end;
    }
}

static void
apply_data(Loss *loss, const Op *op, bool synced)
{
    Content *c = &loss->contents[op->inode];

    if (op->kind == OP_TRUNCATE) {
        if (synced || lucky(loss->random, loss->luck.data))
            resize(c, op->pos);
        return;
    }
    if (synced || lucky(loss->random, loss->luck.data)) {
        apply_write(c, op);
        return;
    }
    if (lucky(loss->random, loss->luck.torn))
        apply_torn(loss, c, op);
    if (lucky(loss->random, loss->luck.sizes) && op->pos + op->len > c->size)
        resize(c, op->pos + op->len);
}

static void
apply_names(Loss *loss, const Op *op, bool synced)
{
    Content *blocked = &loss->blocked[op->inode];
    Content *c = &loss->contents[op->inode];

    if (!synced &&
        (!lucky(loss->random, loss->luck.names) || find_name(blocked, op->name) != NULL ||
         (op->to != NULL && find_name(blocked, op->to) != NULL))) {
        put_name(blocked, op->name, 0);
        if (op->to != NULL)
            put_name(blocked, op->to, 0);
        return;
    }
    if (op->kind != OP_LINK)
        remove_name(c, op->name);
    if (op->kind != OP_UNLINK)
        put_name(c, op->to != NULL ? op->to : op->name, op->child);
}

static void
apply_op(Loss *loss, int64_t i)
{
    const Op *op = &disk.ops[i];

    switch (op->kind) {
    case OP_WRITE:
    case OP_TRUNCATE:
        apply_data(loss, op, loss->synced[i]);
        break;
    case OP_LINK:
    case OP_UNLINK:
    case OP_RENAME:
        apply_names(loss, op, loss->synced[i]);
        break;
    case OP_SYNC:
    case OP_SYNC_ALL:
        break;
    }
}

static void
store(const Loss *loss, int32_t inode, const char *path)
{
    const Content *c = &loss->contents[inode];
    int fd;

    if (disk.inodes[inode].is_folder) {
        ot_assert(mkdir(path, 0750) == 0);
        for (int32_t i = 0; i < c->name_count; i++) {
            char below[LIMIT_PATH_BYTES * 2];

            if (c->names[i].name == NULL)
                continue;
            (void)snprintf(below, sizeof below, "%s/%s", path, c->names[i].name);
            store(loss, c->names[i].inode, below);
        }
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    ot_assert(fd >= 0);
    ot_assert(c->size == 0 || pwrite(fd, c->bytes, (size_t)c->size, 0) == c->size);
    (void)close(fd);
}

void
disk_power_loss(int64_t ops, RandomSeq *random, const char *to)
{
    Loss loss = {.ops = ops, .random = random, .luck = choose_luck(random)};
    size_t inodes = (size_t)disk.inode_count;

    ot_assert(ops <= disk.op_count);
    loss.synced = calloc((size_t)ops + 1, sizeof *loss.synced);
    loss.contents = calloc(inodes, sizeof *loss.contents);
    loss.blocked = calloc(inodes, sizeof *loss.blocked);
    ot_assert(loss.synced != NULL && loss.contents != NULL && loss.blocked != NULL);
    mark_synced(&loss);
    for (size_t i = 0; i < inodes; i++)
        loss.contents[i] = copy_content(&disk.inodes[i].base);
    for (int64_t i = 0; i < ops; i++)
        apply_op(&loss, i);
    store(&loss, ROOT_INODE, to);
    for (size_t i = 0; i < inodes; i++) {
        free_content(&loss.contents[i]);
        free_content(&loss.blocked[i]);
    }
    free(loss.synced);
    free(loss.contents);
    free(loss.blocked);
}

void
disk_print(int64_t ops)
{
    static const char *const kinds[] = {"write",  "truncate", "link",    "unlink",
                                        "rename", "sync",     "sync all"};

    for (int64_t i = 0; i < ops && i < disk.op_count; i++) {
        const Op *op = &disk.ops[i];

        printf("# %6" PRId64 " %-8s inode %" PRId32 " child %" PRId32 " %s %s pos %" PRId64
               " len %" PRId64 "\n",
               i, kinds[op->kind], op->inode, op->child, op->name != NULL ? op->name : "",
               op->to != NULL ? op->to : "", op->pos, op->len);
    }
}
