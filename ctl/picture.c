/* SPDX-License-Identifier: MIT */
/* picture: the city, or a part of it, in a PNG file */
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

/* Pixels of the city, mapped. */
struct pixels {
	const uint8_t *data;
	size_t size;
	uint32_t width, height, stride;
};

static bool map_pixels(const struct request *request, struct pixels *pixels) {
	struct stat info;
	*pixels = (struct pixels){.width = request->picture.width,
		.height = request->picture.height,
		.stride = request->picture.stride};
	pixels->size = (size_t)pixels->stride * pixels->height;
	if (request->picture.fd < 0 || pixels->size == 0 || pixels->stride / 4 < pixels->width ||
		fstat(request->picture.fd, &info) != 0 || (size_t)info.st_size < pixels->size)
		return false;
	void *map = mmap(NULL, pixels->size, PROT_READ, MAP_PRIVATE, request->picture.fd, 0);
	pixels->data = map;
	return map != MAP_FAILED;
}

static bool write_rows(
	png_structp png, png_infop info, const struct pixels *pixels, FILE *file, uint8_t *row) {
	if (setjmp(png_jmpbuf(png)))
		return false;
	png_init_io(png, file);
	png_set_IHDR(png, info, pixels->width, pixels->height, 8, PNG_COLOR_TYPE_RGB,
		PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	/* Most of a city is plain: more effort makes it hardly smaller. */
	png_set_compression_level(png, 3);
	png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
	png_write_info(png, info);
	for (uint32_t y = 0; y < pixels->height; y++) {
		const uint8_t *from = pixels->data + (size_t)y * pixels->stride;
		for (uint32_t x = 0; x < pixels->width; x++) {
			uint32_t word;
			memcpy(&word, from + (size_t)x * 4, 4);
			row[x * 3] = (uint8_t)(word >> 16);
			row[x * 3 + 1] = (uint8_t)(word >> 8);
			row[x * 3 + 2] = (uint8_t)word;
		}
		png_write_row(png, row);
	}
	png_write_end(png, info);
	return true;
}

static bool write_png(const struct pixels *pixels, FILE *file) {
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
	uint8_t *row = malloc((size_t)pixels->width * 3);
	bool ok = info != NULL && row != NULL && write_rows(png, info, pixels, file, row);
	png_destroy_write_struct(&png, &info);
	free(row);
	return ok;
}

static int save(const struct ctl *ctl, const struct pixels *pixels, const char *path) {
	if (strcmp(path, "-") == 0) {
		bool ok = write_png(pixels, stdout) && fflush(stdout) == 0;
		return ok ? CTL_OK
			  : ctl_fail(ctl, "picture", "standard output: %s", strerror(errno));
	}
	struct draft draft;
	int status = draft_open(&draft, ctl, "picture", path);
	if (status != CTL_OK)
		return status;
	int fd = dup(draft.fd);
	FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	mode_t mask = umask(0);
	umask(mask);
	bool ok = file != NULL && fchmod(fd, 0666 & ~mask) == 0 && write_png(pixels, file);
	ok = file != NULL && fclose(file) == 0 && ok;
	if (!ok)
		status = ctl_fail(ctl, "picture", "%s: %s", path, strerror(errno));
	return draft_close(&draft, status);
}

/* "WxH". */
static bool parse_size(const char *text, uint32_t *width, uint32_t *height) {
	unsigned int w, h;
	char rest;
	if (text[0] < '0' || text[0] > '9' || sscanf(text, "%5ux%5u%c", &w, &h, &rest) != 2)
		return false;
	*width = w;
	*height = h;
	return w > 0 && h > 0;
}

/* "all", "tile NAME" or "region CX CY WIDTH HEIGHT". */
static bool find_what(const struct ctl *ctl, char *what, size_t size) {
	const char *tile = ctl_option(ctl, "tile"), *region = ctl_option(ctl, "region");
	double cx, cy, width, height;
	char rest;
	snprintf(what, size, "all");
	if (tile != NULL && region != NULL) {
		ctl_usage(ctl, "either --tile or --region");
		return false;
	}
	if (tile != NULL && (size_t)snprintf(what, size, "tile %s", tile) >= size) {
		ctl_usage(ctl, "that name is too long");
		return false;
	}
	if (region != NULL) {
		if (sscanf(region, "%lf,%lf,%lfx%lf%c", &cx, &cy, &width, &height, &rest) != 4) {
			ctl_usage(ctl, "--region takes CX,CY,WIDTHxHEIGHT, not \"%s\"", region);
			return false;
		}
		snprintf(what, size, "region %.17g %.17g %.17g %.17g", cx, cy, width, height);
	}
	return true;
}

int command_picture(struct ctl *ctl) {
	const char *path = ctl->words[0], *text = ctl_option(ctl, "size");
	char what[512];
	uint32_t width = 0, height = 0;
	if (text != NULL && !parse_size(text, &width, &height))
		return ctl_usage(ctl, "--size takes WIDTHxHEIGHT in pixels, not \"%s\"", text);
	if (!find_what(ctl, what, sizeof(what)))
		return CTL_USAGE;
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	if (source_city_control_v1_get_version(ctl->control) <
		SOURCE_CITY_CONTROL_V1_DRAW_PICTURE_SINCE_VERSION)
		return ctl_fail(ctl, "picture", "this city is older and draws no pictures");
	struct request request;
	struct pixels pixels = {0};
	request_begin(&request, ctl,
		source_city_control_v1_draw_picture(ctl->control, what, width, height));
	request_wait(&request, NULL);
	status = request_status(&request, "");
	if (status == CTL_OK && !map_pixels(&request, &pixels))
		status = ctl_fail(ctl, "picture", "the city gave no picture");
	if (status == CTL_OK)
		status = save(ctl, &pixels, path);
	if (status == CTL_OK && ctl->json && strcmp(path, "-") != 0) {
		struct json json;
		json_begin(&json, "saved");
		json_text(&json, "file", path);
		json_uint(&json, "width", pixels.width);
		json_uint(&json, "height", pixels.height);
		json_print(&json);
	}
	if (pixels.data != NULL && pixels.data != MAP_FAILED)
		munmap((void *)pixels.data, pixels.size);
	request_finish(&request);
	return status;
}
