/* SPDX-License-Identifier: MIT */
/* For development: one tile as an ordinary window, with a region and PTYs of its own, no keeper. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

/* For a tile that has no wish of its own, in tile pixels. */
#define WINDOW_WIDTH 480
#define WINDOW_HEIGHT 320

static void handle_wm_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {
	.ping = handle_wm_ping,
};

static void handle_surface_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct host *host = data;
	host_surface_configure(host, serial, host->width, host->height);
}

static const struct xdg_surface_listener surface_listener = {
	.configure = handle_surface_configure,
};

static void handle_toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states) {
	struct host *host = data;
	if (width > 0 && height > 0) {
		host->width = width;
		host->height = height;
	}
}

static void handle_toplevel_close(void *data, struct xdg_toplevel *toplevel) {
	host_quit(data, 0);
}

static void handle_toplevel_bounds(
	void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height) {
}

static void handle_toplevel_capabilities(
	void *data, struct xdg_toplevel *toplevel, struct wl_array *capabilities) {
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = handle_toplevel_configure,
	.close = handle_toplevel_close,
	.configure_bounds = handle_toplevel_bounds,
	.wm_capabilities = handle_toplevel_capabilities,
};

static void ack_configure(struct host *host, uint32_t serial) {
	xdg_surface_ack_configure(host->xdg_surface, serial);
}

static void set_title(struct host *host, const char *title) {
	xdg_toplevel_set_title(host->toplevel, title);
}

static void bell(struct host *host) {
	host_log(host, CITY_LOG_INFO, "bell");
}

static void open_uri(struct host *host, const char *uri) {
	host_log(host, CITY_LOG_INFO, "would open %s", uri);
}

const struct host_role host_window_role = {
	.ack_configure = ack_configure,
	.set_title = set_title,
	.bell = bell,
	.open_uri = open_uri,
};

void host_window_role_init(struct host *host) {
	host->role = &host_window_role;
	xdg_wm_base_add_listener(host->wm_base, &wm_base_listener, host);
	host->xdg_surface = xdg_wm_base_get_xdg_surface(host->wm_base, host->surface);
	xdg_surface_add_listener(host->xdg_surface, &surface_listener, host);
	host->toplevel = xdg_surface_get_toplevel(host->xdg_surface);
	xdg_toplevel_add_listener(host->toplevel, &toplevel_listener, host);
	xdg_toplevel_set_title(host->toplevel, host->name);
	xdg_toplevel_set_app_id(host->toplevel, "source-city-tile");
	if (host->decoration_manager) {
		host->decoration = zxdg_decoration_manager_v1_get_toplevel_decoration(
			host->decoration_manager, host->toplevel);
		zxdg_toplevel_decoration_v1_set_mode(
			host->decoration, ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
	}
	wl_surface_commit(host->surface);
}

void host_window_role_finish(struct host *host) {
	if (host->decoration) {
		zxdg_toplevel_decoration_v1_destroy(host->decoration);
		host->decoration = NULL;
	}
	if (host->toplevel) {
		xdg_toplevel_destroy(host->toplevel);
		host->toplevel = NULL;
	}
	if (host->xdg_surface) {
		xdg_surface_destroy(host->xdg_surface);
		host->xdg_surface = NULL;
	}
}

static void run_child(const struct keeper_message *request) {
	size_t offset = 0;
	char **argv = calloc(request->argc + 1u, sizeof(*argv));
	for (uint16_t i = 0; argv && i < request->argc; i++) {
		argv[i] = (char *)keeper_wire_next(request, &offset);
	}
	for (uint16_t i = 0; i < request->envc; i++) {
		putenv((char *)keeper_wire_next(request, &offset));
	}
	const char *directory = keeper_wire_next(request, &offset);
	const char *home = getenv("HOME"), *shell = getenv("SHELL");
	if (chdir(directory && *directory ? directory : home ? home : "/") < 0) {
		fprintf(stderr, "cannot enter the working directory: %s\n", strerror(errno));
	}
	shell = shell && *shell ? shell : "/bin/sh";
	if (argv && argv[0]) {
		execvp(argv[0], argv);
	} else {
		execl(shell, shell, (char *)NULL);
	}
	fprintf(stderr, "cannot run %s: %s\n", argv && argv[0] ? argv[0] : shell, strerror(errno));
	_exit(127);
}

int host_private_pty(const struct keeper_message *request, int *pid) {
	struct winsize size = {
		.ws_row = request->pty.rows,
		.ws_col = request->pty.columns,
		.ws_xpixel = request->pty.width_px,
		.ws_ypixel = request->pty.height_px,
	};
	int master;
	*pid = forkpty(&master, NULL, NULL, &size);
	if (*pid < 0) {
		return -1;
	}
	if (*pid == 0) {
		run_child(request);
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	return master;
}

static int new_region(const char *name, char *why, size_t why_size) {
	struct vat_region_info info = {0};
	snprintf(info.name, sizeof(info.name), "%s", name);
	vat_uuid_generate(&info.tile);
	vat_uuid_generate(&info.city);
	struct vat_error error;
	int fd = vat_region_create(&info, 0, &error);
	if (fd < 0) {
		snprintf(why, why_size, "%s", error.text);
	}
	return fd;
}

static bool start(struct host *host, const char *path, char *why, size_t why_size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(why, why_size, "cannot be opened: %s", strerror(errno));
		return false;
	}
	if (!host_load(host, fd, why, why_size)) {
		return false;
	}
	snprintf(host->name, sizeof(host->name), "%s", host->descriptor.name);
	host->width = host->width > 0 ? host->width : WINDOW_WIDTH;
	host->height = host->height > 0 ? host->height : WINDOW_HEIGHT;
	/* The keyboard needs what this makes, and may be there as soon as there is a connection. */
	host_prewarm(host);
	if (!host_connect(host, -1, why, why_size)) {
		return false;
	}
	if (!host->wm_base) {
		snprintf(why, why_size, "the compositor has no xdg-shell");
		return false;
	}
	host_window_role_init(host);
	while (!host->configured) {
		if (wl_display_dispatch(host->display) < 0) {
			snprintf(why, why_size, "the compositor hung up");
			return false;
		}
	}
	host_pump_open(host);
	host_sound_open(host);
	int region = new_region(host->name, why, why_size);
	if (region < 0 || !host_state_open(host, region, why, why_size) ||
		!host_warm(host, why, why_size) ||
		!host_state_attach(host, TILE_ATTACH_COLD, 1, -1, why, why_size)) {
		return false;
	}
	close(region);
	host_surface_damage_all(host);
	return true;
}

int host_standalone(const char *path, char *const *options, int count) {
	static struct host host;
	host_init(&host);
	host.standalone = true;
	host_crash_install(&host);
	char why[HOST_WHY_SIZE];
	keeper_wire_add(host.assume, ""); /* in place of the artifact's hash */
	for (int i = 0; i < count; i++) {
		if (keeper_wire_add(host.assume, options[i]) < 0) {
			city_log(CITY_LOG_WARN, NULL, "too many options: %s is left out",
				options[i]);
		}
	}
	if (start(&host, path, why, sizeof(why))) {
		host_run(&host);
	} else {
		fprintf(stderr, "source-city-tile: %s: %s\n", path, why);
		host.exit_status = 1;
	}
	int status = host.exit_status;
	host_finish(&host);
	return status;
}
