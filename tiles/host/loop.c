/* SPDX-License-Identifier: MIT */
/*
 * Waits for what was asked for, and for nothing else: an idle tile does not wake up.
 */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "schedule.h"

/* Wayland, keeper, timer, end, files, pump, baton; then rings, streams and transfers of selections.
 */
#define FIXED 7
#define POLL_MAX (FIXED + HOST_PORTS_MAX + HOST_STREAMS_MAX + HOST_TRANSFERS_MAX)
/* What an operation gets that runs when the end is asked for. */
#define END_S 2

static int end_fd = -1;

static void handle_term(int number) {
	const uint64_t one = 1;
	int saved = errno;
	ssize_t ignored = write(end_fd, &one, sizeof(one));
	(void)ignored;
	alarm(END_S);
	errno = saved;
}

void host_end_install(struct host *host) {
	host->end_fd = end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (end_fd < 0) {
		return; /* it ends at once then */
	}
	struct sigaction action = {.sa_handler = handle_term, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
}

/* Longer than that, and a frame of a fast screen (240 Hz) cannot have been shown; of which screen
 * it is the compositor knows. */
#define LATE_NS 4000000ull

static uint64_t processor_time(void) {
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void host_turn_begin(struct host *host) {
	host->turn_began = processor_time();
}

static void end_turn(struct host *host) {
	uint64_t busy = processor_time() - host->turn_began;
	if (busy > LATE_NS && host->state == HOST_LIVE && !host->shadow.on) {
		host_tile_role_late(host, busy);
	}
}

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
	if (host_sound_wants(host)) {
		return 0;
	}
	const uint64_t deadlines[] = {host->keyboard.repeat_at, host_selection_deadline(host),
		host_tile_role_deadline(host), host_shadow_deadline(host)};
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

/* The connection has broken. The tile itself has not: what holds the state, or may get it back,
 * goes on and waits for the next compositor. */
static void lost_compositor(struct host *host) {
	int error = wl_display_get_error(host->display);
	if (error == EPROTO) {
		const struct wl_interface *interface = NULL;
		uint32_t id, code = wl_display_get_protocol_error(host->display, &interface, &id);
		city_log(CITY_LOG_ERROR, host->name, "the compositor reports error %u on %s", code,
			interface ? interface->name : "an object");
	}
	bool goes_on = error != EPROTO && host->keeper_fd >= 0 &&
		(host->state == HOST_LIVE || host->state == HOST_YIELDED);
	host_shadow_end(host);
	host_sound_go_on(host);
	host_disconnect(host);
	if (goes_on) {
		city_log(CITY_LOG_DEBUG, host->name, "goes on without a compositor");
		host_seat_lost(host);
	} else {
		host_quit(host, error == EPROTO ? 1 : 0);
	}
}

static void take_connection(struct host *host) {
	if (host->reconnect_fd < 0) {
		return;
	}
	if (host->display) {
		lost_compositor(host);
	}
	int fd = host->reconnect_fd;
	host->reconnect_fd = -1;
	if (host->running) {
		host_reconnect(host, fd);
	} else {
		close(fd);
	}
}

/* What has to be done before waiting: these depend on each other only in this direction. */
static void advance(struct host *host) {
	host_sound_run(host);
	host_tail_step(host);
	host_input_flush(host);
	host_tile_role_advance(host);
	if (host->state == HOST_LIVE) {
		host_update_if_due(host);
		host_surface_draw(host, false);
		host_selection_offer_again(host);
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

/* Handles what has been read, and announces that more will be. */
static void begin_read(struct host *host) {
	while (host->display && wl_display_prepare_read(host->display) != 0) {
		if (wl_display_dispatch_pending(host->display) < 0) {
			lost_compositor(host);
		}
	}
}

/* Reads if there is something to read; handles it. */
static void end_read(struct host *host, short revents) {
	if (!host->display) {
		return;
	}
	bool broken = false;
	if (revents & (POLLIN | POLLHUP | POLLERR)) {
		broken = wl_display_read_events(host->display) < 0;
	} else {
		wl_display_cancel_read(host->display);
	}
	if (broken || wl_display_dispatch_pending(host->display) < 0) {
		lost_compositor(host);
	}
}

void host_run(struct host *host) {
	struct pollfd fds[POLL_MAX];
	host->running = true;
	while (true) {
		take_connection(host);
		begin_read(host);
		if (host->running) {
			advance(host);
		}
		fds[0] = (struct pollfd){.fd = -1, .events = POLLIN};
		if (host->display) {
			fds[0].fd = wl_display_get_fd(host->display);
		}
		fds[1] = (struct pollfd){.fd = host->keeper_fd, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = host->timer_fd, .events = POLLIN};
		fds[3] = (struct pollfd){.fd = host->end_fd, .events = POLLIN};
		fds[4] = (struct pollfd){.fd = host->watch_fd, .events = POLLIN};
		fds[5] = (struct pollfd){.fd = host->pump.timer_fd, .events = POLLIN};
		fds[6] = (struct pollfd){.fd = host_tile_role_baton(host), .events = POLLIN};
		size_t count = host_sound_poll(host, fds, FIXED, POLL_MAX);
		count = host_stream_poll(host, fds, count, POLL_MAX);
		count = host_selection_poll(host, fds, count, POLL_MAX);
		/* Whoever is woken by what is sent may want this processor. */
		bool awake = host_tile_role_stays_awake(host);
		bool sent = !host->display || awake || flush(host, &fds[0].events);
		/* An operation may have ended this version. */
		if (!host->running || !sent) {
			if (host->display) {
				wl_display_cancel_read(host->display);
			}
			if (!host->running) {
				return;
			}
			lost_compositor(host);
			continue;
		}
		end_turn(host);
		/* Nothing else to do: the moment for what takes longer than an event may wait. */
		if (host_recorder_wants_rest(host) && poll(fds, count, 0) == 0) {
			host_recorder_rest(host);
		}
		bool urgent =
			host_sound_is_urgent(host) || (host_tile_role_baton(host) >= 0 && !awake);
		if (urgent) {
			city_schedule_urgently();
		}
		int ready = poll(fds, count, awake ? 0 : next_timeout(host));
		host_turn_begin(host);
		/* Another stands still until then. */
		if (ready > 0 && fds[6].fd >= 0 && fds[6].revents) {
			host_tile_role_take(host);
		}
		/* First, and before it gives way to others again. */
		if (ready > 0 && fds[5].fd >= 0 && fds[5].revents) {
			host_pump_run(host);
		}
		host_sound_dispatch(host, fds + FIXED, ready > 0 ? count - FIXED : 0);
		host_sound_run(host);
		if (urgent) {
			city_schedule_again();
		}
		end_read(host, ready > 0 ? fds[0].revents : 0);
		if (ready < 0) {
			continue;
		}
		if (fds[3].revents) {
			host_quit(host, 0);
			continue;
		}
		if (fds[1].fd >= 0 && fds[1].revents) {
			host_keeper_dispatch(host);
		}
		if (fds[2].revents) {
			handle_timer(host);
		}
		if (fds[4].fd >= 0 && fds[4].revents) {
			host_watch_read(host);
		}
		if (host->keyboard.repeat_at != HOST_NEVER) {
			host_keyboard_repeat(host);
		}
		host_selection_dispatch(host, fds + FIXED, count - FIXED);
		host_shadow_follow(host);
		host_stream_dispatch(host, fds + FIXED, count - FIXED);
	}
}
