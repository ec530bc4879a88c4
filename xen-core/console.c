/* SPDX-License-Identifier: MIT */
/*
 * printk, the console devices, input, and HYPERVISOR_console_io.
 *
 * A line of the hypervisor is prefixed with "(KRY) "; a guest's with its
 * domain, "(d3) ". dom0's own bytes pass through as they are, since it has a
 * terminal on them. Guests share one budget of lines a second, so that none
 * can fill the log or keep the CPU writing to a slow serial line.
 */
#include <core/console.h>
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/softirq.h>
#include <core/xmalloc.h>
#include <arch/cpu.h>
#include <arch/time.h>

enum level { LEVEL_ERR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG, LEVEL_NONE = -1 };

#define PREFIX		"(KRY) "
#define GUEST_LINE	128		/* longer lines of a guest are broken */
#define GUEST_BURST	40		/* lines that guests may write at once */
#define GUEST_RATE	10		/* lines a second they earn */

struct guest_console {
	unsigned int len;
	char line[GUEST_LINE];
};

static DEFINE_SPINLOCK(console_lock, LOCK_CONSOLE);
static struct console_dev *devices;
static bool unlocked;			/* panicking */
static bool at_line_start = true;
static bool continues;			/* our own last text did not end its line */

static char opt_console[64] __initdata = "com1,vga";
string_param("console", opt_console);
static bool opt_sync;
boolean_param("sync_console", opt_sync);
static bool opt_timestamps;
boolean_param("console_timestamps", opt_timestamps);
static uint64_t opt_ring_size __initdata = 32768;
size_param("conring_size", opt_ring_size);

/* Messages of at most `upper` are printed; between the two they are rate-limited. */
struct thresholds {
	int upper, limited;
};
static struct thresholds hyp_level = { LEVEL_INFO, LEVEL_INFO };
static struct thresholds guest_level = { LEVEL_WARNING, LEVEL_WARNING };

static int parse_level(const char *s, size_t n)
{
	static const struct { const char *name; int level; } names[] = {
		{ "none", LEVEL_NONE }, { "error", LEVEL_ERR }, { "warning", LEVEL_WARNING },
		{ "info", LEVEL_INFO }, { "debug", LEVEL_DEBUG }, { "all", LEVEL_DEBUG },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (n == strlen(names[i].name) && !strncmp(s, names[i].name, n))
			return names[i].level;
	return -2;
}

/* level[/level]: 0 or -EINVAL, nothing changed. */
static int parse_thresholds(const char *s, struct thresholds *t)
{
	const char *slash = strchr(s, '/');
	int a = parse_level(s, slash ? (size_t)(slash - s) : strlen(s));
	int b = slash ? parse_level(slash + 1, strlen(slash + 1)) : a;

	if (a < -1 || b < -1)
		return -EINVAL;
	t->limited = a;
	t->upper = max(a, b);
	return 0;
}

static int __init param_loglvl(const char *s) { return parse_thresholds(s, &hyp_level); }
custom_param("loglvl", param_loglvl);
static int __init param_guest_loglvl(const char *s) { return parse_thresholds(s, &guest_level); }
custom_param("guest_loglvl", param_guest_loglvl);

/* ---- output ---- */

static void say_late(const char *text);

static unsigned long lock_console(void)
{
	unsigned long flags = local_irq_save();

	if (!unlocked)
		spin_lock(&console_lock);
	return flags;
}

static void unlock_console(unsigned long flags)
{
	if (unlikely(console_late_pending()))
		console_late_say(say_late, unlocked);
	if (!unlocked)
		spin_unlock(&console_lock);
	local_irq_restore(flags);
}

static void put_locked(const char *s, size_t n, bool ring)
{
	if (ring)
		console_ring_put(s, n);
	for (struct console_dev *d = devices; d; d = d->next)
		d->puts(s, n);
	if (n)
		at_line_start = s[n - 1] == '\n';
}

void console_write(const char *s, size_t n, bool ring)
{
	unsigned long flags = lock_console();

	put_locked(s, n, ring);
	unlock_console(flags);
}

static void put_prefix_locked(const char *prefix)
{
	char tmp[48];
	int n;

	put_locked(prefix, strlen(prefix), true);
	if (!opt_timestamps)
		return;
	n = scnprintf(tmp, sizeof(tmp), "[%5ld.%06ld] ", NOW() / SECONDS(1),
		      NOW() % SECONDS(1) / 1000);
	put_locked(tmp, (size_t)n, true);
}

/* Text with each line prefixed; a line left open by dom0's raw output is ended first. */
static void put_lines_locked(const char *prefix, const char *s)
{
	if (!at_line_start && !continues)
		put_locked("\n", 1, true);
	while (*s) {
		const char *nl = strchr(s, '\n');
		size_t n = nl ? (size_t)(nl - s) + 1 : strlen(s);

		if (!continues)
			put_prefix_locked(prefix);
		put_locked(s, n, true);
		continues = !nl;
		s += n;
	}
}

/* A handler's message, which does not go on with a line that was begun. */
static void say_late(const char *text)
{
	continues = false;
	put_lines_locked(PREFIX, text);
}

/* A token bucket for what guests cause. The console lock is held. */
static bool guest_budget_locked(void)
{
	static s_time_t last;
	static long tokens = GUEST_BURST;
	static unsigned long suppressed;
	s_time_t now = NOW();
	long earned = (now - last) / (SECONDS(1) / GUEST_RATE);
	char tmp[64];

	if (earned > 0) {
		tokens = min(tokens + earned, (long)GUEST_BURST);
		last = now;
	}
	if (tokens <= 0) {
		suppressed++;
		return false;
	}
	tokens--;
	if (suppressed) {
		scnprintf(tmp, sizeof(tmp), "%lu guest messages suppressed\n", suppressed);
		suppressed = 0;
		put_lines_locked(PREFIX, tmp);
	}
	return true;
}

/* Takes the level marks off a message: returns its text, sets *guest and *level. */
static const char *strip_level(const char *s, bool *guest, int *level)
{
	*guest = false;
	*level = LEVEL_WARNING;
	while (s[0] == '<' && s[1] && s[2] == '>') {
		if (s[1] == 'G')
			*guest = true;
		else if (s[1] >= '0' && s[1] <= '3')
			*level = s[1] - '0';
		else
			break;
		s += 3;
	}
	return s;
}

static void print_message(const char *text)
{
	const struct thresholds *t;
	bool guest;
	int level;
	unsigned long flags;

	text = strip_level(text, &guest, &level);
	t = guest ? &guest_level : &hyp_level;
	if (level > t->upper && !unlocked)
		return;
	if (unlikely(in_nmi()) && !unlocked) {
		console_late_put(text);
		raise_softirq(CONSOLE_SOFTIRQ);
		return;
	}
	flags = lock_console();
	if ((!guest && level <= t->limited) || unlocked || guest_budget_locked())
		put_lines_locked(PREFIX, text);
	unlock_console(flags);
}

void vprintk(const char *fmt, va_list ap)
{
	char buf[512];

	vsnprintf(buf, sizeof(buf), fmt, ap);
	print_message(buf);
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}

void gprintk(const char *level, const char *fmt, ...)
{
	char buf[512];
	int n = scnprintf(buf, sizeof(buf), XENLOG_GUEST "%s%pv ", level, current);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + n, sizeof(buf) - (size_t)n, fmt, ap);
	va_end(ap);
	print_message(buf);
}

/* ---- devices ---- */

static bool __init option_lists(const char *name)
{
	size_t n = strlen(name);

	for (const char *s = opt_console; s && *s; s = strchr(s, ',')) {
		s += *s == ',';
		if (!strncmp(s, name, n) && (!s[n] || s[n] == ','))
			return true;
	}
	return false;
}

void __init console_register(struct console_dev *dev)
{
	unsigned long flags;

	if (!option_lists(dev->name))
		return;
	flags = lock_console();
	console_ring_replay(dev->puts);
	dev->next = devices;
	devices = dev;
	if (opt_sync && dev->sync)
		dev->sync();
	unlock_console(flags);
}

static void console_softirq(void)
{
	unlock_console(lock_console());
}

void __init console_init_ring(void)
{
	size_t size = 1UL << (get_order_from_bytes(opt_ring_size) + PAGE_SHIFT);
	char *buf = alloc_xenheap_pages(get_order_from_bytes(size), 0);
	unsigned long flags;

	if (!buf)
		panic("No memory for a console ring of %lu KiB; use a smaller conring_size=\n",
		      size >> 10);
	flags = lock_console();
	console_ring_grow(buf, size);
	unlock_console(flags);
	open_softirq(CONSOLE_SOFTIRQ, console_softirq);
}

void console_endboot(void)
{
	unsigned long flags = lock_console();

	for (struct console_dev **p = &devices; *p; ) {
		if ((*p)->boot_only)
			*p = (*p)->next;
		else
			p = &(*p)->next;
	}
	unlock_console(flags);
}

void console_force_unlock(void)
{
	unlocked = true;
	for (struct console_dev *d = devices; d; d = d->next)
		if (d->sync)
			d->sync();
	console_late_say(say_late, true);
}

/* ---- input ---- */

#define RX_SIZE	256

static char rx_buf[RX_SIZE];
static unsigned int rx_prod, rx_cons;		/* console lock */
static bool input_to_hypervisor;
static unsigned int switch_presses;
static char opt_switch[3] = "a";
string_param("conswitch", opt_switch);

static void say_input_target(void)
{
	printk("*** Serial input to %s (type 'CTRL-%c' three times to switch)\n",
	       input_to_hypervisor ? "Krypton" : "DOM0", opt_switch[0]);
}

static void rx_to_dom0(char c)
{
	unsigned long flags = lock_console();

	if (rx_prod - rx_cons < RX_SIZE)
		rx_buf[rx_prod++ % RX_SIZE] = c;
	unlock_console(flags);
	if (hardware_domain)
		send_guest_global_virq(hardware_domain, VIRQ_CONSOLE);
}

void console_rx(char c)
{
	char key = (char)(opt_switch[0] & 0x1f);

	if (key && c == key) {
		if (++switch_presses == 3) {
			switch_presses = 0;
			input_to_hypervisor = !input_to_hypervisor;
			say_input_target();
		}
		return;
	}
	/* Fewer presses than it takes to switch were meant for dom0. */
	for (; switch_presses; switch_presses--)
		if (!input_to_hypervisor)
			rx_to_dom0(key);
	if (input_to_hypervisor)
		keyhandler_handle((unsigned char)c);
	else
		rx_to_dom0(c);
}

/* ---- HYPERVISOR_console_io ---- */

static void guest_write_line(struct domain *d, struct guest_console *gc)
{
	unsigned long flags;
	char prefix[16];

	gc->line[gc->len] = '\n';
	gc->line[gc->len + 1] = '\0';
	gc->len = 0;
	scnprintf(prefix, sizeof(prefix), "(d%u) ", d->domain_id);
	flags = lock_console();
	if (guest_budget_locked())
		put_lines_locked(prefix, gc->line);
	unlock_console(flags);
}

/* Control characters would be the terminal's, those above ASCII (0x9b starts a sequence) too. */
static bool printable(unsigned char c)
{
	return (c >= ' ' && c < 0x7f) || c >= 0xa0 || c == '\t';
}

static void guest_write(struct domain *d, const char *s, size_t n)
{
	struct guest_console *gc = d->console;

	for (; n; n--, s++) {
		if (*s == '\n')
			guest_write_line(d, gc);
		else if (printable((unsigned char)*s))
			gc->line[gc->len++] = *s;
		if (gc->len >= GUEST_LINE - 2)
			guest_write_line(d, gc);
	}
}

static long console_io_write(unsigned long count, const char *guest)
{
	struct domain *d = current->domain;
	char buf[128];

	if (!d->is_hardware) {
		/*
		 * Its partial line is the domain's own: vcpus of a guest that
		 * mix lines harm only themselves.
		 */
		if (!d->console) {
			struct guest_console *gc = xzalloc(struct guest_console);

			if (!gc)
				return -ENOMEM;
			if (atomic_cmpxchg(&d->console, (struct guest_console *)NULL, gc))
				xfree(gc);
		}
	}
	while (count) {
		size_t n = min(count, sizeof(buf));

		if (hypercall_preempt_check())
			return hypercall_continue(__HYPERVISOR_console_io, 3, CONSOLEIO_write,
						  count, (unsigned long)guest);
		if (raw_copy_from_guest(buf, guest, n))
			return -EFAULT;
		if (d->is_hardware) {
			console_write(buf, n, true);
		} else {
			spin_lock(&d->console_lock);
			guest_write(d, buf, n);
			spin_unlock(&d->console_lock);
		}
		guest += n;
		count -= n;
	}
	return 0;
}

static long console_io_read(unsigned long count, char *guest)
{
	unsigned long done = 0;
	char buf[RX_SIZE];
	unsigned long flags = lock_console();

	while (done < min(count, (unsigned long)RX_SIZE) && rx_cons != rx_prod)
		buf[done++] = rx_buf[rx_cons++ % RX_SIZE];
	unlock_console(flags);
	if (done && raw_copy_to_guest(guest, buf, done))
		return -EFAULT;
	return (long)done;
}

/*
 * console_io(cmd, count, buffer): writes for any guest (their own debug
 * output), reads for the hardware domain. Bytes read, 0, -EPERM, -EFAULT,
 * -ENOSYS. Source: <xen/xen.h> CONSOLEIO_*.
 */
DEFINE_HYPERCALL(console_io_op)
{
	unsigned int count = (unsigned int)a2;

	switch ((int)a1) {
	case CONSOLEIO_write:
		return console_io_write(count, (const char *)a3);
	case CONSOLEIO_read:
		if (op_permitted(PRIV_HARDWARE, current->domain))
			return -EPERM;
		return console_io_read(count, (char *)a3);
	default:
		return -ENOSYS;
	}
}
