# files.mk - the process of one connection
SRCS_backend := frame.c names.c outq.c pending.c request.c
