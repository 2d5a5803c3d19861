/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the tile: counts, sleeps by timer, prints, and says when anything of it is not
 * as it left it. Keys: f fills a GiB, h waits for another one, w runs wild (no end, all of memory),
 * q switches off with 7, r starts anew, others are said again. Each line has a number: none may be
 * missing, none be there twice.
 */
typedef unsigned long u64;
typedef unsigned char u8;

#define UART ((volatile u8 *)0x10000000)
#define CLINT_COMPARE ((volatile u64 *)0x02004000)
#define CLINT_TIME ((volatile u64 *)0x0200bff8)
#define PLIC_PRIORITY ((volatile unsigned *)0x0c000000)
#define PLIC_ENABLE ((volatile unsigned *)0x0c002000)
#define FINISHER ((volatile unsigned *)0x00100000)
#define TICK 200000 /* 20 ms */

__attribute__((naked, section(".text.start"))) void _start(void) {
	__asm__ volatile("csrr t0, mhartid\n"
			 "0: beqz t0, 1f\n" /* the others wait for ever */
			 "wfi\n"
			 "j 0b\n"
			 "1: la sp, stack_end\n"
			 "li t0, 0x6000\n" /* floating point may be used */
			 "csrs mstatus, t0\n"
			 "li t0, 0x80\n" /* the timer wakes, and interrupts nothing */
			 "csrs mie, t0\n"
			 "j run\r\n");
}

static void put(char c) {
	*UART = (u8)c;
}

static void say(const char *text) {
	while (*text)
		put(*text++);
}

static void say_number(u64 number) {
	char text[24];
	int at = 24;
	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (at < 24)
		put(text[at++]);
}

static volatile u64 words[4096];

static void go_wild(void) {
	volatile u8 *memory = (volatile u8 *)0x80200000;
	say("wild\r\n");
	for (u64 i = 0;; i = i * 1103515245 + 12345)
		memory[i % 0x400000] = (u8)i;
}

/* A byte of each page of a GiB, but for where the program is and where the device tree may be. */
static void fill(void) {
	for (u64 at = 0x80200000; at < 0xbff00000; at += 4096)
		*(volatile u8 *)at = (u8)(at >> 12 | 1);
	say("filled\r\n");
}

/* Until a key comes: of the UART's interrupt, which is enabled nowhere, only the waiting is used.
 */
static void halt(void) {
	say("halted\r\n");
	__asm__ volatile("csrc mie, %0" ::"r"(0x80));
	PLIC_PRIORITY[10] = 1;
	*PLIC_ENABLE = 1 << 10;
	UART[1] = 1;
	__asm__ volatile("csrs mie, %0" ::"r"(0x800));
	while (!(UART[5] & 1))
		__asm__ volatile("wfi");
	UART[1] = 0;
	*PLIC_ENABLE = 0;
	__asm__ volatile("csrc mie, %0" ::"r"(0x800));
	__asm__ volatile("csrs mie, %0" ::"r"(0x80));
}

__attribute__((used)) void run(void) {
	u64 count = 0, sum = 0, last = *CLINT_TIME;
	double half = 0;
	say("hello\r\n");
	for (;;) {
		u64 now = *CLINT_TIME;
		if (now < last)
			say("LOST time went back\r\n");
		last = now;
		count++;
		half += 0.5;
		/* A little work, of which the result is known. */
		for (u64 i = 0; i < 4096; i++)
			words[i] += i;
		sum = 0;
		for (u64 i = 0; i < 4096; i++)
			sum += words[i];
		if (sum != count * (4095ul * 4096 / 2))
			say("LOST memory\r\n");
		if (half * 2 != (double)count)
			say("LOST a floating point register\r\n");
		say("n ");
		say_number(count);
		say("\r\n");
		*CLINT_COMPARE = now + TICK;
		while (*CLINT_TIME < now + TICK)
			__asm__ volatile("wfi");
		while (UART[5] & 1) {
			char key = (char)UART[0];
			if (key == 'h')
				halt();
			if (key == 'f')
				fill();
			if (key == 'w')
				go_wild();
			if (key == 'q')
				*FINISHER = 0x3333 | 7 << 16;
			if (key == 'r')
				*FINISHER = 0x7777;
			say("key ");
			put(key);
			say("\r\n");
		}
	}
}
