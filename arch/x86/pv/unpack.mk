# SPDX-License-Identifier: MIT
#
# The decoders of dom0's kernel: Debian's static libraries, only what is called,
# as one relocatable object in init sections. Their C library is a handful of
# our functions; anything else that they would want is an error here, at once.

UNPACK_LIBS	?= $(foreach l,lzma zstd z lz4,$(shell $(CC) -print-file-name=lib$(l).a))
UNPACK_ENTRY	:= lzma_stream_buffer_decode ZSTD_decompress ZSTD_findFrameCompressedSize \
	ZSTD_isError inflateInit2_ inflate inflateEnd LZ4_decompress_safe
UNPACK_RENAME	:= $(foreach f,malloc calloc free memcpy,--redefine-sym $(f)=unpack_$(f)) \
	--redefine-sym __stack_chk_fail=unpack_stack_chk_fail \
	--redefine-sym ZSTD_trace_decompress_begin=unpack_trace_begin \
	--redefine-sym ZSTD_trace_decompress_end=unpack_trace_end
UNPACK_ALLOWED	:= memmove|memset|memcmp|unpack_(malloc|calloc|free|memcpy|stack_chk_fail|trace_(begin|end))|_GLOBAL_OFFSET_TABLE_
OBJCOPY		?= objcopy

INIT_LIBS += $(BUILD)/obj/unpack_libs.o

$(BUILD)/obj/unpack_libs.o: arch/x86/pv/unpack.lds arch/x86/pv/unpack.mk
	@mkdir -p $(@D)
	@echo "  LIBS  $@"
	@$(LD) -m elf_x86_64 -r $(addprefix -u ,$(UNPACK_ENTRY)) -T arch/x86/pv/unpack.lds -o $@.tmp \
		--start-group $(UNPACK_LIBS) --end-group
	@$(OBJCOPY) $(UNPACK_RENAME) $(addprefix --keep-global-symbol ,$(UNPACK_ENTRY)) $@.tmp $@
	@rm -f $@.tmp
	@if $(NM) -u $@ | grep -vE ' ($(UNPACK_ALLOWED))$$'; then \
		echo "unpack.mk: the decoders need the symbols above, which do not exist here"; \
		rm -f $@; exit 1; fi
