# files.mk - what make needs to know about src/client; see the head of GNUmakefile
SRCS_client := call.c conn.c connect.c fault.c route.c stat.c target.c target_files.c target_parse.c
