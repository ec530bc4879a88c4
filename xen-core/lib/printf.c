/* SPDX-License-Identifier: MIT */
/*
 * Formatting for the console. The kernel-style extensions of %p print the
 * things that messages are about: %pd domain, %pv vcpu, %ps symbol, %pM mfn.
 */
#include <core/domain.h>
#include <core/lib.h>
#include <core/symbols.h>

struct out {
	char *buf;
	size_t size;		/* of buf */
	size_t pos;		/* what would have been written so far */
};

struct spec {
	bool left, zero, alt, plus, space, upper;
	int width, precision;	/* precision < 0: none */
	int length;		/* bytes of an integer argument */
};

static void emit(struct out *o, char c)
{
	if (o->pos + 1 < o->size)
		o->buf[o->pos] = c;
	o->pos++;
}

static void emit_padded(struct out *o, const struct spec *sp, const char *s, size_t n)
{
	size_t pad = sp->width > 0 && (size_t)sp->width > n ? (size_t)sp->width - n : 0;

	for (; !sp->left && pad; pad--)
		emit(o, ' ');
	while (n--)
		emit(o, *s++);
	for (; pad; pad--)
		emit(o, ' ');
}

static void emit_number(struct out *o, struct spec *sp, uint64_t v, unsigned int base,
			bool negative)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[72], *end = tmp + sizeof(tmp), *p = end;
	int min_digits = sp->precision >= 0 ? sp->precision : 1;
	char sign = negative ? '-' : sp->plus ? '+' : sp->space ? ' ' : 0;
	int extra = (sign ? 1 : 0) + (sp->alt && base == 16 ? 2 : 0);

	if (sp->zero && !sp->left && sp->precision < 0 && sp->width > extra)
		min_digits = sp->width - extra;
	if (min_digits > 64)
		min_digits = 64;
	for (; v || end - p < min_digits; v /= base)
		*--p = digits[v % base];
	if (sp->alt && base == 16) {
		*--p = sp->upper ? 'X' : 'x';
		*--p = '0';
	}
	if (sign)
		*--p = sign;
	emit_padded(o, sp, p, (size_t)(end - p));
}

static void emit_symbol(struct out *o, struct spec *sp, unsigned long addr)
{
	unsigned long off, size;
	const char *name = symbol_lookup(addr, &off, &size);
	char tmp[96];
	int n;

	if (name)
		n = scnprintf(tmp, sizeof(tmp), "%s+%#lx/%#lx", name, off, size);
	else
		n = scnprintf(tmp, sizeof(tmp), "%#lx", addr);
	emit_padded(o, sp, tmp, (size_t)n);
}

static void emit_domain(struct out *o, struct spec *sp, const struct domain *d,
			const struct vcpu *v)
{
	char tmp[32];
	int n;

	if (!d)
		n = scnprintf(tmp, sizeof(tmp), "NULL");
	else if (d->domain_id == DOMID_IDLE)
		n = scnprintf(tmp, sizeof(tmp), "d[IDLE]");
	else if (d->domain_id == DOMID_IO)
		n = scnprintf(tmp, sizeof(tmp), "d[IO]");
	else if (d->domain_id == DOMID_XEN)
		n = scnprintf(tmp, sizeof(tmp), "d[XEN]");
	else
		n = scnprintf(tmp, sizeof(tmp), "d%u", d->domain_id);
	if (v)
		n += scnprintf(tmp + n, sizeof(tmp) - (size_t)n, "v%u", v->vcpu_id);
	emit_padded(o, sp, tmp, (size_t)n);
}

/* After %p: one of the extensions, or a plain pointer. Returns how many letters were used. */
static int emit_pointer(struct out *o, struct spec *sp, const char *ext, const void *p)
{
	const struct vcpu *v = p;

	switch (*ext) {
	case 'd':
		emit_domain(o, sp, p, NULL);
		return 1;
	case 'v':
		emit_domain(o, sp, v ? v->domain : NULL, v);
		return 1;
	case 's':
		emit_symbol(o, sp, (unsigned long)p);
		return 1;
	case 'M':
		emit_number(o, sp, mfn_x(*(const mfn_t *)p), 16, false);
		return 1;
	default:
		sp->zero = true;
		if (sp->width < 16)
			sp->width = 16;
		emit_number(o, sp, (unsigned long)p, 16, false);
		return 0;
	}
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '#')
			sp->alt = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else
			return f;
	}
}

static const char *parse_length(const char *f, struct spec *sp)
{
	sp->length = sizeof(int);
	for (;; f++) {
		if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
			sp->length = sizeof(long);
		else if (*f == 'h')
			sp->length = sp->length == 2 ? 1 : 2;
		else
			return f;
	}
}

static uint64_t truncate_to(uint64_t v, int length, bool is_signed)
{
	unsigned int drop = 64 - 8 * (unsigned int)length;

	return is_signed ? (uint64_t)((int64_t)(v << drop) >> drop) : v << drop >> drop;
}

int vsnprintf(char *buf, size_t size, const char *f, va_list args)
{
	struct out o = { buf, size, 0 };
	va_list ap;

	va_copy(ap, args);
	for (; *f; f++) {
		struct spec sp = { .precision = -1 };
		uint64_t v;
		const char *s;

		if (*f != '%') {
			emit(&o, *f);
			continue;
		}
		f = parse_flags(f + 1, &sp);
		if (*f == '*') {
			sp.width = va_arg(ap, int);
			f++;
		} else {
			for (; *f >= '0' && *f <= '9'; f++)
				sp.width = sp.width * 10 + (*f - '0');
		}
		if (*f == '.') {
			sp.precision = 0;
			if (*++f == '*') {
				sp.precision = va_arg(ap, int);
				f++;
			}
			for (; *f >= '0' && *f <= '9'; f++)
				sp.precision = sp.precision * 10 + (*f - '0');
		}
		f = parse_length(f, &sp);
		switch (*f) {
		case 'd': case 'i':
			v = sp.length == 8 ? (uint64_t)va_arg(ap, long) : (uint64_t)va_arg(ap, int);
			v = truncate_to(v, sp.length, true);
			emit_number(&o, &sp, (int64_t)v < 0 ? -v : v, 10, (int64_t)v < 0);
			break;
		case 'u': case 'x': case 'X': case 'o':
			v = sp.length == 8 ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int);
			sp.upper = *f == 'X';
			emit_number(&o, &sp, truncate_to(v, sp.length, false),
				    *f == 'u' ? 10 : *f == 'o' ? 8 : 16, false);
			break;
		case 'c':
			emit(&o, (char)va_arg(ap, int));
			break;
		case 's':
			s = va_arg(ap, const char *);
			s = s ? s : "(null)";
			emit_padded(&o, &sp, s, strnlen(s, sp.precision >= 0 ? (size_t)sp.precision
									     : ~(size_t)0));
			break;
		case 'p':
			f += emit_pointer(&o, &sp, f + 1, va_arg(ap, const void *));
			break;
		case '%':
			emit(&o, '%');
			break;
		default:
			emit(&o, '%');
			if (!*f)
				f--;
			else
				emit(&o, *f);
		}
	}
	va_end(ap);
	if (size)
		buf[o.pos < size ? o.pos : size - 1] = '\0';
	return (int)o.pos;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n < (int)size ? n : size ? (int)size - 1 : 0;
}
