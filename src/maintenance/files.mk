# files.mk - what make needs to know about src/maintenance; see the head of GNUmakefile
SRCS_maintenance := checkpoint.c checkpointer_main.c commit.c dir_watch.c due_queue.c flush.c \
    folders.c move_queue.c moves.c retention_main.c startup_main.c unlink_queue.c
