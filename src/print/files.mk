# files.mk - what make needs to know about src/print; see the head of GNUmakefile
SRCS_print := $(sort $(notdir $(wildcard src/print/*.c)))
GEN_SRCS_print := width_table.c

$(eval $(call gen,width,$(GEN)/ottla/print/width_table.c,\
    src/tools/gen_width.pl src/tools/lib/Ottla/Tools.pm,\
    mkdir -p $(GEN)/ottla/print; perl src/tools/gen_width.pl $(GEN)/ottla/print/width_table.c))
