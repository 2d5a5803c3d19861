/* SPDX-License-Identifier: MIT */
/* The device tree, as the device tree compiler reads it: no warning, and what has to stand in it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "board.h"

#define BLOB (16 * 1024)
#define TEXT (64 * 1024)

static const struct rv_boot boot = {
	.bootargs = "console=ttyS0 quiet",
	.initrd = 0x180001000,
	.initrd_end = 0x180002345,
	.seed = {1, 2, 3},
};

/* What dtc makes of the blob, with all that it warns of; NULL where there is no dtc. */
static char *decompile(const uint8_t *blob, size_t size) {
	char path[] = "/tmp/riscv-tree-XXXXXX", command[100];
	if (system("command -v dtc >/dev/null") != 0)
		return NULL;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, blob, size), size);
	close(fd);
	snprintf(command, sizeof(command), "dtc -I dtb -O dts %s 2>&1", path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	char *text = calloc(1, TEXT);
	assert_true(fread(text, 1, TEXT - 1, pipe) > 0);
	int status = pclose(pipe);
	unlink(path);
	if (status != 0)
		fail_msg("dtc: %s", text);
	return text;
}

static void assert_in(const char *text, const char *part) {
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void assert_not_in(const char *text, const char *part) {
	if (strstr(text, part))
		fail_msg("\"%s\" in: %s", part, text);
}

static char *tree(unsigned harts, uint64_t disk, const struct rv_boot *of) {
	struct rv_machine *m = board_create(harts, 64 * 1024, disk);
	uint8_t *blob = malloc(BLOB);
	size_t size = rv_fdt(m, of, blob, BLOB);
	assert_true(size > 0 && size <= BLOB);
	char *text = decompile(blob, size);
	free(blob);
	board_destroy(m);
	if (!text)
		skip();
	return text;
}

static void test_describes_the_board(void **state) {
	char *text = tree(2, 1024, &boot);
	assert_not_in(text, "Warning");
	assert_not_in(text, "ERROR");
	assert_in(text, "bootargs = \"console=ttyS0 quiet\";");
	assert_in(text, "linux,initrd-start = <0x01 0x80001000>;");
	assert_in(text, "linux,initrd-end = <0x01 0x80002345>;");
	assert_in(text, "rng-seed = <0x1020300 ");
	assert_in(text, "stdout-path = \"/soc/serial@10000000\";");
	assert_in(text, "memory@80000000 {");
	assert_in(text, "reg = <0x00 0x80000000 0x00 0x10000>;");
	assert_in(text, "timebase-frequency = <0x989680>;");
	assert_in(text, "cpu@1 {");
	assert_not_in(text, "cpu@2 {");
	assert_in(text, "mmu-type = \"riscv,sv39\";");
	assert_in(text, "interrupts-extended = <0x03 0x03 0x03 0x07 0x04 0x03 0x04 0x07>;");
	assert_in(text, "interrupts-extended = <0x03 0x0b 0x03 0x09 0x04 0x0b 0x04 0x09>;");
	assert_in(text, "virtio_mmio@10001000 {");
	free(text);
}

static void test_describes_a_network_card(void **state) {
	static struct rv_net net;
	struct rv_machine *m = board_create(1, 64 * 1024, 0);
	uint8_t *blob = malloc(BLOB);
	m->net = &net;
	size_t size = rv_fdt(m, &boot, blob, BLOB);
	char *text = decompile(blob, size);
	free(blob);
	board_destroy(m);
	if (!text)
		skip();
	assert_not_in(text, "Warning");
	assert_in(text, "virtio_mmio@10002000 {");
	assert_in(text, "interrupts = <0x02>;");
	assert_not_in(text, "virtio_mmio@10001000 {");
	free(text);
}

static void test_leaves_out_what_is_not_there(void **state) {
	struct rv_boot none = {};
	char *text = tree(1, 0, &none);
	assert_not_in(text, "Warning");
	assert_not_in(text, "virtio_mmio");
	assert_not_in(text, "bootargs");
	assert_not_in(text, "initrd");
	free(text);
}

/* It fits, or nothing is said to be there; never is more written than that. */
static void test_fits_or_not(void **state) {
	struct rv_machine *m = board_create(4, 64 * 1024, 512);
	uint8_t *whole = malloc(BLOB);
	size_t size = rv_fdt(m, &boot, whole, BLOB);
	assert_true(size > 1000);
	for (size_t room = 0; room <= size; room++) {
		uint8_t *blob = malloc(room ? room : 1);
		size_t got = rv_fdt(m, &boot, blob, room);
		assert_int_equal(got, room < size ? 0 : size);
		if (got)
			assert_memory_equal(blob, whole, size);
		free(blob);
	}
	free(whole);
	board_destroy(m);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describes_the_board),
		cmocka_unit_test(test_describes_a_network_card),
		cmocka_unit_test(test_leaves_out_what_is_not_there),
		cmocka_unit_test(test_fits_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
