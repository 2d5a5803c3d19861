/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server.h>

#include <cmocka.h>

#include "source-city-control-v1-server-protocol.h"
#include "vat.h"

const char record_live[] =
	"{\"id\":7,\"time\":\"2026-05-04T03:02:01.123Z\",\"tile\":\"terminal\",\"uuid\":"
	"\"00000000-0000-4000-8000-000000000001\",\"kind\":\"terminal\",\"from\":\"aaaaaaaaaaaa\","
	"\"to\":\"bbbbbbbbbbbb\",\"origin\":\"source /src/terminal\",\"strategy\":\"melt\","
	"\"strategy_asked\":\"auto\",\"splice_asked\":\"\",\"splice_met\":\"\",\"splice_"
	"frame\":null,\"splice_tick\":null,\"splice_error\":null,\"sound_skipped\":null,\"epoch\":"
	"4,"
	"\"pause_us\":312.4,\"state_bytes\":4096,\"migrated_bytes\":0,\"undo_pages\":2,"
	"\"frames_dropped\":0,\"frames_shown\":61,\"pas\":0.9837,\"build_us\":181000.0,\"total_"
	"us\":1402000.0,"
	"\"steps\":[{\"step\":\"spawn\",\"at_us\":0.0}],\"result\":\"live\",\"step\":\"\","
	"\"reason\":\"\"}";
const char record_failed[] =
	"{\"id\":8,\"time\":\"2026-05-04T03:03:01.123Z\",\"tile\":\"clock\",\"uuid\":"
	"\"00000000-0000-4000-8000-000000000002\",\"kind\":\"clock\",\"from\":\"cccccccccccc\","
	"\"to\":\"dddddddddddd\",\"origin\":\"watch /src/clock\",\"strategy\":\"instant\","
	"\"strategy_asked\":\"instant\",\"splice_asked\":\"\",\"splice_met\":\"\",\"epoch\":0,"
	"\"pause_us\":null,\"state_bytes\":null,\"migrated_bytes\":null,\"undo_pages\":null,"
	"\"frames_dropped\":0,\"frames_shown\":3,\"build_us\":null,\"total_us\":52000.0,"
	"\"steps\":[],\"result\":\"failed\",\"step\":\"attach\",\"reason\":\"it did not want to\"}";

static const char record_newer[] =
	"{\"id\":9,\"tile\":\"terminal\",\"from\":\"a\",\"to\":\"b\",\"strategy\":\"melt\","
	"\"pause_us\":99.0,\"result\":\"live\"}";

struct fake_tile {
	struct wl_list link;
	const char *name, *uuid, *kind, *artifact, *source, *cx, *cy, *title, *notice;
	uint32_t pid, epoch, state;
	int32_t width, height;
	struct wl_resource *handle;
	struct server *server;
};

static const struct fake_tile samples[] = {
	{
		.name = "terminal",
		.uuid = "00000000-0000-4000-8000-000000000001",
		.kind = "terminal",
		.artifact = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.source = "/src/terminal",
		.cx = "40",
		.cy = "-12.5",
		.title = "vim \033]0;evil\007 – notes",
		.notice = "",
		.pid = 4711,
		.epoch = 3,
		.state = 1,
		.width = 800,
		.height = 600,
	},
	{
		.name = "clock",
		.uuid = "00000000-0000-4000-8000-000000000002",
		.kind = "clock",
		.artifact = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
		.source = "",
		.cx = "1e3",
		.cy = "0",
		.title = "時計",
		.notice = "clock.c:3:1: error: expected expression",
		.pid = 4712,
		.epoch = 1,
		.state = 3,
		.width = 120,
		.height = 120,
	},
	{
		.name = "terminal-2",
		.uuid = "00000000-0000-4000-8000-000000000003",
		.kind = "terminal",
		.artifact = "",
		.source = "",
		.cx = "0",
		.cy = "0",
		.title = "",
		.notice = "",
		.state = 4,
		.width = 10,
		.height = 10,
	},
};

static void note(struct server *server, const char *format, ...) {
	char line[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	server->log = (char *)text("%s%s\n", server->log, line);
}

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

/* ---- requests */

static const struct source_city_request_v1_interface request_interface = {
	.destroy = handle_destroy,
};

static struct wl_resource *make_request(struct wl_client *client, uint32_t id) {
	struct wl_resource *request =
		wl_resource_create(client, &source_city_request_v1_interface, 5, id);
	wl_resource_set_implementation(request, &request_interface, NULL, NULL);
	return request;
}

static void play(struct server *server, struct wl_resource *request) {
	char *copy = strdup(server->script), *rest = copy, *word;
	uint64_t time = 1000000000000ull;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (strcmp(word, "ok") == 0) {
			source_city_request_v1_send_record(request, record_live);
			source_city_request_v1_send_succeeded(request);
		} else if (strcmp(word, "record") == 0) {
			source_city_request_v1_send_record(request, record_live);
		} else if (strcmp(word, "bad-record") == 0) {
			source_city_request_v1_send_record(request, record_failed);
		} else if (strcmp(word, "say") == 0) {
			source_city_request_v1_send_output(
				request, "main.c:3:1: warning: \033[31mred\n");
		} else if (strcmp(word, "refuse") == 0) {
			source_city_request_v1_send_failed(
				request, "build", "main.c:3:9: error: expected ';'");
		} else if (strcmp(word, "fail") == 0) {
			source_city_request_v1_send_record(request, record_failed);
			source_city_request_v1_send_failed(request, "attach", "it did not want to");
		} else if (strcmp(word, "superseded") == 0) {
			source_city_request_v1_send_superseded(request);
		} else if (strcmp(word, "vanish") == 0) {
			server->kill_client = 1;
		} else if (strcmp(word, "hang") != 0) {
			source_city_request_v1_send_progress(
				request, word, (uint32_t)(time >> 32), (uint32_t)time);
			time += 1000000;
		}
	}
	free(copy);
}

/* ---- tiles */

static void handle_swap_artifact(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, int32_t artifact, const char *origin, uint32_t strategy, const char *splice) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	char content[32] = "";
	ssize_t size = pread(artifact, content, sizeof(content) - 1, 0);
	close(artifact);
	note(tile->server, "swap_artifact %s [%.*s] %s %u [%s]", tile->name, (int)size, content,
		origin, strategy, splice);
	play(tile->server, make_request(client, id));
}

static void handle_swap_source(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *folder, uint32_t strategy, const char *splice) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "swap_source %s [%s] %u [%s]", tile->name, folder, strategy, splice);
	play(tile->server, make_request(client, id));
}

static void run_idle(void *data) {
	struct server *server = data;
	void (*idle)(struct server *server) = server->idle;
	server->idle = NULL;
	if (idle != NULL)
		idle(server);
}

static void handle_watch(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *folder) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "watch %s [%s]", tile->name, folder);
	play(tile->server, make_request(client, id));
	wl_event_loop_add_idle(tile->server->loop, run_idle, tile->server);
}

static void handle_rollback(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "rollback %s", tile->name);
	play(tile->server, make_request(client, id));
}

static void handle_rollback_to(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *which) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "rollback %s to %s", tile->name, which);
	play(tile->server, make_request(client, id));
}

static int make_region(const char *name) {
	struct pair {
		uint32_t first, second;
	};
	static const struct vat_field fields[] = {
		VAT_FIELD(1, U32, struct pair, first),
		VAT_FIELD(2, U32, struct pair, second),
	};
	const struct vat_cell_decl cells[] = {
		VAT_CELL("cursor", struct pair, 1, fields, .version = 1),
		VAT_CELL("grid", struct pair, 3, fields, .version = 2),
	};
	struct vat_region_info info = {};
	snprintf(info.name, sizeof(info.name), "%s", name);
	assert_true(vat_uuid_parse("00000000-0000-4000-8000-000000000001", &info.tile));
	assert_true(vat_uuid_parse("00000000-0000-4000-8000-00000000000f", &info.city));
	struct vat_error error;
	int fd = vat_region_create(&info, 0, &error);
	assert_true(fd >= 0);
	struct vat_region *region;
	assert_int_equal(vat_region_map(fd, VAT_WRITE, &region, &error), 0);
	assert_int_equal(vat_region_adopt(region, cells, 2, 0, NULL, &error), 0);
	struct pair *cursor = vat_cell_data(region, vat_region_find(region, "cursor", NULL, 0));
	*cursor = (struct pair){.first = 11, .second = 22};
	vat_region_unmap(region);
	return fd;
}

static void handle_get_region(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(tile->server, "get_region %s", tile->name);
	if (tile->state == 4) {
		/* Not a region at all. */
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		source_city_request_v1_send_region(request, null);
		close(null);
	} else {
		int fd = make_region(tile->name);
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int reading = open(path, O_RDONLY | O_CLOEXEC);
		source_city_request_v1_send_region(request, reading);
		close(reading);
		close(fd);
	}
	source_city_request_v1_send_succeeded(request);
}

static void handle_get_undo(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "get_undo %s", tile->name);
	source_city_request_v1_send_failed(make_request(client, id), "undo", "not in probation");
}

static void handle_checkpoint(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(tile->server, "checkpoint %s", tile->name);
	if (tile->state == 4) {
		source_city_request_v1_send_failed(request, "checkpoint", "the disk is full");
		return;
	}
	char text[128];
	snprintf(text, sizeof(text), "12345 678 /state of/%s.vat", tile->name);
	source_city_request_v1_send_text(request, text);
	source_city_request_v1_send_succeeded(request);
}

static void handle_close(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "close %s", tile->name);
	source_city_request_v1_send_succeeded(make_request(client, id));
}

static void handle_force(struct wl_client *client, struct wl_resource *resource) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "force %s", tile->name);
}

static void handle_carry_state(
	struct wl_client *client, struct wl_resource *resource, uint32_t mode, uint32_t lossy) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "carry_state %s %u %u", tile->name, mode, lossy);
}

static void handle_at(struct wl_client *client, struct wl_resource *resource, const char *splice) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	note(tile->server, "at %s [%s]", tile->name, splice);
}

static const struct source_city_tile_handle_v1_interface tile_interface = {
	.destroy = handle_destroy,
	.swap_artifact = handle_swap_artifact,
	.swap_source = handle_swap_source,
	.watch = handle_watch,
	.rollback = handle_rollback,
	.get_region = handle_get_region,
	.close = handle_close,
	.force = handle_force,
	.get_undo = handle_get_undo,
	.rollback_to = handle_rollback_to,
	.checkpoint = handle_checkpoint,
	.carry_state = handle_carry_state,
	.at = handle_at,
};

static void handle_tile_gone(struct wl_resource *resource) {
	struct fake_tile *tile = wl_resource_get_user_data(resource);
	wl_list_remove(&tile->link);
	free(tile);
}

static void announce(
	struct server *server, struct wl_client *client, const struct fake_tile *from) {
	struct fake_tile *tile = calloc(1, sizeof(*tile));
	*tile = *from;
	tile->server = server;
	tile->handle = wl_resource_create(client, &source_city_tile_handle_v1_interface,
		wl_resource_get_version(server->control), 0);
	wl_list_insert(server->tiles.prev, &tile->link);
	wl_resource_set_implementation(tile->handle, &tile_interface, tile, handle_tile_gone);
	source_city_control_v1_send_tile(server->control, tile->handle);
	source_city_tile_handle_v1_send_identity(tile->handle, tile->uuid, tile->name, tile->kind);
	source_city_tile_handle_v1_send_version(
		tile->handle, tile->artifact, tile->source, tile->pid, 0, tile->epoch);
	source_city_tile_handle_v1_send_place(
		tile->handle, tile->cx, tile->cy, tile->width, tile->height);
	source_city_tile_handle_v1_send_title(tile->handle, tile->title);
	source_city_tile_handle_v1_send_status(tile->handle, tile->state, tile->notice);
	source_city_tile_handle_v1_send_pas(
		tile->handle, strcmp(tile->name, "terminal") == 0 ? "0.9837" : "");
	if (strcmp(tile->name, "clock") == 0) {
		source_city_tile_handle_v1_send_port(tile->handle, "main", "audio", 2);
		source_city_tile_handle_v1_send_port(tile->handle, "\"keys\033", "pty", 1);
	}
	source_city_tile_handle_v1_send_done(tile->handle);
}

/* ---- the control object */

static void open_tile(struct server *server, struct wl_client *client, uint32_t id,
	const char *kind, const char *title) {
	struct wl_resource *request = make_request(client, id);
	if (strcmp(kind, "nothing") == 0) {
		source_city_request_v1_send_failed(request, "open", "no tile of that kind");
		return;
	}
	struct fake_tile tile = samples[0];
	tile.name = title[0] != '\0' ? title : "terminal-3";
	tile.uuid = "00000000-0000-4000-8000-000000000004";
	announce(server, client, &tile);
	source_city_request_v1_send_text(request, tile.name);
	source_city_request_v1_send_succeeded(request);
}

static void handle_open(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *kind, const char *title) {
	struct server *server = wl_resource_get_user_data(resource);
	note(server, "open %s [%s]", kind, title);
	open_tile(server, client, id, kind, title);
}

static void handle_open_with(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *kind, const char *title, struct wl_array *options) {
	struct server *server = wl_resource_get_user_data(resource);
	const char *first = options->data;
	note(server, "open %s [%s] %s %s", kind, title, first, first + strlen(first) + 1);
	open_tile(server, client, id, kind, title);
}

static void handle_run(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *command) {
	struct server *server = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(server, "run [%s]", command);
	if (strcmp(command, "quit") == 0)
		server->kill_client = 1;
	else if (strncmp(command, "fly", 3) == 0)
		source_city_request_v1_send_failed(request, "", "there is no command fly");
	else
		source_city_request_v1_send_succeeded(request);
}

static void handle_history(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct server *server = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(server, "get_history");
	if (!server->without_tiles) {
		source_city_request_v1_send_record(request, record_live);
		source_city_request_v1_send_record(request, record_failed);
	}
	source_city_request_v1_send_succeeded(request);
}

static void handle_state(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct server *server = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(server, "get_state");
	/* In pieces. */
	source_city_request_v1_send_text(request, "{\"camera\":{\"cx\":0,\"cy\"");
	source_city_request_v1_send_text(request, ":0,\"zoom\":1},\"views\":[]");
	if (server->without_tiles) {
		source_city_request_v1_send_text(request, ",\"bookmarks\":[]}");
	} else {
		source_city_request_v1_send_text(request,
			",\"outputs\":[{\"name\":\"X-1\",\"camera\":{\"cx\":10,\"cy\":20.5,"
			"\"width\":640,\"height\":360,\"zoom\":2,\"moving\":true}}],"
			"\"bookmarks\":[{\"name\":\"a b\",\"cx\":1,\"cy\":2,\"zoom\":0.5}]}");
	}
	source_city_request_v1_send_succeeded(request);
}

static void handle_picture(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	const char *what, uint32_t width, uint32_t height) {
	struct server *server = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(server, "picture [%s] %ux%u", what, width, height);
	if (width == 1) {
		source_city_request_v1_send_failed(request, "picture", "too small");
		return;
	}
	const uint32_t pixels[] = {0x112233, 0xff0000, 0, 0x445566, 0x00ff00, 0};
	int fd = memfd_create("picture", MFD_CLOEXEC);
	assert_int_equal(write(fd, pixels, sizeof(pixels)), sizeof(pixels));
	source_city_request_v1_send_picture(request, fd, 2, 2, 12);
	close(fd);
	source_city_request_v1_send_succeeded(request);
}

const char transport_json[] =
	"{\"playing\":true,\"tempo\":97.5,\"beats_a_bar\":3,\"bars_a_phrase\":4,\"rate\":48000,"
	"\"sound\":true,\"frame\":123456,\"tick\":700,\"bar\":2,\"beat\":1,\"tick_of_beat\":28,"
	"\"marker_count\":1,\"markers\":[{\"name\":\"chorus\",\"tick\":2304,\"bar\":8,\"beat\":0,"
	"\"tick_of_beat\":0}]}";
const char audio_json[] =
	"{\"available\":true,\"server\":{\"connected\":true,\"rate\":48000,\"quantum\":256,"
	"\"name\":\"PipeWire\",\"reason\":\"\"},\"nodes\":["
	"{\"id\":31,\"kind\":\"output\",\"name\":\"speakers\",\"media\":\"\",\"tile\":\"\","
	"\"channels\":2,\"volume\":0.7,\"mute\":false,\"default\":true,\"running\":true,"
	"\"ours\":false,\"target\":0},"
	"{\"id\":8589934592,\"kind\":\"player\",\"name\":\"Clock\",\"media\":\"tick\",\"tile\":"
	"\"clock\",\"channels\":2,\"volume\":1.0,\"mute\":true,\"default\":false,\"running\":false,"
	"\"ours\":true,\"target\":31},"
	"{\"id\":33,\"kind\":\"player\",\"name\":\"two\",\"media\":\"\",\"tile\":\"\","
	"\"channels\":2,\"volume\":null,\"mute\":false,\"default\":false,\"running\":false,"
	"\"ours\":false,\"target\":31},"
	"{\"id\":34,\"kind\":\"player\",\"name\":\"two\",\"media\":\"\",\"tile\":\"\","
	"\"channels\":2,\"volume\":null,\"mute\":false,\"default\":false,\"running\":false,"
	"\"ours\":false,\"target\":31}],"
	"\"links\":[{\"id\":40,\"from\":8589934592,\"to\":31,\"active\":true}],"
	"\"rings\":[{\"id\":50,\"node\":8589934592,\"tile\":\"clock\",\"port\":\"main\","
	"\"channels\":2,"
	"\"quantum\":256,\"ahead\":512,\"wanted\":640,\"cycles\":9,\"frames\":2304,\"late\":7,"
	"\"late_times\":2,\"mended\":0,\"callback_max_us\":20.0,\"callback_mean_us\":3.5}]}";

static void handle_get_transport(
	struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *request = make_request(client, id);
	source_city_request_v1_send_text(request, transport_json);
	source_city_request_v1_send_succeeded(request);
}

static void handle_get_audio(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *request = make_request(client, id);
	source_city_request_v1_send_text(request, audio_json);
	source_city_request_v1_send_succeeded(request);
}

static void handle_ask_transport(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, uint32_t what, uint32_t value, uint32_t tick_hi, uint32_t tick_lo,
	const char *name) {
	struct server *server = wl_resource_get_user_data(resource);
	struct wl_resource *request = make_request(client, id);
	note(server, "ask_transport %u %u %lld [%s]", what, value,
		(long long)((uint64_t)tick_hi << 32 | tick_lo), name);
	if (what == SOURCE_CITY_CONTROL_V1_TRANSPORT_UNMARK)
		source_city_request_v1_send_failed(request, "transport", "there is no such marker");
	else
		source_city_request_v1_send_succeeded(request);
}

static void handle_ask_audio(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	uint32_t what, uint32_t node_hi, uint32_t node_lo, uint32_t other_hi, uint32_t other_lo,
	uint32_t value) {
	struct server *server = wl_resource_get_user_data(resource);
	note(server, "ask_audio %u %llu %llu %u", what,
		(unsigned long long)((uint64_t)node_hi << 32 | node_lo),
		(unsigned long long)((uint64_t)other_hi << 32 | other_lo), value);
	source_city_request_v1_send_succeeded(make_request(client, id));
}

void server_transport(struct server *server) {
	source_city_control_v1_send_transport(server->control, transport_json);
}

void server_audio(struct server *server, const char *json) {
	source_city_control_v1_send_audio(server->control, json);
}

static const struct source_city_control_v1_interface control_interface = {
	.draw_picture = handle_picture,
	.destroy = handle_destroy,
	.open_tile = handle_open,
	.run_command = handle_run,
	.get_history = handle_history,
	.get_state = handle_state,
	.get_transport = handle_get_transport,
	.ask_transport = handle_ask_transport,
	.get_audio = handle_get_audio,
	.ask_audio = handle_ask_audio,
	.open_tile_with = handle_open_with,
};

static void handle_control_gone(struct wl_resource *resource) {
	struct server *server = wl_resource_get_user_data(resource);
	server->control = NULL;
}

static void handle_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct server *server = data;
	server->control =
		wl_resource_create(client, &source_city_control_v1_interface, (int)version, id);
	wl_resource_set_implementation(
		server->control, &control_interface, server, handle_control_gone);
	for (size_t i = 0; !server->without_tiles && i < sizeof(samples) / sizeof(samples[0]); i++)
		announce(server, client, &samples[i]);
	if (server->mute)
		return;
	source_city_control_v1_send_done(server->control);
	if (strcmp(server->script, "talk") == 0)
		wl_event_loop_add_idle(server->loop, run_idle, server);
}

void server_message(
	struct server *server, uint32_t severity, const char *subject, const char *line) {
	source_city_control_v1_send_message(server->control, severity, subject, line);
}

static struct fake_tile *find(struct server *server, const char *name) {
	struct fake_tile *tile;
	wl_list_for_each(tile, &server->tiles, link) {
		if (strcmp(tile->name, name) == 0)
			return tile;
	}
	fail_msg("no tile %s", name);
	return NULL;
}

void server_tile_state(
	struct server *server, const char *name, uint32_t state, const char *notice) {
	struct fake_tile *tile = find(server, name);
	source_city_tile_handle_v1_send_status(tile->handle, state, notice);
	source_city_tile_handle_v1_send_done(tile->handle);
}

void server_record(struct server *server) {
	source_city_control_v1_send_record(server->control, record_newer);
}

void server_tile_close(struct server *server, const char *name) {
	source_city_tile_handle_v1_send_closed(find(server, name)->handle);
}

/* ---- the server */

void server_start(struct server *server) {
	*server = (struct server){.log = (char *)"", .script = "spawn commit ok"};
	wl_list_init(&server->tiles);
	server->runtime = make_folder();
	assert_int_equal(setenv("XDG_RUNTIME_DIR", server->runtime, 1), 0);
	server->display = wl_display_create();
	server->loop = wl_display_get_event_loop(server->display);
	server->socket = wl_display_add_socket_auto(server->display);
	assert_non_null(server->socket);
	server->global = wl_global_create(
		server->display, &source_city_control_v1_interface, 6, server, handle_bind);
	run_environment("WAYLAND_DISPLAY", server->socket);
}

void server_stop(struct server *server) {
	wl_display_destroy_clients(server->display);
	wl_display_destroy(server->display);
	run_environment("WAYLAND_DISPLAY", NULL);
}

void run_environment(const char *name, const char *value) {
	assert_int_equal(value != NULL ? setenv(name, value, 1) : unsetenv(name), 0);
}

static int handle_child(int fd, uint32_t mask, void *data) {
	*(bool *)data = true;
	return 0;
}

static void start(
	struct server *server, const char *line, const char *out, const char *err, int alive) {
	char *copy = strdup(line), *rest = copy, *argv[64] = {(char *)"cityctl"}, *word;
	size_t count = 1;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (word[0] != '\0')
			argv[count++] = word;
	}
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	/* Closed when the process ends. */
	posix_spawn_file_actions_adddup2(&actions, alive, 9);
	assert_int_equal(
		posix_spawn(&server->child, TEST_CITYCTL, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	free(copy);
}

struct result run(struct server *server, const char *format, ...) {
	char *line = NULL;
	va_list args;
	va_start(args, format);
	assert_true(vasprintf(&line, format, args) > 0);
	va_end(args);
	const char *out = text("%s/out", server->runtime), *err = text("%s/err", server->runtime);
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	int alive = fcntl(ends[1], F_DUPFD_CLOEXEC, 20);
	close(ends[1]);
	start(server, line, out, err, alive);
	close(alive);
	bool ended = false;
	struct wl_event_source *source = wl_event_loop_add_fd(
		server->loop, ends[0], WL_EVENT_READABLE | WL_EVENT_HANGUP, handle_child, &ended);
	int64_t deadline = now_ms() + LIMIT_MS;
	server->log = (char *)"";
	while (!ended) {
		if (now_ms() > deadline) {
			kill(server->child, SIGKILL);
			fail_msg("cityctl %s does not end", line);
		}
		wl_event_loop_dispatch_idle(server->loop);
		wl_display_flush_clients(server->display);
		if (server->kill_client != 0 && server->control != NULL)
			wl_client_destroy(wl_resource_get_client(server->control));
		server->kill_client = 0;
		wl_event_loop_dispatch(server->loop, 1000);
	}
	wl_event_source_remove(source);
	close(ends[0]);
	int status = 0;
	assert_int_equal(waitpid(server->child, &status, 0), server->child);
	free(line);
	return (struct result){
		.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
		.out = read_whole(out, NULL),
		.err = read_whole(err, NULL),
	};
}
