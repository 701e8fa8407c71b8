# files.mk - formats the directories of a node
SRCS_bin_ottla-initdb := main.c settings_file.c
LAYERS_bin_ottla-initdb := postmaster
