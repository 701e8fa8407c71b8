# files.mk - what make needs to know about src/replica; see the head of GNUmakefile
SRCS_replica := partition.c replica.c
