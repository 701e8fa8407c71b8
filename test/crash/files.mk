# files.mk - programs that test/t/*.t run against a node that is killed or attacked
CRASH_PROGRAMS := crash_load hostile
CRASH_KIT := $(patsubst %,$(O)/crash/%.o,wire_client wire_requests tap)
PARTS_crash_load := load_client load_commits load_kills load_reading topic_churn
PARTS_hostile := hostile_net hostile_node hostile_frames hostile_bombs hostile_fetch
$(O)/crash/%.o: test/crash/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile,-Itest/crash)
$(patsubst %,$(O)/crash/%,$(CRASH_PROGRAMS)): %: %.o $(CRASH_KIT) $(call libs_of,protocol ipc)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,protocol ipc) $(call links_of,protocol ipc)
$(foreach p,$(CRASH_PROGRAMS),$(eval $(O)/crash/$(p): $(PARTS_$(p):%=$(O)/crash/%.o)))
-include $(patsubst test/crash/%.c,$(O)/crash/%.d,$(wildcard test/crash/*.c))
CHECK_DEPS += $(patsubst %,$(BUILD)/release/crash/%,$(CRASH_PROGRAMS))

# A client of another make, and a node that dies where it is told (crashpoint.h).
$(O)/crash/rdkafka_load: $(O)/crash/rdkafka_load.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< -lrdkafka
CHECK_DEPS += $(BUILD)/release/crash/rdkafka_load
CHECK_ASAN_DEPS += $(BUILD)/asan/bin/ottlad
