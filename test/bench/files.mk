# files.mk - programs of make bench; some serve tests as well
BENCH_PROGS := $(O)/bench/rate $(O)/bench/probe $(O)/bench/restart $(O)/bench/acks $(O)/bench/spread \
    $(O)/bench/bench_batches $(O)/bench/commit
$(O)/bench/%.o: test/bench/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile,-Itest/crash)
$(O)/bench/rate: $(O)/bench/rate.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< -lrdkafka
$(O)/bench/probe $(O)/bench/restart $(O)/bench/acks $(O)/bench/spread: %: %.o $(O)/crash/wire_client.o $(call libs_of,protocol ipc)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,protocol ipc) $(call links_of,protocol ipc)
$(O)/bench/bench_batches: $(O)/bench/bench_batches.o $(call libs_of,protocol)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< $(call libs_of,protocol) $(call links_of,protocol)
$(O)/bench/commit: $(O)/bench/commit.o $(call libs_of,maintenance)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< $(call libs_of,maintenance) $(call links_of,maintenance)
-include $(BENCH_PROGS:=.d)
CHECK_DEPS += $(BUILD)/release/bench/probe $(BUILD)/release/bench/restart
.PHONY: bench-progs
bench-progs: $(BENCH_PROGS)
