/* SPDX-License-Identifier: MIT */
/*
 * A RISC-V machine: RV64GC harts with M, S and U modes and Sv39, RAM, and the devices of a small
 * board at the addresses where QEMU's `virt` has them. From the ratified manuals: the Unprivileged
 * and the Privileged Architecture (20240411), the SBI and PLIC specifications, virtio 1.2.
 *
 * All that the guest could ever notice is in the structures of the first half of this file; in the
 * tile they are cells, in riscv-run plain memory. struct rv_machine only points at them, and what
 * hangs on it besides is cache: it may be thrown away between any two instructions and made anew
 * by another implementation without the guest noticing. So nothing here is a pointer, and nothing
 * depends on when the host stops: not on budgets, not on handovers, not on caches.
 *
 * The parts, a file each: machine.c runs harts in turn and keeps time; trap.c, csr.c, mmu.c and
 * pmp.c are the privileged architecture; htif.c ends the public tests; bus.c finds who answers at
 * an address; clint.c, plic.c, uart.c, virtio_blk.c and virtio_net.c are the devices (virtio.h is
 * what the last two share); elf.c loads; fdt.c describes the board to the guest. An engine (plain/,
 * fast/) executes instructions: struct rv_engine. Instructions are described once, in isa.h,
 * arithmetic on floating point numbers in fp.h.
 *
 * One thread calls everything. Nothing asks the system for anything but memory.
 */
#ifndef RISCV_MACHINE_H
#define RISCV_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ------------------------------------------------------------------ the board */

#define RV_FINISHER_BASE 0x00100000ull /* SiFive test: power off and reset */
#define RV_FINISHER_SIZE 0x1000ull
#define RV_CLINT_BASE 0x02000000ull
#define RV_CLINT_SIZE 0x10000ull
#define RV_PLIC_BASE 0x0c000000ull
#define RV_PLIC_SIZE 0x600000ull
#define RV_UART_BASE 0x10000000ull
#define RV_UART_SIZE 0x100ull
#define RV_VIRTIO_BASE 0x10001000ull /* the block device */
#define RV_VIRTIO_SIZE 0x1000ull
#define RV_NET_BASE 0x10002000ull /* the network card */
#define RV_NET_SIZE 0x1000ull
#define RV_RAM_BASE 0x80000000ull

/* Interrupt sources of the PLIC. */
#define RV_IRQ_VIRTIO 1
#define RV_IRQ_NET 2
#define RV_IRQ_UART 10
#define RV_IRQ_COUNT 32 /* of which 0 is none */

#define RV_HARTS_MAX 4
#define RV_TIMEBASE_HZ 10000000ull /* ticks of mtime in a second */
#define RV_PAGE 4096ull
#define RV_PMP_ENTRIES 16 /* with a granularity of a page */
#define RV_TLB_ENTRIES 256
/* The first store to a page may cost the host as much as thousands of instructions: memory is made
 * for it, or what was there is kept for a rollback. A run has at most so many entries of the TLB
 * filled for stores. */
#define RV_NEW_PAGES 512
/* Some of what a guest may do takes the host a hundred or ten thousand times as long as an
 * instruction does: traps, walks, code that is written anew. It is counted, in nanoseconds of
 * about any host, and a run ends early where it has come to so many. */
#define RV_WORK_MOST 5000000

/* ------------------------------------------------------------------ state (cells) */

enum rv_mode {
	RV_MODE_U = 0,
	RV_MODE_S = 1,
	RV_MODE_M = 3,
};

struct rv_hart {
	uint64_t pc;
	uint64_t x[32];		 /* x[0] is 0 */
	uint64_t f[32];		 /* a number of 32 bits has ones above it (NaN boxing) */
	uint64_t cycle, instret; /* as mcycle and minstret read, up to the last return of run() */
	/* LR's reservation: the physical address, aligned to its size; valid until an SC, a trap or
	 * the turn of another hart. */
	uint64_t reservation;
	uint64_t mstatus, medeleg, mideleg, mie, mtvec, mscratch, mepc, mcause, mtval;
	/* Of mip only what software writes: SSIP, STIP, SEIP. rv_mip() adds what devices say. */
	uint64_t mip;
	uint64_t stvec, sscratch, sepc, scause, stval, satp;
	uint64_t menvcfg, senvcfg;
	uint64_t pmpaddr[RV_PMP_ENTRIES];
	uint8_t pmpcfg[RV_PMP_ENTRIES];
	/* Where the TLB may have pages of larger leaves: a bit a gigabyte, modulo 64, and a bit two
	 * megabytes, modulo 256, of their addresses. */
	uint64_t tlb_gigabytes, tlb_megabytes[4];
	uint32_t mcounteren, scounteren, mcountinhibit;
	uint32_t mode; /* enum rv_mode */
	/* NX 1, UF 2, OF 4, DZ 8, NV 16. mstatus.FS becomes dirty with each instruction that writes
	 * an f register, and with each that raises a flag, set already or not. */
	uint32_t fflags;
	uint32_t frm;
	bool reserved; /* reservation is valid */
	bool waiting;  /* in WFI */
};

/*
 * Translations. The TLB is state and not cache: a guest that changes a page table and does not
 * fence can tell which entries are there, so they are the same in every engine and survive every
 * handover. Direct-mapped by page number; an entry is replaced only by rv_tlb_fill() for the same
 * index and access, all go with rv_tlb_flush(). An engine may keep faster copies of entries of its
 * own, as long as it looks for every access as if it looked here.
 */
enum rv_access {
	RV_FETCH,
	RV_LOAD,
	RV_STORE,
	RV_ACCESSES,
};

struct rv_tlb_entry {
	/* Page number of the virtual address << 12, | the context (rv_tlb_context()) << 1 | 1; 0:
	 * empty.
	 */
	uint64_t tag;
	/* Physical address of the page, | RV_TLB_MEGAPAGE or RV_TLB_GIGAPAGE if a leaf of that
	 * size is behind it, for SFENCE.VMA. */
	uint64_t page;
};

#define RV_TLB_MEGAPAGE 1ull
#define RV_TLB_GIGAPAGE 2ull

struct rv_tlb {
	struct rv_tlb_entry entries[RV_ACCESSES][RV_TLB_ENTRIES];
};

/* The whole machine's: time, whose turn it is, how it ended. */
struct rv_board {
	uint64_t steps; /* instructions begun by all harts: the clock that everything hangs on */
	/* mtime = time_base + (steps - steps_base) / steps_per_tick */
	uint64_t time_base, steps_base;
	uint64_t time_shift;	 /* by how much the guest has set mtime ahead of the host's clock */
	uint32_t steps_per_tick; /* above 0 */
	/* Time passes by steps alone: a machine that waits skips to the next timer. Otherwise the
	 * host sets the time, and waiting ends the slice. */
	bool deterministic;
	bool reset_wanted;	    /* by the guest: done before the next step */
	bool ended;		    /* powered off, or exited by HTIF */
	uint32_t exit_code;	    /* of the guest, once ended */
	uint32_t turn;		    /* which hart runs */
	uint32_t turn_left;	    /* steps until the next one does */
	uint64_t tohost, fromhost;  /* physical addresses of HTIF; 0: none */
	uint64_t boot_pc, boot_fdt; /* for a reset */
	uint32_t resets;
	/* The rest of a string that a hart sends by semihosting: before the next step, as fast as
	 * the host fetches it. Nothing is left: none. */
	uint32_t string_hart;
	uint64_t string_at, string_left; /* virtual address; bytes at most */
};

struct rv_clint {
	uint64_t mtimecmp[RV_HARTS_MAX];
	uint32_t msip[RV_HARTS_MAX];
};

struct rv_plic {
	uint32_t priority[RV_IRQ_COUNT];
	uint32_t level;	  /* lines as the devices drive them, a bit a source */
	uint32_t claimed; /* claimed and not completed yet */
	/* By context: hart * 2 for M mode, + 1 for S mode. */
	uint32_t enable[RV_HARTS_MAX * 2];
	uint32_t threshold[RV_HARTS_MAX * 2];
};

#define RV_UART_RX 1024
#define RV_UART_TX 4096
/* What one instruction may send at most: there always is room for it. */
#define RV_UART_ROOM 1024

/* A 16550A. What it sends waits in tx until the host fetches it; the guest always finds the
 * transmitter empty, for a tx with little room ends the slice. */
struct rv_uart {
	uint32_t rx_head, rx_count, tx_head, tx_count;
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	bool thre_pending; /* the interrupt of the empty transmitter was not read yet */
	uint8_t rx[RV_UART_RX];
	uint8_t tx[RV_UART_TX];
};

#define RV_VIRTQ_MAX 64

/* Of every virtio device (virtio-mmio, version 2). */
struct rv_virtio_regs {
	uint64_t driver_features;
	uint32_t status, interrupt, device_select, driver_select, queue_select;
};

struct rv_virtq {
	uint64_t desc, driver, device; /* guest physical addresses */
	uint32_t size;
	uint16_t last_avail;
	bool ready;
};

/* The disk. Requests are done before the next step after they were notified, in parts of a bounded
 * size. */
struct rv_virtio {
	struct rv_virtio_regs regs;
	struct rv_virtq queue;
	bool read_only;
	bool busy;     /* some of what was notified is still to be done */
	uint32_t done; /* bytes of the request at the head that have been moved */
};

#define RV_FRAME_MIN 14
#define RV_FRAME_MAX 1518 /* of Ethernet, with a tag, without its checksum */
#define RV_NET_OUT 32

struct rv_frame {
	uint16_t size;
	uint8_t bytes[RV_FRAME_MAX];
};

enum rv_net_queue {
	RV_NET_RECEIVE,
	RV_NET_TRANSMIT,
	RV_NET_QUEUES,
};

/* The network card. Frames that the guest sends wait in `out` until the host fetches them; while
 * that is full they stay in the guest's queue. Those for the guest the host keeps until the guest
 * has a buffer. */
struct rv_net {
	struct rv_virtio_regs regs;
	struct rv_virtq queues[RV_NET_QUEUES];
	uint8_t mac[6];
	bool link; /* something is at the other end */
	uint32_t out_head, out_count;
	/* Since the machine is there: frames, their bytes, frames for or from nobody. */
	uint64_t sent, sent_bytes, received, received_bytes, dropped;
	struct rv_frame out[RV_NET_OUT];
};

/* ------------------------------------------------------------------ the machine */

enum rv_stop {
	/* All steps made; or a device had much to do, or stores went to RV_NEW_PAGES pages that
	 * they had not been to just before, or other things took RV_WORK_MOST: look at the time. */
	RV_STOP_BUDGET,
	RV_STOP_IDLE,	 /* every hart waits, until rv_machine_wake_time() or input */
	RV_STOP_CONSOLE, /* the UART's tx has little room: fetch it, then go on */
	RV_STOP_ENDED,	 /* board->ended */
	RV_STOP_RESET,	 /* board->resets is one more: load again what the guest began with */
};

struct rv_machine;

/*
 * Executes instructions. run() executes up to `steps` instructions of the hart, and exactly that
 * many unless m->attention is set by what one of them does; then it returns after that one.
 * An instruction that traps is a step. Interrupts are taken between runs, by the machine. On
 * return all of the hart is in *hart. Before it calls anything of this file that may look at the
 * hart, the time or the counters, it sets hart->pc to the instruction being executed and
 * m->run_steps to the steps made before it.
 *
 * Code is read as memory is: an instruction that was written is what is executed next, with or
 * without FENCE.I. An engine that keeps decoded code sets RV_PAGE_CODE for its pages and is told
 * by written() of every store to them.
 */
struct rv_engine {
	const char *name;
	/* Sets m->engine_data, for machines of up to m->ram_size and m->hart_count: the state is
	 * not there yet. Memory comes from rv_scratch(). False: none. */
	bool (*create)(struct rv_machine *m);
	/* The state is there. May be NULL. */
	void (*begin)(struct rv_machine *m);
	uint64_t (*run)(struct rv_machine *m, struct rv_hart *hart, uint64_t steps);
	/* Memory with RV_PAGE_CODE was written, by a hart or from outside. */
	void (*written)(struct rv_machine *m, uint64_t physical, uint64_t size);
	/* An entry of the TLB was replaced or emptied, or (entry NULL) all of the hart's were
	 * emptied.
	 */
	void (*tlb_changed)(struct rv_machine *m, unsigned hart, enum rv_access access,
		const struct rv_tlb_entry *entry);
	void (*destroy)(struct rv_machine *m);
};

extern const struct rv_engine rv_engine_plain;
extern const struct rv_engine rv_engine_fast;

enum rv_page_flags {
	RV_PAGE_CODE = 1 << 0,	  /* the engine keeps decoded code of it */
	RV_PAGE_WATCHED = 1 << 1, /* HTIF's tohost is in it */
};

struct rv_machine {
	/* State: belongs to the caller. hart_count harts and TLBs. */
	struct rv_board *board;
	struct rv_hart *harts;
	struct rv_tlb *tlbs;
	struct rv_clint *clint;
	struct rv_plic *plic;
	struct rv_uart *uart;
	struct rv_virtio *virtio;
	struct rv_net *net; /* may be NULL: it has no card */
	uint8_t *ram;	    /* whole pages */
	uint64_t ram_size;
	uint8_t *disk; /* whole sectors of 512 bytes; may be NULL */
	uint64_t disk_size;
	unsigned hart_count;
	bool semihosting; /* the guest may ask the host by EBREAK: see semihost.c */

	/* Scratch, from here on. */
	const struct rv_engine *engine;
	void *engine_data;
	uint8_t *page_flags; /* a byte a page of RAM: enum rv_page_flags */
	uint64_t room_ram;   /* the largest that the scratch is good for */
	unsigned room_harts;
	bool ahead;	    /* the scratch is being made ahead */
	uint64_t run_steps; /* made by this run() before the present instruction */
	uint64_t run_traps; /* of those, that trapped and so did not retire */
	bool attention;	    /* run() has to return after the present instruction */
	bool worked;	    /* much was done at once: rv_machine_run() returns early */
	/* Since rv_machine_run() was called: pages found by stores, bytes moved by devices. */
	unsigned new_pages, moved;
	uint64_t work; /* since then, see RV_WORK_MOST */
	/* Told what every instruction did before it is executed, if not NULL: for --trace. Only the
	 * plain engine calls it. */
	void (*trace)(void *data, const struct rv_hart *hart, uint32_t instruction);
	void *trace_data;
	/* Memory for generated code, mapped twice so that no page is both writable and executable:
	 * set before rv_machine_init() by who can give it; NULL or false: none, and the fast engine
	 * does without. Given back by code_memory_free. */
	bool (*code_memory)(void *data, size_t size, uint8_t **writable, uint8_t **executable);
	void (*code_memory_free)(void *data, size_t size, uint8_t *writable, uint8_t *executable);
	void *code_memory_data;
};

/* ---- machine.c */

/* The state pointers, ram_size, disk_size and hart_count are set, the rest is zero, or as
 * rv_machine_warm() left it. Makes the scratch and the engine's. False: no memory. */
bool rv_machine_init(struct rv_machine *m, const struct rv_engine *engine);
/* What takes time of rv_machine_init(), ahead of it, for a machine of that size or a smaller one:
 * scratch, with its memory there. False: no memory; rv_machine_init() may try again. */
bool rv_machine_warm(
	struct rv_machine *m, const struct rv_engine *engine, uint64_t ram_size, unsigned harts);
/* After either; the state pointers stay. */
void rv_machine_finish(struct rv_machine *m);
/* Memory for scratch, zeroed, for free(). NULL: none. */
void *rv_scratch(const struct rv_machine *m, size_t size);
/* Power on: registers as the manual says, devices reset, RAM left as it is; the harts begin in M
 * mode at board->boot_pc with a0 the hart's number and a1 board->boot_fdt. Keeps time and steps
 * going. */
void rv_machine_reset(struct rv_machine *m);
/* Runs up to `steps` steps, over all harts. What it made is the change of board->steps. */
enum rv_stop rv_machine_run(struct rv_machine *m, uint64_t steps);
uint64_t rv_machine_time(const struct rv_machine *m); /* mtime, also inside run() */
/* The host's clock is what mtime was before the guest wrote it, if ever it did. It is at least this
 * from now on, and goes on by steps from there. Between runs. */
void rv_machine_set_time(struct rv_machine *m, uint64_t clock);
uint64_t rv_machine_clock(const struct rv_machine *m); /* as it was set, with the steps since */
/* The host's clock when the next timer wakes a hart that waits; UINT64_MAX: none will. */
uint64_t rv_machine_wake_time(const struct rv_machine *m);
/* The guest sets mtime, to be that from this instruction on. */
void rv_machine_write_time(struct rv_machine *m, uint64_t mtime);
/* Something outside wrote RAM: decoded code of it is forgotten. */
void rv_machine_written(struct rv_machine *m, uint64_t physical, uint64_t size);
/* The guest powers off with this code, or asks for a reset: also inside run(), after the present
 * instruction. */
void rv_machine_end(struct rv_machine *m, uint32_t exit_code);
void rv_machine_want_reset(struct rv_machine *m);
/* Whether the state is one that a machine could have, and so safe to run: false, with the reason in
 * why, where something else wrote it. Needs the state pointers only. */
bool rv_machine_check(const struct rv_machine *m, char *why, size_t why_size);
/* Something takes about so many nanoseconds. What the caches that an engine keeps cost counts too,
 * so that where a run ends early may differ by engine; the guest cannot tell. */
static inline void rv_work(struct rv_machine *m, unsigned nanoseconds) {
	m->work += nanoseconds;
	if (m->work >= RV_WORK_MOST) {
		m->worked = m->attention = true;
	}
}
/* Hash (64 bits, FNV-1a over words) of all state, for tests and --deterministic. */
uint64_t rv_machine_hash(const struct rv_machine *m);

/* ---- trap.c */

enum rv_exception {
	RV_FETCH_MISALIGNED = 0,
	RV_FETCH_FAULT = 1,
	RV_ILLEGAL = 2,
	RV_BREAKPOINT = 3,
	RV_LOAD_MISALIGNED = 4,
	RV_LOAD_FAULT = 5,
	RV_STORE_MISALIGNED = 6, /* stores and AMOs */
	RV_STORE_FAULT = 7,
	RV_ECALL_U = 8, /* + mode */
	RV_FETCH_PAGE_FAULT = 12,
	RV_LOAD_PAGE_FAULT = 13,
	RV_STORE_PAGE_FAULT = 15,
};

/* Bits of mip and mie, by number. */
enum rv_interrupt {
	RV_INT_SSI = 1,
	RV_INT_MSI = 3,
	RV_INT_STI = 5,
	RV_INT_MTI = 7,
	RV_INT_SEI = 9,
	RV_INT_MEI = 11,
};

/* The instruction at hart->pc raises it: hart->pc and mode are the handler's afterwards. */
void rv_raise(struct rv_machine *m, struct rv_hart *hart, enum rv_exception cause, uint64_t tval);
/* RV_ILLEGAL with the instruction at hart->pc, which was fetched just before. */
void rv_illegal(struct rv_machine *m, struct rv_hart *hart);
/* Takes the most important interrupt that is pending and enabled, if there is one. */
bool rv_interrupt(struct rv_machine *m, struct rv_hart *hart);
uint64_t rv_mip(const struct rv_machine *m, const struct rv_hart *hart);
/* Something that decides on interrupts changed: ends the run if one is pending now. */
void rv_attend(struct rv_machine *m, const struct rv_hart *hart);
/* MRET and SRET, for the instruction at hart->pc: false if it raised. hart->pc and mode are those
 * to go on with in both cases. */
bool rv_mret(struct rv_machine *m, struct rv_hart *hart);
bool rv_sret(struct rv_machine *m, struct rv_hart *hart);
/* WFI, ECALL, SFENCE.VMA: false if it raised (ECALL: always). Where true, hart->pc is untouched. */
bool rv_wfi(struct rv_machine *m, struct rv_hart *hart);
bool rv_ecall(struct rv_machine *m, struct rv_hart *hart);
bool rv_sfence_vma(struct rv_machine *m, struct rv_hart *hart, uint64_t address, uint64_t asid);

/* ---- semihost.c */

/* EBREAK at hart->pc, with what a0 and a1 are: false if it raised. Where true, hart->pc is
 * untouched and a0 is to become *answer. */
bool rv_ebreak(
	struct rv_machine *m, struct rv_hart *hart, uint64_t a0, uint64_t a1, uint64_t *answer);
/* Some more of board->string_left. */
void rv_semihost_go_on(struct rv_machine *m);

/* ---- csr.c */

enum rv_csr_op {
	RV_CSR_WRITE, /* CSRRW */
	RV_CSR_SET,   /* CSRRS */
	RV_CSR_CLEAR, /* CSRRC */
};
/* One CSR instruction, the one at hart->pc. `old` gets the value before (0 where !read), and it is
 * written, set or cleared by `operand` where `write`. False: illegal, and raised already. Calls
 * rv_tlb_flush, sets attention. */
bool rv_csr(struct rv_machine *m, struct rv_hart *hart, unsigned number, enum rv_csr_op op,
	bool read, bool write, uint64_t operand, uint64_t *old);
/* As a debugger reads it: no checks, no effects; false if there is no such CSR. */
bool rv_csr_peek(
	const struct rv_machine *m, const struct rv_hart *hart, unsigned number, uint64_t *value);
/* Name as the manual has it, for all that rv_csr_peek knows; NULL otherwise. */
const char *rv_csr_name(unsigned number);

/* mcycle and minstret after a run of so many steps, of which so many trapped. */
void rv_counters_advance(struct rv_hart *hart, uint64_t steps, uint64_t traps);

/* ---- pmp.c */

/* Whether physical memory protection allows an access in the page of this address. */
bool rv_pmp_allows(
	const struct rv_hart *hart, enum rv_mode mode, uint64_t physical, enum rv_access access);
/* pmpcfg0 (first 0) and pmpcfg2 (first 8); pmpaddr0 to pmpaddr15. */
uint64_t rv_pmpcfg_read(const struct rv_hart *hart, unsigned first);
void rv_pmpcfg_write(struct rv_machine *m, struct rv_hart *hart, unsigned first, uint64_t value);
uint64_t rv_pmpaddr_read(const struct rv_hart *hart, unsigned i);
void rv_pmpaddr_write(struct rv_machine *m, struct rv_hart *hart, unsigned i, uint64_t value);

/* ---- mmu.c */

/* What else than its page a translation depends on: mode, SUM, MXR; of data with MPRV in effect.
 * Below 1 << 8. */
unsigned rv_tlb_context(const struct rv_hart *hart, enum rv_access access);
static inline uint64_t rv_tlb_tag(uint64_t address, unsigned context) {
	return (address & ~(RV_PAGE - 1)) | context << 1 | 1;
}
static inline struct rv_tlb_entry *rv_tlb_slot(
	struct rv_tlb *tlb, enum rv_access access, uint64_t address) {
	return &tlb->entries[access][address / RV_PAGE % RV_TLB_ENTRIES];
}
/* The physical address, from the TLB or by a walk that fills it. False: raised, with tval the
 * address. Of one byte: an access that crosses a page is two. */
bool rv_translate(struct rv_machine *m, struct rv_hart *hart, uint64_t address,
	enum rv_access access, uint64_t *physical);
/* As a debugger: no effects. */
bool rv_peek(const struct rv_machine *m, const struct rv_hart *hart, uint64_t address, void *data,
	size_t size);
void rv_tlb_flush(struct rv_machine *m, struct rv_hart *hart);
/* What SFENCE.VMA of one address drops: its page, and all of a larger leaf that it is in. */
void rv_tlb_flush_page(struct rv_machine *m, struct rv_hart *hart, uint64_t address);

/* Of 1, 2, 4 or 8 bytes; any alignment within RAM. False: raised. Loads are zero-extended. */
bool rv_load(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	uint64_t *value);
bool rv_store(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	uint64_t value);
/* The instruction at hart->pc, 16 bits of it if it is compressed. False: raised. */
bool rv_fetch(struct rv_machine *m, struct rv_hart *hart, uint32_t *instruction);
/* LR, SC and AMOs: aligned, of 4 or 8 bytes, physical address of RAM for writing. */
bool rv_translate_amo(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	enum rv_access access, uint64_t *physical);

/* Offset in m->ram, for RAM: whether all of the range is RAM. */
static inline bool rv_is_ram(const struct rv_machine *m, uint64_t physical, uint64_t size) {
	return physical >= RV_RAM_BASE && physical - RV_RAM_BASE < m->ram_size &&
		m->ram_size - (physical - RV_RAM_BASE) >= size;
}
/* To be called after a store to RAM in a page whose flags are not 0. */
void rv_stored(struct rv_machine *m, uint64_t physical, uint64_t size);

/* ---- htif.c */

/* RAM in the page of tohost was written by a hart. */
void rv_htif_written(struct rv_machine *m, uint64_t physical, uint64_t size);

/* ---- bus.c and the devices; false: nothing answers there, or not to that size */

bool rv_bus_read(struct rv_machine *m, uint64_t physical, unsigned size, uint64_t *value);
bool rv_bus_write(struct rv_machine *m, uint64_t physical, unsigned size, uint64_t value);

void rv_clint_reset(struct rv_machine *m);
bool rv_clint_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value);
bool rv_clint_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value);

void rv_plic_reset(struct rv_machine *m);
bool rv_plic_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value);
bool rv_plic_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value);
void rv_plic_line(struct rv_machine *m, unsigned source, bool high);
/* Whether the context has an interrupt to claim. */
bool rv_plic_pending(const struct rv_machine *m, unsigned context);

void rv_uart_reset(struct rv_machine *m);
bool rv_uart_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value);
bool rv_uart_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value);
/* A byte for the host, at most RV_UART_ROOM by one instruction. */
void rv_uart_send(struct rv_machine *m, uint8_t byte);
/* The host's side. Bytes taken, bytes given. */
size_t rv_uart_input(struct rv_machine *m, const void *data, size_t size);
size_t rv_uart_output(struct rv_machine *m, void *data, size_t size);

void rv_virtio_reset(struct rv_machine *m);
/* Between steps, while it is busy. */
void rv_virtio_go_on(struct rv_machine *m);
bool rv_virtio_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value);
bool rv_virtio_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value);

/* Nothing answers where there is no card. A reset keeps address, link and what is on its way out.
 */
void rv_net_reset(struct rv_machine *m);
bool rv_net_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value);
bool rv_net_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value);
/* The host's side, between runs, of a machine with a card. */
void rv_net_link(struct rv_machine *m, bool up);
/* What the guest sent first; NULL: nothing. It stays until it is dropped. */
const struct rv_frame *rv_net_output(const struct rv_machine *m);
void rv_net_output_drop(struct rv_machine *m);
/* A frame for the guest, or to be dropped if the guest does not listen. False: it has no buffer
 * for it now; offer it again. */
bool rv_net_input(struct rv_machine *m, const void *frame, size_t size);

/* ---- elf.c, fdt.c: before the first instruction */

/* Something that was loaded: where it lies, and where it begins to run. */
struct rv_image {
	uint64_t start, end, entry; /* physical; start and end are equal: nothing */
};

/*
 * Loads an ELF executable into RAM by physical addresses, or (not an ELF file) a flat image at
 * `address`. Sets *image, and HTIF's addresses from the symbols tohost and fromhost. False with one
 * line in why: what is wrong with the file.
 */
bool rv_load_image(struct rv_machine *m, const void *data, size_t size, uint64_t address,
	struct rv_image *image, char *why, size_t why_size);

struct rv_boot {
	const char *bootargs;	     /* may be NULL */
	uint64_t initrd, initrd_end; /* physical; equal: none */
	uint8_t seed[32];	     /* for the guest's random numbers */
};
/* Bytes of the device tree blob that describes the machine, written to out; 0: it does not fit. */
size_t rv_fdt(const struct rv_machine *m, const struct rv_boot *boot, void *out, size_t size);

/* ---- boot.c: between loading and the first instruction */

/* The last bytes of RAM: what is loaded ends before them. */
#define RV_BOOT_AREA 0x10000ull

struct rv_boot_plan {
	struct rv_image program; /* what runs first, in M mode: the firmware, or a program */
	struct rv_image next; /* what the firmware starts in S mode; nothing: it is no firmware */
	struct rv_boot boot;
};
/* Where a kernel belongs that firmware at RV_RAM_BASE starts. */
uint64_t rv_boot_next_stage(const struct rv_machine *m);
/* Where an initrd of that size belongs; 0: it does not fit. */
uint64_t rv_boot_initrd(const struct rv_machine *m, uint64_t size);
/* Puts the device tree and the rest into RAM, sets board->boot_pc and boot_fdt; rv_machine_reset()
 * then starts it. False with one line in why, if some of it lies on something else, too. */
bool rv_boot_prepare(
	struct rv_machine *m, const struct rv_boot_plan *plan, char *why, size_t why_size);

#endif
