/* SPDX-License-Identifier: MIT */
/* Which device answers at a physical address that is not RAM. */
#include "machine.h"

/* What the guest writes to end: a code in the lower half, in the upper the reason of a failure. */
#define FINISHER_FAIL 0x3333
#define FINISHER_PASS 0x5555
#define FINISHER_RESET 0x7777

static bool finisher_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	*value = 0;
	return true;
}

static bool finisher_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	if (offset != 0 || size < 2)
		return true;
	switch (value & 0xffff) {
	case FINISHER_PASS:
		rv_machine_end(m, 0);
		break;
	case FINISHER_FAIL:
		rv_machine_end(m, size >= 4 ? value >> 16 & 0xffff : 0);
		break;
	case FINISHER_RESET:
		rv_machine_want_reset(m);
		break;
	default:
		break;
	}
	return true;
}

static const struct {
	uint64_t base, size;
	bool (*read)(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value);
	bool (*write)(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value);
} devices[] = {
	{RV_CLINT_BASE, RV_CLINT_SIZE, rv_clint_read, rv_clint_write},
	{RV_PLIC_BASE, RV_PLIC_SIZE, rv_plic_read, rv_plic_write},
	{RV_UART_BASE, RV_UART_SIZE, rv_uart_read, rv_uart_write},
	{RV_VIRTIO_BASE, RV_VIRTIO_SIZE, rv_virtio_read, rv_virtio_write},
	{RV_NET_BASE, RV_NET_SIZE, rv_net_read, rv_net_write},
	{RV_FINISHER_BASE, RV_FINISHER_SIZE, finisher_read, finisher_write},
};

/* All of the access lies in one device: it answers at `offset`. */
static int find(uint64_t physical, unsigned size, uint64_t *offset) {
	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		*offset = physical - devices[i].base;
		if (physical >= devices[i].base && *offset <= devices[i].size - size)
			return (int)i;
	}
	return -1;
}

bool rv_bus_read(struct rv_machine *m, uint64_t physical, unsigned size, uint64_t *value) {
	uint64_t offset;
	int device = find(physical, size, &offset);
	return device >= 0 && devices[device].read(m, offset, size, value);
}

bool rv_bus_write(struct rv_machine *m, uint64_t physical, unsigned size, uint64_t value) {
	uint64_t offset;
	int device = find(physical, size, &offset);
	return device >= 0 && devices[device].write(m, offset, size, value);
}
