# files.mk - what make needs to know about src/shell; see the head of GNUmakefile
SRCS_shell := $(patsubst src/shell/%,%,$(wildcard src/shell/*.c))
