# files.mk - what make needs to know about src/groups; see the head of GNUmakefile
SRCS_groups := $(sort $(notdir $(wildcard src/groups/*.c)))
LIBS_groups := -lpcre2-8
