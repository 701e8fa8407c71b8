# files.mk - the library that lets file calls of a node fail (test/t/20*.t)
$(O)/fault/libfault.so: test/fault/fault.c $(O)/flags
	$(call say,LD,$@)mkdir -p $(@D); $(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $< -ldl
CHECK_DEPS += $(BUILD)/release/fault/libfault.so
