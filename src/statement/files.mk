# files.mk - what make needs to know about src/statement; see the head of GNUmakefile
SRCS_statement := $(sort $(notdir $(wildcard src/statement/*.c)))
LIBS_statement := -lcrypto -ljansson -lm
