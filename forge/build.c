/* SPDX-License-Identifier: MIT */
#include "forge/build.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forge/diagnostic.h"
#include "forge/store.h"
#include "forge/watch.h"
#include "tile_elf.h"
#include "vat/log.h"

/* A folder that changes all the time must come to an end. */
#define RESTARTS_MAX 50

/* A *.c file. */
struct unit {
	char *source;
	char *object, *depfile; /* paths in the worker's folder */
	struct buffer said;
	bool done;
};

struct build {
	struct forge *forge;
	char *folder;
	struct snapshot snapshot;
	const struct build_listener *listener;
	void *data;

	struct worker *worker;
	struct wl_event_source *limit, *idle;
	struct unit *units;
	size_t unit_count;
	size_t *waiting; /* units that the worker compiles, in its order */
	size_t waiting_count;
	struct digest settings;
	struct strings includes;
	struct buffer link_said;
	size_t lost;
	bool linked;
	unsigned int restarts;
	char *why; /* a failure of ours, not of a compiler */
	struct build_result result;
};

static const char artifact_name[] = "tile.so";

bool forge_init(struct forge *forge) {
	*forge = (struct forge){};
	wl_list_init(&forge->watches);
	wl_list_init(&forge->spares);
	if (!setup_load(&forge->setup))
		return false;
	worker_sweep(&forge->setup);
	forge->cache = cache_create(forge->setup.object_dir);
	forge->sandbox = sandbox_probe(&forge->setup);
	forge->loop = wl_event_loop_create();
	if (forge->loop == nullptr) {
		city_log(CITY_LOG_ERROR, "forge", "cannot make an event loop");
		forge_finish(forge);
		return false;
	}
	forge->watcher = watcher_create(forge->loop);
	return true;
}

void forge_finish(struct forge *forge) {
	if (forge->turn_idle != nullptr)
		wl_event_source_remove(forge->turn_idle);
	watcher_destroy(forge->watcher);
	if (forge->loop != nullptr)
		wl_event_loop_destroy(forge->loop);
	cache_destroy(forge->cache);
	setup_finish(&forge->setup);
}

/* ---- the end */

static void gather_output(struct build *build) {
	struct buffer *output = &build->result.output;
	for (size_t i = 0; i < build->unit_count; i++)
		diagnostic_add(output, build->units[i].said.data, build->units[i].said.size);
	diagnostic_add(output, build->link_said.data, build->link_said.size);
	size_t limit = WORKER_OUTPUT_MAX - 64; /* leaves room for the line below */
	if (output->size > limit) {
		size_t kept = diagnostic_cut(output->data, output->size, limit);
		build->lost += output->size - kept;
		output->size = kept;
	}
	if (build->lost > 0)
		buffer_printf(output, "\n... and %zu more bytes\n", build->lost);
}

static void deliver(void *data) {
	struct build *build = data;
	build->idle = nullptr;
	build->listener->done(build->data, &build->result);
}

/* The listener is called from the loop, never from build_create. */
static void conclude(struct build *build) {
	struct build_result *result = &build->result;
	if (build->limit != nullptr)
		wl_event_source_remove(build->limit);
	build->limit = nullptr;
	worker_destroy(build->worker);
	build->worker = nullptr;
	gather_output(build);
	if (!result->good) {
		result->reason = build->why != nullptr
			? build->why
			: diagnostic_first_error(result->output.data);
		build->why = nullptr;
		if (result->reason == nullptr)
			result->reason = text_copy("the compiler failed without saying why");
	}
	build->idle = wl_event_loop_add_idle(build->forge->loop, deliver, build);
}

static void forget_attempt(struct build *build) {
	if (build->limit != nullptr)
		wl_event_source_remove(build->limit);
	build->limit = nullptr;
	for (size_t i = 0; i < build->unit_count; i++) {
		struct unit *unit = &build->units[i];
		free(unit->source);
		free(unit->object);
		free(unit->depfile);
		buffer_finish(&unit->said);
	}
	free(build->units);
	free(build->waiting);
	build->units = nullptr;
	build->waiting = nullptr;
	build->unit_count = build->waiting_count = 0;
	strings_finish(&build->includes);
	buffer_finish(&build->link_said);
	build->lost = 0;
	build->linked = false;
	free(build->why);
	build->why = nullptr;
	build->result.compiled = build->result.cached = 0;
}

static bool start_attempt(struct build *build);

static void begin(struct build *build) {
	if (!start_attempt(build))
		conclude(build);
}

/* True when the folder changed and the build began again. */
static bool begin_again(struct build *build) {
	struct snapshot now;
	char *why = nullptr;
	if (build->restarts == RESTARTS_MAX)
		return false;
	if (!snapshot_take(&now, build->folder, &why)) {
		/* It is gone: then the failure of a compiler has that reason. */
		free(build->why);
		build->why = build->linked ? nullptr : why;
		if (build->linked)
			free(why);
		return false;
	}
	if (!snapshot_differs(&build->snapshot, &now, build->linked ? &build->includes : nullptr)) {
		snapshot_finish(&now);
		return false;
	}
	build->restarts++;
	forget_attempt(build);
	snapshot_finish(&build->snapshot);
	build->snapshot = now;
	worker_destroy(build->worker);
	build->worker = nullptr;
	build->result.began_ns = now_ns();
	begin(build);
	return true;
}

/* ---- what the worker reports */

static void status_reason(
	struct build *build, const char *what, const struct worker_report *report) {
	if (build->why != nullptr)
		return;
	if (report->status == WORKER_CANNOT_RUN)
		build->why = text_format("%.*s; install gcc, or name a compiler in SOURCE_CITY_CC",
			(int)report->output_size, report->output);
	else if (report->status == WORKER_FLOODED)
		build->why =
			text_format("%s: the compiler was stopped: it printed more than %u MiB",
				what, WORKER_FLOOD >> 20);
	else if (report->status < 0)
		build->why = text_format("%s: the compiler was ended by signal %d (%s)", what,
			-report->status, strsignal(-report->status));
}

static void handle_report(void *data, const struct worker_report *report) {
	struct build *build = data;
	build->lost += report->output_lost;
	if (report->link) {
		buffer_add(&build->link_said, report->output, report->output_size);
		build->linked = report->status == 0;
		if (!build->linked)
			status_reason(build, artifact_name, report);
		return;
	}
	if (report->index >= build->waiting_count)
		return;
	struct unit *unit = &build->units[build->waiting[report->index]];
	unit->done = true;
	buffer_add(&unit->said, report->output, report->output_size);
	if (report->status != 0) {
		status_reason(build, unit->source, report);
		return;
	}
	build->result.compiled++;
	struct cache_query query = {
		.folder = build->folder,
		.snapshot = &build->snapshot,
		.source = unit->source,
		.settings = build->settings,
	};
	cache_keep(build->forge->cache, &query, unit->object, unit->depfile, report->output,
		report->output_lost == 0 ? report->output_size : 0, &build->includes);
}

/* The gate: what the host would refuse to load is a failed build. */
static bool is_tile(const char *path, char **why) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*why = text_format("cannot read the built artifact: %s", strerror(errno));
		return false;
	}
	struct elf_report report;
	bool good = elf_inspect(fd, &report);
	if (!good)
		*why = text_format("it compiles, but is not a tile: %s", report.why);
	elf_report_finish(&report);
	close(fd);
	return good;
}

static void handle_ended(void *data, const char *said) {
	struct build *build = data;
	if (begin_again(build))
		return;
	if (build->linked) {
		char *built = text_format("%s/%s", worker_directory(build->worker), artifact_name);
		if (is_tile(built, &build->why))
			build->result.artifact = store_put(build->forge->setup.store_dir, built,
				build->result.hash, &build->why);
		build->result.good = build->result.artifact >= 0;
		free(built);
	} else if (build->why == nullptr && said[0] != '\0') {
		build->why = text_format("cannot build: %s", said);
	}
	conclude(build);
}

static const struct worker_listener worker_listener = {
	.report = handle_report,
	.ended = handle_ended,
};

static int handle_limit(void *data) {
	struct build *build = data;
	const char *what = "the linker";
	for (size_t i = build->waiting_count; i-- > 0;) {
		if (!build->units[build->waiting[i]].done)
			what = build->units[build->waiting[i]].source;
	}
	free(build->why);
	build->why = text_format("%s: the compiler was stopped after %ju s", what,
		(uintmax_t)(build->forge->setup.time_limit_ns / 1000000000u));
	conclude(build);
	return 0;
}

/* ---- the beginning */

static struct digest settings_of(const struct forge *forge, const struct strings *flags) {
	struct buffer settings = {};
	struct digest compiler = setup_compiler_identity(&forge->setup);
	buffer_add(&settings, compiler.bytes, sizeof(compiler.bytes));
	for (size_t i = 0; i < flags->count; i++)
		buffer_add_string(&settings, flags->items[i]);
	struct digest digest = digest_of(settings.data, settings.size);
	buffer_finish(&settings);
	return digest;
}

/* A name that no compiler takes for an option. */
static char *as_argument(const char *name) {
	return text_format("%s%s", name[0] == '-' || name[0] == '@' ? "./" : "", name);
}

static void add_compile(struct build *build, struct worker_plan *plan, const struct unit *unit,
	const struct strings *flags) {
	struct worker_step *step = &plan->compile[plan->compile_count++];
	step->cwd = text_copy(build->folder);
	strings_copy(&step->argv, &build->forge->setup.compiler);
	strings_copy(&step->argv, flags);
	/* So that the same sources in two folders give the same bytes. */
	strings_take(&step->argv, text_format("-ffile-prefix-map=%s=.", build->folder));
	static const char *const more[] = {
		"-fdiagnostics-color=never", "-fmessage-length=0", "-MD", "-MF"};
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		strings_add(&step->argv, more[i]);
	strings_add(&step->argv, unit->depfile);
	strings_add(&step->argv, "-c");
	strings_add(&step->argv, "-o");
	strings_add(&step->argv, unit->object);
	strings_take(&step->argv, as_argument(unit->source));
}

static void add_link(struct build *build, struct worker_plan *plan, const struct strings *flags) {
	struct strings *argv = &plan->link.argv;
	plan->link.cwd = text_copy(worker_directory(build->worker));
	strings_copy(argv, &build->forge->setup.compiler);
	for (size_t i = 0; i < flags->count; i++) {
		if (strncmp(flags->items[i], "-l", 2) != 0)
			strings_add(argv, flags->items[i]);
	}
	strings_add(argv, "-shared");
	strings_add(argv, "-o");
	strings_add(argv, artifact_name);
	/* Names and no paths: a linker's message then says which source is meant. */
	for (size_t i = 0; i < build->unit_count; i++)
		strings_take(argv, text_format("./%s.o", build->units[i].source));
	for (size_t i = 0; i < flags->count; i++) {
		if (strncmp(flags->items[i], "-l", 2) == 0)
			strings_add(argv, flags->items[i]);
	}
}

static void list_units(struct build *build) {
	build->units = allocate(build->snapshot.count + 1, sizeof(*build->units));
	build->waiting = allocate(build->snapshot.count + 1, sizeof(*build->waiting));
	for (size_t i = 0; i < build->snapshot.count; i++) {
		const char *name = build->snapshot.files[i].name;
		if (!snapshot_is_source(name))
			continue;
		const char *directory = worker_directory(build->worker);
		build->units[build->unit_count++] = (struct unit){
			.source = text_copy(name),
			.object = text_format("%s/%s.o", directory, name),
			.depfile = text_format("%s/%s.d", directory, name),
		};
	}
}

static bool start_attempt(struct build *build) {
	struct forge *forge = build->forge;
	struct strings compile = {}, link = {};
	struct worker_plan plan = {};
	bool good = false;
	if (build->worker == nullptr) {
		build->worker = worker_create(
			forge->loop, &forge->setup, forge->sandbox, build->folder, &build->why);
		if (build->worker == nullptr)
			goto out;
	}
	if (!setup_flags(&forge->setup, &compile, &link, &build->why))
		goto out;
	build->settings = settings_of(forge, &compile);
	list_units(build);

	plan.jobs = forge->setup.jobs;
	plan.memory_limit = forge->setup.memory_limit;
	plan.compile = allocate(build->unit_count + 1, sizeof(*plan.compile));
	for (size_t i = 0; i < build->unit_count; i++) {
		struct unit *unit = &build->units[i];
		struct cache_query query = {
			.folder = build->folder,
			.snapshot = &build->snapshot,
			.source = unit->source,
			.settings = build->settings,
		};
		if (cache_find(forge->cache, &query, unit->object, &unit->said, &build->includes)) {
			unit->done = true;
			build->result.cached++;
			continue;
		}
		build->waiting[build->waiting_count++] = i;
		add_compile(build, &plan, unit, &compile);
	}
	add_link(build, &plan, &link);
	build->limit = wl_event_loop_add_timer(forge->loop, handle_limit, build);
	if (build->limit != nullptr)
		wl_event_source_timer_update(
			build->limit, (int)(forge->setup.time_limit_ns / 1000000u));
	worker_run(build->worker, &plan, &worker_listener, build);
	good = true;
out:
	worker_plan_finish(&plan);
	strings_finish(&compile);
	strings_finish(&link);
	return good;
}

struct build *build_create(struct forge *forge, const char *folder, struct snapshot *snapshot,
	struct worker *worker, uint64_t began_ns, const struct build_listener *listener,
	void *data) {
	struct build *build = allocate(1, sizeof(*build));
	build->forge = forge;
	build->folder = text_copy(folder);
	build->snapshot = *snapshot;
	*snapshot = (struct snapshot){};
	build->listener = listener;
	build->data = data;
	build->worker = worker;
	build->result.artifact = -1;
	build->result.began_ns = began_ns;
	begin(build);
	return build;
}

void build_destroy(struct build *build) {
	if (build == nullptr)
		return;
	if (build->idle != nullptr)
		wl_event_source_remove(build->idle);
	forget_attempt(build);
	worker_destroy(build->worker);
	if (build->result.artifact >= 0)
		close(build->result.artifact);
	free(build->result.reason);
	buffer_finish(&build->result.output);
	snapshot_finish(&build->snapshot);
	free(build->folder);
	free(build);
}

const struct snapshot *build_snapshot(const struct build *build) {
	return &build->snapshot;
}

const struct strings *build_includes(const struct build *build) {
	return &build->includes;
}
