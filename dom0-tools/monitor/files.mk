# SPDX-License-Identifier: MIT
MONITOR_SRC := $(addprefix dom0-tools/monitor/,main.c monitor.c worker.c intent.c report.c policy.c)
ifneq ($(wildcard dom0-tools/libs/light/create.c),)
$(eval $(call tools_program,monitor,$(MONITOR_SRC)))
endif
