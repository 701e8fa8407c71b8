# files.mk - the process of one connection
SRCS_backend := $(sort $(patsubst src/backend/%,%,$(wildcard src/backend/*.c)))
