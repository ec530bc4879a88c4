/* SPDX-License-Identifier: MIT */
/* printf-style formatting: d i u x X p s c %, width, flags 0 and -, lengths l, ll and z. */
#include <guest/string.h>

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

struct spec {
	int width;
	bool left, zero;
};

static void put_padded(struct out *o, const struct spec *sp, const char *s, int len)
{
	int pad = sp->width > len ? sp->width - len : 0;

	for (; pad && !sp->left; pad--)
		put(o, sp->zero ? '0' : ' ');
	for (int i = 0; i < len; i++)
		put(o, s[i]);
	while (pad--  > 0)
		put(o, ' ');
}

static void put_number(struct out *o, struct spec *sp, uint64_t v, unsigned int base, bool negative)
{
	char tmp[24];
	int n = sizeof(tmp);

	do {
		tmp[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative && sp->zero) {
		put(o, '-');
		sp->width--;
	} else if (negative) {
		tmp[--n] = '-';
	}
	put_padded(o, sp, tmp + n, sizeof(tmp) - n);
}

/* Format one conversion; fmt points behind the '%'. Returns the position behind the conversion. */
static const char *convert(struct out *o, const char *fmt, va_list *ap)
{
	struct spec sp = { 0 };
	int longs = 0;
	int64_t v;

	for (; *fmt == '0' || *fmt == '-'; fmt++)
		*(*fmt == '0' ? &sp.zero : &sp.left) = true;
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		sp.width = sp.width * 10 + *fmt - '0';
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		longs++;

	switch (*fmt) {
	case 'd':
	case 'i':
		v = longs ? va_arg(*ap, long) : va_arg(*ap, int);
		put_number(o, &sp, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
		break;
	case 'u':
	case 'x':
		put_number(o, &sp, longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int),
			   *fmt == 'u' ? 10 : 16, false);
		break;
	case 'p':
		put_number(o, &sp, (uint64_t)va_arg(*ap, void *), 16, false);
		break;
	case 's': {
		const char *s = va_arg(*ap, const char *);

		put_padded(o, &sp, s ? s : "(null)", s ? (int)strlen(s) : 6);
		break;
	}
	case 'c':
		put(o, va_arg(*ap, int));
		break;
	default:
		put(o, *fmt);
	}
	return *fmt ? fmt + 1 : fmt;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = size };
	va_list copy;

	va_copy(copy, ap);
	while (*fmt) {
		if (*fmt != '%')
			put(&o, *fmt++);
		else
			fmt = convert(&o, fmt + 1, &copy);
	}
	va_end(copy);
	if (size)
		buf[o.len < size ? o.len : size - 1] = '\0';
	return o.len;
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
