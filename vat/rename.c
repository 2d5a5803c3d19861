/* SPDX-License-Identifier: MIT */
/* A copy of a region becomes that of another tile. */
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

int vat_region_rename(int fd, const struct vat_region_info *info, struct vat_error *err) {
	if (!memchr(info->name, 0, sizeof(info->name)) || !vat_name_valid(info->name))
		return vat_fail(err, EINVAL, "region: '%.*s' is not a valid tile name",
			VAT_NAME_SIZE, info->name);
	/* Checks all of it, so that what is below may trust it. */
	struct vat_region *region;
	int rc = vat_region_map(fd, VAT_READ, &region, err);
	if (rc < 0)
		return rc;
	uint64_t size = region->size;
	uint64_t generation = vat_region_get(region, VAT_GENERATION);
	vat_region_unmap(region);

	uint8_t *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return vat_fail(
			err, errno, "region '%s': cannot map it: %s", info->name, strerror(errno));
	struct vat_disk_header *header = (struct vat_disk_header *)base;
	header->tile = info->tile;
	header->city = info->city;
	memset(header->name, 0, sizeof(header->name));
	memcpy(header->name, info->name, strlen(info->name));
	header->identity = vat_checksum(header, offsetof(struct vat_disk_header, identity));
	header->words[VAT_KEPT] = 0;
	struct vat_disk_root *root = &header->roots[generation & 1];
	struct vat_disk_cell *cells = (struct vat_disk_cell *)(base + root->offset);
	for (uint32_t i = 0; i < root->cells; i++)
		cells[i].key = vat_state_key(
			&info->city, &info->tile, cells[i].name, cells[i].scope, cells[i].element);
	if (root->size > 0)
		root->checksum = vat_checksum(cells, root->size);
	root->self = vat_checksum(root, offsetof(struct vat_disk_root, self));
	munmap(base, size);

	rc = vat_region_map(fd, VAT_READ, &region, err);
	if (rc == 0)
		vat_region_unmap(region);
	return rc;
}
