/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static bool load(int artifact_fd, struct elf_report *report, struct tile_descriptor *descriptor,
	char *why, size_t why_size) {
	if (!elf_inspect(artifact_fd, report) || !elf_resolve(report)) {
		snprintf(why, why_size, "%s", report->why);
		return false;
	}
	/* Used once in the life of this process: the loader compares paths before it looks at
	 * files. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", artifact_fd);
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		const char *error = dlerror();
		snprintf(why, why_size, "cannot be loaded: %s", error ? error : "no reason given");
		return false;
	}
	const struct tile_descriptor *found = dlsym(object, TILE_SYMBOL);
	if (!found || !found->ops) {
		snprintf(why, why_size, "cannot be loaded: no %s in it", TILE_SYMBOL);
		return false;
	}
	memcpy(descriptor, found, tile_descriptor_size(found->abi_version));
	return true;
}

bool host_load(struct host *host, int artifact_fd, char *why, size_t why_size) {
	if (!load(artifact_fd, &host->report, &host->descriptor, why, why_size)) {
		return false;
	}
	memcpy(&host->operations, host->descriptor.ops,
		tile_ops_size(host->descriptor.abi_version));
	host->ops = &host->operations;
	/* Until the compositor says otherwise. */
	host->width = host->width ? host->width : host->descriptor.default_width;
	host->height = host->height ? host->height : host->descriptor.default_height;
	return true;
}

void host_load_older(struct host *host, int artifact_fd) {
	char why[HOST_WHY_SIZE];
	if (!load(artifact_fd, &host->older_report, &host->older, why, sizeof(why))) {
		city_log(CITY_LOG_INFO, host->name,
			"the edges of the version before are not known: %s", why);
	}
}

bool host_warm(struct host *host, char *why, size_t why_size) {
	uint32_t count = host->descriptor.cell_count;
	host->cells = calloc(count + 1, sizeof(*host->cells));
	host->cell_counts = calloc(count + 1, sizeof(*host->cell_counts));
	host->cell_fresh = calloc(count + 1, sizeof(*host->cell_fresh));
	if (!host->cells || !host->cell_counts || !host->cell_fresh) {
		snprintf(why, why_size, "out of memory");
		return false;
	}
	host->last_log[0] = 0;
	/* Even without a warm of the tile's own: the time zone is read now, and not in the pause.
	 */
	host_begin(host, "warm");
	bool ok = !host->ops->warm || host->ops->warm(&host->tile);
	host_end(host);
	host->warm = ok;
	if (!ok) {
		snprintf(why, why_size, "%s",
			*host->last_log ? host->last_log : "warm failed without a reason");
	}
	return ok;
}

void host_print_json(const char *string) {
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
		if (*c == '"' || *c == '\\') {
			printf("\\%c", *c);
		} else if (*c < 0x20) {
			printf("\\u%04x", *c);
		} else {
			putchar(*c);
		}
	}
	putchar('"');
}

static void print_json_member(const char *name, const char *value) {
	printf(",\"%s\":", name);
	host_print_json(value);
}

static void print_json(const char *path, const struct elf_report *report) {
	const struct tile_descriptor *tile = &report->tile;
	printf("{\"file\":");
	host_print_json(path);
	printf(",\"ok\":%s", *report->why ? "false" : "true");
	if (*report->why) {
		print_json_member("why", report->why);
		puts("}");
		return;
	}
	print_json_member("name", tile->name);
	print_json_member("role", tile->role);
	print_json_member("summary", tile->summary);
	print_json_member("build_id", report->build_id);
	printf(",\"abi\":%u,\"bytes\":%zu,\"capabilities\":%lu,\"width\":%d,\"height\":%d",
		tile->abi_version, report->size, (unsigned long)tile->capabilities,
		tile->default_width, tile->default_height);
	printf(",\"cells\":[");
	for (uint32_t i = 0; i < tile->cell_count; i++) {
		const struct vat_cell_decl *cell = &tile->cells[i];
		printf("%s{\"name\":", i ? "," : "");
		host_print_json(cell->name);
		print_json_member("scope", cell->scope ? cell->scope : "");
		printf(",\"count\":%lu,\"stride\":%u,\"version\":%u,\"reset\":\"%s\",\"fields\":[",
			(unsigned long)cell->count, cell->stride, cell->version,
			vat_reset_policy_name(cell->reset));
		for (uint32_t n = 0; n < cell->field_count; n++) {
			const struct vat_field *field = &cell->fields[n];
			printf("%s{\"id\":%u,\"name\":", n ? "," : "", field->id);
			host_print_json(field->name);
			print_json_member("type", vat_type_name(field->type));
			printf(",\"count\":%u,\"offset\":%u}", field->count, field->offset);
		}
		printf("]}");
	}
	printf("],\"ports\":[");
	for (uint32_t i = 0; i < tile->port_count; i++) {
		const struct tile_port *port = &tile->ports[i];
		printf("%s{\"name\":", i ? "," : "");
		host_print_json(port->name);
		print_json_member("kind", port->kind);
		printf(",\"id\":%u,\"direction\":\"%s\"}", port->id,
			port->direction == TILE_PORT_IN ? "in" : "out");
	}
	printf("],\"edges\":[");
	for (uint32_t i = 0; i < tile->edge_count; i++) {
		const struct vat_edge *edge = &tile->edges[i];
		printf("%s{\"cell\":", i ? "," : "");
		host_print_json(edge->cell);
		printf(",\"from\":%u,\"to\":%u,\"kind\":\"%s\",\"back\":%s}", edge->from, edge->to,
			vat_edge_kind_name(edge->kind), edge->back ? "true" : "false");
	}
	printf("],\"imports\":[");
	for (size_t i = 0; i < report->import_count; i++) {
		printf("%s", i ? "," : "");
		host_print_json(report->imports[i]);
	}
	puts("]}");
}

static void print_text(const struct elf_report *report) {
	const struct tile_descriptor *tile = &report->tile;
	printf("%s: %s\n", tile->name, tile->summary);
	if (strcmp(tile->name, tile->role) != 0) {
		printf("role %s\n", tile->role);
	}
	printf("ABI %u, %zu bytes, build %s, %d x %d\n", tile->abi_version, report->size,
		*report->build_id ? report->build_id : "unnamed", tile->default_width,
		tile->default_height);
	printf("asks for:%s%s%s%s%s%s%s%s%s\n", tile->capabilities & TILE_CAP_PTY ? " pty" : "",
		tile->capabilities & TILE_CAP_CLIPBOARD ? " clipboard" : "",
		tile->capabilities & TILE_CAP_OPEN_URI ? " links" : "",
		tile->capabilities & TILE_CAP_BACKGROUND ? " background" : "",
		tile->capabilities & TILE_CAP_FILES ? " files" : "",
		tile->capabilities & TILE_CAP_CODE ? " code" : "",
		tile->capabilities & TILE_CAP_TRANSPORT ? " transport" : "",
		tile->capabilities & TILE_CAP_AUDIO ? " audio" : "",
		tile->capabilities ? "" : " nothing");
	for (uint32_t i = 0; i < tile->cell_count; i++) {
		const struct vat_cell_decl *cell = &tile->cells[i];
		printf("cell %s%s%s: %lu of %u bytes, version %u, %s\n", cell->name,
			cell->scope && *cell->scope ? "/" : "", cell->scope ? cell->scope : "",
			(unsigned long)cell->count, cell->stride, cell->version,
			vat_reset_policy_name(cell->reset));
		for (uint32_t n = 0; n < cell->field_count; n++) {
			const struct vat_field *field = &cell->fields[n];
			printf("  %u %s: %s", field->id, field->name, vat_type_name(field->type));
			printf(field->count > 1 ? "[%u]\n" : "\n", field->count);
		}
	}
	for (uint32_t i = 0; i < tile->port_count; i++) {
		const struct tile_port *port = &tile->ports[i];
		printf("port %s: %s, %s\n", port->name, port->kind,
			port->direction == TILE_PORT_IN ? "in" : "out");
	}
	for (uint32_t i = 0; i < tile->edge_count; i++) {
		const struct vat_edge *edge = &tile->edges[i];
		printf("edge of %s: %u to %u%s, %s\n", edge->cell, edge->from, edge->to,
			edge->back ? " and back" : "", vat_edge_kind_name(edge->kind));
	}
}

int host_check_file(const char *path, bool json) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_report report = {0};
	if (fd < 0) {
		snprintf(report.why, sizeof(report.why), "cannot be opened: %s", strerror(errno));
	} else if (elf_inspect(fd, &report)) {
		elf_resolve(&report);
	}
	if (json) {
		print_json(path, &report);
	} else if (!*report.why) {
		print_text(&report);
	}
	if (*report.why && !json) {
		fprintf(stderr, "source-city-tile: %s: %s\n", path, report.why);
	}
	int status = *report.why ? 1 : 0;
	elf_report_finish(&report);
	if (fd >= 0) {
		close(fd);
	}
	return status;
}
