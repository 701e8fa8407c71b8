# files.mk - what make needs to know about src/metrics; see the head of GNUmakefile
SRCS_metrics := $(patsubst src/metrics/%,%,$(wildcard src/metrics/*.c))
GEN_HDRS_metrics := metrics_table.h
GEN_SRCS_metrics := metrics_table.c

$(eval $(call gen,metrics,$(GEN)/ottla/metrics/metrics_table.h $(GEN)/ottla/metrics/metrics_table.c,\
    src/metrics/metrics.txt src/tools/gen_metrics.pl src/tools/lib/Ottla/Tools.pm,\
    mkdir -p $(GEN)/ottla/metrics; perl src/tools/gen_metrics.pl src/metrics/metrics.txt \
    $(GEN)/ottla/metrics/metrics_table.h $(GEN)/ottla/metrics/metrics_table.c))
