# files.mk - the libraries that let file calls of a node fail and set its clock (test/t/20*.t, 340*.t)
$(O)/fault/lib%.so: test/fault/%.c $(O)/flags
	$(call say,LD,$@)mkdir -p $(@D); $(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $< -ldl
CHECK_DEPS += $(addprefix $(BUILD)/release/fault/,libfault.so libclock.so)
