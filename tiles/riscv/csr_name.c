/* SPDX-License-Identifier: MIT */
/* The names of control and status registers, for those that exist here. */
#include "csr.h"
#include "machine.h"

/* Counters and their events are 3 to 31. */
#define NUMBERED(name, first)                                                                      \
	{first, name "3"}, {(first) + 1, name "4"}, {(first) + 2, name "5"},                       \
		{(first) + 3, name "6"}, {(first) + 4, name "7"}, {(first) + 5, name "8"},         \
		{(first) + 6, name "9"}, {(first) + 7, name "10"}, {(first) + 8, name "11"},       \
		{(first) + 9, name "12"}, {(first) + 10, name "13"}, {(first) + 11, name "14"},    \
		{(first) + 12, name "15"}, {(first) + 13, name "16"}, {(first) + 14, name "17"},   \
		{(first) + 15, name "18"}, {(first) + 16, name "19"}, {(first) + 17, name "20"},   \
		{(first) + 18, name "21"}, {(first) + 19, name "22"}, {(first) + 20, name "23"},   \
		{(first) + 21, name "24"}, {(first) + 22, name "25"}, {(first) + 23, name "26"},   \
		{(first) + 24, name "27"}, {(first) + 25, name "28"}, {(first) + 26, name "29"},   \
		{(first) + 27, name "30"}, {(first) + 28, name "31"}

static const struct {
	uint16_t number;
	char name[14];
} names[] = {
	{RV_CSR_FFLAGS, "fflags"},
	{RV_CSR_FRM, "frm"},
	{RV_CSR_FCSR, "fcsr"},
	{RV_CSR_SSTATUS, "sstatus"},
	{RV_CSR_SIE, "sie"},
	{RV_CSR_STVEC, "stvec"},
	{RV_CSR_SCOUNTEREN, "scounteren"},
	{RV_CSR_SENVCFG, "senvcfg"},
	{RV_CSR_SSCRATCH, "sscratch"},
	{RV_CSR_SEPC, "sepc"},
	{RV_CSR_SCAUSE, "scause"},
	{RV_CSR_STVAL, "stval"},
	{RV_CSR_SIP, "sip"},
	{RV_CSR_SATP, "satp"},
	{RV_CSR_MSTATUS, "mstatus"},
	{RV_CSR_MISA, "misa"},
	{RV_CSR_MEDELEG, "medeleg"},
	{RV_CSR_MIDELEG, "mideleg"},
	{RV_CSR_MIE, "mie"},
	{RV_CSR_MTVEC, "mtvec"},
	{RV_CSR_MCOUNTEREN, "mcounteren"},
	{RV_CSR_MENVCFG, "menvcfg"},
	{RV_CSR_MCOUNTINHIBIT, "mcountinhibit"},
	{RV_CSR_MSCRATCH, "mscratch"},
	{RV_CSR_MEPC, "mepc"},
	{RV_CSR_MCAUSE, "mcause"},
	{RV_CSR_MTVAL, "mtval"},
	{RV_CSR_MIP, "mip"},
	{RV_CSR_PMPCFG0, "pmpcfg0"},
	{RV_CSR_PMPCFG2, "pmpcfg2"},
	{RV_CSR_TSELECT, "tselect"},
	{RV_CSR_TDATA1, "tdata1"},
	{RV_CSR_TDATA2, "tdata2"},
	{RV_CSR_TDATA3, "tdata3"},
	{RV_CSR_MCYCLE, "mcycle"},
	{RV_CSR_MINSTRET, "minstret"},
	{RV_CSR_CYCLE, "cycle"},
	{RV_CSR_TIME, "time"},
	{RV_CSR_INSTRET, "instret"},
	{RV_CSR_MVENDORID, "mvendorid"},
	{RV_CSR_MARCHID, "marchid"},
	{RV_CSR_MIMPID, "mimpid"},
	{RV_CSR_MHARTID, "mhartid"},
	{RV_CSR_MCONFIGPTR, "mconfigptr"},
	{RV_CSR_PMPADDR0 + 0, "pmpaddr0"},
	{RV_CSR_PMPADDR0 + 1, "pmpaddr1"},
	{RV_CSR_PMPADDR0 + 2, "pmpaddr2"},
	{RV_CSR_PMPADDR0 + 3, "pmpaddr3"},
	{RV_CSR_PMPADDR0 + 4, "pmpaddr4"},
	{RV_CSR_PMPADDR0 + 5, "pmpaddr5"},
	{RV_CSR_PMPADDR0 + 6, "pmpaddr6"},
	{RV_CSR_PMPADDR0 + 7, "pmpaddr7"},
	{RV_CSR_PMPADDR0 + 8, "pmpaddr8"},
	{RV_CSR_PMPADDR0 + 9, "pmpaddr9"},
	{RV_CSR_PMPADDR0 + 10, "pmpaddr10"},
	{RV_CSR_PMPADDR0 + 11, "pmpaddr11"},
	{RV_CSR_PMPADDR0 + 12, "pmpaddr12"},
	{RV_CSR_PMPADDR0 + 13, "pmpaddr13"},
	{RV_CSR_PMPADDR0 + 14, "pmpaddr14"},
	{RV_CSR_PMPADDR0 + 15, "pmpaddr15"},
	NUMBERED("mhpmevent", RV_CSR_MHPMEVENT3),
	NUMBERED("mhpmcounter", RV_CSR_MHPMCOUNTER3),
	NUMBERED("hpmcounter", RV_CSR_HPMCOUNTER3),
};

const char *rv_csr_name(unsigned number) {
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i].number == number) {
			return names[i].name;
		}
	}
	return NULL;
}
