# files.mk - what make needs to know about src/groups; see the head of GNUmakefile
SRCS_groups := group_hash.c map.c memory.c out.c timers.c
SRCS_groups := map.c memory.c out.c timers.c
SRCS_groups += consumer_protocol.c
