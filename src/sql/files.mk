# files.mk - what make needs to know about src/sql; see the head of GNUmakefile
SRCS_sql := $(sort $(notdir $(wildcard src/sql/*.c)))
LIBS_sql := -lsqlite3 -lpcre2-8 -lm
