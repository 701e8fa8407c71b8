# files.mk - starts and stops a server
SRCS_bin_ottlactl := main.c instance.c control.c
LAYERS_bin_ottlactl := common
