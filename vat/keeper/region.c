/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/keeper.h"

struct keeper_region *keeper_region_find(struct keeper *keeper, const struct vat_uuid *uuid) {
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		if (vat_uuid_equal(&region->uuid, uuid)) {
			return region;
		}
	}
	return NULL;
}

struct keeper_region *keeper_region_add(
	struct keeper *keeper, const struct vat_uuid *uuid, int fd) {
	struct keeper_region *region = calloc(1, sizeof(*region));
	if (region == NULL) {
		return NULL;
	}
	region->uuid = *uuid;
	region->fd = fd;
	region->next = keeper->regions;
	keeper->regions = region;
	return region;
}

struct keeper_region *keeper_region_create(
	struct keeper *keeper, const struct keeper_message *request, struct vat_error *err) {
	struct vat_region_info info = {.tile = request->uuid, .city = request->city};
	static_assert(sizeof(info.name) == sizeof(request->name));
	memcpy(info.name, request->name, sizeof(info.name));
	int fd = vat_region_create(&info, request->size, err);
	if (fd < 0) {
		return NULL;
	}
	struct keeper_region *region = keeper_region_add(keeper, &request->uuid, fd);
	if (region == NULL) {
		snprintf(err->text, sizeof(err->text), "no memory for a region");
		close(fd);
	}
	return region;
}

void keeper_region_drop(struct keeper *keeper, const struct vat_uuid *uuid) {
	for (struct keeper_stream *stream = keeper->streams, *next; stream != NULL; stream = next) {
		next = stream->next;
		if (vat_uuid_equal(&stream->uuid, uuid)) {
			keeper_stream_remove(keeper, stream);
		}
	}
	for (struct keeper_region **link = &keeper->regions; *link != NULL; link = &(*link)->next) {
		struct keeper_region *region = *link;
		if (vat_uuid_equal(&region->uuid, uuid)) {
			*link = region->next;
			close(region->fd);
			free(region);
			return;
		}
	}
}
