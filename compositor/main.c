/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <wlr/util/log.h>

#include "compositor/audio.h"
#include "compositor/config.h"
#include "compositor/control.h"
#include "compositor/desk.h"
#include "compositor/files.h"
#include "compositor/keeper.h"
#include "compositor/kept_selection.h"
#include "compositor/lock.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "compositor/watchdog.h"
#include "vat/log.h"
#include "vat/schedule.h"

static const char usage[] =
	"usage: source-city-compositor [--config FILE] [--check-config FILE] [--command CMD]\n"
	"\n"
	"The screen of Source City. Normally source-city starts it.\n"
	"\n"
	"  -c, --config FILE        read this configuration\n"
	"  -C, --check-config FILE  look for errors in a configuration and end\n"
	"  -s, --command CMD        run this shell command once the city is up\n"
	"      --safe WHY           safe mode: nothing of the user's; shows WHY\n"
	"  -V, --version            print the version\n"
	"  -h, --help               print this\n";

static void log_wlroots(enum wlr_log_importance importance, const char *format, va_list args) {
	/* What wlroots calls an error is often one of several ways that were tried. */
	enum city_log_level level = importance == WLR_ERROR ? CITY_LOG_WARN : CITY_LOG_DEBUG;
	city_vlog(level, "wlroots", format, args);
}

static bool check_runtime_dir(void) {
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct stat info;
	if (dir == NULL || dir[0] != '/') {
		city_log(CITY_LOG_ERROR, NULL,
			"XDG_RUNTIME_DIR is not set: a login session sets it; otherwise make a "
			"folder "
			"of mode 0700 and name it there");
		return false;
	}
	if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode) || access(dir, W_OK | X_OK) != 0) {
		city_log(CITY_LOG_ERROR, NULL,
			"XDG_RUNTIME_DIR names %s, which is no folder that can "
			"be written to",
			dir);
		return false;
	}
	return true;
}

/* What makes a desktop a city. Without a keeper there are no tiles, only windows. */
static bool create_city(struct city_server *server) {
	server->desk = city_desk_create(server);
	if (city_desk_was_locked(server->desk)) {
		city_lock_go_on(server);
	}
	if (server->keeper != NULL) {
		city_selections_go_on(server);
		server->tiles = city_tiles_create(server);
		if (server->tiles == NULL) {
			return false;
		}
	}
	server->control = city_control_create(server);
	if (server->control == NULL) {
		return false;
	}
	if (server->tiles != NULL) {
		city_tiles_start(server->tiles);
		city_keeper_ready(server->keeper);
		server->audio = city_audio_create(server);
		if (server->safe == NULL) {
			city_control_start_forge(server->control);
		}
	}
	if (server->safe != NULL) {
		city_server_show_safe(server);
	}
	return true;
}

/* What came with the city, and a renderer without a driver. */
static struct city_config *load_safely(void) {
	setenv("WLR_RENDERER", "pixman", 1);
	char *path = city_file_installed("config");
	struct city_config *config =
		path != NULL ? city_config_load(path, false, NULL) : city_config_default();
	free(path);
	return config;
}

static void run_loop(struct city_server *server) {
	struct pollfd wait = {.fd = wl_event_loop_get_fd(server->loop), .events = POLLIN};
	city_watchdog_loop();
	/* Frames come at their time, whatever else the machine does. */
	city_schedule_ahead();
	while (server->running) {
		wl_event_loop_dispatch_idle(server->loop);
		wl_display_flush_clients(server->display);
		city_watchdog_sleeps();
		/* A tick of the watchdog that was on its way is no reason to wake up. */
		while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
		}
		city_watchdog_wakes();
		wl_event_loop_dispatch(server->loop, 0);
	}
}

int main(int argc, char *argv[]) {
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", required_argument, NULL, 'C'},
		{"command", required_argument, NULL, 's'},
		{"safe", required_argument, NULL, 'S'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *config_path = NULL, *check_path = NULL, *command = NULL, *safe = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "c:C:s:Vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config_path = optarg;
			break;
		case 'C':
			check_path = optarg;
			break;
		case 's':
			command = optarg;
			break;
		case 'S':
			safe = optarg;
			break;
		case 'V':
			puts("source-city-compositor " CITY_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "source-city-compositor: what is \"%s\"?\n%s", argv[optind], usage);
		return EXIT_FAILURE;
	}

	city_log_program("compositor");
	wlr_log_init(city_log_enabled(CITY_LOG_DEBUG) ? WLR_DEBUG : WLR_ERROR, log_wlroots);
	if (check_path != NULL) {
		struct city_config *checked = city_config_load(check_path, true, NULL);
		bool ok = checked != NULL;
		city_config_destroy(checked);
		return ok ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (!check_runtime_dir()) {
		return EXIT_FAILURE;
	}
	city_schedule_promptly();
	/* Programs that bindings start are nobody's to wait for. */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);

	if (getenv("SOURCE_CITY_KEEPER_FD") != NULL) {
		struct city_limits limits;
		city_limits_read(&limits);
		city_watchdog_start(limits.hang_ms);
	}

	int exit_code = EXIT_FAILURE;
	int config_errors = 0;
	struct city_config *config =
		safe != NULL ? load_safely() : city_config_load(config_path, false, &config_errors);
	if (config == NULL) {
		return EXIT_FAILURE;
	}
	if (config_errors > 0) {
		city_log(CITY_LOG_WARN, "config", "goes on with defaults for what is wrong there");
	}
	struct city_server *server = city_server_create(config);
	if (server == NULL) {
		return EXIT_FAILURE;
	}
	server->safe = safe != NULL ? strdup(safe) : NULL;
	if (!city_server_start(server)) {
		goto end;
	}
	if (!create_city(server)) {
		goto end;
	}
	city_log(CITY_LOG_INFO, NULL, "running on %s", server->socket_name);
	if (command != NULL) {
		city_server_spawn(server, command);
	}
	run_loop(server);
	if (server->restarting) {
		/* As a compositor that dies: tiles must not take it for the end of the city. */
		wl_event_loop_dispatch_idle(server->loop);
		city_tiles_leave(server->tiles);
		wl_display_flush_clients(server->display);
		_exit(EXIT_SUCCESS);
	}
	exit_code = server->exit_code;

end:
	city_control_destroy(server->control);
	server->control = NULL;
	city_audio_destroy(server->audio);
	server->audio = NULL;
	city_tiles_destroy(server->tiles);
	server->tiles = NULL;
	city_desk_destroy(server->desk);
	server->desk = NULL;
	city_server_destroy(server);
	return exit_code;
}
