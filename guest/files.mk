# SPDX-License-Identifier: MIT
# The guest kernel library, and the rule by which a directory <root>/<name>/*.c becomes
# build/guests/<name>.
# A root's files.mk adds its names:  $(eval $(call guest_program,name,directory))

GUEST_SRC := start.S trap_entry.S user_entry.S start.c string.c format.c console.c mm.c trap.c \
	event.c fifo.c grant.c suspend.c time.c user.c smp.c ktest.c
# start.S and start.c share a basename: the object keeps the suffix.
GUEST_OBJ := $(patsubst %.S,$(BUILD)/guest/%.S.o,$(patsubst %.c,$(BUILD)/guest/%.c.o,$(GUEST_SRC)))
GUEST_LIB := $(BUILD)/guest/libguest.a
# What guests with devices link beside it: pvlib and the frontends, taken as far as they are called.
GUEST_PV_SRC := $(wildcard pvlib/*.c) pvlib/port/bare.c $(wildcard blkfront/*.c netfront/*.c)
GUEST_PV_OBJ := $(patsubst %,$(BUILD)/guest-obj/%.o,$(GUEST_PV_SRC))
GUEST_PV_LIB := $(BUILD)/guest/libpv.a
GUEST_LDS := $(BUILD)/guest/guest.lds

GUEST_CPPFLAGS := -Iguest/include -Ipvlib/include -MMD -MP \
	-D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__
GUEST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wundef -Wmissing-prototypes -Werror \
	-ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-fcf-protection=none
GUEST_LDFLAGS := -nostdlib -static --build-id=none -z max-page-size=4096 -z noexecstack \
	--no-warn-rwx-segments

$(BUILD)/guest/%.c.o: guest/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CPPFLAGS) $(GUEST_CFLAGS) -c -o $@ $<

$(BUILD)/guest/%.S.o: guest/%.S
	@mkdir -p $(@D)
	$(CC) $(GUEST_CPPFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(GUEST_LIB): $(GUEST_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(GUEST_PV_LIB): $(GUEST_PV_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(GUEST_LDS): guest/guest.lds guest/include/guest/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -x assembler-with-cpp -Iguest/include -o $@ $<

# guest_program(name, directory)
define guest_program
GUEST_PROGRAMS += $(BUILD)/guests/$(1)
$(1)_SRC := $$(wildcard $(2)/*.c $(2)/*.S)
$(1)_OBJ := $$(patsubst %,$(BUILD)/guest-obj/%.o,$$($(1)_SRC))
GUEST_PROGRAM_OBJ += $$($(1)_OBJ)
$(BUILD)/guests/$(1): $$($(1)_OBJ) $(GUEST_LIB) $(GUEST_PV_LIB) $(GUEST_LDS)
	@mkdir -p $$(@D)
	$$(LD) $$(GUEST_LDFLAGS) -T $(GUEST_LDS) -o $$@ $$($(1)_OBJ) --whole-archive $(GUEST_LIB) \
		--no-whole-archive $(GUEST_PV_LIB)
endef

$(BUILD)/guest-obj/%.c.o: %.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CPPFLAGS) $(GUEST_CFLAGS) -c -o $@ $<

$(BUILD)/guest-obj/%.S.o: %.S
	@mkdir -p $(@D)
	$(CC) $(GUEST_CPPFLAGS) -D__ASSEMBLY__ -c -o $@ $<

-include $(GUEST_OBJ:.o=.d) $(GUEST_PV_OBJ:.o=.d)

# Programs that are more than tests.
include $(wildcard guest/*/files.mk)
