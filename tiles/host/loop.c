/* SPDX-License-Identifier: MIT */
/*
 * Waits for what was asked for, and for nothing else: an idle tile does not wake up.
 */
#include "host.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"

/* Wayland, keeper, timer, streams, and transfers of selections. */
#define POLL_MAX (3 + HOST_STREAMS_MAX + HOST_TRANSFERS_MAX)

void host_quit(struct host *host, int status) {
	host->running = false;
	host->exit_status = status;
}

/* The tile's clock runs while the machine is suspended, so its timer is one that does too. */
static void arm_timer(struct host *host) {
	uint64_t at = HOST_NEVER;
	if (host->state == HOST_LIVE && !host_held_back(host)) {
		at = host->wake_at;
	}
	if (at == host->timer_armed) {
		return;
	}
	host->timer_armed = at;
	struct itimerspec spec = {0};
	if (at != HOST_NEVER) {
		/* 0 would disarm it. */
		uint64_t ns = at > host->clock_offset ? at - host->clock_offset : 1;
		spec.it_value.tv_sec = ns / 1000000000;
		spec.it_value.tv_nsec = ns % 1000000000;
	}
	timerfd_settime(host->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* For what is measured in moments: key repeat, the drain of a PTY, pastes. Milliseconds, -1 for
 * ever. */
static int next_timeout(const struct host *host) {
	const uint64_t deadlines[] = {host->keyboard.repeat_at, host_selection_deadline(host),
		host_tile_role_deadline(host)};
	uint64_t at = host_stream_deadline(host);
	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		at = deadlines[i] < at ? deadlines[i] : at;
	}
	if (at == HOST_NEVER) {
		return -1;
	}
	uint64_t now = host_monotonic();
	uint64_t left = at > now ? (at - now + 999999) / 1000000 : 0;
	return left > 60000 ? 60000 : (int)left;
}

static void handle_timer(struct host *host) {
	uint64_t expirations;
	if (read(host->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
		host->timer_armed = HOST_NEVER;
	}
}

static void lost_compositor(struct host *host) {
	int error = wl_display_get_error(host->display);
	if (error == EPROTO) {
		const struct wl_interface *interface = NULL;
		uint32_t id, code = wl_display_get_protocol_error(host->display, &interface, &id);
		city_log(CITY_LOG_ERROR, host->name, "the compositor reports error %u on %s", code,
			interface ? interface->name : "an object");
	}
	host_quit(host, error == EPROTO ? 1 : 0);
}

/* What has to be done before waiting: these depend on each other only in this direction. */
static void advance(struct host *host) {
	host_input_flush(host);
	host_tile_role_advance(host);
	if (host->state == HOST_LIVE) {
		host_update_if_due(host);
		host_surface_draw(host, false);
	}
	arm_timer(host);
}

/* Send what there is; a compositor that does not read must not be waited for here. */
static bool flush(struct host *host, short *events) {
	if (wl_display_flush(host->display) < 0) {
		if (errno != EAGAIN) {
			return false;
		}
		*events |= POLLOUT;
	}
	return true;
}

void host_run(struct host *host) {
	struct pollfd fds[POLL_MAX];
	host->running = true;
	while (host->running) {
		while (wl_display_prepare_read(host->display) != 0) {
			if (wl_display_dispatch_pending(host->display) < 0) {
				lost_compositor(host);
				return;
			}
		}
		advance(host);
		fds[0] = (struct pollfd){.fd = wl_display_get_fd(host->display), .events = POLLIN};
		fds[1] = (struct pollfd){.fd = host->keeper_fd, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = host->timer_fd, .events = POLLIN};
		size_t count = host_stream_poll(host, fds, 3, POLL_MAX);
		count = host_selection_poll(host, fds, count, POLL_MAX);
		/* An operation may have ended this version. */
		if (!host->running || !flush(host, &fds[0].events)) {
			wl_display_cancel_read(host->display);
			if (host->running) {
				lost_compositor(host);
			}
			return;
		}
		/* Nothing else to do: the moment for what takes longer than an event may wait. */
		if (host_recorder_wants_base(host) && poll(fds, count, 0) == 0) {
			host_recorder_base(host);
		}
		int ready = poll(fds, count, next_timeout(host));
		if (ready <= 0 || !(fds[0].revents & (POLLIN | POLLHUP | POLLERR))) {
			wl_display_cancel_read(host->display);
		} else if (wl_display_read_events(host->display) < 0) {
			lost_compositor(host);
			return;
		}
		if (wl_display_dispatch_pending(host->display) < 0) {
			lost_compositor(host);
			return;
		}
		if (ready < 0) {
			continue;
		}
		if (fds[1].fd >= 0 && fds[1].revents) {
			host_keeper_dispatch(host);
		}
		if (fds[2].revents) {
			handle_timer(host);
		}
		if (host->keyboard.repeat_at != HOST_NEVER) {
			host_keyboard_repeat(host);
		}
		host_selection_dispatch(host, fds + 3, count - 3);
		host_stream_dispatch(host, fds + 3, count - 3);
	}
}
