/* SPDX-License-Identifier: MIT */
/* The 16550A. What is sent is sent at once, into tx; what the host types waits in rx. */
#include <string.h>

#include "machine.h"

enum {
	DATA = 0, /* RBR and THR; DLL while LCR says so */
	IER = 1,  /* DLM */
	IIR = 2,  /* FCR when written */
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7,
};

#define IER_RX 0x01
#define IER_TX 0x02
#define IIR_NONE 0x01
#define IIR_TX 0x02
#define IIR_RX 0x04
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_KEPT 0xc9
#define LCR_DLAB 0x80
#define MCR_KEPT 0x1f
#define MCR_LOOP 0x10
#define LSR_DATA 0x01
#define LSR_TX_EMPTY 0x60
/* Of a terminal that is always there: DCD, DSR, CTS. */
#define MSR_READY 0xb0

static void update_line(struct rv_machine *m) {
	const struct rv_uart *uart = m->uart;
	bool rx = (uart->ier & IER_RX) && uart->rx_count > 0;
	bool tx = (uart->ier & IER_TX) && uart->thre_pending;
	rv_plic_line(m, RV_IRQ_UART, rx || tx);
}

void rv_uart_reset(struct rv_machine *m) {
	struct rv_uart *uart = m->uart;
	/* What was sent before is on its way to the host. */
	uint32_t tx_head = uart->tx_head, tx_count = uart->tx_count;
	memset(uart, 0, offsetof(struct rv_uart, tx));
	uart->tx_head = tx_head;
	uart->tx_count = tx_count;
	uart->dll = 1;
	update_line(m);
}

/* Bytes after which a full FIFO interrupts. */
static unsigned trigger(const struct rv_uart *uart) {
	static const uint8_t levels[] = {1, 4, 8, 14};
	return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

static uint8_t read_iir(struct rv_uart *uart) {
	uint8_t fifo = uart->fcr & FCR_ENABLE ? IIR_FIFO : 0;
	if ((uart->ier & IER_RX) && uart->rx_count > 0)
		return fifo | (uart->rx_count >= trigger(uart) ? IIR_RX : IIR_TIMEOUT);
	if ((uart->ier & IER_TX) && uart->thre_pending) {
		uart->thre_pending = false; /* told */
		return fifo | IIR_TX;
	}
	return fifo | IIR_NONE;
}

static bool rx_put(struct rv_uart *uart, uint8_t byte) {
	if (uart->rx_count >= RV_UART_RX)
		return false;
	uart->rx[(uart->rx_head + uart->rx_count++) % RV_UART_RX] = byte;
	return true;
}

static uint8_t rx_get(struct rv_uart *uart) {
	if (uart->rx_count == 0)
		return 0;
	uint8_t byte = uart->rx[uart->rx_head];
	uart->rx_head = (uart->rx_head + 1) % RV_UART_RX;
	uart->rx_count--;
	return byte;
}

static void rx_clear(struct rv_uart *uart) {
	uart->rx_head = uart->rx_count = 0;
}

void rv_uart_send(struct rv_machine *m, uint8_t byte) {
	struct rv_uart *uart = m->uart;
	if (uart->tx_count < RV_UART_TX)
		uart->tx[(uart->tx_head + uart->tx_count++) % RV_UART_TX] = byte;
	/* The next instruction may send as much as any, so the host has to fetch some first. */
	if (uart->tx_count > RV_UART_TX - RV_UART_ROOM)
		m->attention = true;
}

static void transmit(struct rv_machine *m, uint8_t byte) {
	struct rv_uart *uart = m->uart;
	uart->thre_pending = true;
	if (uart->mcr & MCR_LOOP)
		rx_put(uart, byte);
	else
		rv_uart_send(m, byte);
}

static uint8_t read_msr(const struct rv_uart *uart) {
	if (!(uart->mcr & MCR_LOOP))
		return MSR_READY;
	/* The outputs come back: RTS as CTS, DTR as DSR, OUT1 as RI, OUT2 as DCD. */
	return (uart->mcr & 2) << 3 | (uart->mcr & 1) << 5 | (uart->mcr & 4) << 4 |
		(uart->mcr & 8) << 4;
}

static uint8_t read_register(struct rv_uart *uart, unsigned number) {
	bool latch = uart->lcr & LCR_DLAB;
	switch (number) {
	case DATA:
		return latch ? uart->dll : rx_get(uart);
	case IER:
		return latch ? uart->dlm : uart->ier;
	case IIR:
		return read_iir(uart);
	case LCR:
		return uart->lcr;
	case MCR:
		return uart->mcr;
	case LSR:
		return LSR_TX_EMPTY | (uart->rx_count > 0 ? LSR_DATA : 0);
	case MSR:
		return read_msr(uart);
	case SCR:
		return uart->scr;
	default:
		return 0;
	}
}

static void write_ier(struct rv_uart *uart, uint8_t value) {
	/* The transmitter is empty as soon as somebody asks to be told. */
	if (~uart->ier & value & IER_TX)
		uart->thre_pending = true;
	uart->ier = value & 0x0f;
}

static void write_fcr(struct rv_uart *uart, uint8_t value) {
	if ((value & FCR_CLEAR_RX) || ((uart->fcr ^ value) & FCR_ENABLE))
		rx_clear(uart);
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void write_register(struct rv_machine *m, unsigned number, uint8_t value) {
	struct rv_uart *uart = m->uart;
	bool latch = uart->lcr & LCR_DLAB;
	switch (number) {
	case DATA:
		if (latch)
			uart->dll = value;
		else
			transmit(m, value);
		break;
	case IER:
		if (latch)
			uart->dlm = value;
		else
			write_ier(uart, value);
		break;
	case IIR:
		write_fcr(uart, value);
		break;
	case LCR:
		uart->lcr = value;
		break;
	case MCR:
		uart->mcr = value & MCR_KEPT;
		break;
	case SCR:
		uart->scr = value;
		break;
	default:
		break;
	}
}

/* The registers are bytes; a wider access is one of the byte that it begins with. */
bool rv_uart_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	*value = offset < 8 ? read_register(m->uart, offset) : 0;
	update_line(m);
	return true;
}

bool rv_uart_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	if (offset < 8)
		write_register(m, offset, value);
	update_line(m);
	return true;
}

size_t rv_uart_input(struct rv_machine *m, const void *data, size_t size) {
	const uint8_t *bytes = data;
	size_t taken = 0;
	while (taken < size && rx_put(m->uart, bytes[taken]))
		taken++;
	update_line(m);
	return taken;
}

size_t rv_uart_output(struct rv_machine *m, void *data, size_t size) {
	struct rv_uart *uart = m->uart;
	uint8_t *bytes = data;
	size_t given = 0;
	for (; given < size && uart->tx_count > 0; given++) {
		bytes[given] = uart->tx[uart->tx_head];
		uart->tx_head = (uart->tx_head + 1) % RV_UART_TX;
		uart->tx_count--;
	}
	return given;
}
