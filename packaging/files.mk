# SPDX-License-Identifier: MIT
# setup, run, iso, install.

SETUP	:= packaging/setup.sh
PYTHON	?= python3

.PHONY: setup run iso install uninstall

# Tools and the cache; quick and silent when nothing is missing.
setup:
	@$(SETUP)

# The set-up comes before the build: it installs the compiler.
run: setup
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) packaging/run

iso: setup
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) packaging/make-iso $(BUILD)/krypton.iso

# Run update-grub afterwards (packagers: in the package's postinst).
install: all
	install -d $(DESTDIR)/boot $(DESTDIR)/etc/grub.d
	install -m 644 $(BUILD)/krypton.gz $(DESTDIR)/boot/krypton-$(VERSION).gz
	install -m 644 $(BUILD)/krypton-syms $(DESTDIR)/boot/krypton-syms
	install -m 755 packaging/20_linux_krypton $(DESTDIR)/etc/grub.d/20_linux_krypton

uninstall:
	rm -f $(DESTDIR)/boot/krypton-$(VERSION).gz $(DESTDIR)/boot/krypton-syms \
		$(DESTDIR)/etc/grub.d/20_linux_krypton
