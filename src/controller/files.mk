# files.mk - what make needs to know about src/controller; see the head of GNUmakefile
SRCS_controller := $(patsubst src/controller/%,%,$(wildcard src/controller/*.c))
