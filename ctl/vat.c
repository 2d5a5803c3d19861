/* SPDX-License-Identifier: MIT */
/* vat: the state of a tile, and how it changes, read from its region alone */
#include "vat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

#define INTERVAL_MS 100
/* Looks begun anew because a commit came between. */
#define DIFF_TRIES 50

struct inspection {
	struct ctl *ctl;
	const char *subject;	  /* the tile or the file, for messages */
	const char *asked;	  /* CELL or CELL.FIELD; NULL for all */
	const char *cell, *field; /* what that is; NULL for all */
	char name[VAT_NAME_SIZE]; /* cell points to it when there is a field */
	struct tile *tile;	  /* NULL: a file */
	FILE *file;		  /* where differences go */
	struct vat_region *region;
};

/* ---- where regions come from */

static int map_tile(struct inspection *inspection) {
	struct ctl *ctl = inspection->ctl;
	const char *name = inspection->subject;
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile = inspection->tile = ctl_tile(ctl, name);
	if (tile == NULL)
		return CTL_FAILED;
	struct request request;
	struct vat_error error;
	request_begin(&request, ctl, source_city_tile_handle_v1_get_region(tile->handle));
	request_wait(&request, NULL);
	status = request_status(&request, name);
	if (status == CTL_OK && request.region < 0)
		status = ctl_fail(ctl, "region", "%s: the city sent no region", name);
	if (status == CTL_OK &&
		vat_region_map(request.region, VAT_READ, &inspection->region, &error) < 0)
		status = ctl_fail(ctl, "region", "%s: %s", name, error.text);
	request_finish(&request);
	return status;
}

/* The undo log of a tile in probation; -1 when it is in none. */
static int get_undo(const struct inspection *inspection) {
	struct source_city_tile_handle_v1 *handle = inspection->tile->handle;
	struct request request;
	if (source_city_tile_handle_v1_get_version(handle) <
		SOURCE_CITY_TILE_HANDLE_V1_GET_UNDO_SINCE_VERSION)
		return -1;
	request_begin(&request, inspection->ctl, source_city_tile_handle_v1_get_undo(handle));
	request_wait(&request, NULL);
	int fd = request.undo;
	request.undo = -1;
	request_finish(&request);
	return fd;
}

static int map_file(const struct ctl *ctl, const char *path, struct vat_region **region) {
	struct vat_error error;
	/* A FIFO would have us wait for its writer. */
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return ctl_fail(ctl, "file", "%s: %s", path, strerror(errno));
	int status = CTL_OK, fd = vat_file_load(file, &error);
	if (fd < 0 || vat_region_map(fd, VAT_READ, region, &error) < 0)
		status = ctl_fail(ctl, "file", "%s: %s", path, error.text);
	if (fd >= 0)
		close(fd);
	close(file);
	return status;
}

/* ---- what is done with them */

static int no_such(const struct inspection *inspection, const char *what, const char *word,
	const char *const *names) {
	const char *nearest = ctl_nearest(word, names);
	return ctl_fail(inspection->ctl, what,
		"%s has no %s %s%s%s%s; cityctl vat %s%s shows them all", inspection->subject, what,
		inspection->asked, nearest != NULL ? "; did you mean " : "",
		nearest != NULL ? nearest : "", nearest != NULL ? "?" : "",
		inspection->tile == NULL ? "--file " : "", inspection->subject);
}

static int no_cell(const struct inspection *inspection, const char *word) {
	const struct vat_region *region = inspection->region;
	const char *names[VAT_CELLS_MAX + 1];
	size_t count = vat_region_cell_count(region);
	for (size_t i = 0; i < count; i++)
		names[i] = vat_region_cell(region, i)->name;
	names[count] = NULL;
	return no_such(inspection, "cell", word, names);
}

static bool has_cell(
	const struct vat_region *region, const char *name, const struct vat_cell **cell) {
	for (size_t i = 0; i < vat_region_cell_count(region); i++) {
		*cell = vat_region_cell(region, i);
		if (strcmp((*cell)->name, name) == 0)
			return true;
	}
	return false;
}

/* Names of cells may have dots in them, those of fields have none. */
static int resolve(struct inspection *inspection) {
	const struct vat_region *region = inspection->region;
	const struct vat_cell *cell;
	inspection->cell = inspection->asked;
	if (inspection->asked == NULL || has_cell(region, inspection->asked, &cell))
		return CTL_OK;
	const char *dot = strrchr(inspection->asked, '.');
	size_t length = dot != NULL ? (size_t)(dot - inspection->asked) : 0;
	if (length == 0 || length >= sizeof(inspection->name))
		return no_cell(inspection, inspection->asked);
	memcpy(inspection->name, inspection->asked, length);
	if (!has_cell(region, inspection->name, &cell))
		return no_cell(inspection, inspection->name);
	inspection->cell = inspection->name;
	inspection->field = dot + 1;
	const char *names[VAT_FIELDS_MAX + 1];
	size_t count = 0;
	for (uint32_t i = 0; i < cell->field_count; i++) {
		if (cell->fields[i].type != VAT_GONE)
			names[count++] = cell->fields[i].name;
		if (strcmp(cell->fields[i].name, inspection->field) == 0)
			return CTL_OK;
	}
	names[count] = NULL;
	return no_such(inspection, "field", inspection->field, names);
}

static struct vat_print_options print_options(const struct inspection *inspection) {
	return (struct vat_print_options){
		.json = inspection->ctl->json,
		.all = ctl_has(inspection->ctl, "all"),
		.cell = inspection->cell,
		.field = inspection->field,
	};
}

static int print_cells(const struct inspection *inspection) {
	struct vat_error error;
	struct vat_print_options options = print_options(inspection);
	if (vat_print(inspection->region, stdout, &options, &error) < 0)
		return ctl_fail(
			inspection->ctl, "print", "%s: %s", inspection->subject, error.text);
	return CTL_OK;
}

/* ---- differences */

static void print_difference(const struct vat_difference *difference, void *data) {
	const struct inspection *inspection = data;
	struct vat_print_options options = print_options(inspection);
	char time[64];
	if (ctl_has(inspection->ctl, "watch"))
		format_now(time, sizeof(time), inspection->ctl->json);
	vat_print_difference(difference, inspection->file, &options,
		ctl_has(inspection->ctl, "watch") ? time : NULL);
}

/* The state at the handover: -ENODATA when it cannot be known but by its two generations. */
static int map_undone(
	const struct inspection *inspection, struct vat_region **before, struct vat_error *error) {
	int undo = inspection->tile != NULL ? get_undo(inspection) : -1;
	if (undo < 0)
		return -ENODATA;
	int fd = vat_undo_view(inspection->region, undo, error);
	close(undo);
	int rc = fd < 0 ? fd : vat_region_map(fd, VAT_READ, before, error);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return rc;
	/* It was true all the time only if it still is. */
	undo = get_undo(inspection);
	if (undo < 0) {
		vat_region_unmap(*before);
		return -ENODATA;
	}
	close(undo);
	return 0;
}

static int diff_previous(const struct inspection *inspection, struct vat_error *error) {
	void *data = (void *)inspection;
	struct vat_region *before;
	int rc = map_undone(inspection, &before, error);
	if (rc == 0) {
		rc = vat_diff(before, inspection->region, inspection->cell, inspection->field,
			print_difference, data, error);
		vat_region_unmap(before);
		return rc;
	}
	if (rc != -ENODATA)
		return rc;
	rc = vat_diff_previous(inspection->region, inspection->cell, inspection->field,
		print_difference, data, error);
	if (rc == 0)
		fprintf(stderr,
			"cityctl: %s: not in probation: cells that both generations share cannot "
			"be compared, only those that moved\n",
			inspection->subject);
	return rc;
}

/* What it printed before -EAGAIN counts for nothing. */
static int try_diff(
	struct inspection *inspection, const struct vat_region *before, struct vat_error *error) {
	char *text = NULL;
	size_t size = 0;
	inspection->file = open_memstream(&text, &size);
	if (inspection->file == NULL)
		abort();
	int rc = vat_region_refresh(inspection->region, error);
	if (rc == 0 && before == NULL)
		rc = diff_previous(inspection, error);
	else if (rc == 0)
		rc = vat_diff(before, inspection->region, inspection->cell, inspection->field,
			print_difference, inspection, error);
	fclose(inspection->file);
	if (rc == 0)
		fwrite(text, 1, size, stdout);
	free(text);
	return rc;
}

static int diff(struct inspection *inspection, const char *with) {
	struct vat_error error;
	struct vat_region *before = NULL;
	if (strcmp(with, "previous") != 0) {
		int status = map_file(inspection->ctl, with, &before);
		if (status != CTL_OK)
			return status;
	}
	int rc = -EAGAIN;
	for (int i = 0; i < DIFF_TRIES && rc == -EAGAIN; i++)
		rc = try_diff(inspection, before, &error);
	vat_region_unmap(before);
	if (rc == -ENOENT)
		return ctl_fail(inspection->ctl, "diff",
			"%s: there is no state of before: it is kept in probation only; compare "
			"with a copy from cityctl vat --save",
			inspection->subject);
	if (rc < 0)
		return ctl_fail(inspection->ctl, "diff", "%s: %s", inspection->subject, error.text);
	return CTL_OK;
}

struct watching {
	const struct inspection *inspection;
	bool closed;
};

static void handle_close(struct ctl *ctl, struct tile *tile) {
	struct watching *watching = ctl->data;
	if (tile == watching->inspection->tile)
		watching->closed = true;
}

static bool is_closed(void *data) {
	return ((struct watching *)data)->closed;
}

static int look_often(struct inspection *inspection, struct vat_watch *watch, long interval) {
	struct ctl *ctl = inspection->ctl;
	struct watching watching = {.inspection = inspection};
	struct vat_error error;
	int rc = 0;
	ctl->data = &watching;
	ctl->on_close = handle_close;
	while (rc == 0 && !watching.closed && ctl_signal() == 0 && !ctl->lost) {
		ctl_wait(ctl, is_closed, NULL, &watching, (int)interval);
		rc = vat_watch_look(watch, print_difference, inspection, &error);
	}
	ctl->on_close = NULL;
	ctl->data = NULL;
	if (rc < 0)
		return ctl_fail(ctl, "watch", "%s: %s", inspection->subject, error.text);
	if (watching.closed)
		return ctl_fail_tile(ctl, inspection->subject, "closed", "the tile was closed");
	return CTL_FAILED; /* said by ctl_wait, or a signal */
}

static int watch(struct inspection *inspection) {
	struct ctl *ctl = inspection->ctl;
	struct vat_error error;
	struct vat_watch *watch;
	inspection->file = stdout;
	long interval = INTERVAL_MS;
	if (ctl_has(ctl, "interval") && !ctl_number(ctl, "interval", 3600000, &interval))
		return CTL_USAGE;
	int rc = vat_watch_create(
		inspection->region, inspection->cell, inspection->field, &watch, &error);
	if (rc < 0)
		return ctl_fail(ctl, "watch", "%s: %s", inspection->subject, error.text);
	int status = print_cells(inspection);
	if (status == CTL_OK)
		status = look_often(inspection, watch, interval);
	vat_watch_destroy(watch);
	return status;
}

/* ---- copies */

static int save(const struct inspection *inspection, const char *path) {
	const struct ctl *ctl = inspection->ctl;
	struct vat_error error;
	struct draft draft;
	int status = draft_open(&draft, ctl, "save", path);
	if (status != CTL_OK)
		return status;
	if (vat_file_save(inspection->region, -1, draft.fd, &error) < 0)
		status = ctl_fail(ctl, "save", "%s: %s", path, error.text);
	status = draft_close(&draft, status);
	if (status == CTL_OK && ctl->json) {
		struct json json;
		json_begin(&json, "saved");
		json_text(&json, "file", path);
		json_uint(&json, "bytes", vat_region_size(inspection->region));
		json_print(&json);
	}
	return status;
}

static int check_usage(const struct ctl *ctl) {
	static const char *const uses[] = {"save", "diff", "watch"};
	bool file = ctl_has(ctl, "file");
	int count = 0;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		count += ctl_has(ctl, uses[i]);
	if (!file && ctl->word_count == 0)
		return ctl_usage(ctl, "vat needs TILE");
	if (file && ctl->word_count > 1)
		return ctl_usage(ctl, "with --file, what is \"%s\"?", ctl->words[1]);
	if (count > 1)
		return ctl_usage(ctl, "only one of --save, --diff and --watch");
	if (file && ctl_has(ctl, "save"))
		return ctl_usage(ctl, "either --file or --save");
	if (file && ctl_has(ctl, "watch"))
		return ctl_usage(ctl, "either --file or --watch: a copy does not change");
	if (ctl_has(ctl, "save") && ctl->word_count > 1)
		return ctl_usage(ctl, "--save writes all cells, not only %s", ctl->words[1]);
	if (ctl_has(ctl, "interval") && !ctl_has(ctl, "watch"))
		return ctl_usage(ctl, "--interval is for --watch");
	return CTL_OK;
}

static int inspect(struct inspection *inspection) {
	const struct ctl *ctl = inspection->ctl;
	if (ctl_has(ctl, "save"))
		return save(inspection, ctl_option(ctl, "save"));
	int status = resolve(inspection);
	if (status != CTL_OK)
		return status;
	if (ctl_has(ctl, "diff"))
		return diff(inspection, ctl_option(ctl, "diff"));
	if (ctl_has(ctl, "watch"))
		return watch(inspection);
	return print_cells(inspection);
}

int command_vat(struct ctl *ctl) {
	int status = check_usage(ctl);
	if (status != CTL_OK)
		return status;
	const char *file = ctl_option(ctl, "file");
	const size_t words = file != NULL ? 0 : 1;
	struct inspection inspection = {
		.ctl = ctl,
		.subject = file != NULL ? file : ctl->words[0],
		.asked = ctl->word_count > words ? ctl->words[words] : NULL,
	};
	if (file != NULL)
		status = map_file(ctl, file, &inspection.region);
	else
		status = map_tile(&inspection);
	if (status == CTL_OK)
		status = inspect(&inspection);
	vat_region_unmap(inspection.region);
	return status;
}
