/* SPDX-License-Identifier: MIT */
/* What the decoder and the disassembler share of the compressed instructions. */
#ifndef RISCV_COMPRESSED_H
#define RISCV_COMPRESSED_H

#include <stdint.h>

/* Where the operands of the compressed instructions are, and which are reserved: the names are
 * those of the manual's formats, with the size of what is loaded or stored. */
enum rv_compressed_format {
	CIW,
	CL_W,
	CL_D,
	CL_FD,
	CS_W,
	CS_D,
	CS_FD,
	CI,
	CI_NOT_X0,
	CI_LI,
	CI_16SP,
	CI_LUI,
	CI_SHIFT,
	CI_WSP,
	CI_DSP,
	CI_FDSP,
	CSS_W,
	CSS_D,
	CSS_FD,
	CB,
	CB_SHIFT,
	CB_ANDI,
	CA,
	CJ,
	CR,
	CR_MV,
	CR_JUMP,
	CR_JUMP_LINK,
	CR_NONE,
};

struct rv_compressed {
	const char *mnemonic;
	uint16_t match, mask;
	uint8_t op;	/* enum rv_op */
	uint8_t format; /* enum rv_compressed_format */
};

/* NULL: none has this encoding. Whether its operands are reserved is not looked at. */
const struct rv_compressed *rv_compressed_of(uint32_t raw);

#endif
