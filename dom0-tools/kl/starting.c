/* SPDX-License-Identifier: MIT */
/*
 * What create and restore have in common: see starting.h.
 */
#include <tools/light.h>
#include "console.h"
#include "starting.h"

bool starting_option(struct starting *s, int opt)
{
	switch (opt) {
	case 'c':
		s->console = true;
		break;
	case 'd':
		s->debug = true;
		break;
	case 'e':
		s->no_monitor = true;
		break;
	case 'p':
		s->paused = true;
		break;
	case 'F':
		s->foreground = true;
		break;
	case 'A':
	case 'V':
		s->viewer = true;
		break;
	default:
		return false;
	}
	return true;
}

void starting_warn(struct kl *kl, const struct starting *s)
{
	if (s->viewer)
		kl_warn(kl, "guests have no framebuffer: -V is ignored");
}

int starting_stay(struct kl *kl, const struct starting *s, uint32_t domid)
{
	int status = KL_OK;

	if (s->console)
		status = kl_console(kl, (domid_t)domid, 0, KL_CONSOLE_ESCAPE);
	if (s->foreground) /* ^C only ends the staying */
		light_wait_shutdown(kl->light, &domid, 1, true, 0);
	return status;
}
