# files.mk - the log dump
SRCS_bin_ottla-logdump := main.c
LAYERS_bin_ottla-logdump := inspect
