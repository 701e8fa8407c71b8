# files.mk - what make needs to know about src/coordinator; see the head of GNUmakefile
SRCS_coordinator := $(patsubst src/coordinator/%,%,$(wildcard src/coordinator/*.c))
