/* SPDX-License-Identifier: MIT */
/*
 * Writing a core dump: an ELF file of sections, no program headers (docs/misc/dump-core-format.txt
 * of Xen, version 0.1). In the file, in this order:
 *
 *	ELF header, section headers
 *	.note.Xen		what and from which hypervisor
 *	.xen_prstatus		a vcpu_guest_context for each vcpu
 *	.xen_shared_info	one page
 *	.xen_pages		page-aligned, the frames
 *	.xen_p2m		(pfn, gmfn) of each of them
 *	.shstrtab
 *
 * A dump of a domain that stands still is xl's to the byte.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/elfnote.h>
#include <tools/dump.h>

#define PAGE		4096UL
#define BATCH		1024UL		/* frames mapped at once */
#define MAGIC_PV	0xF00FEBEDUL
#define INVALID		(~(uint64_t)0)

enum { SEC_NULL, SEC_STRINGS, SEC_NOTE, SEC_PRSTATUS, SEC_SHARED, SEC_PAGES, SEC_P2M, SECTIONS };

static const char strings[] =
	"\0.shstrtab\0.note.Xen\0.xen_prstatus\0.xen_shared_info\0.xen_pages\0.xen_p2m";

struct note {
	uint32_t namesz, descsz, type;
	char name[4];
};

struct notes {
	struct note none;
	struct note header_note;
	struct { uint64_t magic, vcpus, pages, page_size; } header;
	struct note version_note;
	struct {
		uint64_t major, minor;
		xen_extraversion_t extra;
		xen_compile_info_t compile;
		xen_capabilities_info_t capabilities;
		xen_changeset_info_t changeset;
		xen_platform_parameters_t platform;
		uint64_t pagesize;
	} version;
	struct note format_note;
	uint64_t format;
};
_Static_assert(sizeof(struct note) == 16, "an ELF note header with a name of four bytes");

struct dump {
	struct ctl *ctl;
	struct foreignmemory *fm;
	domid_t domid;
	int fd;
	dump_progress *progress;
	void *cookie;
	struct tools_error *error;
	struct xen_domctl_getdomaininfo info;
	unsigned int vcpus;
	struct vcpu_guest_context *contexts;
	struct shared_info *shared;	/* a copy, a whole page */
	unsigned long pages;		/* entries of p2m, invalid ones at the end */
	unsigned long valid;
	struct dump_p2m_entry *p2m;
};

static int put(struct dump *d, const void *bytes, size_t length)
{
	const char *p = bytes;

	while (length) {
		ssize_t n = write(d->fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tools_fail(d->error, n < 0 ? -errno : -EIO, "write",
					  "cannot write the dump: %s",
					  strerror(n < 0 ? errno : EIO));
		p += n;
		length -= n;
	}
	return 0;
}

static struct note make_note(uint32_t type, uint32_t bytes)
{
	struct note n = { .namesz = 4, .descsz = bytes, .type = type, .name = "Xen" };

	return n;
}

static void fill_notes(struct dump *d, struct notes *n)
{
	int version = ctl_version(d->ctl, XENVER_version, NULL, 0);

	memset(n, 0, sizeof(*n));
	n->none = make_note(XEN_ELFNOTE_DUMPCORE_NONE, 0);
	n->header_note = make_note(XEN_ELFNOTE_DUMPCORE_HEADER, sizeof(n->header));
	n->header.magic = MAGIC_PV;
	n->header.vcpus = d->vcpus;
	n->header.pages = d->pages;
	n->header.page_size = PAGE;
	n->version_note = make_note(XEN_ELFNOTE_DUMPCORE_XEN_VERSION, sizeof(n->version));
	n->version.major = version >> 16;
	n->version.minor = version & 0xffff;
	/* What the hypervisor does not tell stays empty. */
	ctl_version(d->ctl, XENVER_extraversion, &n->version.extra, sizeof(n->version.extra));
	ctl_version(d->ctl, XENVER_compile_info, &n->version.compile, sizeof(n->version.compile));
	ctl_version(d->ctl, XENVER_capabilities, &n->version.capabilities,
		    sizeof(n->version.capabilities));
	ctl_version(d->ctl, XENVER_changeset, &n->version.changeset, sizeof(n->version.changeset));
	ctl_version(d->ctl, XENVER_platform_parameters, &n->version.platform,
		    sizeof(n->version.platform));
	n->version.pagesize = PAGE;
	n->format_note = make_note(XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION, sizeof(n->format));
	n->format = 1;
}

static uint64_t section(Elf64_Shdr *s, const char *name, uint32_t type, uint64_t offset,
			uint64_t bytes, uint64_t align, uint64_t entry)
{
	unsigned int at = 1;

	while (strcmp(strings + at, name))
		at += strlen(strings + at) + 1;
	s->sh_name = at;
	s->sh_type = type;
	s->sh_offset = offset;
	s->sh_size = bytes;
	s->sh_addralign = align;
	s->sh_entsize = entry;
	return offset + bytes;
}

/* Headers, with the padding that puts the pages at a page's start in *pad. */
static int put_headers(struct dump *d, size_t *pad)
{
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT, ELFOSABI_SYSV, EV_CURRENT /* as 4.17's tools fill it */ },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_shoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = SECTIONS,
		.e_shstrndx = SEC_STRINGS,
	};
	Elf64_Shdr s[SECTIONS] = { { 0 } };
	uint64_t at = sizeof(e) + sizeof(s), size = sizeof(struct vcpu_guest_context);
	int err;

	at = section(&s[SEC_NOTE], ".note.Xen", SHT_NOTE, at, sizeof(struct notes), 0, 0);
	at = section(&s[SEC_PRSTATUS], ".xen_prstatus", SHT_PROGBITS, at, size * d->vcpus,
		     __alignof__(struct vcpu_guest_context), size);
	at = section(&s[SEC_SHARED], ".xen_shared_info", SHT_PROGBITS, at, PAGE,
		     __alignof__(struct shared_info), PAGE);
	*pad = -at & (PAGE - 1);
	at = section(&s[SEC_PAGES], ".xen_pages", SHT_PROGBITS, at + *pad, d->pages * PAGE, PAGE,
		     PAGE);
	at = section(&s[SEC_P2M], ".xen_p2m", SHT_PROGBITS, at, d->pages * sizeof(*d->p2m),
		     __alignof__(struct dump_p2m_entry), sizeof(*d->p2m));
	section(&s[SEC_STRINGS], ".shstrtab", SHT_STRTAB, at, sizeof(strings), 0, 0);
	err = put(d, &e, sizeof(e));
	return err ? err : put(d, s, sizeof(s));
}

/* The frames from @first on, at most BATCH; those that cannot be had are zero in the dump. */
static int put_batch(struct dump *d, unsigned long first, unsigned long count, char *buffer)
{
	xen_pfn_t frames[BATCH];
	int errors[BATCH];
	unsigned long i;
	void *pages;
	int err;

	for (i = 0; i < count; i++)
		frames[i] = d->p2m[first + i].gmfn;
	err = foreignmemory_map(d->fm, d->domid, PROT_READ, count, frames, errors, &pages);
	if (err)
		return tools_fail(d->error, err, "map", "cannot map memory of domain %u: %s",
				  d->domid, strerror(-err));
	for (i = 0; i < count; i++) {
		if (errors[i])
			memset(buffer + i * PAGE, 0, PAGE);
		else
			memcpy(buffer + i * PAGE, (char *)pages + i * PAGE, PAGE);
	}
	foreignmemory_unmap(d->fm, pages, count);
	return put(d, buffer, count * PAGE);
}

static int put_pages(struct dump *d)
{
	char *buffer = malloc(BATCH * PAGE);
	unsigned long done = 0, count;
	int err = buffer ? 0 : -ENOMEM;

	while (!err && done < d->valid) {
		count = d->valid - done < BATCH ? d->valid - done : BATCH;
		err = put_batch(d, done, count, buffer);
		done += count;
		if (!err && d->progress)
			err = d->progress(d->cookie, done, d->pages);
	}
	if (buffer)
		memset(buffer, 0, PAGE);
	while (!err && done++ < d->pages)
		err = put(d, buffer, PAGE);
	free(buffer);
	return err;
}

static int put_all(struct dump *d)
{
	static const char zeroes[PAGE];
	struct notes notes;
	size_t pad;
	int err = put_headers(d, &pad);

	fill_notes(d, &notes);
	if (!err)
		err = put(d, &notes, sizeof(notes));
	if (!err)
		err = put(d, d->contexts, d->vcpus * sizeof(*d->contexts));
	if (!err)
		err = put(d, d->shared, PAGE);
	if (!err)
		err = put(d, zeroes, pad);
	if (!err)
		err = put_pages(d);
	if (!err)
		err = put(d, d->p2m, d->pages * sizeof(*d->p2m));
	return err ? err : put(d, strings, sizeof(strings));
}

/* vcpus that were never started have no context, and none in the dump. */
static int read_vcpus(struct dump *d)
{
	unsigned int count = d->info.max_vcpu_id + 1, v;	/* wraps to none */

	d->contexts = calloc(count + 1UL, sizeof(*d->contexts));
	if (!d->contexts)
		return -ENOMEM;
	for (v = 0; v < count; v++)
		if (!ctl_getvcpucontext(d->ctl, d->domid, v, &d->contexts[d->vcpus]))
			d->vcpus++;
	if (d->vcpus)
		return 0;
	return tools_fail(d->error, -EINVAL, "no-vcpu", "domain %u has no vcpu with a state",
			  d->domid);
}

static int read_frames(struct dump *d)
{
	xen_pfn_t frame = d->info.shared_info_frame;
	long max_mfn = ctl_maximum_ram_page(d->ctl), valid;
	void *page;
	int err;

	if (max_mfn < 0)
		return max_mfn;
	err = foreignmemory_map(d->fm, d->domid, PROT_READ, 1, &frame, NULL, &page);
	if (err)
		return tools_fail(d->error, err, "map",
				  "cannot map the shared info of domain %u: %s", d->domid,
				  strerror(-err));
	d->shared = malloc(PAGE);
	if (d->shared)
		memcpy(d->shared, page, PAGE);
	foreignmemory_unmap(d->fm, page, 1);
	d->pages = d->info.tot_pages;
	d->p2m = malloc((d->pages + 1) * sizeof(*d->p2m));
	if (!d->shared || !d->p2m)
		return -ENOMEM;
	valid = dump_read_p2m(d->fm, d->domid, d->shared, d->pages, max_mfn, d->p2m, d->error);
	if (valid < 0)
		return valid;
	d->valid = valid;
	memset(d->p2m + valid, 0xff, (d->pages - valid) * sizeof(*d->p2m));
	return 0;
}

int dump_core(struct ctl *ctl, struct foreignmemory *fm, domid_t domid, int fd,
	      dump_progress *progress, void *cookie, struct tools_error *error)
{
	struct dump d = {
		.ctl = ctl, .fm = fm, .domid = domid, .fd = fd, .progress = progress,
		.cookie = cookie, .error = error
	};
	int err = ctl_getdomaininfo(ctl, domid, &d.info);

	if (err)
		return tools_fail(error, err, "no-such-domain", "domain %u: %s", domid,
				  strerror(-err));
	if (d.info.flags & XEN_DOMINF_hvm_guest)
		return tools_fail(error, -EOPNOTSUPP, "unsupported",
				  "domain %u is not paravirtualized", domid);
	err = read_vcpus(&d);
	if (!err)
		err = read_frames(&d);
	if (!err)
		err = put_all(&d);
	if (err == -ENOMEM)
		tools_fail(error, err, "no-memory", "out of memory in domain 0");
	else if (err && error && !error->code)
		tools_fail(error, err, "failed", "cannot dump domain %u: %s", domid,
			   strerror(-err));
	free(d.contexts);
	free(d.shared);
	free(d.p2m);
	return err;
}
