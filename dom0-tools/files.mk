# SPDX-License-Identifier: MIT
# The tools of dom0: libraries, daemons and kl. Linked statically against musl, so that a bare
# initramfs can be a dom0; TOOLS_CC=gcc builds them against the system's library instead.
# Every folder below dom0-tools/ may have a files.mk that adds to TOOLS_LIB_SRC (what all programs may
# link; the archive gives each only what it calls) or declares a program:
#	$(eval $(call tools_program,NAME,SOURCES,EXTRA_LIBS))	-> $(BUILD)/tools/NAME

TOOLS_CC ?= musl-gcc
TOOLS_DIR := $(BUILD)/tools
TOOLS_INC := -Idom0-tools/include -Ipvlib/include
TOOLS_CFLAGS := -std=gnu11 -O2 -g $(WARN) $(ABIDEF) -D_GNU_SOURCE $(TOOLS_INC) -fno-strict-aliasing \
	-ffunction-sections -fdata-sections
TOOLS_LDFLAGS := -static -Wl,--gc-sections
# musl's compiler wrapper drops /usr/include: what the kernel's and Xen's headers need is linked in.
ifneq ($(findstring musl,$(TOOLS_CC)),)
TOOLS_CFLAGS += -isystem $(TOOLS_DIR)/include
TOOLS_SYSINC := $(TOOLS_DIR)/include/.done
else
TOOLS_SYSINC :=
endif

$(TOOLS_DIR)/include/.done:
	@mkdir -p $(@D)
	@for d in linux asm-generic xen; do ln -sfn /usr/include/$$d $(@D)/$$d; done
	@ln -sfn /usr/include/$$(gcc -print-multiarch)/asm $(@D)/asm
	@for f in lzma lzma.h zstd.h zstd_errors.h zdict.h zlib.h zconf.h lz4.h; do \
		if [ -e /usr/include/$$f ]; then ln -sfn /usr/include/$$f $(@D)/$$f; \
		elif [ -e /usr/include/$$(gcc -print-multiarch)/$$f ]; then \
			ln -sfn /usr/include/$$(gcc -print-multiarch)/$$f $(@D)/$$f; fi; done
	@touch $@

TOOLS_LIB_SRC :=
TOOLS_PROGRAMS :=
TOOLS_ALL_OBJ :=

$(TOOLS_DIR)/obj/%.c.o: %.c $(TOOLS_SYSINC)
	@mkdir -p $(@D)
	@echo "  TOOLCC $<"
	@$(TOOLS_CC) $(TOOLS_CFLAGS) -MMD -MP -c -o $@ $<

define tools_program
TOOLS_PROGRAMS += $(TOOLS_DIR)/$(1)
TOOLS_ALL_OBJ += $(patsubst %,$(TOOLS_DIR)/obj/%.o,$(2))
$(TOOLS_DIR)/$(1): $(patsubst %,$(TOOLS_DIR)/obj/%.o,$(2)) $(TOOLS_DIR)/libtools.a
	@echo "  TOOLLD $$@"
	@$(TOOLS_CC) $(TOOLS_LDFLAGS) -o $$@ $$^ $(3)
endef

include $(wildcard dom0-tools/*/files.mk dom0-tools/libs/*/files.mk blkback/files.mk netback/files.mk)

TOOLS_LIB_OBJ := $(patsubst %,$(TOOLS_DIR)/obj/%.o,$(TOOLS_LIB_SRC))
$(TOOLS_DIR)/libtools.a: $(TOOLS_LIB_OBJ)
	@rm -f $@
	@echo "  TOOLAR $@"
	@ar rcs $@ $^

-include $(patsubst %.o,%.d,$(TOOLS_LIB_OBJ) $(TOOLS_ALL_OBJ))

.PHONY: tools
tools: $(TOOLS_PROGRAMS)
