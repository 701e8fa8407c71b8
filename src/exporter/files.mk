# files.mk - what make needs to know about src/exporter; see the head of GNUmakefile
SRCS_exporter := $(patsubst src/exporter/%,%,$(wildcard src/exporter/*.c))
