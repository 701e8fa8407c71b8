/*
 * node.h - who this node is: identity and places, fixed before the first fork
 *
 * The supervisor fills the struct from the command line, the settings and meta.properties; children
 * inherit it by fork and only read it. What changes while the node runs lies in shared_page.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_NODE_H
#define OTTLA_IPC_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/common/view.h"

#define NODE_PATH_MAX       1024 /* bytes of a path with its zero; longer ones are refused */
#define NODE_CLUSTER_ID_MAX 64   /* normally 22 characters */

typedef struct NodeInfo {
    char instance[64]; /* last part of the data directory's path, or `instance` */
    char cluster_id[NODE_CLUSTER_ID_MAX];
    int32_t node_id;
    Uuid incarnation_id;              /* new at each start and after each crash cycle */
    Uuid metadata_dir_id;             /* directory.id of metadata_dir */
    char data_dir[NODE_PATH_MAX];     /* absolute DIR of -D */
    char metadata_dir[NODE_PATH_MAX]; /* DIR/meta or metadata.log.dir; __cluster_metadata-0 in it */
    uint16_t port;                    /* first TCP port */
    uint16_t controller_port;         /* named in VotersRecord, not opened while alone */
    bool freshly_formatted;           /* formatted by this start */
    bool clean_start;                 /* every log dir had its clean marker (now removed) */
    bool metadata_failed;             /* DIR/control: the metadata log was not flushed once */
    pid_t supervisor_pid;
} NodeInfo;

extern NodeInfo node_info;

/* Child: a word of shared_page.h that the supervisor waits for has changed; it looks at once. */
void node_wake_supervisor(void);

#endif
