# SPDX-License-Identifier: MIT
LIGHT_DIR := dom0-tools/libs/light
LIGHT_CONFIG_SRC := $(addprefix $(LIGHT_DIR)/,cfg.c config.c config_json.c config_sxp.c defaults.c disk_spec.c keys.c nic_spec.c parse.c \
	values.c)
TOOLS_LIB_SRC += $(LIGHT_CONFIG_SRC)
