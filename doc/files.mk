# files.mk - the manual: man pages in mdoc(7), and the same as HTML
#
#   make docs      man pages into $(BUILD)/doc/man, HTML into $(BUILD)/doc/html (needs mandoc)
#
# doc/man holds the sources; ottla-settings.5 is made from the table of settings, the lists of
# ottla-protocol.7 from the table of APIs, that of ottla-metrics.7 from the table of metrics.
#
# SPDX-License-Identifier: Apache-2.0

DOC_PAGES := $(notdir $(wildcard doc/man/*.[1-8])) ottla-settings.5
DOC_MAN := $(DOC_PAGES:%=$(BUILD)/doc/man/%)
DOC_HTML := $(DOC_PAGES:%=$(BUILD)/doc/html/%.html) $(BUILD)/doc/html/index.html $(BUILD)/doc/html/manual.css

.PHONY: man docs
man: $(DOC_MAN)
docs: $(DOC_MAN) $(DOC_HTML)

$(BUILD)/doc/man/ottla-settings.5: src/common/settings.txt src/tools/gen_settings_page.pl src/tools/lib/Ottla/Tools.pm
	$(call say,DOC,$@)mkdir -p $(@D); perl src/tools/gen_settings_page.pl $< $@; touch $@
$(BUILD)/doc/man/ottla-protocol.7: doc/man/ottla-protocol.7 include/ottla/protocol/apis.h src/tools/gen_protocol_page.pl
	$(call say,DOC,$@)mkdir -p $(@D); perl src/tools/gen_protocol_page.pl include/ottla/protocol/apis.h $< $@; touch $@
$(BUILD)/doc/man/ottla-metrics.7: doc/man/ottla-metrics.7 src/metrics/metrics.txt src/tools/gen_metrics_page.pl src/tools/lib/Ottla/Tools.pm
	$(call say,DOC,$@)mkdir -p $(@D); perl src/tools/gen_metrics_page.pl src/metrics/metrics.txt $< $@; touch $@
$(BUILD)/doc/man/%: doc/man/%
	$(call say,DOC,$@)mkdir -p $(@D); cp $< $@
$(BUILD)/doc/html/%.html: $(BUILD)/doc/man/%
	$(call say,DOC,$@)mkdir -p $(@D); mandoc -T html -O style=manual.css,man=%N.%S.html $< >$@.new; mv $@.new $@
$(BUILD)/doc/html/index.html: $(DOC_MAN) doc/manual-index.pl
	$(call say,DOC,$@)mkdir -p $(@D); perl doc/manual-index.pl $(sort $(DOC_MAN)) >$@.new; mv $@.new $@
$(BUILD)/doc/html/manual.css: doc/manual.css
	$(call say,DOC,$@)mkdir -p $(@D); cp $< $@
