# SPDX-License-Identifier: MIT
# setup, run, iso, install.

SETUP	:= packaging/setup.sh
PYTHON	?= python3

.PHONY: setup run iso install install-tools uninstall deb

# Tools and the cache; quick and silent when nothing is missing.
setup:
	@$(SETUP)

# The set-up comes before the build: it installs the compiler.
run: setup
	@$(MAKE) --no-print-directory all tools guests
	@BUILD=$(BUILD) packaging/run

iso: setup
	@$(MAKE) --no-print-directory all tools guests
	@BUILD=$(BUILD) packaging/make-iso $(BUILD)/krypton.iso

# Run update-grub afterwards (packagers: in the package's postinst).
install: all install-tools
	install -d $(DESTDIR)/boot $(DESTDIR)/etc/grub.d
	install -m 644 $(BUILD)/krypton.gz $(DESTDIR)/boot/krypton-$(VERSION).gz
	install -m 644 $(BUILD)/krypton-syms $(DESTDIR)/boot/krypton-syms
	install -m 755 packaging/20_linux_krypton $(DESTDIR)/etc/grub.d/20_linux_krypton

# The tools live in a folder of their own beside those of other hypervisors; kl alone is in the PATH.
# Units and hotplug scripts take effect by krypton-toolstack.
LIBDIR	:= $(DESTDIR)/usr/lib/krypton
MANDIR	:= $(DESTDIR)/usr/share/man
STORE_NAMES := chmod control exists list ls read rm watch write

install-tools: tools
	install -d $(LIBDIR)/bin $(LIBDIR)/scripts $(LIBDIR)/systemd $(DESTDIR)/usr/sbin $(DESTDIR)/etc/default \
		$(DESTDIR)/etc/xen/auto $(DESTDIR)/usr/share/bash-completion/completions
	for p in $(TOOLS_PROGRAMS); do install -s -m 755 $$p $(LIBDIR)/bin/; done
	ln -sf ../lib/krypton/bin/kl $(DESTDIR)/usr/sbin/kl
	ln -sf kl $(LIBDIR)/bin/xl
	ln -sf kl $(LIBDIR)/bin/xentop
	for n in $(STORE_NAMES); do ln -sf xenstore $(LIBDIR)/bin/xenstore-$$n; done
	install -m 755 packaging/scripts/* $(LIBDIR)/scripts/
	install -m 644 packaging/systemd/* $(LIBDIR)/systemd/
	install -m 755 packaging/krypton-toolstack $(DESTDIR)/usr/sbin/
	install -m 644 packaging/default.krypton $(DESTDIR)/etc/default/krypton
	for m in $(wildcard packaging/man/*.[1-8]); do \
		install -D -m 644 $$m $(MANDIR)/man$${m##*.}/$${m##*/}; done
	for c in $(wildcard packaging/completion/*); do \
		install -m 644 $$c $(DESTDIR)/usr/share/bash-completion/completions/; done

deb: all tools
	@BUILD=$(BUILD) VERSION=$(VERSION) packaging/make-deb $(BUILD)/krypton_$(VERSION)_amd64.deb

# What krypton-toolstack has put into place goes first: it would lead nowhere.
uninstall:
	[ ! -x $(DESTDIR)/usr/sbin/krypton-toolstack ] || DPKG_ROOT=$(DESTDIR) $(DESTDIR)/usr/sbin/krypton-toolstack debian
	rm -f $(DESTDIR)/boot/krypton-$(VERSION).gz $(DESTDIR)/boot/krypton-syms \
		$(DESTDIR)/etc/grub.d/20_linux_krypton $(DESTDIR)/usr/sbin/kl $(DESTDIR)/usr/sbin/krypton-toolstack \
		$(DESTDIR)/etc/default/krypton \
		$(foreach m,$(notdir $(wildcard packaging/man/*.[1-8])),$(MANDIR)/man$(lastword $(subst ., ,$(m)))/$(m)) \
		$(addprefix $(DESTDIR)/usr/share/bash-completion/completions/,$(notdir $(wildcard packaging/completion/*)))
	rm -rf $(LIBDIR)
