# files.mk - what make needs to know about src/ipc; see the head of GNUmakefile
SRCS_ipc := bulk.c control.c counters.c latch.c listeners.c listeners_change.c mailbox.c mailbox_client.c mailbox_worker.c mainloop.c name_child.c node.c node_settings.c plock.c plock_use.c pool.c quota_table.c \
    readyset.c region.c request_stats.c ring.c server_log.c shared_page.c slot.c title.c wait_events.c waitlist.c
# Static: of libbsd only setproctitle is needed, not its mappings in every process.
LIBS_ipc := -lck -l:libbsd.a -l:libmd.a
