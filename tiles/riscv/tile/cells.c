/* SPDX-License-Identifier: MIT */
/* The cells: the structures of machine.h as they are, and the tile's own. */
#include "rvtile.h"
#include "vt_cells.h"

static const struct vat_field board_fields[] = {
	VAT_FIELD(1, U64, struct rv_board, steps),
	VAT_FIELD(2, U64, struct rv_board, time_base),
	VAT_FIELD(3, U64, struct rv_board, steps_base),
	VAT_FIELD_INIT(4, U32, struct rv_board, steps_per_tick, .u = 1),
	VAT_FIELD(5, BOOL, struct rv_board, deterministic),
	VAT_FIELD(6, BOOL, struct rv_board, reset_wanted),
	VAT_FIELD(7, BOOL, struct rv_board, ended),
	VAT_FIELD(8, U32, struct rv_board, exit_code),
	VAT_FIELD(9, U32, struct rv_board, turn),
	VAT_FIELD(10, U32, struct rv_board, turn_left),
	VAT_FIELD(11, U64, struct rv_board, tohost),
	VAT_FIELD(12, U64, struct rv_board, fromhost),
	VAT_FIELD(13, U64, struct rv_board, boot_pc),
	VAT_FIELD(14, U64, struct rv_board, boot_fdt),
	VAT_FIELD(15, U32, struct rv_board, resets),
	VAT_FIELD(16, U64, struct rv_board, time_shift),
	VAT_FIELD(17, U32, struct rv_board, string_hart),
	VAT_FIELD(18, U64, struct rv_board, string_at),
	VAT_FIELD(19, U64, struct rv_board, string_left),
};

static const struct vat_field hart_fields[] = {
	VAT_FIELD(1, U64, struct rv_hart, pc),
	VAT_FIELD(2, U64, struct rv_hart, x),
	VAT_FIELD(3, U64, struct rv_hart, f),
	VAT_FIELD(4, U64, struct rv_hart, cycle),
	VAT_FIELD(5, U64, struct rv_hart, instret),
	VAT_FIELD(6, U64, struct rv_hart, reservation),
	VAT_FIELD(7, U64, struct rv_hart, mstatus),
	VAT_FIELD(8, U64, struct rv_hart, medeleg),
	VAT_FIELD(9, U64, struct rv_hart, mideleg),
	VAT_FIELD(10, U64, struct rv_hart, mie),
	VAT_FIELD(11, U64, struct rv_hart, mtvec),
	VAT_FIELD(12, U64, struct rv_hart, mscratch),
	VAT_FIELD(13, U64, struct rv_hart, mepc),
	VAT_FIELD(14, U64, struct rv_hart, mcause),
	VAT_FIELD(15, U64, struct rv_hart, mtval),
	VAT_FIELD(16, U64, struct rv_hart, mip),
	VAT_FIELD(17, U64, struct rv_hart, stvec),
	VAT_FIELD(18, U64, struct rv_hart, sscratch),
	VAT_FIELD(19, U64, struct rv_hart, sepc),
	VAT_FIELD(20, U64, struct rv_hart, scause),
	VAT_FIELD(21, U64, struct rv_hart, stval),
	VAT_FIELD(22, U64, struct rv_hart, satp),
	VAT_FIELD(23, U64, struct rv_hart, menvcfg),
	VAT_FIELD(24, U64, struct rv_hart, senvcfg),
	VAT_FIELD(25, U64, struct rv_hart, pmpaddr),
	VAT_FIELD(26, U8, struct rv_hart, pmpcfg),
	VAT_FIELD(27, U32, struct rv_hart, mcounteren),
	VAT_FIELD(28, U32, struct rv_hart, scounteren),
	VAT_FIELD(29, U32, struct rv_hart, mcountinhibit),
	VAT_FIELD(30, U32, struct rv_hart, mode),
	VAT_FIELD(31, U32, struct rv_hart, fflags),
	VAT_FIELD(32, U32, struct rv_hart, frm),
	VAT_FIELD(33, BOOL, struct rv_hart, reserved),
	VAT_FIELD(34, BOOL, struct rv_hart, waiting),
	VAT_FIELD(35, U64, struct rv_hart, tlb_gigabytes),
	VAT_FIELD(36, U64, struct rv_hart, tlb_megabytes),
};

static const struct vat_field tlb_fields[] = {
	VAT_FIELD(1, U64, struct rv_tlb_entry, tag),
	VAT_FIELD(2, U64, struct rv_tlb_entry, page),
};

static const struct vat_field clint_fields[] = {
	VAT_FIELD(1, U64, struct rv_clint, mtimecmp),
	VAT_FIELD(2, U32, struct rv_clint, msip),
};

static const struct vat_field plic_fields[] = {
	VAT_FIELD(1, U32, struct rv_plic, priority),
	VAT_FIELD(2, U32, struct rv_plic, level),
	VAT_FIELD(3, U32, struct rv_plic, claimed),
	VAT_FIELD(4, U32, struct rv_plic, enable),
	VAT_FIELD(5, U32, struct rv_plic, threshold),
};

static const struct vat_field uart_fields[] = {
	VAT_FIELD(1, U32, struct rv_uart, rx_head),
	VAT_FIELD(2, U32, struct rv_uart, rx_count),
	VAT_FIELD(3, U32, struct rv_uart, tx_head),
	VAT_FIELD(4, U32, struct rv_uart, tx_count),
	VAT_FIELD(5, U8, struct rv_uart, ier),
	VAT_FIELD(6, U8, struct rv_uart, fcr),
	VAT_FIELD(7, U8, struct rv_uart, lcr),
	VAT_FIELD(8, U8, struct rv_uart, mcr),
	VAT_FIELD(9, U8, struct rv_uart, scr),
	VAT_FIELD(10, U8, struct rv_uart, dll),
	VAT_FIELD(11, U8, struct rv_uart, dlm),
	VAT_FIELD(12, BOOL, struct rv_uart, thre_pending),
	VAT_FIELD(13, BYTES, struct rv_uart, rx),
	VAT_FIELD(14, BYTES, struct rv_uart, tx),
};

/* A member of a member. */
#define WITHIN(id_, type_, structure, member, name_)                                               \
	{.id = (id_),                                                                              \
		.type = VAT_##type_,                                                               \
		.count = VAT_MEMBER_COUNT_(type_, structure, member),                              \
		.offset = offsetof(structure, member),                                             \
		.name = (name_)}

static const struct vat_field virtio_fields[] = {
	WITHIN(1, U64, struct rv_virtio, queue.desc, "desc"),
	WITHIN(2, U64, struct rv_virtio, queue.driver, "driver"),
	WITHIN(3, U64, struct rv_virtio, queue.device, "device"),
	WITHIN(4, U64, struct rv_virtio, regs.driver_features, "driver_features"),
	WITHIN(5, U32, struct rv_virtio, regs.status, "status"),
	WITHIN(6, U32, struct rv_virtio, regs.interrupt, "interrupt"),
	WITHIN(7, U32, struct rv_virtio, regs.device_select, "device_select"),
	WITHIN(8, U32, struct rv_virtio, regs.driver_select, "driver_select"),
	WITHIN(9, U32, struct rv_virtio, queue.size, "queue_size"),
	WITHIN(10, U32, struct rv_virtio, regs.queue_select, "queue_select"),
	WITHIN(11, U16, struct rv_virtio, queue.last_avail, "last_avail"),
	WITHIN(12, BOOL, struct rv_virtio, queue.ready, "queue_ready"),
	VAT_FIELD(13, BOOL, struct rv_virtio, read_only),
	VAT_FIELD(14, BOOL, struct rv_virtio, busy),
	VAT_FIELD(15, U32, struct rv_virtio, done),
};

#define QUEUE_FIELDS(first_, number_, name_)                                                       \
	WITHIN(first_, U64, struct rv_net, queues[number_].desc, name_ "_desc"),                   \
		WITHIN((first_) + 1, U64, struct rv_net, queues[number_].driver, name_ "_driver"), \
		WITHIN((first_) + 2, U64, struct rv_net, queues[number_].device, name_ "_device"), \
		WITHIN((first_) + 3, U32, struct rv_net, queues[number_].size, name_ "_size"),     \
		WITHIN((first_) + 4, U16, struct rv_net, queues[number_].last_avail,               \
			name_ "_last_avail"),                                                      \
		WITHIN((first_) + 5, BOOL, struct rv_net, queues[number_].ready, name_ "_ready")

static const struct vat_field net_fields[] = {
	WITHIN(1, U64, struct rv_net, regs.driver_features, "driver_features"),
	WITHIN(2, U32, struct rv_net, regs.status, "status"),
	WITHIN(3, U32, struct rv_net, regs.interrupt, "interrupt"),
	WITHIN(4, U32, struct rv_net, regs.device_select, "device_select"),
	WITHIN(5, U32, struct rv_net, regs.driver_select, "driver_select"),
	WITHIN(6, U32, struct rv_net, regs.queue_select, "queue_select"),
	QUEUE_FIELDS(7, RV_NET_RECEIVE, "receive"),
	QUEUE_FIELDS(13, RV_NET_TRANSMIT, "transmit"),
	VAT_FIELD(19, U8, struct rv_net, mac),
	VAT_FIELD(20, BOOL, struct rv_net, link),
	VAT_FIELD(21, U32, struct rv_net, out_head),
	VAT_FIELD(22, U32, struct rv_net, out_count),
	VAT_FIELD(23, U64, struct rv_net, sent),
	VAT_FIELD(24, U64, struct rv_net, sent_bytes),
	VAT_FIELD(25, U64, struct rv_net, received),
	VAT_FIELD(26, U64, struct rv_net, received_bytes),
	VAT_FIELD(27, U64, struct rv_net, dropped),
	VAT_FIELD(28, U16, struct rv_net, out), /* each its size and its bytes */
};

static const struct vat_field line_fields[] = {
	VAT_FIELD(1, U32, struct rv_line, in_at),
	VAT_FIELD(2, U32, struct rv_line, in_size),
	VAT_FIELD(3, U32, struct rv_line, out_at),
	VAT_FIELD(4, U32, struct rv_line, out_size),
	VAT_FIELD(5, BOOL, struct rv_line, ready),
	VAT_FIELD(6, BOOL, struct rv_line, skipping),
	VAT_FIELD(7, BYTES, struct rv_line, in),
	VAT_FIELD(8, BYTES, struct rv_line, out),
};

static const struct vat_field network_fields[] = {
	VAT_FIELD(1, U64, struct network, start_at),
	VAT_FIELD(2, U32, struct network, failures),
	VAT_FIELD(3, BOOL, struct network, open),
	VAT_FIELD(4, U64, struct network, starts),
	VAT_FIELD(5, U64, struct network, started),
	VAT_FIELD(6, BOOL, struct network, catching_up),
	VAT_FIELD(7, U64, struct network, next_ns),
	VAT_FIELD(8, BOOL, struct network, card),
};

static const struct vat_field page_fields[] = {
	VAT_FIELD(1, BYTES, struct page, bytes),
};

static const struct vat_field setup_fields[] = {
	VAT_FIELD(1, U64, struct setup, ram_size),
	VAT_FIELD(2, U64, struct setup, disk_size),
	VAT_FIELD(3, U64, struct setup, at),
	VAT_FIELD(4, U64, struct setup, size),
	VAT_FIELD(5, U64, struct setup, program),
	VAT_FIELD(6, U64, struct setup, next),
	VAT_FIELD(7, U64, struct setup, initrd),
	VAT_FIELD(8, U64, struct setup, initrd_end),
	VAT_FIELD(9, U32, struct setup, hart_count),
	VAT_FIELD(10, U32, struct setup, phase),
	VAT_FIELD(11, U32, struct setup, file),
	VAT_FIELD(12, BOOL, struct setup, has_disk),
	VAT_FIELD(13, TEXT, struct setup, why),
};

static const struct vat_field pace_fields[] = {
	VAT_FIELD(1, U64, struct pace, origin),
	VAT_FIELD(2, U64, struct pace, paused_at),
	VAT_FIELD(3, U64, struct pace, budget),
	VAT_FIELD(4, U64, struct pace, asked),
	VAT_FIELD(5, BOOL, struct pace, paused),
	VAT_FIELD(6, BOOL, struct pace, idle),
};

static const struct vat_field typed_fields[] = {
	VAT_FIELD(1, U32, struct typed, head),
	VAT_FIELD(2, U32, struct typed, count),
	VAT_FIELD(3, BYTES, struct typed, bytes),
};

static const struct vat_field said_fields[] = {
	VAT_FIELD(1, U32, struct said, head),
	VAT_FIELD(2, U32, struct said, count),
	VAT_FIELD(3, BOOL, struct said, ready),
	VAT_FIELD(4, BYTES, struct said, bytes),
};

static const struct vat_field view_fields[] = {
	VAT_FIELD(1, F64, struct view, scroll_rest),
	VAT_FIELD(2, U32, struct view, own_key),
	VAT_FIELD(3, BOOL, struct view, scrolled),
	VAT_FIELD(4, BOOL, struct view, focused),
};

static const struct vat_field shown_fields[] = {
	VAT_FIELD(1, U64, struct shown, next_ns),
	VAT_FIELD(2, U64, struct shown, next_picture_ns),
	VAT_FIELD(3, U64, struct shown, at_ns),
	VAT_FIELD(4, U64, struct shown, steps),
	VAT_FIELD(5, U64, struct shown, rate),
	VAT_FIELD(6, U64, struct shown, seconds),
	VAT_FIELD(7, U64, struct shown, pc),
	VAT_FIELD(8, U64, struct shown, x),
	VAT_FIELD(9, U64, struct shown, satp),
	VAT_FIELD(10, U64, struct shown, mstatus),
	VAT_FIELD(11, U64, struct shown, epc),
	VAT_FIELD(12, U64, struct shown, cause),
	VAT_FIELD(13, U32, struct shown, changed),
	VAT_FIELD(14, U32, struct shown, hart),
	VAT_FIELD(15, U32, struct shown, mode),
	VAT_FIELD(16, U32, struct shown, state),
	VAT_FIELD(17, U32, struct shown, exit_code),
	VAT_FIELD(18, U32, struct shown, percent),
	VAT_FIELD(19, U32, struct shown, code_from),
	VAT_FIELD(20, U32, struct shown, code_to),
	VAT_FIELD(21, U32, struct shown, pc_block),
	VAT_FIELD(22, BYTES, struct shown, code),
	VAT_FIELD(23, BYTES, struct shown, picture),
};

/* Memory comes as the guest touches it. */
#define BULK (VAT_CELL_SPARSE | VAT_CELL_GROWS)

const struct vat_cell_decl rvtile_cells[CELLS] = {
	VT_CELL_DECLS,
	[CELL_BOARD] = VAT_CELL("board", struct rv_board, 1, board_fields, .version = 1),
	[CELL_HARTS] = VAT_CELL("harts", struct rv_hart, RV_HARTS_MAX, hart_fields, .version = 1),
	[CELL_TLB] = VAT_CELL("tlb", struct rv_tlb_entry,
		RV_HARTS_MAX * RV_ACCESSES * RV_TLB_ENTRIES, tlb_fields, .version = 1),
	[CELL_CLINT] = VAT_CELL("clint", struct rv_clint, 1, clint_fields, .version = 1),
	[CELL_PLIC] = VAT_CELL("plic", struct rv_plic, 1, plic_fields, .version = 1),
	[CELL_UART] = VAT_CELL("uart", struct rv_uart, 1, uart_fields, .version = 1),
	[CELL_VIRTIO] = VAT_CELL("virtio", struct rv_virtio, 1, virtio_fields, .version = 1),
	[CELL_RAM] = VAT_CELL("ram", struct page, 1, page_fields, .version = 1, .flags = BULK),
	[CELL_DISK] = VAT_CELL("disk", struct page, 1, page_fields, .version = 1, .flags = BULK),
	[CELL_STAGING] =
		VAT_CELL("staging", struct page, 1, page_fields, .version = 1, .flags = BULK),
	[CELL_SETUP] = VAT_CELL("setup", struct setup, 1, setup_fields, .version = 1),
	[CELL_PACE] = VAT_CELL("pace", struct pace, 1, pace_fields, .version = 1),
	[CELL_TYPED] = VAT_CELL("typed", struct typed, 1, typed_fields, .version = 1),
	[CELL_SAID] = VAT_CELL("said", struct said, 1, said_fields, .version = 1),
	[CELL_VIEW] = VAT_CELL("view", struct view, 1, view_fields, .version = 1),
	[CELL_SHOWN] = VAT_CELL("shown", struct shown, 1, shown_fields, .version = 1),
	[CELL_NET] = VAT_CELL("net", struct rv_net, 1, net_fields, .version = 1),
	[CELL_LINE] = VAT_CELL("line", struct rv_line, 1, line_fields, .version = 1),
	[CELL_NETWORK] = VAT_CELL("network", struct network, 1, network_fields, .version = 1),
};

static_assert(sizeof(struct rv_tlb) == RV_ACCESSES * RV_TLB_ENTRIES * sizeof(struct rv_tlb_entry));
