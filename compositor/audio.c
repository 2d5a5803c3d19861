/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <yyjson.h>

#include "compositor/audio.h"
#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/handover.h"
#include "compositor/keeper.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "log.h"
#include "tiles/audio_wire.h"
#include "vat.h"

#define SUBJECT "audio"
#define ITEMS_MAX 4096	    /* nodes, links and rings; a session has some dozens */
#define OUT_MAX (64u << 10) /* bytes that the audio process has not taken yet */
#define AGAIN_MS 1000

/* A request that waits for its AUDIO_RESULT. */
struct asked {
	struct wl_list link; /* city_audio.asked */
	uint32_t request;
	city_audio_func func; /* NULL: forgotten */
	void *data;
};

struct city_audio {
	struct city_server *server;
	int fd; /* -1: not connected */
	struct wl_event_source *source, *again;
	uint64_t opening; /* request to the keeper; 0: none */
	struct wl_listener state;
	struct wl_list asked;
	uint32_t last_request;
	bool told; /* all that there was at the beginning has been told */

	/* What it said last of each thing. */
	struct audio_message server_state, *items;
	size_t count;

	struct audio_message in;
	size_t in_size;
	unsigned char *out;
	size_t out_size;
};

/* ---- as JSON */

/* Of a field of the wire, which need not end. */
static void put_text(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key,
	const char *field, size_t size) {
	char text[256];
	snprintf(text, sizeof(text), "%.*s", (int)strnlen(field, size), field);
	city_json_text(doc, object, key, text);
}
#define PUT_TEXT(doc, object, key, field) put_text(doc, object, key, field, sizeof(field))

static const char *kind_name(uint32_t kind) {
	static const char *const names[] = {
		[AUDIO_OUTPUT] = "output",
		[AUDIO_INPUT] = "input",
		[AUDIO_PLAYER] = "player",
		[AUDIO_RECORDER] = "recorder",
		[AUDIO_FILTER] = "filter",
	};
	return kind >= AUDIO_OUTPUT && kind <= AUDIO_FILTER ? names[kind] : "other";
}

static void put_server(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const struct audio_message *message) {
	yyjson_mut_obj_add_bool(doc, object, "connected", message->server.connected == 1);
	yyjson_mut_obj_add_uint(doc, object, "rate", message->server.rate);
	yyjson_mut_obj_add_uint(doc, object, "quantum", message->server.quantum);
	PUT_TEXT(doc, object, "name", message->server.name);
	PUT_TEXT(doc, object, "reason", message->server.reason);
}

static void put_node(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const struct audio_message *message) {
	uint32_t flags = message->node.flags;
	yyjson_mut_obj_add_uint(doc, object, "id", message->id);
	yyjson_mut_obj_add_str(doc, object, "kind", kind_name(message->node.kind));
	PUT_TEXT(doc, object, "name", message->node.name);
	PUT_TEXT(doc, object, "media", message->node.media);
	PUT_TEXT(doc, object, "tile", message->node.tile);
	yyjson_mut_obj_add_uint(doc, object, "channels", message->node.channels);
	if (flags & AUDIO_NODE_VOLUME) {
		yyjson_mut_obj_add_real(doc, object, "volume", message->node.volume / 1000.0);
	} else {
		yyjson_mut_obj_add_null(doc, object, "volume");
	}
	yyjson_mut_obj_add_bool(doc, object, "mute", flags & AUDIO_NODE_MUTE);
	yyjson_mut_obj_add_bool(doc, object, "default", flags & AUDIO_NODE_DEFAULT);
	yyjson_mut_obj_add_bool(doc, object, "running", flags & AUDIO_NODE_RUNNING);
	yyjson_mut_obj_add_bool(doc, object, "ours", flags & AUDIO_NODE_OURS);
	yyjson_mut_obj_add_uint(doc, object, "target", message->node.target);
}

static void put_link(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const struct audio_message *message) {
	yyjson_mut_obj_add_uint(doc, object, "id", message->id);
	yyjson_mut_obj_add_uint(doc, object, "from", message->link.from);
	yyjson_mut_obj_add_uint(doc, object, "to", message->link.to);
	yyjson_mut_obj_add_bool(doc, object, "active", message->link.active == 1);
}

static double us(double ns) {
	return floor(ns / 100) / 10;
}

static void put_ring(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const struct audio_message *message) {
	yyjson_mut_obj_add_uint(doc, object, "id", message->id);
	yyjson_mut_obj_add_uint(doc, object, "node", message->ring.node);
	PUT_TEXT(doc, object, "tile", message->ring.tile);
	PUT_TEXT(doc, object, "port", message->ring.port);
	yyjson_mut_obj_add_uint(doc, object, "channels", message->ring.channels);
	yyjson_mut_obj_add_uint(doc, object, "quantum", message->ring.quantum);
	yyjson_mut_obj_add_uint(doc, object, "ahead", message->ring.ahead);
	yyjson_mut_obj_add_uint(doc, object, "wanted", message->ring.tile_wants);
	yyjson_mut_obj_add_uint(doc, object, "cycles", message->ring.cycles);
	yyjson_mut_obj_add_uint(doc, object, "frames", message->ring.frames);
	yyjson_mut_obj_add_uint(doc, object, "late", message->ring.late);
	yyjson_mut_obj_add_uint(doc, object, "late_times", message->ring.late_times);
	yyjson_mut_obj_add_uint(doc, object, "mended", message->ring.mended);
	yyjson_mut_obj_add_real(
		doc, object, "callback_max_us", us((double)message->ring.callback_max_ns));
	double cycles = message->ring.cycles > 0 ? (double)message->ring.cycles : 1;
	yyjson_mut_obj_add_real(doc, object, "callback_mean_us",
		us((double)message->ring.callback_sum_ns / cycles));
	yyjson_mut_obj_add_real(
		doc, object, "callback_p999_us", us((double)message->ring.callback_p999_ns));
}

static char *finish(yyjson_mut_doc *doc) {
	char *json = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL);
	yyjson_mut_doc_free(doc);
	return json;
}

char *city_audio_json(const struct city_audio *audio) {
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	if (!doc) {
		return NULL;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	const struct audio_message none = {0};
	yyjson_mut_obj_add_bool(doc, root, "available", audio && audio->fd >= 0);
	yyjson_mut_val *server = yyjson_mut_obj_add_obj(doc, root, "server");
	put_server(doc, server, audio ? &audio->server_state : &none);
	static const struct {
		const char *key;
		uint32_t type;
		void (*put)(yyjson_mut_doc *doc, yyjson_mut_val *object,
			const struct audio_message *message);
	} lists[] = {
		{"nodes", AUDIO_NODE, put_node},
		{"links", AUDIO_LINK, put_link},
		{"rings", AUDIO_RING, put_ring},
	};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, lists[i].key);
		for (size_t j = 0; audio && j < audio->count; j++) {
			if (audio->items[j].type == lists[i].type) {
				lists[i].put(
					doc, yyjson_mut_arr_add_obj(doc, list), &audio->items[j]);
			}
		}
	}
	return finish(doc);
}

static void put_position(yyjson_mut_doc *doc, yyjson_mut_val *object,
	const struct vat_transport_part *part, int64_t tick) {
	int64_t rest, bar = vat_part_bar(part, tick, &rest);
	yyjson_mut_obj_add_sint(doc, object, "tick", tick);
	yyjson_mut_obj_add_sint(doc, object, "bar", bar);
	yyjson_mut_obj_add_sint(doc, object, "beat", rest / VAT_PPQ);
	yyjson_mut_obj_add_sint(doc, object, "tick_of_beat", rest % VAT_PPQ);
}

char *city_audio_transport_json(struct city_server *server, bool markers) {
	const struct vat_transport_page *page =
		server->keeper ? city_keeper_transport(server->keeper) : NULL;
	struct vat_transport transport;
	struct vat_transport_clock clock;
	if (!page || !vat_transport_read(page, &transport) ||
		!vat_transport_read_clock(page, &clock)) {
		return NULL;
	}
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	if (!doc) {
		return NULL;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	uint64_t frame = vat_transport_frame_at(&clock, transport.rate, (uint64_t)city_now_ns());
	/* What was asked for last counts, be it still to come; but for what waits for its tick. */
	const struct vat_transport_part *part =
		vat_transport_at(&transport, frame + transport.rate / 2);
	yyjson_mut_obj_add_bool(doc, root, "playing", part->playing != 0);
	yyjson_mut_obj_add_real(doc, root, "tempo", part->tempo / 1000.0);
	yyjson_mut_obj_add_uint(doc, root, "beats_a_bar", part->beats_a_bar);
	yyjson_mut_obj_add_uint(doc, root, "bars_a_phrase", part->bars_a_phrase);
	yyjson_mut_obj_add_sint(doc, root, "bar_zero", part->bar_zero);
	yyjson_mut_obj_add_uint(doc, root, "rate", transport.rate);
	yyjson_mut_obj_add_bool(doc, root, "sound", clock.sound);
	yyjson_mut_obj_add_uint(doc, root, "frame", frame);
	put_position(doc, root, vat_transport_at(&transport, frame),
		vat_transport_tick(&transport, frame));
	yyjson_mut_obj_add_uint(doc, root, "origin_frame", part->frame);
	yyjson_mut_obj_add_sint(doc, root, "origin_tick", part->tick);
	yyjson_mut_obj_add_uint(doc, root, "marker_count", transport.marker_count);
	if (!markers) {
		return finish(doc);
	}
	yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "markers");
	for (uint32_t i = 0; i < transport.marker_count && i < VAT_MARKERS_MAX; i++) {
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, list);
		PUT_TEXT(doc, object, "name", transport.markers[i].name);
		put_position(doc, object, part, transport.markers[i].tick);
	}
	return finish(doc);
}

/* ---- what is told */

static struct audio_message *find(struct city_audio *audio, uint32_t type, uint64_t id) {
	for (size_t i = 0; i < audio->count; i++) {
		if (audio->items[i].type == type && audio->items[i].id == id) {
			return &audio->items[i];
		}
	}
	return NULL;
}

/* What changed, to those who look on. */
static void tell(struct city_audio *audio, const char *what, const struct audio_message *message,
	void (*put)(
		yyjson_mut_doc *doc, yyjson_mut_val *object, const struct audio_message *message)) {
	yyjson_mut_doc *doc = audio->told ? yyjson_mut_doc_new(NULL) : NULL;
	if (!doc) {
		return;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_str(doc, root, "what", what);
	if (put) {
		put(doc, root, message);
	} else {
		yyjson_mut_obj_add_uint(doc, root, "id", message->id);
	}
	char *json = finish(doc);
	if (json) {
		city_control_audio(audio->server, json);
	}
	free(json);
}

uint64_t city_audio_link(const struct city_audio *audio, uint64_t from, uint64_t to) {
	for (size_t i = 0; audio && i < audio->count; i++) {
		const struct audio_message *item = &audio->items[i];
		if (item->type == AUDIO_LINK && item->link.from == from && item->link.to == to) {
			return item->id;
		}
	}
	return 0;
}

static void remember(struct city_audio *audio, const struct audio_message *message) {
	struct audio_message *item = find(audio, message->type, message->id);
	if (!item && audio->count < ITEMS_MAX) {
		struct audio_message *grown =
			reallocarray(audio->items, audio->count + 1, sizeof(*grown));
		if (!grown) {
			return;
		}
		audio->items = grown;
		item = &grown[audio->count++];
	} else if (item && message->type == AUDIO_RING &&
		message->ring.late_times > item->ring.late_times) {
		city_control_message(audio->server, CITY_LOG_WARN, SUBJECT,
			"%.*s was late: %llu frames in all", (int)sizeof(message->ring.tile) - 1,
			message->ring.tile, (unsigned long long)message->ring.late);
	}
	if (item) {
		*item = *message;
	}
}

static void drop(struct city_audio *audio, uint32_t type, uint64_t id) {
	struct audio_message *item = find(audio, type, id);
	if (item) {
		*item = audio->items[--audio->count];
	}
}

static void take_result(struct city_audio *audio, const struct audio_message *message) {
	struct asked *asked;
	wl_list_for_each(asked, &audio->asked, link) {
		if (asked->request != message->request) {
			continue;
		}
		char text[sizeof(message->result.text) + 1];
		snprintf(text, sizeof(text), "%.*s", (int)sizeof(message->result.text),
			message->result.text);
		int error = message->result.error;
		if (error != 0 && !*text) {
			snprintf(text, sizeof(text), "%s", strerror(error > 0 ? error : -error));
		}
		wl_list_remove(&asked->link);
		if (asked->func) {
			asked->func(asked->data, error, text);
		}
		free(asked);
		return;
	}
}

static void take(struct city_audio *audio, const struct audio_message *message) {
	switch (message->type) {
	case AUDIO_SERVER:
		audio->server_state = *message;
		tell(audio, "server", message, put_server);
		break;
	case AUDIO_NODE:
		remember(audio, message);
		tell(audio, "node", message, put_node);
		break;
	case AUDIO_LINK:
		remember(audio, message);
		tell(audio, "link", message, put_link);
		break;
	case AUDIO_RING:
		remember(audio, message);
		break;
	case AUDIO_NODE_GONE:
		drop(audio, AUDIO_NODE, message->id);
		tell(audio, "node-gone", message, NULL);
		break;
	case AUDIO_LINK_GONE:
		drop(audio, AUDIO_LINK, message->id);
		tell(audio, "link-gone", message, NULL);
		break;
	case AUDIO_RING_GONE:
		drop(audio, AUDIO_RING, message->id);
		break;
	case AUDIO_TRANSPORT: {
		if (audio->server->tiles) {
			city_handover_transport_changed(audio->server->tiles);
		}
		char *json = audio->told ? city_audio_transport_json(audio->server, false) : NULL;
		if (json) {
			city_control_transport(audio->server, json);
		}
		free(json);
		break;
	}
	case AUDIO_DONE:
		audio->told = true;
		break;
	case AUDIO_RESULT:
		take_result(audio, message);
		break;
	default:
		break; /* meters, and what a newer one may say */
	}
}

/* ---- the connection */

static void open_later(struct city_audio *audio) {
	wl_event_source_timer_update(audio->again, AGAIN_MS);
}

static void hang_up(struct city_audio *audio, const char *why) {
	if (audio->fd < 0) {
		return;
	}
	city_log(CITY_LOG_INFO, SUBJECT, "the connection to the audio process has ended: %s", why);
	if (audio->source) {
		wl_event_source_remove(audio->source);
		audio->source = NULL;
	}
	close(audio->fd);
	audio->fd = -1;
	audio->in_size = audio->out_size = audio->count = 0;
	audio->told = false;
	audio->server_state = (struct audio_message){0};
	struct wl_list all;
	wl_list_init(&all);
	wl_list_insert_list(&all, &audio->asked);
	wl_list_init(&audio->asked);
	struct asked *asked, *next;
	wl_list_for_each_safe(asked, next, &all, link) {
		wl_list_remove(&asked->link);
		if (asked->func) {
			asked->func(asked->data, ECONNRESET,
				"the audio process has ended; it is started again, try again");
		}
		free(asked);
	}
}

static bool flush(struct city_audio *audio) {
	size_t sent = 0;
	while (sent < audio->out_size) {
		ssize_t got = send(audio->fd, audio->out + sent, audio->out_size - sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0 && errno != EAGAIN) {
			return false;
		}
		if (got < 0) {
			break;
		}
		sent += (size_t)got;
	}
	audio->out_size -= sent;
	memmove(audio->out, audio->out + sent, audio->out_size);
	wl_event_source_fd_update(
		audio->source, WL_EVENT_READABLE | (audio->out_size > 0 ? WL_EVENT_WRITABLE : 0));
	return true;
}

static bool post(struct city_audio *audio, const struct audio_message *message) {
	if (audio->out_size + sizeof(*message) > OUT_MAX) {
		errno = ENOBUFS;
		return false;
	}
	unsigned char *grown = realloc(audio->out, audio->out_size + sizeof(*message));
	if (!grown) {
		return false;
	}
	audio->out = grown;
	memcpy(audio->out + audio->out_size, message, sizeof(*message));
	audio->out_size += sizeof(*message);
	return flush(audio);
}

static int handle_ready(int fd, uint32_t mask, void *data) {
	struct city_audio *audio = data;
	if ((mask & WL_EVENT_WRITABLE) && !flush(audio)) {
		hang_up(audio, strerror(errno));
		open_later(audio);
		return 0;
	}
	/* Some at a time: one that says very much keeps nobody from being heard. */
	for (int i = 0; i < 256; i++) {
		ssize_t got = recv(fd, (unsigned char *)&audio->in + audio->in_size,
			sizeof(audio->in) - audio->in_size, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			return 0;
		}
		if (got <= 0) {
			hang_up(audio, got < 0 ? strerror(errno) : "it closed its socket");
			open_later(audio);
			return 0;
		}
		audio->in_size += (size_t)got;
		if (audio->in_size < sizeof(audio->in)) {
			continue;
		}
		audio->in_size = 0;
		if (audio->in.version != AUDIO_WIRE_VERSION) {
			hang_up(audio, "it speaks another version of the wire");
			return 0;
		}
		take(audio, &audio->in);
	}
	return 0;
}

static void handle_opened(void *data, struct city_keeper_reply *reply) {
	struct city_audio *audio = data;
	audio->opening = 0;
	if (reply->status != 0) {
		/* Where there is none now the keeper says when there is. */
		if (reply->status != EAGAIN && reply->status != ENOTSUP) {
			city_log(CITY_LOG_INFO, SUBJECT, "no connection to the audio process: %s",
				reply->reason);
		}
		return;
	}
	if (audio->fd >= 0 || reply->fd < 0) {
		return;
	}
	audio->fd = reply->fd;
	reply->fd = -1;
	audio->source = wl_event_loop_add_fd(
		audio->server->loop, audio->fd, WL_EVENT_READABLE, handle_ready, audio);
	const struct audio_message watch = {.version = AUDIO_WIRE_VERSION, .type = AUDIO_WATCH};
	if (!audio->source || !post(audio, &watch)) {
		hang_up(audio, strerror(errno));
		open_later(audio);
	}
}

static void open_now(struct city_audio *audio) {
	if (audio->fd < 0 && audio->opening == 0) {
		audio->opening =
			city_keeper_open_audio(audio->server->keeper, handle_opened, audio);
	}
}

static int handle_again(void *data) {
	open_now(data);
	return 0;
}

static void handle_state(struct wl_listener *listener, void *data) {
	struct city_audio *audio = wl_container_of(listener, audio, state);
	const bool *runs = data;
	if (*runs) {
		open_now(audio);
	}
}

uint32_t city_audio_ask(struct city_audio *audio, const struct audio_message *message,
	city_audio_func func, void *data) {
	if (!audio || audio->fd < 0) {
		func(data, ENOTCONN, "source-city-audio does not run: the log says why");
		return 0;
	}
	struct asked *asked = calloc(1, sizeof(*asked));
	struct audio_message copy = *message;
	copy.version = AUDIO_WIRE_VERSION;
	copy.request = ++audio->last_request ? audio->last_request : ++audio->last_request;
	if (!asked || !post(audio, &copy)) {
		free(asked);
		func(data, EAGAIN, "the audio process takes no requests now; try again");
		return 0;
	}
	asked->request = copy.request;
	asked->func = func;
	asked->data = data;
	wl_list_insert(audio->asked.prev, &asked->link);
	return copy.request;
}

void city_audio_forget(struct city_audio *audio, uint32_t request) {
	struct asked *asked;
	if (!audio || request == 0) {
		return;
	}
	wl_list_for_each(asked, &audio->asked, link) {
		if (asked->request == request) {
			asked->func = NULL;
		}
	}
}

struct city_audio *city_audio_create(struct city_server *server) {
	struct city_audio *audio = calloc(1, sizeof(*audio));
	if (!audio) {
		return NULL;
	}
	audio->server = server;
	audio->fd = -1;
	wl_list_init(&audio->asked);
	audio->again = wl_event_loop_add_timer(server->loop, handle_again, audio);
	if (!audio->again) {
		free(audio);
		return NULL;
	}
	audio->state.notify = handle_state;
	wl_signal_add(&city_keeper_events(server->keeper)->audio, &audio->state);
	open_now(audio);
	return audio;
}

void city_audio_destroy(struct city_audio *audio) {
	if (!audio) {
		return;
	}
	hang_up(audio, "the compositor ends");
	city_keeper_forget(audio->server->keeper, audio->opening);
	wl_list_remove(&audio->state.link);
	wl_event_source_remove(audio->again);
	free(audio->items);
	free(audio->out);
	free(audio);
}
