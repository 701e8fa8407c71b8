# files.mk - the server
SRCS_bin_ottlad := main.c
LAYERS_bin_ottlad := postmaster exporter
