# files.mk - the shell
SRCS_bin_ottla := main.c
LAYERS_bin_ottla := shell
