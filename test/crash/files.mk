# files.mk - programs that test/t/*.t run against a node that is killed or attacked
CRASH_PROGRAMS := crash_load hostile
CRASH_OBJS := $(patsubst %,$(O)/crash/%.o,$(CRASH_PROGRAMS) wire_client load_client load_kills load_reading \
    topic_churn hostile_bombs hostile_fetch)
$(O)/crash/%.o: test/crash/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile,-Itest/crash)
$(patsubst %,$(O)/crash/%,$(CRASH_PROGRAMS)): %: %.o $(O)/crash/wire_client.o $(call libs_of,protocol ipc)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,protocol ipc) $(call links_of,protocol ipc)
$(O)/crash/hostile: $(O)/crash/hostile_bombs.o $(O)/crash/hostile_fetch.o
$(O)/crash/crash_load: $(patsubst %,$(O)/crash/%.o,load_client load_kills load_reading topic_churn)
-include $(CRASH_OBJS:.o=.d)
CHECK_DEPS += $(patsubst %,$(BUILD)/release/crash/%,$(CRASH_PROGRAMS))

# A client of another make, and a node that dies where it is told (crashpoint.h).
$(O)/crash/rdkafka_load: $(O)/crash/rdkafka_load.o
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $< -lrdkafka
CHECK_DEPS += $(BUILD)/release/crash/rdkafka_load
CHECK_ASAN_DEPS += $(BUILD)/asan/bin/ottlad
