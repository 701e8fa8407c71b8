# files.mk - what make needs to know about src/replica; see the head of GNUmakefile
SRCS_replica := partition.c interest.c replica.c
