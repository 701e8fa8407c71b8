# files.mk - programs that test/t/*.t run against a node whose processes are killed
CRASH_OBJS := $(O)/crash/crash_load.o $(O)/crash/wire_client.o
$(O)/crash/%.o: test/crash/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile,-Itest/crash)
$(O)/crash/crash_load: $(CRASH_OBJS) $(call libs_of,protocol ipc)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(CRASH_OBJS) $(call libs_of,protocol ipc) $(call links_of,protocol ipc)
-include $(CRASH_OBJS:.o=.d)
CHECK_DEPS += $(BUILD)/release/crash/crash_load
