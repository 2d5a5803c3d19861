/* SPDX-License-Identifier: MIT */
/* Numbers of the control and status registers and the bits in them that the machine acts on. */
#ifndef RISCV_CSR_H
#define RISCV_CSR_H

enum rv_csr_number {
	RV_CSR_FFLAGS = 0x001,
	RV_CSR_FRM = 0x002,
	RV_CSR_FCSR = 0x003,

	RV_CSR_SSTATUS = 0x100,
	RV_CSR_SIE = 0x104,
	RV_CSR_STVEC = 0x105,
	RV_CSR_SCOUNTEREN = 0x106,
	RV_CSR_SENVCFG = 0x10a,
	RV_CSR_SSCRATCH = 0x140,
	RV_CSR_SEPC = 0x141,
	RV_CSR_SCAUSE = 0x142,
	RV_CSR_STVAL = 0x143,
	RV_CSR_SIP = 0x144,
	RV_CSR_SATP = 0x180,

	RV_CSR_MSTATUS = 0x300,
	RV_CSR_MISA = 0x301,
	RV_CSR_MEDELEG = 0x302,
	RV_CSR_MIDELEG = 0x303,
	RV_CSR_MIE = 0x304,
	RV_CSR_MTVEC = 0x305,
	RV_CSR_MCOUNTEREN = 0x306,
	RV_CSR_MENVCFG = 0x30a,
	RV_CSR_MCOUNTINHIBIT = 0x320,
	RV_CSR_MHPMEVENT3 = 0x323,
	RV_CSR_MHPMEVENT31 = 0x33f,
	RV_CSR_MSCRATCH = 0x340,
	RV_CSR_MEPC = 0x341,
	RV_CSR_MCAUSE = 0x342,
	RV_CSR_MTVAL = 0x343,
	RV_CSR_MIP = 0x344,
	RV_CSR_PMPCFG0 = 0x3a0,
	RV_CSR_PMPCFG2 = 0x3a2,
	RV_CSR_PMPADDR0 = 0x3b0,
	RV_CSR_PMPADDR15 = 0x3bf,

	RV_CSR_TSELECT = 0x7a0,
	RV_CSR_TDATA1 = 0x7a1,
	RV_CSR_TDATA2 = 0x7a2,
	RV_CSR_TDATA3 = 0x7a3,

	RV_CSR_MCYCLE = 0xb00,
	RV_CSR_MINSTRET = 0xb02,
	RV_CSR_MHPMCOUNTER3 = 0xb03,
	RV_CSR_MHPMCOUNTER31 = 0xb1f,

	RV_CSR_CYCLE = 0xc00,
	RV_CSR_TIME = 0xc01,
	RV_CSR_INSTRET = 0xc02,
	RV_CSR_HPMCOUNTER3 = 0xc03,
	RV_CSR_HPMCOUNTER31 = 0xc1f,

	RV_CSR_MVENDORID = 0xf11,
	RV_CSR_MARCHID = 0xf12,
	RV_CSR_MIMPID = 0xf13,
	RV_CSR_MHARTID = 0xf14,
	RV_CSR_MCONFIGPTR = 0xf15,
};

/* mstatus; sstatus shows some of it. */
#define RV_STATUS_SIE (1ull << 1)
#define RV_STATUS_MIE (1ull << 3)
#define RV_STATUS_SPIE (1ull << 5)
#define RV_STATUS_MPIE (1ull << 7)
#define RV_STATUS_SPP (1ull << 8)
#define RV_STATUS_MPP (3ull << 11)
#define RV_STATUS_MPP_SHIFT 11
#define RV_STATUS_FS (3ull << 13) /* 0: no floating point; 3: dirty */
#define RV_STATUS_MPRV (1ull << 17)
#define RV_STATUS_SUM (1ull << 18)
#define RV_STATUS_MXR (1ull << 19)
#define RV_STATUS_TVM (1ull << 20)
#define RV_STATUS_TW (1ull << 21)
#define RV_STATUS_TSR (1ull << 22)
#define RV_STATUS_UXL (2ull << 32) /* 64 bits, and no other width */
#define RV_STATUS_SXL (2ull << 34)
#define RV_STATUS_SD (1ull << 63) /* made when read, from FS */

/* mcause: an interrupt, and not an exception */
#define RV_CAUSE_INTERRUPT (1ull << 63)

/* mcounteren, scounteren, mcountinhibit */
#define RV_COUNTER_CY 1u
#define RV_COUNTER_TM 2u
#define RV_COUNTER_IR 4u

#define RV_SATP_MODE_SHIFT 60
#define RV_SATP_BARE 0
#define RV_SATP_SV39 8
#define RV_SATP_PPN 0xfffffffffffull

/* A byte of pmpcfg */
#define RV_PMP_R 0x01
#define RV_PMP_W 0x02
#define RV_PMP_X 0x04
#define RV_PMP_A 0x18
#define RV_PMP_TOR 0x08
#define RV_PMP_NA4 0x10
#define RV_PMP_NAPOT 0x18
#define RV_PMP_L 0x80

#endif
