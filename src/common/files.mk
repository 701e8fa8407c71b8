# files.mk - what make needs to know about src/common; see the head of GNUmakefile
SRCS_common := arena.c assert.c base64.c clock.c codec_libs.c compress.c compress_encode.c conf.c conf_check.c conf_entries.c conf_file.c \
    conf_convert.c conf_live.c conf_properties.c conf_providers.c conf_put.c conf_synonyms.c crashpoint.c crc32c.c dynlib.c err.c hash.c hdr.c ip_text.c log.c log_pipe.c log_sink.c log_values.c net.c properties.c random.c rate.c regex_syntax.c slice.c strbuf.c systemd_lib.c \
    text.c topic_settings.c usage.c vfs.c vfs_faulty.c view.c
GEN_HDRS_common := errlist.h conf_table.h
GEN_SRCS_common := errlist_table.c conf_table.c
LIBS_common := -lisal
LIBS_unit_common := -llz4 -lm

$(eval $(call gen,errlist,$(GEN)/ottla/common/errlist.h $(GEN)/ottla/common/errlist_table.c,\
    src/common/errlist.txt src/tools/gen_errors.pl src/tools/lib/Ottla/Tools.pm,\
    mkdir -p $(GEN)/ottla/common; perl src/tools/gen_errors.pl src/common/errlist.txt \
    $(GEN)/ottla/common/errlist.h $(GEN)/ottla/common/errlist_table.c))

$(eval $(call gen,conf,$(GEN)/ottla/common/conf_table.h $(GEN)/ottla/common/conf_table.c,\
    src/common/settings.txt src/tools/gen_conf.pl src/tools/lib/Ottla/Tools.pm,\
    mkdir -p $(GEN)/ottla/common; perl src/tools/gen_conf.pl src/common/settings.txt \
    $(GEN)/ottla/common/conf_table.h $(GEN)/ottla/common/conf_table.c))
