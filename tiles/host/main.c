/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <fcft/fcft.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"
#include "replay.h"
#include "schedule.h"

static const char usage[] =
	"usage: source-city-tile --check [--json] FILE.so   say what an artifact is, or why it is "
	"refused\n"
	"       source-city-tile --standalone FILE.so [OPTION=VALUE...]\n"
	"                                                   run a tile as a window, with state of "
	"its own\n"
	"       source-city-tile --replay FILE ARTIFACT.so  run it on a recording; "
	"see source-city-tile(1)\n"
	"\n"
	"Tiles of a city are started by its keeper. See docs/writing-a-tile.md.\n";

void host_init(struct host *host) {
	memset(host, 0, sizeof(*host));
	host->tile.host = &host_services;
	host->tile.time = &host->time;
	host->time.wall_ns = -1;
	host->tile.scale = host->scale = 1;
	host->keeper_fd = host->undo_fd = host->journal_fd = host->lineage_fd = -1;
	host->reconnect_fd = host->end_fd = host->snapshot_fd = host->watch_fd = -1;
	host->pump.timer_fd = host->baton_fd = -1;
	host->stand_by.baton_fd = host->stand_by.undo_fd = -1;
	host_transport_init(host);
	host->wake_at = host->timer_armed = host->keyboard.repeat_at = HOST_NEVER;
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		host->streams[i].fd = -1;
	}
	pixman_region32_init(&host->damage);
	wl_list_init(&host->input_queue);
	wl_list_init(&host->offers);
	wl_list_init(&host->sources);
	wl_list_init(&host->transfers);
	host->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	host->stream_scratch = malloc(65536);
	host->assume = calloc(1, sizeof(*host->assume));
	snprintf(host->name, sizeof(host->name), "spare");
}

void host_finish(struct host *host) {
	host_shadow_end(host);
	/* The end of the city: what is still outside of the cells is put into them. */
	if (host->state == HOST_LIVE && host->region && host->exit_status == 0) {
		char why[HOST_WHY_SIZE];
		if (!host_state_yield(host, host_now(host) + 100000000, why, sizeof(why))) {
			city_log(CITY_LOG_WARN, host->name, "state may be missing: %s", why);
		}
		host_state_leave(host);
	}
	if (host->warm && host->ops->detach) {
		host_begin(host, "detach");
		host->ops->detach(&host->tile);
		host_end(host);
	}
	host_surface_finish(host);
	host_streams_finish(host);
	host_sound_finish(host);
	host_code_finish(host);
	host_watch_end(host);
	host_transport_finish(host);
	host_state_close(host);
	host_keyboard_finish(host);
	if (host->font) {
		fcft_destroy(host->font);
		fcft_fini();
	}
	elf_report_finish(&host->report);
	elf_report_finish(&host->older_report);
	pixman_region32_fini(&host->damage);
	free(host->cells);
	free(host->cell_counts);
	free(host->cell_fresh);
	free(host->assume);
	host->assume = NULL;
	if (host->keeper_fd >= 0) {
		close(host->keeper_fd);
	}
	if (host->reconnect_fd >= 0) {
		close(host->reconnect_fd);
	}
	if (host->end_fd >= 0) {
		close(host->end_fd);
	}
	close(host->timer_fd);
}

static void warm_fonts(struct host *host) {
	fcft_init(FCFT_LOG_COLORIZE_NEVER, false, FCFT_LOG_CLASS_ERROR);
	/* Loads the font database and one face. */
	host->font = fcft_from_name(1, (const char *[]){"monospace:size=12"}, NULL);
	if (host->font) {
		fcft_rasterize_char_utf32(host->font, U'M', FCFT_SUBPIXEL_NONE);
	}
}

static void warm_keyboard(struct host *host) {
	setlocale(LC_CTYPE, "");
	host_keyboard_prewarm(&host->keyboard);
}

void host_prewarm(struct host *host) {
	static void (*const steps[])(struct host *host) = {warm_fonts, warm_keyboard};
	/* Somebody waits for a tile that runs alone. */
	if (host->keeper_fd >= 0) {
		city_schedule_idly();
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct pollfd poll_fd = {.fd = host->keeper_fd, .events = POLLIN};
		if (poll(&poll_fd, 1, 0) != 0) {
			city_schedule_promptly();
		}
		steps[i](host);
	}
	city_schedule_promptly();
}

/* Wait to be told what to run. False when the keeper ends us instead. */
static bool wait_for_work(struct host *host, int fds[KEEPER_FDS_MAX]) {
	while (true) {
		struct pollfd poll_fd = {.fd = host->keeper_fd, .events = POLLIN};
		if (poll(&poll_fd, 1, -1) < 0) {
			continue;
		}
		int got = keeper_wire_receive(host->keeper_fd, host->assume, fds);
		if (got == 0) {
			return false;
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR && errno != EPROTO) {
			city_log(CITY_LOG_ERROR, NULL, "the keeper cannot be heard: %s",
				strerror(errno));
			return false;
		}
		if (got == 1 && host->assume->type == KEEPER_ASSUME && fds[0] >= 0 && fds[1] >= 0 &&
			fds[2] >= 0) {
			return true;
		}
		if (got == 1) {
			city_log(CITY_LOG_WARN, NULL, "the keeper sent a message of type %u",
				host->assume->type);
			keeper_wire_close(fds);
		}
	}
}

/* Everything up to ready. The Wayland side comes first: it is what a failure is told through. */
static bool start(struct host *host, const int fds[KEEPER_FDS_MAX]) {
	char why[HOST_WHY_SIZE];
	uint64_t began = host_monotonic();
	if (!host_connect(host, fds[0], why, sizeof(why))) {
		city_log(CITY_LOG_ERROR, host->name, "%s", why);
		return false;
	}
	if (!host->tile_manager) {
		city_log(CITY_LOG_ERROR, host->name, "the compositor does not know it as a tile");
		return false;
	}
	host_tile_role_init(host);
	if (!host_load(host, fds[1], why, sizeof(why))) {
		host_tile_role_failed(host, HOST_STEP_LOAD, why);
		return false;
	}
	host_tile_role_describe(host);
	/* How the state is to be taken over, the size (of a new tile known by its description) and
	 * the scale; then, as the seat has told that it has a keyboard, the keymap, which takes
	 * more than a millisecond to compile. */
	bool connected = wl_display_roundtrip(host->display) >= 0;
	if (host->lineage_fd >= 0) {
		host_load_older(host, host->lineage_fd);
		close(host->lineage_fd);
		host->lineage_fd = -1;
	}
	if (connected && !host_state_open(host, fds[2], why, sizeof(why))) {
		host_tile_role_failed(host, HOST_STEP_ATTACH, why);
		return false;
	}
	if (!connected || wl_display_roundtrip(host->display) < 0) {
		city_log(CITY_LOG_ERROR, host->name, "the compositor hung up");
		return false;
	}
	if (!host_warm(host, why, sizeof(why))) {
		host_tile_role_failed(host, HOST_STEP_WARM, why);
		return false;
	}
	host_journal_open(host);
	host_recorder_open(host);
	host_sound_open(host);
	host_surface_prepare(host);
	if (!host_build_ahead(host, why, sizeof(why))) {
		host_tile_role_failed(host, HOST_STEP_ATTACH, why);
		return false;
	}
	host_tile_role_ready(host);
	city_log(CITY_LOG_DEBUG, host->name, "ready within %lu us",
		(unsigned long)(host_monotonic() - began) / 1000);
	return true;
}

static int run_tile(int keeper_fd) {
	static struct host host;
	host_init(&host);
	host.keeper_fd = keeper_fd;
	fcntl(keeper_fd, F_SETFD, FD_CLOEXEC);
	fcntl(keeper_fd, F_SETFL, fcntl(keeper_fd, F_GETFL) | O_NONBLOCK);
	host_crash_install(&host);
	host_prewarm(&host);
	int fds[KEEPER_FDS_MAX];
	if (!wait_for_work(&host, fds)) {
		host_finish(&host);
		return 0;
	}
	snprintf(host.name, sizeof(host.name), "%s", host.assume->name);
	host_transport_open(&host, fds[3]);
	if (start(&host, fds)) {
		close(fds[1]);
		close(fds[2]);
		if (fds[3] >= 0) {
			close(fds[3]);
		}
		host_end_install(&host);
		host_run(&host);
	} else {
		host.exit_status = 1;
	}
	int status = host.exit_status;
	host_finish(&host);
	return status;
}

int main(int argc, char **argv) {
	city_log_program("tile");
	bool json = false, check = false, standalone = false;
	const char *file = NULL;
	int options = argc; /* where those of the tile begin */
	if (argc > 1 && strncmp(argv[1], "--replay", 8) == 0) {
		return host_replay(argc, argv);
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--check") == 0) {
			check = true;
		} else if (strcmp(argv[i], "--standalone") == 0) {
			standalone = true;
		} else if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			return 0;
		} else if (argv[i][0] != '-' && !file) {
			file = argv[i];
		} else if (standalone && file && argv[i][0] != '=' && strchr(argv[i], '=')) {
			options = i < options ? i : options;
		} else {
			fprintf(stderr, "source-city-tile: what is \"%s\"?\n%s", argv[i], usage);
			return 2;
		}
	}
	if (check && file && !standalone) {
		return host_check_file(file, json);
	}
	if (standalone && file && !check && !json) {
		return host_standalone(file, argv + options, argc - options);
	}
	const char *keeper = getenv("SOURCE_CITY_KEEPER_FD");
	if (argc > 1 || !keeper) {
		fputs(usage, stderr);
		return 2;
	}
	char *end;
	long fd = strtol(keeper, &end, 10);
	if (*end || end == keeper || fd < 0 || fcntl(fd, F_GETFD) < 0) {
		city_log(CITY_LOG_ERROR, NULL, "SOURCE_CITY_KEEPER_FD=%s is no open descriptor",
			keeper);
		return 2;
	}
	unsetenv("SOURCE_CITY_KEEPER_FD");
	return run_tile(fd);
}
