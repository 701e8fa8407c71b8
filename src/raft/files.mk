# files.mk - what make needs to know about src/raft; see the head of GNUmakefile
SRCS_raft := quorum.c quorum_state.c
