/* SPDX-License-Identifier: MIT */
/*
 * The device tree that tells the guest what this machine has, as a flattened blob (Devicetree
 * Specification 0.4, version 17). Names and properties are those of Linux's bindings.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define FDT_MAGIC 0xd00dfeedu
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3
#define FDT_END 9
#define FDT_VERSION 17
#define FDT_LAST_COMPATIBLE 16

#define HEADER_SIZE 40
#define RESERVE_SIZE 16 /* no memory is reserved: the list is its end */
#define NAMES_MAX 1024

enum phandle {
	HANDLE_PLIC = 1,
	HANDLE_FINISHER,
	HANDLE_CPUS, /* + number */
};

#define ISA_BASE "rv64i"
/* The first is for who knows only the older way to say it. */
#define ISA_STRING "rv64imafdc_zicntr_zicsr_zifencei"
#define ISA_EXTENSIONS "i\0m\0a\0f\0d\0c\0zicntr\0zicsr\0zifencei\0svade"

struct writer {
	uint8_t *out;
	size_t size, used;
	bool full;
	char names[NAMES_MAX]; /* of properties */
	size_t names_used;
};

static void put_bytes(struct writer *w, const void *data, size_t size) {
	if (w->full || size > w->size - w->used) {
		w->full = true;
		return;
	}
	if (size > 0)
		memcpy(w->out + w->used, data, size);
	w->used += size;
}

static void pad(struct writer *w) {
	static const uint8_t zeros[4] = {};
	put_bytes(w, zeros, -w->used % 4);
}

static void put_word(struct writer *w, uint32_t value) {
	uint8_t bytes[] = {value >> 24, value >> 16, value >> 8, value};
	put_bytes(w, bytes, sizeof(bytes));
}

/* Offset of the name among the names, once for all that have it. */
static uint32_t name_offset(struct writer *w, const char *name) {
	for (size_t i = 0; i < w->names_used; i += strlen(w->names + i) + 1)
		if (strcmp(w->names + i, name) == 0)
			return i;
	size_t size = strlen(name) + 1, offset = w->names_used;
	if (size > NAMES_MAX - w->names_used) {
		w->full = true;
		return 0;
	}
	memcpy(w->names + offset, name, size);
	w->names_used += size;
	return offset;
}

[[gnu::format(printf, 2, 3)]] static void begin(struct writer *w, const char *format, ...) {
	char name[64];
	va_list args;
	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	put_word(w, FDT_BEGIN_NODE);
	put_bytes(w, name, strlen(name) + 1);
	pad(w);
}

static void end(struct writer *w) {
	put_word(w, FDT_END_NODE);
}

static void property(struct writer *w, const char *name, const void *data, size_t size) {
	put_word(w, FDT_PROP);
	put_word(w, size);
	put_word(w, name_offset(w, name));
	put_bytes(w, data, size);
	pad(w);
}

static void property_text(struct writer *w, const char *name, const char *text) {
	property(w, name, text, strlen(text) + 1);
}

#define PROPERTY_LIST(w, name, texts) property(w, name, texts, sizeof(texts))

static void property_words(
	struct writer *w, const char *name, const uint32_t *words, unsigned count) {
	put_word(w, FDT_PROP);
	put_word(w, count * 4);
	put_word(w, name_offset(w, name));
	for (unsigned i = 0; i < count; i++)
		put_word(w, words[i]);
}

static void property_word(struct writer *w, const char *name, uint32_t value) {
	property_words(w, name, &value, 1);
}

static void property_long(struct writer *w, const char *name, uint64_t value) {
	uint32_t words[] = {value >> 32, value};
	property_words(w, name, words, 2);
}

static void property_reg(struct writer *w, uint64_t address, uint64_t size) {
	uint32_t words[] = {address >> 32, address, size >> 32, size};
	property_words(w, "reg", words, 4);
}

/* Two interrupts of each hart. */
static void property_harts(struct writer *w, const struct rv_machine *m, enum rv_interrupt one,
	enum rv_interrupt other) {
	uint32_t words[RV_HARTS_MAX * 4];
	for (unsigned i = 0; i < m->hart_count; i++) {
		words[i * 4] = words[i * 4 + 2] = HANDLE_CPUS + i;
		words[i * 4 + 1] = one;
		words[i * 4 + 3] = other;
	}
	property_words(w, "interrupts-extended", words, m->hart_count * 4);
}

static void property_interrupt(struct writer *w, uint32_t source) {
	property_word(w, "interrupt-parent", HANDLE_PLIC);
	property_word(w, "interrupts", source);
}

static void put_chosen(struct writer *w, const struct rv_boot *boot) {
	begin(w, "chosen");
	if (boot->bootargs)
		property_text(w, "bootargs", boot->bootargs);
	if (boot->initrd != boot->initrd_end) {
		property_long(w, "linux,initrd-start", boot->initrd);
		property_long(w, "linux,initrd-end", boot->initrd_end);
	}
	property(w, "rng-seed", boot->seed, sizeof(boot->seed));
	char path[32];
	snprintf(path, sizeof(path), "/soc/serial@%llx", RV_UART_BASE);
	property_text(w, "stdout-path", path);
	end(w);
}

static void put_cpus(struct writer *w, const struct rv_machine *m) {
	begin(w, "cpus");
	property_word(w, "#address-cells", 1);
	property_word(w, "#size-cells", 0);
	property_word(w, "timebase-frequency", RV_TIMEBASE_HZ);
	for (unsigned i = 0; i < m->hart_count; i++) {
		begin(w, "cpu@%u", i);
		property_text(w, "device_type", "cpu");
		property_word(w, "reg", i);
		property_text(w, "status", "okay");
		property_text(w, "compatible", "riscv");
		property_text(w, "riscv,isa", ISA_STRING);
		property_text(w, "riscv,isa-base", ISA_BASE);
		PROPERTY_LIST(w, "riscv,isa-extensions", ISA_EXTENSIONS);
		property_text(w, "mmu-type", "riscv,sv39");
		begin(w, "interrupt-controller");
		property_word(w, "#interrupt-cells", 1);
		property(w, "interrupt-controller", NULL, 0);
		property_text(w, "compatible", "riscv,cpu-intc");
		property_word(w, "phandle", HANDLE_CPUS + i);
		end(w);
		end(w);
	}
	end(w);
}

static void put_virtio(struct writer *w, uint64_t base, uint64_t size, uint32_t source) {
	begin(w, "virtio_mmio@%" PRIx64, base);
	property_text(w, "compatible", "virtio,mmio");
	property_reg(w, base, size);
	property_interrupt(w, source);
	end(w);
}

static void put_soc(struct writer *w, const struct rv_machine *m) {
	begin(w, "soc");
	property_word(w, "#address-cells", 2);
	property_word(w, "#size-cells", 2);
	property_text(w, "compatible", "simple-bus");
	property(w, "ranges", NULL, 0);

	begin(w, "test@%llx", RV_FINISHER_BASE);
	PROPERTY_LIST(w, "compatible", "sifive,test1\0sifive,test0\0syscon");
	property_reg(w, RV_FINISHER_BASE, RV_FINISHER_SIZE);
	property_word(w, "phandle", HANDLE_FINISHER);
	end(w);

	begin(w, "clint@%llx", RV_CLINT_BASE);
	PROPERTY_LIST(w, "compatible", "sifive,clint0\0riscv,clint0");
	property_reg(w, RV_CLINT_BASE, RV_CLINT_SIZE);
	property_harts(w, m, RV_INT_MSI, RV_INT_MTI);
	end(w);

	begin(w, "interrupt-controller@%llx", RV_PLIC_BASE);
	PROPERTY_LIST(w, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
	property_reg(w, RV_PLIC_BASE, RV_PLIC_SIZE);
	property_word(w, "#address-cells", 0);
	property_word(w, "#interrupt-cells", 1);
	property(w, "interrupt-controller", NULL, 0);
	property_harts(w, m, RV_INT_MEI, RV_INT_SEI);
	property_word(w, "riscv,ndev", RV_IRQ_COUNT - 1);
	property_word(w, "phandle", HANDLE_PLIC);
	end(w);

	begin(w, "serial@%llx", RV_UART_BASE);
	property_text(w, "compatible", "ns16550a");
	property_reg(w, RV_UART_BASE, RV_UART_SIZE);
	property_word(w, "clock-frequency", 3686400);
	property_interrupt(w, RV_IRQ_UART);
	end(w);

	if (m->disk)
		put_virtio(w, RV_VIRTIO_BASE, RV_VIRTIO_SIZE, RV_IRQ_VIRTIO);
	if (m->net)
		put_virtio(w, RV_NET_BASE, RV_NET_SIZE, RV_IRQ_NET);
	end(w);
}

/* What is written where to power off and to begin again. */
static void put_syscon(struct writer *w, const char *name, const char *compatible, uint32_t value) {
	begin(w, "%s", name);
	property_text(w, "compatible", compatible);
	property_word(w, "regmap", HANDLE_FINISHER);
	property_word(w, "offset", 0);
	property_word(w, "value", value);
	end(w);
}

static void put_tree(struct writer *w, const struct rv_machine *m, const struct rv_boot *boot) {
	begin(w, "%s", "");
	property_word(w, "#address-cells", 2);
	property_word(w, "#size-cells", 2);
	property_text(w, "compatible", "riscv-virtio");
	property_text(w, "model", "source-city,riscv");
	put_chosen(w, boot);
	begin(w, "memory@%llx", RV_RAM_BASE);
	property_text(w, "device_type", "memory");
	property_reg(w, RV_RAM_BASE, m->ram_size);
	end(w);
	put_cpus(w, m);
	put_soc(w, m);
	put_syscon(w, "poweroff", "syscon-poweroff", 0x5555);
	put_syscon(w, "reboot", "syscon-reboot", 0x7777);
	end(w);
	put_word(w, FDT_END);
}

size_t rv_fdt(const struct rv_machine *m, const struct rv_boot *boot, void *out, size_t size) {
	struct writer w = {.out = out, .size = size};
	uint32_t reserve = HEADER_SIZE, tree = HEADER_SIZE + RESERVE_SIZE;
	if (size < tree)
		return 0;
	memset(out, 0, tree);
	w.used = tree;
	put_tree(&w, m, boot);
	uint32_t names = w.used;
	put_bytes(&w, w.names, w.names_used);
	if (w.full)
		return 0;
	uint32_t total = w.used;
	w.used = 0;
	uint32_t header[] = {FDT_MAGIC, total, tree, names, reserve, FDT_VERSION,
		FDT_LAST_COMPATIBLE, 0, w.names_used, names - tree};
	static_assert(sizeof(header) == HEADER_SIZE);
	for (unsigned i = 0; i < sizeof(header) / sizeof(header[0]); i++)
		put_word(&w, header[i]);
	return total;
}
