# files.mk - what make needs to know about src/protocol; see the head of GNUmakefile
SRCS_protocol := apis.c frame.c json.c json_read.c messages.c wire.c
SRCS_protocol += $(patsubst src/protocol/%,%,$(wildcard src/protocol/batch*.c src/protocol/record*.c))

# One header and one C file for each table of messages/.
PROTOCOL_TABLES := $(sort $(wildcard src/protocol/messages/*.txt))
PROTOCOL_NAMES := $(patsubst src/protocol/messages/%.txt,msg_%,$(PROTOCOL_TABLES))
GEN_HDRS_protocol := $(PROTOCOL_NAMES:%=%.h)
GEN_SRCS_protocol := $(PROTOCOL_NAMES:%=%.c) messages_list.c

$(eval $(call gen,protocol,\
    $(addprefix $(GEN)/ottla/protocol/,$(GEN_HDRS_protocol) $(GEN_SRCS_protocol)),\
    $(PROTOCOL_TABLES) src/tools/gen_protocol.pl src/tools/lib/Ottla/ProtocolTables.pm,\
    mkdir -p $(GEN)/ottla/protocol; \
    perl src/tools/gen_protocol.pl $(GEN)/ottla/protocol $(PROTOCOL_TABLES)))

# Tests of batches read vectors whose contents stand beside them as JSON.
LIBS_unit_protocol := -ljansson
