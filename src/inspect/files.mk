# files.mk - what make needs to know about src/inspect; see the head of GNUmakefile
SRCS_inspect := dump_log.c dump_small.c dump_stats.c file_kind.c log_walk.c record_decode.c \
    repair_index.c row.c verify.c verify_dir.c verify_index.c verify_metadata.c verify_segment.c verify_state.c
