# SPDX-License-Identifier: MIT
# The host port: linked into every unit test and fuzzer.
HOST_SRC := $(addprefix arch/host/, alloc.c cpu.c domain.c frame.c guest_access.c lib.c lock.c machine.c)
