# files.mk - simulators: programs that run real code on simulated disks
SIM_OBJS := $(patsubst %,$(O)/sim/%.o,power_loss promises node disk) $(O)/unit/controller/one_node.o
SIM_WRAP := flush_wants_syncfs move_flush_files random_u64 random_uuid segment_scan_check_crc
$(O)/sim/%.o: test/sim/%.c $(O)/flags | $(ALL_GEN_HDRS)
	$(call say,CC,$<)mkdir -p $(@D); $(call compile,-Itest/sim -Itest/unit)
$(O)/sim/power_loss: $(SIM_OBJS) $(call libs_of,$(HAVE))
	$(call say,LD,$@)$(CC) $(LDFLAGS_ALL) $(SIM_WRAP:%=-Wl,--wrap=%) -o $@ $(SIM_OBJS) $(call libs_of,$(HAVE)) \
	    $(call links_of,$(HAVE))
-include $(SIM_OBJS:.o=.d)
CHECK_ASAN_DEPS += $(BUILD)/asan/sim/power_loss
