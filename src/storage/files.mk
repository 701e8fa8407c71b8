# files.mk - what make needs to know about src/storage; see the head of GNUmakefile
SRCS_storage := checkpoint_files.c control_file.c dir_name.c epochs.c failure_record.c fd_cache.c flush_requests.c \
    logdir_folders.c logdir_state.c logdirs.c move_plan.c move_wish.c open_epochs.c open_files.c open_producers.c open_segments.c \
    partition_table.c plog_append.c plog_behind.c plog_checkpoint.c plog_commit.c plog_flush.c plog_folder.c plog_lock.c plog_lookup.c \
    plog_maintain.c plog_move.c plog_move_switch.c plog_open.c plog_producers.c \
    plog_read.c plog_retention.c plog_snapshot.c producer_pool.c producer_state.c renew.c reserve.c retention.c \
    roll.c segment_file.c segment_index.c segment_pool.c segment_recover.c segment_scan.c
LIBS_unit_storage := -ljansson -lz
