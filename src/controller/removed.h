/*
 * removed.h - folders of topics whose removal a kill separated from the renaming of their folders
 *
 * The retention worker renames folders of deleted partitions after the deletion was answered. When the
 * node dies in between, the next replay meets the removal in the log, for no snapshot is written
 * while folders wait for their new name: what it names is renamed then.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SRC_CONTROLLER_REMOVED_H
#define OTTLA_SRC_CONTROLLER_REMOVED_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"
#include "ottla/controller/image.h"

/* Topics that a replay saw go. Zero-initialized: none. */
typedef struct RemovedTopics {
    Uuid *ids;
    int32_t count;
    int32_t room;
} RemovedTopics;

/*
 * Looks at a data record of the log (not of a snapshot) and notes the topic if it removes one. Without
 * memory it is not noted: its folders become strays.
 */
void removed_note(RemovedTopics *removed, BytesView record);

/*
 * Renames to -delete what lies in the log directories under names that the image does not know, if
 * its topic was noted. Before the retention worker looks for strays. Forgets the topics.
 */
void removed_rename_folders(RemovedTopics *removed, const Image *image);

/*
 * True while a folder of this node waits to be renamed, or its new name for the disk: a snapshot would
 * forget why it is there.
 */
bool removed_are_pending(void);

#endif
