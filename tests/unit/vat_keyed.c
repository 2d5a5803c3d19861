/* SPDX-License-Identifier: MIT */
/* Keyed collections: who is there keeps its id and what belongs to it, whatever the schema and the
 * size. */
#include "vat_common.h"

#define KEYS 400

/* Three schemas of one collection, which differ in order, width and what else there is. */
struct keyed1 {
	uint32_t id;
	uint32_t number;
};
struct keyed2 {
	uint64_t number;
	uint32_t extra[3];
	uint32_t id;
};
struct keyed3 {
	double extra[3];
	uint64_t id;
	uint64_t number;
};
static const struct vat_field keyed1_fields[] = {
	VAT_FIELD(1, U32, struct keyed1, id),
	VAT_FIELD(2, U32, struct keyed1, number),
};
static const struct vat_field keyed2_fields[] = {
	VAT_FIELD(2, U64, struct keyed2, number),
	VAT_FIELD(3, U32, struct keyed2, extra),
	VAT_FIELD(1, U32, struct keyed2, id),
};
static const struct vat_field keyed3_fields[] = {
	VAT_FIELD(3, F64, struct keyed3, extra),
	VAT_FIELD(1, U64, struct keyed3, id),
	VAT_FIELD(2, U64, struct keyed3, number),
};
static const struct vat_cell_decl keyed[] = {
	VAT_CELL("keyed", struct keyed1, 0, keyed1_fields, .version = 1, .key_field = 1),
	VAT_CELL("keyed", struct keyed2, 0, keyed2_fields, .version = 2, .key_field = 1),
	VAT_CELL("keyed", struct keyed3, 0, keyed3_fields, .version = 3, .key_field = 1),
};

static void put(uint8_t *element, uint32_t version, uint64_t id, uint64_t number) {
	if (version == 1)
		*(struct keyed1 *)element = (struct keyed1){(uint32_t)id, (uint32_t)number};
	else if (version == 2)
		*(struct keyed2 *)element =
			(struct keyed2){.number = number, .id = (uint32_t)id, .extra = {1, 2}};
	else
		*(struct keyed3 *)element =
			(struct keyed3){.number = number, .id = id, .extra = {1, 2}};
}

static void get(const uint8_t *element, uint32_t version, uint64_t *id, uint64_t *number) {
	if (version == 1) {
		*id = ((const struct keyed1 *)element)->id;
		*number = ((const struct keyed1 *)element)->number;
	} else if (version == 2) {
		*id = ((const struct keyed2 *)element)->id;
		*number = ((const struct keyed2 *)element)->number;
	} else {
		*id = ((const struct keyed3 *)element)->id;
		*number = ((const struct keyed3 *)element)->number;
	}
}

/* Elements come, go and change places; versions and sizes go up and down; whoever is there keeps
 * its id, what belongs to it, and its place among the others. */
static void test_keyed(void **state) {
	uint64_t seed = 77, next_id = 1;
	static uint64_t ids[KEYS]; /* in their order */
	size_t used = 0, count = 50;
	struct vat_error err;
	int fd, shrunk = 0, refused = 0;
	struct vat_region *region = test_region(&fd);
	struct vat_cell_decl decl = keyed[0];
	decl.count = count;
	assert_ok(vat_region_adopt(region, &decl, 1, 0, NULL, &err), err);
	for (int round = 0; round < 1000; round++) {
		/* The tile at work: as the version that it is. */
		uint8_t *data = test_data(region, "keyed");
		size_t edits = test_below(&seed, 30);
		static uint64_t slots[KEYS];
		for (size_t i = 0; i < count; i++) {
			uint64_t number;
			get(data + i * decl.stride, decl.version, &slots[i], &number);
		}
		for (size_t e = 0; e < edits; e++) {
			size_t a = test_below(&seed, count), b = test_below(&seed, count);
			switch (test_below(&seed, 4)) {
			case 0:
				slots[a] = 0;
				break;
			case 1: {
				uint64_t id = slots[a];
				slots[a] = slots[b];
				slots[b] = id;
				break;
			}
			default:
				if (slots[a] == 0)
					slots[a] = next_id++;
			}
		}
		used = 0;
		for (size_t i = 0; i < count; i++) {
			memset(data + i * decl.stride, 0, decl.stride);
			if (slots[i] == 0)
				continue;
			ids[used++] = slots[i];
			put(data + i * decl.stride, decl.version, slots[i], slots[i] * 7 % 1000003);
		}
		/* Another version, another size. */
		struct vat_cell_decl next = keyed[test_below(&seed, 3)];
		next.count = 1 + test_below(&seed, KEYS - 1);
		struct vat_adopt_report report;
		int rc = vat_region_adopt(region, &next, 1, 0, &report, &err);
		bool too_few = next.count < used;
		bool down = next.version < decl.version;
		if (rc != 0)
			assert_true(rc == -EUCLEAN && (too_few || down));
		else
			assert_false(too_few || down);
		if (rc != 0) {
			refused++;
			for (size_t i = 0; too_few && i < report.changes[0].loss_count; i++)
				too_few = report.changes[0].losses[i].field_id != 0;
			assert_false(too_few); /* it is said */
			if (next.count < used) {
				vat_adopt_report_finish(&report);
				continue;
			}
			vat_adopt_report_finish(&report);
			assert_ok(
				vat_region_adopt(region, &next, 1, VAT_ADOPT_LOSSY, &report, &err),
				err);
		}
		vat_adopt_report_finish(&report);
		shrunk += next.count < count;
		decl = next;
		count = next.count;
		data = test_data(region, "keyed");
		size_t found = 0;
		for (size_t i = 0; i < count; i++) {
			uint64_t id, number;
			get(data + i * decl.stride, decl.version, &id, &number);
			if (id == 0)
				continue;
			assert_true(found < used);
			assert_int_equal(id, ids[found]);
			assert_int_equal(number, id * 7 % 1000003);
			found++;
		}
		assert_int_equal(found, used);
	}
	assert_true(shrunk > 100 && refused > 100);
	vat_region_unmap(region);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyed),
	};
	return cmocka_run_group_tests_name("vat_keyed", tests, NULL, NULL);
}
