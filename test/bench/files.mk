# files.mk - programs of make bench; some serve tests as well
BENCH_PROGS := $(patsubst %,$(O)/bench/%,rate probe restart acks spread bench_batches commit paced group_load offsets)
BENCH_KIT := $(O)/bench/bench_kit.o
BENCH_CLIENT := $(patsubst %,$(O)/crash/%.o,wire_client wire_requests)
$(O)/bench/%.o: test/bench/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile,-Itest/crash)
$(O)/bench/paced: $(O)/bench/paced.o $(BENCH_KIT)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^
$(O)/bench/rate: $(O)/bench/rate.o $(BENCH_KIT)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lrdkafka
$(patsubst %,$(O)/bench/%,probe restart acks spread): %: %.o $(BENCH_KIT) $(BENCH_CLIENT) $(call libs_of,protocol ipc)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,protocol ipc) $(call links_of,protocol ipc)
$(O)/bench/bench_batches: $(O)/bench/bench_batches.o $(BENCH_KIT) $(call libs_of,protocol)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,protocol) $(call links_of,protocol)
$(O)/bench/commit: $(O)/bench/commit.o $(BENCH_KIT) $(call libs_of,maintenance)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,maintenance) $(call links_of,maintenance)
$(O)/bench/group_load: $(O)/bench/group_load.o $(O)/bench/many_conns.o $(BENCH_KIT) $(BENCH_CLIENT) $(call libs_of,protocol ipc)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,protocol ipc) $(call links_of,protocol ipc)
$(O)/bench/offsets: $(O)/bench/offsets.o $(BENCH_KIT) $(call libs_of,groups)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,groups) $(call links_of,groups)
-include $(patsubst test/bench/%.c,$(O)/bench/%.d,$(wildcard test/bench/*.c))
CHECK_DEPS += $(patsubst %,$(BUILD)/release/bench/%,probe restart group_load)
.PHONY: bench-progs
bench-progs: $(BENCH_PROGS)
