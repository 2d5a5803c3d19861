/* SPDX-License-Identifier: MIT */
/*
 * A program that fills the screen, the same bytes at each run: COUNT frames on the alternate
 * screen, with colours and cursor movement. Says on its standard error if it ever got SIGHUP.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void handle_hangup(int number) {
	static const char text[] = "SIGHUP";
	FILE *file = fopen(getenv("HANGUP_FILE"), "w");
	if (file != NULL) {
		fputs(text, file);
		fclose(file);
	}
	_Exit(1);
}

int main(int argc, char **argv) {
	int frames = argc > 1 ? atoi(argv[1]) : 100;
	if (getenv("HANGUP_FILE") != NULL) {
		signal(SIGHUP, handle_hangup);
	}
	printf("\033[?1049h\033[2J");
	for (int frame = 0; frame < frames; frame++) {
		for (int row = 1; row <= 24; row++) {
			printf("\033[%d;1H\033[38;5;%dm", row, (frame + row) % 256);
			for (int col = 0; col < 80; col++) {
				putchar('!' + (frame * 7 + row * 3 + col) % 90);
			}
		}
	}
	printf("\033[m\033[?1049l");
	return 0;
}
