# SPDX-License-Identifier: MIT
LIGHT_DIR := dom0-tools/libs/light
# The configuration alone, which tests need without a hypervisor.
LIGHT_CONFIG_SRC := $(addprefix $(LIGHT_DIR)/,cfg.c config.c config_json.c config_sxp.c defaults.c disk_spec.c \
	keys.c nic_spec.c parse.c values.c)
LIGHT_DOMAIN_SRC := $(addprefix $(LIGHT_DIR)/,attach.c backing.c batch.c bootloader.c create.c create_nodes.c \
	destroy.c device.c device_list.c device_wait.c history.c holders.c limits.c marker.c memory.c open.c prepare.c reconnect.c script.c \
	shutdown.c userdata.c wait.c)
TOOLS_LIB_SRC += $(LIGHT_CONFIG_SRC) $(LIGHT_DOMAIN_SRC)
