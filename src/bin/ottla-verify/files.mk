# files.mk - the checker of data directories
SRCS_bin_ottla-verify := main.c
LAYERS_bin_ottla-verify := inspect
