# files.mk - what the files of a node at rest say about it
SRCS_bin_ottla-controldata := main.c
LAYERS_bin_ottla-controldata := postmaster
