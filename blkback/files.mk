# SPDX-License-Identifier: MIT
# The block backend's daemon, and what it shares with the network's: pvlib with Linux under it.

TOOLS_LIB_SRC += pvlib/store.c pvlib/xenbus.c pvlib/port/file.c pvlib/port/linux.c

BLKBACK_CORE := $(addprefix blkback/,buffer.c connect.c copy.c device.c hold.c move.c persist.c queue.c record.c request.c)

$(eval $(call tools_program,blkback,$(BLKBACK_CORE) $(addprefix blkback/,file_io.c image.c image_calls.c image_process.c main.c nbd.c uring.c workers.c write_log.c)))
