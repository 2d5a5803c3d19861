/* SPDX-License-Identifier: MIT */
/* vat: the state of a tile, read from its region alone */
#include "vat.h"

#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

static int print_region(struct ctl *ctl, int fd) {
	struct vat_region *region = NULL;
	struct vat_error error;
	struct vat_print_options options = {
		.json = ctl->json,
		.all = ctl_has(ctl, "all"),
		.cell = ctl->word_count > 1 ? ctl->words[1] : NULL,
	};
	int status = CTL_OK;
	if (vat_region_map(fd, VAT_READ, &region, &error) < 0)
		return ctl_fail(ctl, "region", "%s: %s", ctl->words[0], error.text);
	if (options.cell != NULL) {
		const char *names[VAT_CELLS_MAX + 1];
		size_t count = vat_region_cell_count(region);
		bool found = false;
		for (size_t i = 0; i < count; i++) {
			names[i] = vat_region_cell(region, i)->name;
			found = found || strcmp(names[i], options.cell) == 0;
		}
		names[count] = NULL;
		if (!found) {
			const char *nearest = ctl_nearest(options.cell, names);
			status = ctl_fail(ctl, "cell",
				"%s has no cell %s%s%s%s; cityctl vat %s shows them all",
				ctl->words[0], options.cell,
				nearest != NULL ? "; did you mean " : "",
				nearest != NULL ? nearest : "", nearest != NULL ? "?" : "",
				ctl->words[0]);
			goto out;
		}
	}
	if (vat_print(region, stdout, &options, &error) < 0)
		status = ctl_fail(ctl, "print", "%s: %s", ctl->words[0], error.text);
out:
	vat_region_unmap(region);
	return status;
}

int command_vat(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile = ctl_tile(ctl, ctl->words[0]);
	if (tile == NULL)
		return CTL_FAILED;
	struct request request;
	request_begin(&request, ctl, source_city_tile_handle_v1_get_region(tile->handle));
	request_wait(&request, NULL);
	status = request_status(&request, ctl->words[0]);
	if (status == CTL_OK && request.region < 0)
		status = ctl_fail(ctl, "region", "%s: the city sent no region", ctl->words[0]);
	if (status == CTL_OK)
		status = print_region(ctl, request.region);
	request_finish(&request);
	return status;
}
