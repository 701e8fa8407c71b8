# files.mk - what make needs to know about src/client; see the head of GNUmakefile
SRCS_client := call.c conn.c connect.c fault.c offsets.c produce.c produce_send.c route.c scan.c scan_fetch.c stat.c target.c \
    target_files.c target_parse.c
