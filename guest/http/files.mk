# SPDX-License-Identifier: MIT
# The web server guest, build/guests/http. lwIP comes as Debian's source package, fetched and unpacked
# into the cache by packaging/setup.sh; without it this guest is not built.

LWIP_DIR := $(or $(KRYPTON_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/krypton)/lwip

ifneq ($(wildcard $(LWIP_DIR)/src/core/tcp.c),)
LWIP_SRC := $(wildcard $(LWIP_DIR)/src/core/*.c $(LWIP_DIR)/src/core/ipv4/*.c) \
	$(LWIP_DIR)/src/netif/ethernet.c
LWIP_OBJ := $(patsubst $(LWIP_DIR)/%.c,$(BUILD)/lwip/%.o,$(LWIP_SRC))
LWIP_INC := -Iguest/http/lwip -isystem $(LWIP_DIR)/src/include

# Others' code: our flags but not our warnings.
$(BUILD)/lwip/%.o: $(LWIP_DIR)/%.c $(wildcard guest/http/lwip/*.h guest/http/lwip/arch/*.h)
	@mkdir -p $(@D)
	$(CC) $(GUEST_CPPFLAGS) $(filter-out -W%,$(GUEST_CFLAGS)) -w $(LWIP_INC) -c -o $@ $<

$(BUILD)/lwip/liblwip.a: $(LWIP_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

HTTP_OBJ := $(patsubst %,$(BUILD)/guest-obj/%.o,$(wildcard guest/http/*.c))
$(HTTP_OBJ): GUEST_CPPFLAGS += $(LWIP_INC)
GUEST_PROGRAMS += $(BUILD)/guests/http

$(BUILD)/guests/http: $(HTTP_OBJ) $(GUEST_LIB) $(GUEST_PV_LIB) $(BUILD)/lwip/liblwip.a $(GUEST_LDS)
	@mkdir -p $(@D)
	$(LD) $(GUEST_LDFLAGS) -T $(GUEST_LDS) -o $@ $(HTTP_OBJ) --whole-archive $(GUEST_LIB) \
		--no-whole-archive $(GUEST_PV_LIB) $(BUILD)/lwip/liblwip.a

-include $(HTTP_OBJ:.o=.d) $(LWIP_OBJ:.o=.d)
endif
