# files.mk - what make needs to know about src/logger; see the head of GNUmakefile
SRCS_logger := log_file.c logger_main.c
