# files.mk - what make install puts where, make uninstall takes away, and make deb packs
#
#   make install    DESTDIR= prefix=/usr/local unitdir=$(prefix)/lib/systemd/system
#   make uninstall  the same variables: the same files, and folders of ours that are empty then
#   make deb        Debian packages into $(BUILD)/deb (contrib/debian)
#
# The server is no command for users; the tools are. A program is found by its folder in src/bin, a page by its file in doc/man.
#
# SPDX-License-Identifier: Apache-2.0

unitdir ?= $(prefix)/lib/systemd/system
bindir := $(prefix)/bin
sbindir := $(prefix)/lib/ottla/bin
sharedir := $(prefix)/share/ottla
mandir := $(prefix)/share/man
docdir := $(prefix)/share/doc/ottla
completiondir := $(prefix)/share/bash-completion/completions

SAMPLE_CONF := $(BUILD)/ottla.conf.sample
$(SAMPLE_CONF): src/common/settings.txt src/tools/gen_sample_conf.pl src/tools/lib/Ottla/Tools.pm
	$(call say,GEN,$@)mkdir -p $(@D); perl src/tools/gen_sample_conf.pl $< $@; touch $@

SYSTEMD_UNITS := $(notdir $(wildcard contrib/systemd/*.service contrib/systemd/*.socket contrib/systemd/*.target \
    contrib/systemd/*.timer))
# bash looks for a file of the command's name; one file serves them all.
COMMANDS = $(filter-out ottlad,$(BINS)) $(notdir $(wildcard contrib/instances/ottla-*))

# Words MODE:SOURCE:TARGET. Units name the server's place, which depends on prefix: they are made when they are installed.
INSTALL_FILES = \
    $(foreach b,$(BINS),755:$(BUILD)/release/bin/$(b):$(if $(filter ottlad,$(b)),$(sbindir),$(bindir))/$(b)) \
    $(foreach s,$(notdir $(wildcard contrib/instances/ottla-*)),755:contrib/instances/$(s):$(bindir)/$(s)) \
    644:contrib/instances/instances.sh:$(sharedir)/instances.sh \
    644:$(SAMPLE_CONF):$(sharedir)/ottla.conf.sample \
    $(foreach p,$(DOC_PAGES),644:$(BUILD)/doc/man/$(p):$(mandir)/man$(subst .,,$(suffix $(p)))/$(p)) \
    $(foreach h,$(notdir $(DOC_HTML)),644:$(BUILD)/doc/html/$(h):$(docdir)/html/$(h)) \
    644:README.md:$(docdir)/README.md 644:LICENSE:$(docdir)/LICENSE \
    $(foreach d,$(wildcard contrib/grafana/* contrib/prometheus/*),644:$(d):$(docdir)/examples/$(notdir $(d))) \
    $(foreach c,$(sort ottla $(COMMANDS)),644:contrib/completion/ottla.bash:$(completiondir)/$(c)) \
    $(foreach u,$(SYSTEMD_UNITS),644:$(BUILD)/units/$(u):$(unitdir)/$(u)) \
    644:contrib/systemd/ottla.sysusers:$(prefix)/lib/sysusers.d/ottla.conf \
    644:contrib/systemd/ottla.tmpfiles:$(prefix)/lib/tmpfiles.d/ottla.conf \
    644:contrib/systemd/ottla.catalog:$(prefix)/lib/systemd/catalog/ottla.catalog

# Folders that are ours alone, deepest first.
INSTALL_FOLDERS = $(sbindir) $(prefix)/lib/ottla $(sharedir) $(docdir)/html $(docdir)/examples $(docdir)

.PHONY: install uninstall units deb
units:
	$(Q)mkdir -p $(BUILD)/units; for u in $(SYSTEMD_UNITS); do \
	    sed 's#/usr/lib/ottla/bin/#$(sbindir)/#g; s#/usr/bin/ottla#$(bindir)/ottla#g' contrib/systemd/$$u >$(BUILD)/units/$$u; done

install: $(SAMPLE_CONF) units
	$(Q)$(MAKE) -j$(JOBS) VARIANT=release all
	$(Q)$(MAKE) docs
	$(Q)for f in $(INSTALL_FILES); do IFS=: read -r mode from to <<<"$$f"; \
	    install -D -m "$$mode" "$$from" "$(DESTDIR)$$to"; done
	@echo "installed $(words $(INSTALL_FILES)) files below $(DESTDIR)$(prefix)"

uninstall:
	$(Q)for f in $(INSTALL_FILES); do rm -f "$(DESTDIR)$${f##*:}"; done
	$(Q)for d in $(INSTALL_FOLDERS); do rmdir "$(DESTDIR)$$d" 2>/dev/null || :; done

# The packages are made from what make install gives, outside the tree. Debug symbols are left out: they double the time it takes.
DEB_DIR := $(abspath $(BUILD))/deb
deb:
	$(Q)contrib/setup/deps build package
	$(Q)rm -rf $(DEB_DIR); mkdir -p $(DEB_DIR)/ottla-$(VERSION)
	$(Q)$(MAKE) install DESTDIR=$(DEB_DIR)/stage prefix=/usr unitdir=/lib/systemd/system
	$(Q)cp -a contrib/debian $(DEB_DIR)/ottla-$(VERSION)/debian
	$(Q)cd $(DEB_DIR)/ottla-$(VERSION) && OTTLA_STAGE=$(DEB_DIR)/stage DEB_BUILD_OPTIONS="noautodbgsym nocheck" \
	    dpkg-buildpackage -b -us -uc -rfakeroot >$(DEB_DIR)/log 2>&1 || { tail -40 $(DEB_DIR)/log; exit 1; }
	$(Q)rm -rf $(DEB_DIR)/stage $(DEB_DIR)/ottla-$(VERSION); ls $(DEB_DIR)/*.deb

# For make check: where the tools for packages cannot be had, the reason stands in $(DEB_DIR)/skipped, and the test says it.
CHECK_DEPS += deb-for-check
.PHONY: deb-for-check
deb-for-check:
	$(Q)rm -rf $(DEB_DIR); mkdir -p $(DEB_DIR)
	$(Q)if contrib/setup/deps package; then $(MAKE) deb >$(DEB_DIR).log 2>&1 || { tail -40 $(DEB_DIR).log; exit 1; }; \
	else echo "the tools that make packages cannot be had" >$(DEB_DIR)/skipped; fi
