# files.mk - measures a cluster
SRCS_bin_ottla-bench := main.c run.c send.c kafka.c meter.c
LAYERS_bin_ottla-bench := common
LIBS_bin_ottla-bench := -lrdkafka
