/* SPDX-License-Identifier: MIT */
#include <errno.h>
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
	struct keeper *keeper, const struct vat_uuid *uuid, const char *name, int fd) {
	struct keeper_region *region = calloc(1, sizeof(*region));
	if (region == NULL) {
		return NULL;
	}
	region->uuid = *uuid;
	snprintf(region->name, sizeof(region->name), "%s", name);
	region->fd = fd;
	keeper_checkpoint_init(&region->checkpoint);
	region->next = keeper->regions;
	keeper->regions = region;
	return region;
}

/* A memfd with what is saved of another tile; -ENOENT when the request names none. */
static int copy_saved(struct keeper *keeper, const struct keeper_message *request,
	const struct vat_region_info *info, struct vat_error *err) {
	size_t offset = 0;
	const char *text = keeper_wire_next(request, &offset);
	struct vat_uuid other;
	if (text == NULL || *text == '\0') {
		return -ENOENT;
	}
	if (!vat_uuid_parse(text, &other)) {
		snprintf(err->text, sizeof(err->text), "the tile to copy has no uuid");
		return -EINVAL;
	}
	uint64_t bytes;
	int fd = keeper_disk_load(&keeper->disk, &other, &bytes, err);
	if (fd == -ENOENT) {
		snprintf(err->text, sizeof(err->text), "nothing is saved of the tile to copy");
		return -ENODATA;
	}
	int rc = fd < 0 ? fd : vat_region_rename(fd, info, err);
	if (rc < 0 && fd >= 0) {
		close(fd);
	}
	return rc < 0 ? rc : fd;
}

struct keeper_region *keeper_region_create(struct keeper *keeper,
	const struct keeper_message *request, int *status, struct vat_error *err) {
	struct vat_region_info info = {.tile = request->uuid, .city = request->city};
	static_assert(sizeof(info.name) == sizeof(request->name));
	memcpy(info.name, request->name, sizeof(info.name));
	struct keeper_region *region = keeper_region_add(keeper, &request->uuid, request->name, -1);
	if (region == NULL) {
		snprintf(err->text, sizeof(err->text), "no memory for a region");
		return NULL;
	}
	region->fd = keeper_checkpoint_restore(keeper, region, err);
	*status = region->fd >= 0 ? 2 : 1;
	if (region->fd == -ENOENT) {
		region->fd = copy_saved(keeper, request, &info, err);
		/* Nothing is saved of it itself. */
		region->checkpoint.changed = region->fd >= 0;
		*status = region->fd >= 0 ? 2 : 1;
	}
	if (region->fd == -ENOENT) {
		struct vat_error failure;
		region->fd = vat_region_create(&info, request->size, &failure);
		if (region->fd < 0) {
			*err = failure;
		}
	}
	if (region->fd < 0) {
		keeper_region_drop(keeper, &request->uuid, false);
		return NULL;
	}
	return region;
}

void keeper_region_drop(struct keeper *keeper, const struct vat_uuid *uuid, bool remove) {
	for (struct keeper_stream *stream = keeper->streams, *next; stream != NULL; stream = next) {
		next = stream->next;
		if (vat_uuid_equal(&stream->uuid, uuid)) {
			keeper_stream_remove(keeper, stream);
		}
	}
	for (struct keeper_region **link = &keeper->regions; *link != NULL; link = &(*link)->next) {
		struct keeper_region *region = *link;
		if (vat_uuid_equal(&region->uuid, uuid)) {
			keeper_checkpoint_drop(keeper, region, remove);
			*link = region->next;
			if (region->fd >= 0) {
				close(region->fd);
			}
			free(region);
			return;
		}
	}
}
