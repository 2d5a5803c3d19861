/* SPDX-License-Identifier: MIT */
/*
 * What control functions do, as cases: input, then the screen's rows joined by |, the cursor, what
 * was sent back. Each is run in one piece, and again with a handover after every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

struct test_case {
	const char *name;
	const char *input;
	const char *screen;  /* NULL: not looked at; rows that are empty at the end left out */
	const char *cursor;  /* "row,column" from 0, then + when a wrap is pending; NULL */
	const char *replies; /* NULL: there must be none */
};

/* On a screen of 10 columns and 5 rows. */
static const struct test_case cases[] = {
	/* printing and wrapping */
	{"plain text", "abc", "abc", "0,3"},
	{"wrap waits for the next character", "0123456789", "0123456789", "0,9+"},
	{"wrap", "0123456789a", "0123456789|a", "1,1"},
	{"no wrap", "\033[?7l0123456789ab", "012345678b", "0,9+"},
	{"return at the edge", "0123456789\rx", "x123456789", "0,1"},
	{"newline at the edge", "0123456789\r\nx", "0123456789|x", "1,1"},
	{"backspace at the edge", "0123456789\bx", "01234567x9", "0,9"},
	{"a move ends the pending wrap", "0123456789\033[Gx", "x123456789", "0,1"},
	{"scroll at the bottom", "1\r\n2\r\n3\r\n4\r\n5\r\n6", "2|3|4|5|6", "4,1"},
	{"insert mode", "abc\r\033[4hXY", "XYabc", "0,2"},
	{"insert mode at the edge", "0123456789\r\033[4hX", "X012345678", "0,1"},
	{"repeat", "ab\033[3bc", "abbbbc", "0,6"},
	{"repeat wraps", "ab\033[10bc", "abbbbbbbbb|bbc", "1,3"},
	{"repeat of nothing", "\033[3bc", "c", "0,1"},
	{"repeat after a control", "a\r\n\033[2b", "a|aa", "1,2"},
	/* controls */
	{"null and delete print nothing", "a\001b\177c", "abc", "0,3"},
	{"vertical tab and form feed go down", "a\vb\fc", "a| b|  c", "2,3"},
	{"line feed with LNM returns", "\033[20ha\nb", "a|b", "1,1"},
	{"a control inside a sequence acts at once", "ab\033[1\b;1HX", "Xb", "0,1"},
	{"CAN ends a sequence", "\033[1\030mX", "mX", "0,2"},
	{"ESC begins anew", "\033[1\033[2CX", "  X", "0,3"},
	{"too many parameters",
		"\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;"
		"25;26;27;28;29;30;31;32;33;34;35HX",
		" X", "0,2"},
	{"an intermediate too many", "\033[ !\"pX", "X", "0,1"},
	{"a parameter after an intermediate", "\033[!1pX", "X", "0,1"},
	{"huge parameters", "\033[99999999999;99999999999HX", "||||         X", "4,9+"},
	{"C1 in UTF-8", "ab\302\233HX\302\205Y", "Xb|Y", "1,1"},
	/* UTF-8 */
	{"two, three and four bytes", "\303\244\342\202\254\360\220\215\210", "ä€𐍈", "0,3"},
	{"wide", "\346\274\242x", "漢x", "0,3"},
	{"wide at the edge", "012345678\346\274\242", "012345678|漢", "1,2"},
	{"wide at the edge without wrap", "\033[?7l012345678\346\274\242", "012345678", "0,9+"},
	{"writing over the left half", "\346\274\242\rx", "x", "0,1"},
	{"writing over the right half", "\346\274\242\033[2Gx", " x", "0,2"},
	{"erasing half", "a\346\274\242b\033[3G\033[X", "a  b", "0,2"},
	{"deleting half", "a\346\274\242b\033[3G\033[P", "a b", "0,2"},
	{"inserting into one", "a\346\274\242b\033[3G\033[@", "a   b", "0,2"},
	{"combining", "e\314\201x", "e\314\201x", "0,2"},
	{"combining at the edge", "012345678e\314\201", "012345678e\314\201", "0,9+"},
	{"combining without a base", "\314\201x", "x", "0,1"},
	{"combining on a wide one", "\346\274\242\314\201x", "漢\314\201x", "0,3"},
	{"overlong is wrong", "\300\257\340\200\257",
		"\357\277\275\357\277\275\357\277\275\357\277\275"
		"\357\277\275",
		"0,5"},
	{"surrogates are wrong", "\355\240\200", "\357\277\275\357\277\275\357\277\275", "0,3"},
	{"beyond the last", "\364\220\200\200", "\357\277\275\357\277\275\357\277\275\357\277\275",
		"0,4"},
	{"cut off by ASCII", "\342\202x", "\357\277\275x", "0,2"},
	{"cut off by a sequence", "\342\202\033[CX", "\357\277\275 X", "0,3"},
	{"a lone continuation", "a\200b", "a\357\277\275b", "0,3"},
	{"flags are two cells without mode 2027", "\360\237\207\251\360\237\207\252", "🇩🇪", "0,2"},
	/* mode 2027 */
	{"a flag is one character", "\033[?2027h\360\237\207\251\360\237\207\252x", "🇩🇪x", "0,3"},
	{"a family is one character",
		"\033[?"
		"2027h\360\237\221\251\342\200\215\360\237\221\251\342\200\215\360\237\221\247x",
		"👩‍👩‍👧x", "0,3"},
	{"a selector makes it wide", "\033[?2027h\342\230\272\357\270\217x", "☺️x", "0,3"},
	{"a skin tone joins", "\033[?2027h\360\237\221\215\360\237\217\275x", "👍🏽x", "0,3"},
	{"nothing joins after a move", "\033[?2027h\360\237\207\251\033[3G\360\237\207\252", "🇩 🇪",
		"0,3"},
	/* moving */
	{"CUP", "\033[3;4HX", "||   X", "2,4"},
	{"CUP without parameters", "abc\033[HX", "Xbc", "0,1"},
	{"CUU CUD CUF CUB", "\033[3;3H\033[AX\033[2BY\033[2DZ\033[3CQ", "|  X||  ZY  Q", "3,7"},
	{"CUF stops at the edge", "\033[99CX", "         X", "0,9+"},
	{"CNL CPL CHA", "ab\033[2EX\033[FY\033[4GZ", "ab|Y  Z|X", "1,4"},
	{"VPA HPA VPR HPR", "\033[2dX\033[4`Y\033[eZ\033[aW", "|X  Y|    Z W", "2,7"},
	{"IND RI NEL", "a\033Db\033Mc\033Ed", "a c|db", "1,1"},
	{"RI at the top scrolls down", "a\033Mb", " b|a", "0,2"},
	{"DECSC DECRC", "\033[2;3H\0337\033[HX\0338Y", "X|  Y", "1,3"},
	{"DECRC without a save", "\033[2;3H\0338X", "X", "0,1"},
	{"DECRC brings the pending wrap back", "0123456789\0337\033[H\0338x", "0123456789|x",
		"1,1"},
	{"SCOSC SCORC", "\033[2;3H\033[s\033[HX\033[uY", "X|  Y", "1,3"},
	/* tabs */
	{"tab", "\tX", "        X", "0,9"},
	{"tab stops at the edge", "\t\tX", "         X", "0,9+"},
	{"HTS", "\033[4G\033H\r\tX", "   X", "0,4"},
	{"TBC", "\033[9G\033[g\r\tX", "         X", "0,9+"},
	{"TBC 3", "\033[4G\033H\033[3g\r\tX", "         X", "0,9+"},
	{"CHT CBT", "\033[3G\033H\033[6G\033H\r\033[2IX\033[2ZY", "  Y  X", "0,3"},
	{"DECST8C", "\033[4G\033H\033[?5W\r\tX", "        X", "0,9"},
	/* erasing */
	{"ED 0", "aaa\r\nbbb\r\nccc\033[2;2H\033[J", "aaa|b", "1,1"},
	{"ED 1", "aaa\r\nbbb\r\nccc\033[2;2H\033[1J", "|  b|ccc", "1,1"},
	{"ED 2", "aaa\r\nbbb\033[2J", "", "1,3"},
	{"EL 0", "abcde\033[3G\033[K", "ab", "0,2"},
	{"EL 1", "abcde\033[3G\033[1K", "   de", "0,2"},
	{"EL 2", "abcde\033[3G\033[2K", "", "0,2"},
	{"EL with a pending wrap erases nothing", "0123456789\033[Kx", "0123456789|x", "1,1"},
	{"ECH", "abcde\033[2G\033[2X", "a  de", "0,1"},
	{"DECALN", "\033[2;3r\033#8", "EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE",
		"0,0"},
	{"DECSED spares what is protected", "a\033[1\"qb\033[2\"qc\033[?2J", " b", "0,3"},
	{"DECSEL spares what is protected", "a\033[1\"qb\033[\"qc\033[?2K", " b", "0,3"},
	{"ED does not spare it", "a\033[1\"qb\033[2J", "", "0,2"},
	{"SPA is spared by ED too", "a\033Vb\033Wc\033[2J", " b", "0,3"},
	/* editing */
	{"ICH", "abcde\033[2G\033[2@", "a  bcde", "0,1"},
	{"DCH", "abcde\033[2G\033[2P", "ade", "0,1"},
	{"IL", "a\r\nb\r\nc\033[2H\033[L", "a||b|c", "1,0"},
	{"DL", "a\r\nb\r\nc\033[2H\033[M", "a|c", "1,0"},
	{"IL in a region", "a\r\nb\r\nc\r\nd\033[2;3r\033[2H\033[L", "a||b|d", "1,0"},
	{"IL outside of it", "a\r\nb\r\nc\033[2;3r\033[H\033[L", "a|b|c", "0,0"},
	{"SU SD", "a\r\nb\r\nc\033[S", "b|c", "2,1"},
	{"SD", "a\r\nb\033[T", "|a|b", "1,1"},
	{"DECIC", "abc\r\ndef\033[1;2H\033['}", "a bc|d ef", "0,1"},
	{"DECDC", "abc\r\ndef\033[1;2H\033['~", "ac|df", "0,1"},
	{"SL SR", "abc\033[ @", "bc", "0,3"},
	{"SR", "abc\033[ A", " abc", "0,3"},
	{"DECFI", "abc\033[10G\0339", "bc", "0,9"},
	{"DECBI", "abc\r\0336", " abc", "0,0"},
	/* margins */
	{"region scrolls", "a\r\nb\r\nc\r\nd\r\ne\033[2;4r\033[4H\nX", "a|c|d|X|e", "3,1"},
	{"below the region nothing scrolls", "\033[1;3r\033[5;1Ha\n\nb", "||||ab", "4,2"},
	{"a bad region is ignored", "\033[3;3rX", "X", "0,1"},
	{"origin mode", "\033[2;4r\033[?6hX\033[9;9HY", "|X||        Y", "3,9"},
	{"origin mode reports", "\033[2;4r\033[?6h\033[2;2H\033[6n", NULL, "2,1", "^[[2;2R"},
	{"left and right margins wrap", "\033[?69h\033[3;6s\033[1;3Habcdef", "  abcd|  ef", "1,4"},
	{"left and right margins scroll",
		"aaaaaaaaaa\r\nbbbbbbbbbb\r\ncccccccccc\033[?69h\033[3;6s\033[2;3r\033[3;3H\n",
		"aaaaaaaaaa|bbccccbbbb|cc    cccc", "2,2"},
	{"a line feed beside them does not", "\033[?69h\033[3;6s\033[1;2r\033[2;8HX\nY",
		"|       XY", "1,9"},
	{"ICH between them", "0123456789\033[?69h\033[3;6s\033[1;4H\033[@", "012 346789", "0,3"},
	{"DCH between them", "0123456789\033[?69h\033[3;6s\033[1;4H\033[P", "01245 6789", "0,3"},
	{"return to the left one", "\033[?69h\033[3;6s\033[1;5HX\rY", "  Y X", "0,3"},
	{"wide at the right one", "\033[?69h\033[1;4sabc\346\274\242", "abc|漢", "1,2"},
	/* reverse wrap */
	{"BS wraps back over a wrap", "\033[?45h0123456789ab\b\b\bX", "012345678X|ab", "0,9+"},
	{"but not over a line end", "\033[?45hab\r\nc\b\b\bX", "ab|X", "1,1"},
	{"mode 1045 does", "\033[?1045hab\r\nc\b\bX", "ab       X|c", "0,9+"},
	/* screens */
	{"1049", "ab\033[?1049hX\033[?1049lc", "abc", "0,3"},
	{"1049 is empty at first", "ab\033[?1049h", "", "0,2"},
	{"47 keeps what it had", "\033[?47hX\033[?47l\033[?47hY", "XY", "0,2"},
	{"1047 forgets it", "\033[?1047hX\033[?1047l\033[?1047hY", " Y", "0,2"},
	{"1048", "ab\033[?1048h\033[3;3H\033[?1048lX", "abX", "0,3"},
	/* character sets */
	{"DEC graphics", "\033(0qx\033(Bq", "─│q", "0,3"},
	{"shift out and in", "\033)0a\016q\017q", "a─q", "0,3"},
	{"locking shifts", "\033*0\033nq\033oq\017q", "─qq", "0,3"},
	{"single shift", "\033*0q\033Nqq", "q─q", "0,3"},
	{"British", "\033(A#\033(B#", "£#", "0,2"},
	{"German", "\033(K[\\]{|}~", "ÄÖÜäöüß", "0,7"},
	{"Latin-1 in G1", "\033-A\016d\017d", "äd", "0,2"},
	{"technical", "\033(>abc", "αβχ", "0,3"},
	{"DECSC saves them", "\033(0\0337\033(Bq\0338q", "─", "0,1"},
	/* rectangles */
	{"DECFRA", "\033[65;2;2;3;4$x", "| AAA| AAA", "0,0"},
	{"DECERA", "\033#8\033[2;2;4;9$z", "EEEEEEEEEE|E        E|E        E|E        E|EEEEEEEEEE",
		"0,0"},
	{"DECSERA", "a\033[1\"qb\033[2\"qc\033[1;1;1;3${", " b", "0,3"},
	{"DECCRA", "abc\r\ndef\033[1;1;2;3;1;3;5;1$v", "abc|def|    abc|    def", "1,3"},
	{"DECCRA over itself", "abcdef\033[1;1;1;5;1;1;2;1$v", "aabcde", "0,6"},
	{"DECRQCRA", "ab\033[1;1;1;1;1;1*y\033[2;1;1;1;1;2*y", NULL, "0,2",
		"^[P1!~FF9F^[\\^[P2!~FF3D^[\\"},
	{"DECRQCRA with attributes", "\033[1ma\033[m\033[3;1;1;1;1;1*y", NULL, "0,1",
		"^[P3!~FF1F^[\\"},
	{"DECRQCRA of a blank", "\033[4;1;1;1;1;1*y", NULL, "0,0", "^[P4!~FFE0^[\\"},
	/* reports */
	{"DA", "\033[c", NULL, NULL, "^[[?64;1;6;9;15;21;22;28;29;52c"},
	{"DA2 DA3", "\033[>c\033[=c", NULL, NULL, "^[[>41;400;0c^[P!|53434954^[\\"},
	{"DSR", "\033[5n\033[2;3H\033[6n\033[?6n", NULL, NULL, "^[[0n^[[2;3R^[[?2;3;1R"},
	{"XTVERSION", "\033[>q", NULL, NULL, "^[P>|source-city(" CITY_VERSION ")^[\\"},
	{"DECRQM", "\033[4$p\033[?25$p\033[?6$p\033[?4242$p\033[?2026$p", NULL, NULL,
		"^[[4;2$y^[[?25;1$y^[[?6;2$y^[[?4242;0$y^[[?2026;2$y"},
	{"DECRQSS",
		"\033[1;4:3;38;5;123;58:2::1:2:3m\033P$qm\033\\\033[2;4r\033P$qr\033\\"
		"\033[3 q\033P$q q\033\\\033P$qz\033\\",
		NULL, NULL,
		"^[P1$r0;1;4:3;38:5:123;58:2::1:2:3m^[\\^[P1$r2;4r^[\\^[P1$r3 q^[\\^[P0$r^[\\"},
	{"DECRQSS of plain colours", "\033[31;102m\033P$qm\033\\", NULL, NULL,
		"^[P1$r0;31;102m^[\\"},
	{"XTGETTCAP", "\033P+q544e;5463;6e6f\033\\", NULL, NULL,
		"^[P1+r544E=736F757263652D63697479^[\\^[P1+r5463^[\\^[P0+r6e6f^[\\"},
	{"XTGETTCAP gives no echo of rubbish", "\033P+qxy\rz\033\\", NULL, NULL, "^[P0+r^[\\"},
	{"sizes", "\033[18t\033[14t\033[16t\033[?2048h", NULL, NULL,
		"^[[8;5;10t^[[4;80;80t^[[6;16;8t^[[48;5;10;80;80t"},
	{"titles are not told", "\033]2;secret\007\033[21t", NULL, NULL, "^[]l^[\\"},
	{"colour scheme", "\033[?996n", NULL, NULL, "^[[?997;1n"},
	{"DECREQTPARM", "\033[x", NULL, NULL, "^[[2;1;1;128;128;1;0x"},
	{"tab stop report", "\033[2$w", NULL, NULL, "^[P2$u9^[\\"},
	{"kitty flags", "\033[?u\033[>5u\033[?u\033[=2;2u\033[?u\033[=1;3u\033[?u\033[<u\033[?u",
		NULL, NULL, "^[[?0u^[[?5u^[[?7u^[[?6u^[[?0u"},
	{"kitty flags by screen", "\033[>1u\033[?1049h\033[?u\033[>3u\033[?1049l\033[?u", NULL,
		NULL, "^[[?0u^[[?1u"},
	{"modifyOtherKeys", "\033[>4;2m\033[?4m\033[>4m\033[?4m", NULL, NULL, "^[[>4;2m^[[>4;0m"},
	/* colours */
	{"OSC 4", "\033]4;1;rgb:12/34/56\007\033]4;1;?\007\033]104;1\007\033]4;1;?\033\\", NULL,
		NULL, "^[]4;1;rgb:1212/3434/5656^G^[]4;1;rgb:cdcd/0000/0000^[\\"},
	{"OSC 10 11", "\033]10;#123;#abcdef\007\033]10;?;?\007", NULL, NULL,
		"^[]10;rgb:1111/2222/3333^G^[]11;rgb:abab/cdcd/efef^G"},
	{"OSC 110", "\033]10;#123456\007\033]110\007\033]10;?\007", NULL, NULL,
		"^[]10;rgb:e5e5/e5e5/e5e5^G"},
	/* strings */
	{"an unknown string is skipped", "\033_Gabc\033\\\033^x\033\\\033Xy\033\\\033P1qz\033\\ok",
		"ok", "0,2"},
	{"ST in UTF-8 ends one", "\033]2;t\302\234ok", "ok", "0,2"},
	{"a string that is cut off", "\033]2;t\033[CX", " X", "0,2"},
	{"CAN in a string", "\033]2;t\030ok", "ok", "0,2"},
	/* resets */
	{"DECSTR", "\033[2;3r\033[4h\033[?6h\033[1m\033(0\033[!p\033[HqX", "qX", "0,2"},
	{"RIS", "abc\033[2;3r\033cX", "X", "0,1"},
	{"XTSAVE XTRESTORE", "\033[?7l\033[?7s\033[?7h\033[?7r0123456789ab", "012345678b", "0,9+"},
	{"DECCOLM clears", "abc\033[2;3r\033[?3hX", "X", "0,1"},
};

static void screen_of(const struct rig *rig, char *out) {
	uint32_t rows = rig->vt.state->rows;
	while (rows > 0 && rig_row(rig, rows - 1)[0] == '\0') {
		rows--;
	}
	out[0] = '\0';
	for (uint32_t r = 0; r < rows; r++) {
		strcat(out, r ? "|" : "");
		strcat(out, rig_row(rig, r));
	}
}

static void cursor_of(const struct rig *rig, char *out) {
	const struct vt_state *s = rig->vt.state;
	sprintf(out, "%u,%u%s", s->row, s->col, s->pending_wrap ? "+" : "");
}

static int run_case(const struct test_case *c, bool broken) {
	struct rig *rig = malloc(sizeof(*rig));
	char screen[4096], cursor[64];
	rig_init(rig, 10, 5, 20);
	for (const char *at = c->input; broken && *at; at++) {
		vt_feed(&rig->vt, at, 1);
		rig_hand_over(rig);
	}
	if (!broken) {
		rig_feed(rig, c->input);
	}
	screen_of(rig, screen);
	cursor_of(rig, cursor);
	const char *replies = rig_replies(rig);
	bool good = (!c->screen || !strcmp(screen, c->screen)) &&
		(!c->cursor || !strcmp(cursor, c->cursor)) &&
		!strcmp(replies, c->replies ? c->replies : "");
	if (!good) {
		print_message("# %s%s:\n#  screen %s\n#  cursor %s\n#  replies %s\n", c->name,
			broken ? " (with handovers)" : "", screen, cursor, replies);
	}
	rig_finish(rig);
	free(rig);
	return !good;
}

static void test_cases(void **state) {
	int bad = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bad += run_case(&cases[i], false) || run_case(&cases[i], true);
	}
	assert_int_equal(bad, 0);
}

/* ---- what cells look like ---- */

static void test_sgr(void **state) {
	static const struct {
		const char *sgr;
		uint32_t fg, bg, at, underline;
	} looks[] = {
		{"1;2;3", 0, 0, VT_AT_BOLD | VT_AT_DIM | VT_AT_ITALIC, 0},
		{"1;2;22", 0, 0, 0, 0},
		{"4", 0, 0, VT_UNDERLINE_SINGLE << 3, 0},
		{"4:3", 0, 0, VT_UNDERLINE_CURLY << 3, 0},
		{"4:0", 0, 0, 0, 0},
		{"4:5;4", 0, 0, VT_UNDERLINE_SINGLE << 3, 0},
		{"21", 0, 0, VT_UNDERLINE_DOUBLE << 3, 0},
		{"5;6;7;8;9;53", 0, 0,
			VT_AT_BLINK | VT_AT_RAPID_BLINK | VT_AT_INVERSE | VT_AT_CONCEAL |
				VT_AT_STRIKE | VT_AT_OVERLINE,
			0},
		{"5;7;8;9;53;25;27;28;29;55", 0, 0, 0, 0},
		{"31;42", VT_COLOR_INDEXED | 1, VT_COLOR_INDEXED | 2, 0, 0},
		{"91;102", VT_COLOR_INDEXED | 9, VT_COLOR_INDEXED | 10, 0, 0},
		{"31;42;39;49", 0, 0, 0, 0},
		{"38;5;200;48;5;100", VT_COLOR_INDEXED | 200, VT_COLOR_INDEXED | 100, 0, 0},
		{"38;2;1;2;3", VT_COLOR_RGB | 0x010203, 0, 0, 0},
		{"38:2:1:2:3", VT_COLOR_RGB | 0x010203, 0, 0, 0},
		{"38:2::1:2:3", VT_COLOR_RGB | 0x010203, 0, 0, 0},
		{"38:2:0:1:2:3:0:0", VT_COLOR_RGB | 0x010203, 0, 0, 0},
		{"38:5:17;1", VT_COLOR_INDEXED | 17, 0, VT_AT_BOLD, 0},
		{"38;2;1;2;3;48;2;4;5;6;1", VT_COLOR_RGB | 0x010203, VT_COLOR_RGB | 0x040506,
			VT_AT_BOLD, 0},
		{"4;58;5;3", 0, 0, VT_UNDERLINE_SINGLE << 3, VT_COLOR_INDEXED | 3},
		{"4;58:2::9:8:7", 0, 0, VT_UNDERLINE_SINGLE << 3, VT_COLOR_RGB | 0x090807},
		{"58;5;3;59", 0, 0, 0, 0},
		{"1;31;58;5;3;0", 0, 0, 0, 0},
		{"1;31;", 0, 0, 0, 0},
		{"38;5", 0, 0, 0, 0},
		{"38;2;1;2", 0, 0, 0, 0},
		{"38;5;999", 0, 0, 0, 0},
		{"1:2:3;3", 0, 0, VT_AT_BOLD | VT_AT_ITALIC, 0},
	};
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		struct rig *rig = malloc(sizeof(*rig));
		char text[128];
		rig_init(rig, 10, 5, 0);
		snprintf(text, sizeof(text), "\033[%smx", looks[i].sgr);
		rig_feed(rig, text);
		const struct vt_cell *cell = rig_cell(rig, 0, 0);
		if (cell->fg != looks[i].fg || cell->bg != looks[i].bg ||
			(cell->at & VT_AT_MASK) != looks[i].at ||
			vt_cell_underline(&rig->vt, cell) != looks[i].underline) {
			fail_msg("SGR %s", looks[i].sgr);
		}
		rig_finish(rig);
		free(rig);
	}
}

static void test_erase_color(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 20);
	rig_feed(rig, "\033[1;4;31;44mx\033[K\033[5H\n");
	assert_int_equal(rig_cell(rig, 4, 3)->bg, VT_COLOR_INDEXED | 4);
	assert_int_equal(rig_cell(rig, 4, 3)->fg, 0);
	assert_int_equal(rig_cell(rig, 4, 3)->at, 0);
	assert_int_equal(vt_line_cells(&rig->vt, 0)[9].bg, VT_COLOR_INDEXED | 4);
	rig_finish(rig);
	free(rig);
}

static void test_links(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	size_t length;
	rig_init(rig, 20, 5, 20);
	rig_feed(rig,
		"\033]8;;http://a/\033\\ab\033]8;;\033\\c\033]8;;http://a/\007d"
		"\033]8;x=1:id=k;http://b/?q=;\007e\033]8;;\007f\033]8;id=k;http://b/"
		"?q=;\007g\033[mh");
	uint32_t link[8];
	for (uint32_t i = 0; i < 8; i++) {
		link[i] = vt_cell_link(&rig->vt, rig_cell(rig, 0, i));
	}
	assert_int_not_equal(link[0], 0);
	assert_int_equal(link[0], link[1]);
	assert_int_equal(link[2], 0);
	assert_int_not_equal(link[3], link[0]);
	assert_int_not_equal(link[4], 0);
	assert_int_equal(link[5], 0);
	assert_int_equal(link[6], link[4]);
	assert_int_equal(link[7], link[4]); /* SGR 0 does not end a link */
	const char *uri = vt_link_uri(&rig->vt, link[4], &length);
	assert_int_equal(length, 13);
	assert_memory_equal(uri, "http://b/?q=;", 13);
	rig_finish(rig);
	free(rig);
}

/* ---- events ---- */

static void test_events(void **state) {
	static const struct {
		const char *input, *log;
	} events[] = {
		{"\007", "bell 0 0 0 [] []\n"},
		{"\033]0;T\007", "title 0 0 0 [] []\n"},
		{"\033]7;file://h/tmp\033\\", "cwd 0 0 0 [] []\n"},
		{"\033]52;c;aGVsbG8=\007", "clip-set 1 0 0 [] [hello]\n"},
		{"\033]52;p;aGk\007", "clip-set 2 0 0 [] [hi]\n"},
		{"\033]52;;?\007", "clip-query 3 0 0 [] []\n"},
		{"\033]52;c;!\007", "clip-set 1 0 0 [] []\n"},
		{"\033]9;text\007", "notify 0 0 0 [] [text]\n"},
		{"\033]777;notify;Head;Body; more\007", "notify 0 0 0 [Head] [Body; more]\n"},
		{"\033]99;i=1;Body\007", "notify 0 0 0 [] [Body]\n"},
		{"\033]9;4;1;50\007", "progress 1 50 0 [] []\n"},
		{"\033]22;pointer\007", "pointer 0 0 0 [] []\n"},
		{"\033]133;A\007\033]133;D;3\007",
			"prompt 65 4294967295 0 [] []\nprompt 68 3 0 [] []\n"},
		{"\033[4 q", "cursor 0 0 0 [] []\n"},
		{"\033[8;30;100t", "resize 100 30 0 [] []\n"},
		{"\033[2t", "window 2 0 0 [] []\n"},
		{"\033[?1049h", "screen 1 0 0 [] []\n"},
		{"\033[>1u", "keyboard 0 0 0 [] []\n"},
		{"\033]11;#000\007", "colors 0 0 0 [] []\n"},
	};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct rig *rig = malloc(sizeof(*rig));
		rig_init(rig, 10, 5, 20);
		rig_feed(rig, events[i].input);
		assert_string_equal(rig->log, events[i].log);
		rig_finish(rig);
		free(rig);
	}
}

static void test_titles(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 20);
	struct vt_state *s = rig->vt.state;
	rig_feed(rig, "\033]2;one\007\033[22;0t\033]2;two\007\033]1;icon\007");
	assert_int_equal(s->title_len, 3);
	assert_memory_equal(s->title, "two", 3);
	assert_memory_equal(s->icon, "icon", 4);
	rig_feed(rig, "\033[23;0t");
	assert_memory_equal(s->title, "one", 3);
	assert_int_equal(s->icon_len, 0);
	for (int i = 0; i < 30; i++) {
		rig_feed(rig, "\033[22t");
	}
	assert_int_equal(s->title_depth, VT_TITLE_DEPTH);
	for (int i = 0; i < 30; i++) {
		rig_feed(rig, "\033[23t");
	}
	assert_int_equal(s->title_depth, 0);
	/* Cut where a character begins. */
	rig_feed(rig, "\033]2;x");
	for (int i = 0; i < 400; i++) {
		rig_feed(rig, "\303\244");
	}
	rig_feed(rig, "\007");
	assert_int_equal(s->title_len, VT_TITLE_MAX - 1);
	rig_finish(rig);
	free(rig);
}

static void test_long_string(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 20);
	rig_feed(rig, "\033]52;c;");
	for (int i = 0; i < 9000; i++) {
		rig_feed(rig, "AAAA");
	}
	rig_feed(rig, "\007ok");
	assert_string_equal(rig->log, "string-lost 0 0 0 [] []\n");
	assert_string_equal(rig_row(rig, 0), "ok");
	rig_finish(rig);
	free(rig);
}

/* ---- lines, damage, history ---- */

static void test_damage(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 20);
	struct vt *vt = &rig->vt;
	assert_true(vt_damaged(vt));
	vt_damage_clear(vt);
	assert_false(vt_damaged(vt));
	rig_feed(rig, "\033[2Hx");
	uint64_t top = vt_line_screen(vt);
	assert_false(vt_line_dirty(vt, top));
	assert_true(vt_line_dirty(vt, top + 1));
	vt_damage_clear(vt);
	rig_feed(rig, "\033[H\033[6n\033[1m");
	assert_false(vt_damaged(vt));
	rig_feed(rig, "\033[5H\n");
	assert_int_equal(vt_line_screen(vt), top + 1);
	assert_false(vt_line_dirty(vt, top + 1));
	assert_true(vt_line_dirty(vt, top + 5));
	vt_damage_clear(vt);
	rig_feed(rig, "\033[2;4r\033[4H\n");
	for (uint64_t row = 0; row < 5; row++) {
		assert_int_equal(vt_line_dirty(vt, vt_line_screen(vt) + row), row >= 1 && row <= 3);
	}
	rig_finish(rig);
	free(rig);
}

static void test_history(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	char text[32];
	rig_init(rig, 10, 5, 7);
	struct vt *vt = &rig->vt;
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%s%d", i ? "\r\n" : "", i);
		rig_feed(rig, text);
	}
	assert_int_equal(vt_line_screen(vt), 95);
	assert_int_equal(vt_line_first(vt), 88);
	assert_int_equal(vt_line_end(vt), 100);
	assert_null(vt_line_row(vt, 87));
	assert_null(vt_line_row(vt, 100));
	assert_string_equal(rig_row(rig, -7), "88");
	assert_string_equal(rig_row(rig, 4), "99");
	rig_feed(rig, "\033[3J");
	assert_int_equal(vt_line_first(vt), 95);
	assert_string_equal(rig_row(rig, 0), "95");
	/* A region at the top feeds the history, and what is below it stays. */
	rig_feed(rig, "\033[1;3r\033[3H\n\n");
	assert_int_equal(vt_line_first(vt), 95);
	assert_int_equal(vt_line_screen(vt), 97);
	assert_string_equal(rig_row(rig, -2), "95");
	assert_string_equal(rig_row(rig, 0), "97");
	assert_string_equal(rig_row(rig, 1), "");
	assert_string_equal(rig_row(rig, 3), "98");
	assert_string_equal(rig_row(rig, 4), "99");
	/* Deleted lines and the alternate screen do not. */
	rig_feed(rig, "\033[r\033[H\033[2M\033[?1049h\r\n\n\n\n\n\n\n\n\033[?1049l");
	assert_int_equal(vt_line_screen(vt), 97);
	rig_finish(rig);
	free(rig);
}

static void test_marks(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	uint64_t line;
	uint32_t col;
	rig_init(rig, 10, 5, 7);
	struct vt *vt = &rig->vt;
	rig_feed(rig, "a\r\nb\r\nc\r\nd\r\ne");
	vt_mark_set(vt, 0, 2, 3);
	vt_mark_set(vt, 1, 4, 1);
	rig_feed(rig, "\r\n\r\n");
	assert_true(vt_mark_get(vt, 0, &line, &col));
	assert_int_equal(line, 2);
	assert_string_equal(rig_row(rig, 0), "c");
	rig_feed(rig, "\033[2;4r\033[4H\n"); /* e is in the region */
	assert_true(vt_mark_get(vt, 1, &line, &col));
	assert_int_equal(line, 3);
	rig_feed(rig, "\033[?1049h");
	assert_false(vt_mark_get(vt, 0, &line, &col));
	rig_feed(rig, "\033[?1049l\033[r\033[5H");
	for (int i = 0; i < 8; i++) {
		rig_feed(rig, "\n");
	}
	assert_false(vt_mark_get(vt, 0, &line, &col));
	rig_finish(rig);
	free(rig);
}

static void test_prompts(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 7);
	rig_feed(rig, "\033]133;A\007$ \033]133;B\007ls\r\n\033]133;C\007out\r\n\033]133;D;0\007");
	assert_int_equal(vt_line_row(&rig->vt, 0)->flags, VT_ROW_PROMPT | VT_ROW_INPUT);
	assert_int_equal(vt_line_row(&rig->vt, 1)->flags, VT_ROW_OUTPUT);
	assert_int_equal(vt_line_row(&rig->vt, 2)->flags, VT_ROW_DONE);
	rig_finish(rig);
	free(rig);
}

/* ---- the ring to the PTY ---- */

static void test_ring(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	char bytes[4096], seen[5000] = "";
	size_t got = 0, length, sent = 0;
	rig_init(rig, 10, 5, 7);
	struct vt *vt = &rig->vt;
	for (int round = 0; round < 50; round++) {
		memset(bytes, 'a' + round % 26, 700);
		if (vt_out_put(vt, bytes, 700)) {
			sent += 700;
		}
		const uint8_t *at = vt_out_peek(vt, &length);
		size_t part = length < 300 + (size_t)round ? length : 300 + (size_t)round;
		seen[0] = (char)at[0];
		vt_out_drop(vt, part);
		got += part;
	}
	for (;;) {
		vt_out_peek(vt, &length);
		if (length == 0) {
			break;
		}
		vt_out_drop(vt, length);
		got += length;
	}
	assert_int_equal(got, sent);
	assert_int_equal(vt_out_space(vt), 4096);
	assert_true(vt->state->out_lost > 0);
	assert_int_equal(vt->state->out_lost + sent, 50 * 700);
	assert_int_not_equal(seen[0], 0);
	rig_finish(rig);
	free(rig);
}

static void test_paste(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 7);
	struct vt *vt = &rig->vt;
	/* However it is cut in two. */
	static const char text[] = "a\nb\r\nc\033[201~\001d\302\233e\303\244\302\265\r";
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		assert_true(vt_paste_begin(vt));
		assert_int_equal(vt_paste_data(vt, text, cut), cut);
		size_t rest = sizeof(text) - 1 - cut;
		assert_int_equal(vt_paste_data(vt, text + cut, rest), rest);
		assert_true(vt_paste_end(vt));
		assert_string_equal(rig_replies(rig), "a^Mb^Mc[201~de\303\244\302\265^M");
	}
	rig_feed(rig, "\033[?2004h");
	vt_paste_begin(vt);
	vt_paste_data(vt, "x", 1);
	vt_paste_end(vt);
	assert_string_equal(rig_replies(rig), "^[[200~x^[[201~");
	/* More than fits is taken in parts, and the end always fits. */
	char *large = malloc(10000);
	memset(large, 'y', 10000);
	vt_paste_begin(vt);
	size_t taken = vt_paste_data(vt, large, 10000);
	assert_int_equal(taken, 4096 - 6 - 6);
	assert_true(vt_paste_end(vt));
	free(large);
	rig_finish(rig);
	free(rig);
}

static void test_clipboard_reply(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 7);
	assert_true(vt_reply_clipboard(&rig->vt, VT_CLIPBOARD_CLIPBOARD, "hello", 5));
	assert_string_equal(rig_replies(rig), "^[]52;c;aGVsbG8=^[\\");
	assert_true(vt_reply_clipboard(&rig->vt, VT_CLIPBOARD_PRIMARY, "", 0));
	assert_string_equal(rig_replies(rig), "^[]52;p;^[\\");
	char large[4096] = "";
	assert_false(vt_reply_clipboard(&rig->vt, VT_CLIPBOARD_PRIMARY, large, sizeof(large)));
	rig_finish(rig);
	free(rig);
}

static void test_modes(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 10, 5, 7);
	struct vt *vt = &rig->vt;
	rig_feed(rig, "\033[?1000h\033[?1003h\033[?1006h");
	assert_false(vt_mode(vt, VT_MODE_MOUSE_BUTTONS));
	assert_true(vt_mode(vt, VT_MODE_MOUSE_MOTION));
	assert_true(vt_mouse_wanted(vt));
	rig_feed(rig, "\033[?1003l");
	assert_false(vt_mouse_wanted(vt));
	rig_feed(rig, "\033P=1s\033\\");
	assert_true(vt_mode(vt, VT_MODE_SYNC));
	rig_feed(rig, "\033P=2s\033\\\033[?2026h");
	assert_true(vt_mode(vt, VT_MODE_SYNC));
	vt_sync_end(vt);
	assert_false(vt_mode(vt, VT_MODE_SYNC));
	rig_feed(rig, "\033[?1004h\033[?2031h");
	vt_focus(vt, true);
	vt_set_scheme(vt, false);
	vt_set_scheme(vt, false);
	assert_string_equal(rig_replies(rig), "^[[I^[[?997;2n");
	rig_finish(rig);
	free(rig);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_sgr),
		cmocka_unit_test(test_erase_color),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_titles),
		cmocka_unit_test(test_long_string),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_prompts),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_paste),
		cmocka_unit_test(test_clipboard_reply),
		cmocka_unit_test(test_modes),
	};
	return cmocka_run_group_tests_name("terminal core", tests, NULL, NULL);
}
