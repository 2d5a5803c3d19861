/* SPDX-License-Identifier: MIT */
/*
 * All that the map shows, as one JSON object. Its keys are in cityctl(1), and are only ever added
 * to. It may be large, so it goes to the client as a file, and a thread makes it of a copy of what
 * there is: of 100,000 modules it would be several frames' work. One at a time; those that are
 * asked for meanwhile wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yyjson.h>

#include "compositor/control_internal.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/text.h"
#include "source-city-control-v1-server-protocol.h"

/* A request, and what it is answered with. */
struct map_job {
	struct wl_list link; /* city_control.maps */
	struct city_control *control;
	struct city_request *request; /* NULL: it is no longer wanted */

	/* Once it is its turn: */
	pthread_t thread;
	int done_fd;
	struct wl_event_source *done;
	/* The thread's while it runs. */
	struct city_box bounds;
	bool surveying;
	char *note;
	struct city_lot *lots;
	size_t lot_count;
	struct city_layout *layout; /* NULL: none yet */
	struct city_quarter *quarters;
	size_t quarter_count;
	double costs[CITY_COST_FOLDERS];
	int fd; /* with the JSON; -1: it failed */
};

/* null: it is not known. */
static void add_share(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, double value) {
	if (value >= 0) {
		yyjson_mut_obj_add_real(doc, object, key, value);
	} else {
		yyjson_mut_obj_add_null(doc, object, key);
	}
}

static void add_lots(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct map_job *job) {
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "lots");
	for (size_t i = 0; i < job->lot_count; i++) {
		const struct city_lot *lot = &job->lots[i];
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		yyjson_mut_obj_add_uint(doc, object, "id", lot->id);
		yyjson_mut_obj_add_str(doc, object, "kind", lot->tile ? "tile" : "guest");
		city_json_text(doc, object, "name", lot->name);
		city_json_text(doc, object, "note", lot->note);
		city_json_box(doc, object, lot->box);
		city_json_box(doc, yyjson_mut_obj_add_obj(doc, object, "building"), lot->building);
		yyjson_mut_obj_add_uint(doc, object, "lines", lot->lines);
		add_share(doc, object, "cost", lot->cost);
		add_share(doc, object, "pas", lot->pas);
		yyjson_mut_obj_add_str(doc, object, "mark", city_mark_name(lot->mark));
		yyjson_mut_obj_add_bool(doc, object, "focused", lot->focused);
		yyjson_mut_obj_add_bool(doc, object, "changing", lot->changing);
		yyjson_mut_obj_add_sint(doc, object, "handed_over_ns", lot->handed_over_ns);
	}
}

struct site_walk {
	yyjson_mut_doc *doc;
	yyjson_mut_val *folders, *modules;
	const struct map_job *job;
	const struct city_quarter *quarter;
};

static double cost_of(const struct map_job *job, const char *folder) {
	for (size_t i = 0; i < CITY_COST_FOLDERS; i++) {
		if (strcmp(city_cost_folders[i], folder) == 0) {
			return job->costs[i];
		}
	}
	return -1;
}

static void add_site(struct site_walk *walk, uint32_t at) {
	const struct city_layout *layout = walk->job->layout;
	const struct city_site *site = &layout->sites[at];
	if (site->kind == CITY_SITE_CUT) {
		add_site(walk, site->first);
		add_site(walk, site->second);
		return;
	}
	bool folder = site->kind == CITY_SITE_FOLDER;
	struct city_plot plot = folder ? city_site_block(site) : city_site_footprint(site);
	if (site->folder != CITY_NO_SITE) {
		char path[4096];
		yyjson_mut_val *object =
			yyjson_mut_arr_add_obj(walk->doc, folder ? walk->folders : walk->modules);
		city_site_path(layout, at, path, sizeof(path));
		city_json_text(walk->doc, object, "path", path);
		city_json_box(walk->doc, object,
			(struct city_box){walk->quarter->box.cx + plot.x,
				walk->quarter->box.cy + plot.y, plot.width, plot.height});
		yyjson_mut_obj_add_uint(walk->doc, object, "lines", site->lines);
		if (folder && site->depth == 1 && !walk->quarter->path) {
			add_share(walk->doc, object, "cost", cost_of(walk->job, path));
		}
	}
	if (folder && site->first != CITY_NO_SITE) {
		add_site(walk, site->first);
	}
}

static void add_quarters(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct map_job *job) {
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "quarters");
	for (size_t i = 0; i < job->quarter_count; i++) {
		const struct city_quarter *quarter = &job->quarters[i];
		struct site_walk walk = {.doc = doc, .job = job, .quarter = quarter};
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		city_json_text(doc, object, "name", quarter->name);
		city_json_text(doc, object, "path", quarter->path ? quarter->path : "");
		city_json_box(doc, object, quarter->box);
		yyjson_mut_obj_add_bool(doc, object, "hand", quarter->hand);
		yyjson_mut_obj_add_uint(
			doc, object, "lines", job->layout->sites[quarter->site].lines);
		walk.folders = yyjson_mut_obj_add_arr(doc, object, "folders");
		walk.modules = yyjson_mut_obj_add_arr(doc, object, "modules");
		add_site(&walk, quarter->site);
	}
}

static char *describe(const struct map_job *job, size_t *size) {
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	if (!doc) {
		return NULL;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_real(doc, root, "street_zoom", CITY_ZOOM_STREET);
	yyjson_mut_obj_add_real(doc, root, "city_zoom", CITY_ZOOM_CITY);
	city_json_box(doc, yyjson_mut_obj_add_obj(doc, root, "bounds"), job->bounds);
	yyjson_mut_obj_add_bool(doc, root, "surveying", job->surveying);
	city_json_text(doc, root, "survey_note", job->note);
	add_lots(doc, root, job);
	add_quarters(doc, root, job);
	char *json = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, size);
	yyjson_mut_doc_free(doc);
	return json;
}

static bool write_all(int fd, const char *data, size_t size) {
	while (size > 0) {
		ssize_t wrote = write(fd, data, size);
		if (wrote < 0 && errno == EINTR) {
			continue;
		}
		if (wrote <= 0) {
			return false;
		}
		data += wrote;
		size -= (size_t)wrote;
	}
	return true;
}

static void *run(void *data) {
	struct map_job *job = data;
	size_t size;
	char *json = describe(job, &size);
	int fd = json ? memfd_create("source-city-map", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
	if (fd >= 0 && write_all(fd, json, size)) {
		/* A description of its own that cannot write. */
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		job->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0) {
		close(fd);
	}
	free(json);
	eventfd_write(job->done_fd, 1);
	return NULL;
}

/* ---- main thread */

static void job_destroy(struct map_job *job) {
	if (job->request) {
		job->request->map = NULL;
	}
	wl_list_remove(&job->link);
	if (job->done) {
		wl_event_source_remove(job->done);
	}
	if (job->done_fd >= 0) {
		close(job->done_fd);
	}
	if (job->fd >= 0) {
		close(job->fd);
	}
	for (size_t i = 0; i < job->quarter_count; i++) {
		free(job->quarters[i].name);
		free(job->quarters[i].path);
	}
	free(job->quarters);
	free(job->lots);
	free(job->note);
	city_layout_unref(job->layout);
	free(job);
}

static bool copy_lots(struct map_job *job) {
	const struct city_lot *lots = city_scape_lots(job->control->server, &job->lot_count);
	job->lots = calloc(job->lot_count + 1, sizeof(*lots));
	if (job->lots && job->lot_count > 0) {
		memcpy(job->lots, lots, job->lot_count * sizeof(*lots));
	}
	return job->lots != NULL;
}

static bool copy_quarters(struct map_job *job, const struct city_survey *survey) {
	size_t count;
	const struct city_quarter *quarters = city_survey_quarters(survey, &count);
	job->layout = city_survey_layout(survey) ? city_survey_keep_layout(survey) : NULL;
	job->quarters = calloc(count + 1, sizeof(*job->quarters));
	for (size_t i = 0; job->quarters && job->layout && i < count; i++) {
		if (quarters[i].site == CITY_NO_SITE) {
			continue;
		}
		struct city_quarter *copy = &job->quarters[job->quarter_count++];
		*copy = quarters[i];
		copy->name = strdup(quarters[i].name);
		copy->path = quarters[i].path ? strdup(quarters[i].path) : NULL;
		if (!copy->name || (quarters[i].path && !copy->path)) {
			return false;
		}
	}
	return job->quarters != NULL;
}

/* All that the answer is made of, as it is now. */
static bool take(struct map_job *job) {
	struct city_server *server = job->control->server;
	const struct city_survey *survey = city_scape_survey(server);
	const struct city_costs *costs = city_scape_costs(server);
	city_scape_bounds(server, &job->bounds);
	job->surveying = survey && city_survey_busy(survey);
	job->note = strdup(survey ? city_survey_note(survey) : "");
	for (size_t i = 0; i < CITY_COST_FOLDERS; i++) {
		job->costs[i] = city_costs_part(costs, city_cost_folders[i]);
	}
	return job->note && copy_lots(job) && (!survey || copy_quarters(job, survey));
}

static void begin_next(struct city_control *control);

static int handle_done(int fd, uint32_t mask, void *data) {
	struct map_job *job = data;
	struct city_control *control = job->control;
	struct city_request *request = job->request;
	pthread_join(job->thread, NULL);
	if (request && job->fd >= 0) {
		source_city_request_v1_send_file(request->resource, job->fd);
		city_request_succeed(request);
	} else if (request) {
		city_request_fail(request, "map", "out of memory");
	}
	job_destroy(job);
	begin_next(control);
	return 0;
}

static bool begin(struct map_job *job) {
	city_costs_look(city_scape_costs(job->control->server));
	job->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->done_fd < 0 || !take(job)) {
		return false;
	}
	job->done = wl_event_loop_add_fd(
		job->control->server->loop, job->done_fd, WL_EVENT_READABLE, handle_done, job);
	/* Signals are the main thread's. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool ok = job->done && pthread_create(&job->thread, NULL, run, job) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

/* The oldest of those that wait. */
static void begin_next(struct city_control *control) {
	while (!wl_list_empty(&control->maps)) {
		struct map_job *job = wl_container_of(control->maps.next, job, link);
		if (job->request && begin(job)) {
			return;
		}
		if (job->request) {
			city_request_fail(job->request, "map", "out of memory");
		}
		job_destroy(job);
	}
}

void city_control_map(struct city_request *request) {
	struct city_control *control = request->control;
	struct map_job *job = calloc(1, sizeof(*job));
	if (!job) {
		city_request_fail(request, "map", "out of memory");
		return;
	}
	bool idle = wl_list_empty(&control->maps);
	job->control = control;
	job->request = request;
	job->fd = job->done_fd = -1;
	request->map = job;
	wl_list_insert(control->maps.prev, &job->link);
	if (idle) {
		begin_next(control);
	}
}

void city_control_map_forget(struct city_request *request) {
	if (request->map) {
		request->map->request = NULL;
		request->map = NULL;
	}
}

void city_control_map_finish(struct city_control *control) {
	struct map_job *job, *next;
	wl_list_for_each_safe(job, next, &control->maps, link) {
		if (job->done) {
			pthread_join(job->thread, NULL);
		}
		job_destroy(job);
	}
}
