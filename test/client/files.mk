# files.mk - the program by which test/t/800_client.t drives src/client
$(O)/client/%.o: test/client/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile)
$(O)/client/client_probe: $(O)/client/client_probe.o $(call libs_of,client)
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(call libs_of,client) $(call links_of,client)
-include $(patsubst test/client/%.c,$(O)/client/%.d,$(wildcard test/client/*.c))
CHECK_DEPS += $(BUILD)/release/client/client_probe
