# files.mk - the shell's \sf * under a name of its own
SRCS_bin_ottla-dumpall := main.c
LAYERS_bin_ottla-dumpall := common
