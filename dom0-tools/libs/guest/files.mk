# SPDX-License-Identifier: MIT
# The builder of guests. The distribution's static decoders come as one object of the library, with only
# what is called visible, so that programs need no libraries of their own.
TOOLS_LIB_SRC += $(addprefix dom0-tools/libs/guest/,build.c elf.c image.c layout.c memory.c tables.c \
	unpack.c decoders)

DECODER_LIBS := $(foreach l,lzma zstd z lz4,$(shell gcc -print-file-name=lib$(l).a))
DECODER_ENTRY := lzma_stream_buffer_decode ZSTD_decompress ZSTD_findFrameCompressedSize ZSTD_isError \
	inflateInit2_ inflate inflateEnd LZ4_decompress_safe

$(TOOLS_DIR)/obj/dom0-tools/libs/guest/decoders.o: dom0-tools/libs/guest/files.mk
	@mkdir -p $(@D)
	@echo "  TOOLLD $@"
	@ld -m elf_x86_64 -r $(addprefix -u ,$(DECODER_ENTRY)) -o $@.tmp --start-group $(DECODER_LIBS) \
		--end-group
	@objcopy $(addprefix --keep-global-symbol ,$(DECODER_ENTRY)) $@.tmp $@
	@rm -f $@.tmp
