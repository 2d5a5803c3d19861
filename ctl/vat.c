/* SPDX-License-Identifier: MIT */
/* vat: the state of a tile, read from its region alone */
#include "vat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

struct inspection {
	struct ctl *ctl;
	const char *subject; /* the tile or the file, for messages */
	const char *cell;    /* asked for; NULL for all */
	struct vat_region *region;
};

/* ---- where regions come from */

static int map_tile(struct ctl *ctl, const char *name, struct vat_region **region) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile = ctl_tile(ctl, name);
	if (tile == NULL)
		return CTL_FAILED;
	struct request request;
	struct vat_error error;
	request_begin(&request, ctl, source_city_tile_handle_v1_get_region(tile->handle));
	request_wait(&request, NULL);
	status = request_status(&request, name);
	if (status == CTL_OK && request.region < 0)
		status = ctl_fail(ctl, "region", "%s: the city sent no region", name);
	if (status == CTL_OK && vat_region_map(request.region, VAT_READ, region, &error) < 0)
		status = ctl_fail(ctl, "region", "%s: %s", name, error.text);
	request_finish(&request);
	return status;
}

static int map_file(const struct ctl *ctl, const char *path, struct vat_region **region) {
	struct vat_error error;
	/* A FIFO would have us wait for its writer. */
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return ctl_fail(ctl, "file", "%s: %s", path, strerror(errno));
	int status = CTL_OK, fd = vat_region_load(file, &error);
	if (fd < 0 || vat_region_map(fd, VAT_READ, region, &error) < 0)
		status = ctl_fail(ctl, "file", "%s: %s", path, error.text);
	if (fd >= 0)
		close(fd);
	close(file);
	return status;
}

/* ---- what is done with them */

static int no_cell(const struct inspection *inspection) {
	const struct vat_region *region = inspection->region;
	const char *names[VAT_CELLS_MAX + 1];
	size_t count = vat_region_cell_count(region);
	for (size_t i = 0; i < count; i++)
		names[i] = vat_region_cell(region, i)->name;
	names[count] = NULL;
	const char *nearest = ctl_nearest(inspection->cell, names);
	return ctl_fail(inspection->ctl, "cell",
		"%s has no cell %s%s%s%s; cityctl vat %s%s shows them all", inspection->subject,
		inspection->cell, nearest != NULL ? "; did you mean " : "",
		nearest != NULL ? nearest : "", nearest != NULL ? "?" : "",
		ctl_has(inspection->ctl, "file") ? "--file " : "", inspection->subject);
}

static int print_cells(const struct inspection *inspection) {
	struct vat_error error;
	struct vat_print_options options = {
		.json = inspection->ctl->json,
		.all = ctl_has(inspection->ctl, "all"),
		.cell = inspection->cell,
	};
	int rc = vat_print(inspection->region, stdout, &options, &error);
	if (rc == -ENOENT)
		return no_cell(inspection);
	if (rc < 0)
		return ctl_fail(
			inspection->ctl, "print", "%s: %s", inspection->subject, error.text);
	return CTL_OK;
}

static int cannot_save(const struct ctl *ctl, const char *path) {
	return ctl_fail(ctl, "save", "%s: %s", path, strerror(errno));
}

/* Beside its place first, so that a copy that is there already is replaced by a whole one. */
static int save(const struct inspection *inspection, const char *path) {
	const struct ctl *ctl = inspection->ctl;
	struct vat_error error;
	struct stat there;
	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return ctl_fail(ctl, "save", "%s: this is not a regular file", path);
	char *draft = NULL;
	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		abort();
	int status = CTL_OK, fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0) {
		status = cannot_save(ctl, path);
		free(draft);
		return status;
	}
	if (vat_region_save(inspection->region, fd, &error) < 0)
		status = ctl_fail(ctl, "save", "%s: %s", path, error.text);
	else if (fsync(fd) < 0 || rename(draft, path) < 0)
		status = cannot_save(ctl, path);
	if (status != CTL_OK)
		unlink(draft);
	close(fd);
	free(draft);
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
	bool file = ctl_has(ctl, "file");
	if (!file && ctl->word_count == 0)
		return ctl_usage(ctl, "vat needs TILE");
	if (file && ctl->word_count > 1)
		return ctl_usage(ctl, "with --file, what is \"%s\"?", ctl->words[1]);
	if (file && ctl_has(ctl, "save"))
		return ctl_usage(ctl, "either --file or --save");
	if (ctl_has(ctl, "save") && ctl->word_count > 1)
		return ctl_usage(ctl, "--save writes all cells, not only %s", ctl->words[1]);
	return CTL_OK;
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
		.cell = ctl->word_count > words ? ctl->words[words] : NULL,
	};
	if (file != NULL)
		status = map_file(ctl, file, &inspection.region);
	else
		status = map_tile(ctl, ctl->words[0], &inspection.region);
	if (status != CTL_OK)
		return status;
	if (ctl_has(ctl, "save"))
		status = save(&inspection, ctl_option(ctl, "save"));
	else
		status = print_cells(&inspection);
	vat_region_unmap(inspection.region);
	return status;
}
