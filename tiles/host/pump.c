/* SPDX-License-Identifier: MIT */
/*
 * What the audio process is to a tile that runs alone: rings, a transport that plays, and somebody
 * who takes what is rendered at the pace of the clock. Nobody hears it.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host.h"
#include "log.h"

/* A hundred times a second, as a sound server with a long quantum. */
#define PERIOD_NS 10000000
#define QUANTUM (VAT_RATE / (1000000000 / PERIOD_NS))

void host_pump_open(struct host *host) {
	struct vat_error error;
	struct vat_transport_page *page = NULL;
	struct vat_transport transport;
	int fd = vat_transport_create(VAT_RATE, &error);
	if (fd >= 0) {
		host_transport_open(host, fd);
		page = vat_transport_map(fd, true, &error);
		close(fd);
	}
	if (!page || !vat_transport_read(page, &transport)) {
		city_log(CITY_LOG_WARN, host->name, "no transport: %s", error.text);
		vat_transport_unmap(page);
		return;
	}
	/* It goes on by itself from here. */
	const struct vat_transport_clock clock = {.ns = host_monotonic()};
	transport.parts[0].playing = transport.parts[1].playing = 1;
	vat_transport_write(page, &transport);
	vat_transport_write_clock(page, &clock);
	vat_transport_unmap(page);
	host_transport_look(host);
	host->pump.began = clock.ns;
}

bool host_pump_ring(struct host *host, struct ring *consumer, int fds[2]) {
	struct vat_error error;
	const struct itimerspec period = {
		.it_value.tv_nsec = PERIOD_NS, .it_interval.tv_nsec = PERIOD_NS};
	fds[0] = ring_create(TILE_SOUND_CHANNELS, &error);
	if (fds[0] < 0 || ring_map(consumer, fds[0], true, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
		return false;
	}
	ring_want(consumer, 3 * QUANTUM);
	fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (host->pump.timer_fd < 0) {
		host->pump.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		timerfd_settime(host->pump.timer_fd, 0, &period, NULL);
	}
	return fds[1] >= 0 && host->pump.timer_fd >= 0;
}

void host_pump_run(struct host *host) {
	static float heard[TILE_SOUND_CHANNELS][QUANTUM];
	float *const out[RING_CHANNELS_MAX] = {heard[0], heard[1]};
	uint64_t times;
	if (read(host->pump.timer_fd, &times, sizeof(times)) != sizeof(times)) {
		return;
	}
	const struct vat_transport_clock clock = {.ns = host->pump.began};
	uint64_t now = vat_transport_frame_at(&clock, VAT_RATE, host_monotonic());
	/* After a sleep of the machine, not all that it has missed. */
	if (now > host->pump.frame + RING_FRAMES) {
		host->pump.frame = now - QUANTUM;
	}
	for (; host->pump.frame + QUANTUM <= now; host->pump.frame += QUANTUM) {
		for (size_t i = 0; i < host->sound.count; i++) {
			struct ring *ring = &host->sound.ports[i].consumer;
			ring_read(ring, host->pump.frame, QUANTUM, out);
			host->sound.look |= ring_should_wake(ring);
		}
	}
}
