# files.mk - the supervisor
SRCS_postmaster := accept.c accept_policy.c children.c collector.c datadir.c datadir_format.c datadir_identity.c \
    datadir_paths.c launch.c listen.c meta_properties.c notify.c obituary.c orders.c own_memory.c pid_file.c \
    pm_settings.c pm_state.c postmaster.c privileges.c process_kinds.c regions.c relisten.c \
    resolver.c spare.c start.c
