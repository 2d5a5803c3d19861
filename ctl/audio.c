/* SPDX-License-Identifier: MIT */
/* transport, audio: where the music is, and what sounds */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"
#include "transport.h"
#include "vat.h"

#define VOLUME_MAX 150 /* percent */

/* The answer to a request, parsed; NULL after saying why there is none, with *status. */
static yyjson_doc *ask(struct ctl *ctl, struct source_city_request_v1 *proxy, const char *step,
	char **text, int *status) {
	struct request request;
	yyjson_doc *doc = NULL;
	request_begin(&request, ctl, proxy);
	request_wait(&request, NULL);
	*status = request_status(&request, "");
	if (*status == CTL_OK) {
		doc = yyjson_read(
			request.text, request.text_size, YYJSON_READ_ALLOW_INVALID_UNICODE);
		if (doc == NULL)
			*status = ctl_fail(ctl, step, "the city's answer is no JSON");
		else if (text != NULL)
			*text = copy_text(request.text);
	}
	request_finish(&request);
	return doc;
}

/* CTL_OK if the city knows of sound. */
static int connect_to_new(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status == CTL_OK &&
		source_city_control_v1_get_version(ctl->control) <
			SOURCE_CITY_CONTROL_V1_GET_TRANSPORT_SINCE_VERSION)
		return ctl_fail(ctl, "request", "this city is older and knows of no sound");
	return status;
}

static const char *get_text(yyjson_val *object, const char *key) {
	const char *text = yyjson_get_str(yyjson_obj_get(object, key));
	return text != NULL ? text : "";
}

static int64_t get_int(yyjson_val *object, const char *key) {
	return yyjson_get_sint(yyjson_obj_get(object, key));
}

static bool get_bool(yyjson_val *object, const char *key) {
	return yyjson_get_bool(yyjson_obj_get(object, key));
}

static double get_real(yyjson_val *object, const char *key) {
	return yyjson_get_num(yyjson_obj_get(object, key));
}

/* ---- the transport */

static void print_transport(const struct ctl *ctl, yyjson_val *root) {
	bool playing = get_bool(root, "playing");
	printf("%s%s%s  bar %jd beat %jd  %g beats a minute, %jd a bar, %jd bars a phrase  %s\n",
		color_on(ctl, playing ? GREEN : YELLOW), playing ? "plays" : "stands still",
		color_off(ctl), (intmax_t)get_int(root, "bar"), (intmax_t)get_int(root, "beat"),
		get_real(root, "tempo"), (intmax_t)get_int(root, "beats_a_bar"),
		(intmax_t)get_int(root, "bars_a_phrase"),
		get_bool(root, "sound") ? "heard" : "silent: no sound server takes frames");
	yyjson_val *markers = yyjson_obj_get(root, "markers"), *marker;
	size_t index, count;
	yyjson_arr_foreach(markers, index, count, marker) {
		char *name = clean_line(get_text(marker, "name"));
		printf("marker %s%s%s at bar %jd beat %jd\n", color_on(ctl, BOLD), name,
			color_off(ctl), (intmax_t)get_int(marker, "bar"),
			(intmax_t)get_int(marker, "beat"));
		free(name);
	}
}

/* "12" or "12.3": beat 3 of bar 12, both counted from 0. False after ctl_usage. */
static bool parse_bar(const struct ctl *ctl, const char *word, long *bar, long *beat) {
	char *end;
	errno = 0;
	*bar = strtol(word, &end, 10);
	*beat = 0;
	bool ok = errno == 0 && end != word && *word != '-' && *bar <= 100000000;
	if (ok && *end == '.') {
		const char *rest = end + 1;
		*beat = strtol(rest, &end, 10);
		ok = end != rest && *rest != '-' && *beat >= 0 && *beat < VAT_BEATS_MAX;
	}
	if (ok && *end == '\0')
		return true;
	ctl_usage(ctl, "a place is a bar, or BAR.BEAT, counted from 0; not %.60s", word);
	return false;
}

/* In parts, `scale` of which are one. False, and 0, which nothing of the transport can be, if it is
 * no number that can be said so. */
static bool parse_number(const char *word, uint32_t scale, uint32_t *value) {
	char *end;
	double number = strtod(word, &end);
	bool whole = scale > 1 || number == floor(number);
	bool fits = number >= 0 && number * scale < UINT32_MAX;
	bool good = end != word && *end == '\0' && whole && fits;
	*value = good ? (uint32_t)llround(number * scale) : 0;
	return good;
}

static const struct transport_word {
	const char *name;
	uint32_t what;
	size_t min, max; /* words that follow */
	const char *words;
} transport_words[] = {
	{"play", SOURCE_CITY_CONTROL_V1_TRANSPORT_PLAY, 0, 0, ""},
	{"stop", SOURCE_CITY_CONTROL_V1_TRANSPORT_STOP, 0, 0, ""},
	{"tempo", SOURCE_CITY_CONTROL_V1_TRANSPORT_TEMPO, 1, 1, "BEATS-A-MINUTE"},
	{"meter", SOURCE_CITY_CONTROL_V1_TRANSPORT_METER, 1, 1, "BEATS-A-BAR"},
	{"phrase", SOURCE_CITY_CONTROL_V1_TRANSPORT_PHRASE, 1, 1, "BARS-A-PHRASE"},
	{"locate", SOURCE_CITY_CONTROL_V1_TRANSPORT_LOCATE, 1, 1, "BAR[.BEAT]"},
	{"mark", SOURCE_CITY_CONTROL_V1_TRANSPORT_MARK, 1, 2, "NAME [BAR[.BEAT]]"},
	{"unmark", SOURCE_CITY_CONTROL_V1_TRANSPORT_UNMARK, 1, 1, "NAME"},
	{},
};

static const struct transport_word *find_transport_word(const struct ctl *ctl) {
	const char *names[sizeof(transport_words) / sizeof(transport_words[0])] = {0};
	size_t count = 0, words = ctl->word_count - 1;
	for (const struct transport_word *word = transport_words; word->name != NULL; word++) {
		if (strcmp(word->name, ctl->words[0]) != 0) {
			names[count++] = word->name;
			continue;
		}
		if (words >= word->min && words <= word->max)
			return word;
		ctl_usage(ctl, "transport %s %s", word->name,
			word->words[0] != '\0' ? word->words : "takes nothing more");
		return NULL;
	}
	const char *nearest = ctl_nearest(ctl->words[0], names);
	ctl_usage(ctl, "the transport knows no %.60s%s%s%s", ctl->words[0],
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "?" : "");
	return NULL;
}

static int show_transport(struct ctl *ctl) {
	int status = connect_to_new(ctl);
	if (status != CTL_OK)
		return status;
	char *text = NULL;
	yyjson_doc *doc = ask(ctl, source_city_control_v1_get_transport(ctl->control), "transport",
		&text, &status);
	if (doc != NULL && ctl->json)
		printf("%s\n", text);
	else if (doc != NULL)
		print_transport(ctl, yyjson_doc_get_root(doc));
	free(text);
	yyjson_doc_free(doc);
	return status;
}

int command_transport(struct ctl *ctl) {
	if (ctl->word_count == 0)
		return show_transport(ctl);
	const struct transport_word *word = find_transport_word(ctl);
	if (word == NULL)
		return CTL_USAGE;
	const char *first = ctl->word_count > 1 ? ctl->words[1] : "", *name = "";
	const char *place = NULL;
	uint32_t value = 0;
	long bar = 0, beat = 0;
	switch (word->what) {
	case SOURCE_CITY_CONTROL_V1_TRANSPORT_TEMPO:
		parse_number(first, 1000, &value);
		break;
	case SOURCE_CITY_CONTROL_V1_TRANSPORT_METER:
	case SOURCE_CITY_CONTROL_V1_TRANSPORT_PHRASE:
		parse_number(first, 1, &value);
		break;
	case SOURCE_CITY_CONTROL_V1_TRANSPORT_LOCATE:
		place = first;
		break;
	case SOURCE_CITY_CONTROL_V1_TRANSPORT_MARK:
		place = ctl->word_count > 2 ? ctl->words[2] : NULL;
		[[fallthrough]];
	case SOURCE_CITY_CONTROL_V1_TRANSPORT_UNMARK:
		name = first;
		break;
	default:
		break;
	}
	struct vat_error error;
	if (vat_transport_check(word->what, value, 0, name, &error) < 0)
		return name[0] != '\0' ? ctl_usage(ctl, "%s", error.text)
				       : ctl_usage(ctl, "%s, not %.60s", error.text, first);
	if (place != NULL && !parse_bar(ctl, place, &bar, &beat))
		return CTL_USAGE;
	int status = connect_to_new(ctl);
	if (status != CTL_OK)
		return status;
	int64_t tick = 0;
	if (place != NULL || word->what == SOURCE_CITY_CONTROL_V1_TRANSPORT_MARK) {
		yyjson_doc *doc = ask(ctl, source_city_control_v1_get_transport(ctl->control),
			"transport", NULL, &status);
		if (doc == NULL)
			return status;
		yyjson_val *root = yyjson_doc_get_root(doc);
		int64_t beats = get_int(root, "beats_a_bar");
		int64_t at = place != NULL ? bar : get_int(root, "bar");
		/* Whoever goes to a bar counts them anew, from tick 0. */
		int64_t zero = word->what == SOURCE_CITY_CONTROL_V1_TRANSPORT_MARK
			? get_int(root, "bar_zero")
			: 0;
		yyjson_doc_free(doc);
		if (beat >= beats)
			return ctl_fail(ctl, "transport", "a bar has %jd beats, from 0 to %jd",
				(intmax_t)beats, (intmax_t)beats - 1);
		tick = zero + (at * beats + beat) * VAT_PPQ;
	}
	return request_simple(ctl,
		source_city_control_v1_ask_transport(ctl->control, word->what, value,
			(uint32_t)((uint64_t)tick >> 32), (uint32_t)tick, name),
		"");
}

/* ---- what sounds */

static yyjson_val *find_by_id(yyjson_val *list, uint64_t id) {
	yyjson_val *item;
	size_t index, count;
	yyjson_arr_foreach(list, index, count, item) {
		if (yyjson_get_uint(yyjson_obj_get(item, "id")) == id)
			return item;
	}
	return NULL;
}

/* By its number, its name, or the tile that it is. NULL after saying what is wrong. */
static yyjson_val *find_node(const struct ctl *ctl, yyjson_val *root, const char *word) {
	yyjson_val *nodes = yyjson_obj_get(root, "nodes"), *node, *found = NULL;
	size_t index, count, fits = 0;
	char *end;
	unsigned long long id = strtoull(word, &end, 10);
	if (end != word && *end == '\0') {
		found = find_by_id(nodes, id);
		fits = found != NULL;
	}
	yyjson_arr_foreach(nodes, index, count, node) {
		bool named = strcmp(get_text(node, "name"), word) == 0 ||
			strcmp(get_text(node, "tile"), word) == 0;
		if (named && node != found) {
			found = node;
			fits++;
		}
	}
	if (fits == 1)
		return found;
	if (fits > 1)
		ctl_fail(ctl, "audio",
			"there are %zu of the name \"%s\"; take its number, as cityctl audio lists "
			"it",
			fits, word);
	else
		ctl_fail(ctl, "audio", "there is no \"%s\" that sounds; cityctl audio lists all",
			word);
	return NULL;
}

static const char *name_of(yyjson_val *nodes, uint64_t id) {
	yyjson_val *node = id != 0 ? find_by_id(nodes, id) : NULL;
	return node != NULL ? get_text(node, "name") : "";
}

/* Where a node's sound goes: to what it is linked with. */
static char *targets_of(yyjson_val *root, uint64_t id) {
	yyjson_val *links = yyjson_obj_get(root, "links"), *link;
	yyjson_val *nodes = yyjson_obj_get(root, "nodes");
	size_t index, count, size = 0;
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);
	if (file == NULL)
		abort();
	bool any = false;
	yyjson_arr_foreach(links, index, count, link) {
		if (yyjson_get_uint(yyjson_obj_get(link, "from")) != id)
			continue;
		fprintf(file, "%s%s", any ? ", " : "",
			name_of(nodes, yyjson_get_uint(yyjson_obj_get(link, "to"))));
		any = true;
	}
	fclose(file);
	return text;
}

static void print_nodes(const struct ctl *ctl, yyjson_val *root) {
	static const char *const headings[] = {"ID", "KIND", "VOLUME", "STATE", "NAME", "TO", NULL};
	yyjson_val *nodes = yyjson_obj_get(root, "nodes"), *node;
	size_t index, count;
	struct table table;
	table_begin(&table, headings);
	yyjson_arr_foreach(nodes, index, count, node) {
		uint64_t id = yyjson_get_uint(yyjson_obj_get(node, "id"));
		bool mute = get_bool(node, "mute"), running = get_bool(node, "running");
		table_add(&table, BOLD, "%ju", (uintmax_t)id);
		table_add(&table, PLAIN, "%s%s", get_text(node, "kind"),
			get_bool(node, "default") ? "*" : "");
		if (mute)
			table_add(&table, YELLOW, "mute");
		else if (yyjson_is_num(yyjson_obj_get(node, "volume")))
			table_add(&table, PLAIN, "%.0f%%", get_real(node, "volume") * 100);
		else
			table_add(&table, DIM, "-");
		table_add(&table, running ? GREEN : DIM, running ? "sounds" : "idle");
		const char *media = get_text(node, "media");
		table_add(&table, PLAIN, "%s%s%s", get_text(node, "name"),
			media[0] != '\0' ? ": " : "", media);
		char *to = targets_of(root, id);
		table_add(&table, PLAIN, "%s", to);
		free(to);
	}
	table_print(&table, ctl);
}

static void print_rings(const struct ctl *ctl, yyjson_val *root) {
	static const char *const headings[] = {
		"TILE", "PORT", "QUANTUM", "AHEAD", "LATE", "MENDED", "CALLBACK", NULL};
	yyjson_val *rings = yyjson_obj_get(root, "rings"), *ring;
	size_t index, count;
	struct table table;
	char mean[32], most[32];
	if (yyjson_arr_size(rings) == 0)
		return;
	table_begin(&table, headings);
	yyjson_arr_foreach(rings, index, count, ring) {
		int64_t late = get_int(ring, "late");
		table_add(&table, BOLD, "%s", get_text(ring, "tile"));
		table_add(&table, PLAIN, "%s", get_text(ring, "port"));
		table_add(&table, PLAIN, "%jd", (intmax_t)get_int(ring, "quantum"));
		table_add(&table, PLAIN, "%jd of %jd", (intmax_t)get_int(ring, "ahead"),
			(intmax_t)get_int(ring, "wanted"));
		table_add(&table, late > 0 ? YELLOW : PLAIN, "%jd in %jd", (intmax_t)late,
			(intmax_t)get_int(ring, "late_times"));
		table_add(&table, PLAIN, "%jd", (intmax_t)get_int(ring, "mended"));
		table_add(&table, PLAIN, "%s, at most %s",
			format_us(mean, sizeof(mean), get_real(ring, "callback_mean_us")),
			format_us(most, sizeof(most), get_real(ring, "callback_max_us")));
	}
	table_print(&table, ctl);
}

static void print_audio(const struct ctl *ctl, yyjson_val *root) {
	yyjson_val *server = yyjson_obj_get(root, "server");
	char *name = clean_line(get_text(server, "name"));
	char *reason = clean_line(get_text(server, "reason"));
	if (!get_bool(root, "available"))
		printf("%ssource-city-audio does not run: the log says why%s\n",
			color_on(ctl, YELLOW), color_off(ctl));
	else if (!get_bool(server, "connected"))
		printf("%sno sound server%s%s; sound starts when there is one%s\n",
			color_on(ctl, YELLOW), reason[0] != '\0' ? ": " : "", reason,
			color_off(ctl));
	else
		printf("%s: %jd frames a second, %jd at a time\n",
			name[0] != '\0' ? name : "sound server", (intmax_t)get_int(server, "rate"),
			(intmax_t)get_int(server, "quantum"));
	free(name);
	free(reason);
	if (yyjson_arr_size(yyjson_obj_get(root, "nodes")) > 0)
		print_nodes(ctl, root);
	print_rings(ctl, root);
}

static const struct audio_word {
	const char *name;
	uint32_t what;
	size_t min, max; /* words that follow */
	const char *words;
} audio_words[] = {
	{"volume", SOURCE_CITY_CONTROL_V1_AUDIO_VOLUME, 2, 2, "NODE N%"},
	{"mute", SOURCE_CITY_CONTROL_V1_AUDIO_MUTE, 1, 2, "NODE [on|off]"},
	{"default", SOURCE_CITY_CONTROL_V1_AUDIO_DEFAULT, 1, 1, "NODE"},
	{"link", SOURCE_CITY_CONTROL_V1_AUDIO_LINK, 2, 2, "FROM TO"},
	{"unlink", SOURCE_CITY_CONTROL_V1_AUDIO_UNLINK, 2, 2, "FROM TO"},
	{"move", SOURCE_CITY_CONTROL_V1_AUDIO_MOVE, 2, 2, "STREAM TO"},
	{},
};

static const struct audio_word *find_audio_word(const struct ctl *ctl) {
	const char *names[sizeof(audio_words) / sizeof(audio_words[0])] = {0};
	size_t count = 0, words = ctl->word_count - 1;
	for (const struct audio_word *word = audio_words; word->name != NULL; word++) {
		if (strcmp(word->name, ctl->words[0]) != 0) {
			names[count++] = word->name;
			continue;
		}
		if (words >= word->min && words <= word->max)
			return word;
		ctl_usage(ctl, "audio %s needs %s", word->name, word->words);
		return NULL;
	}
	const char *nearest = ctl_nearest(ctl->words[0], names);
	ctl_usage(ctl, "audio knows no %.60s%s%s%s", ctl->words[0],
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "?" : "");
	return NULL;
}

/* "70%" or "70", in thousandths. False after ctl_usage. */
static bool parse_volume(const struct ctl *ctl, const char *text, uint32_t *value) {
	char word[32];
	snprintf(word, sizeof(word), "%s", text);
	size_t size = strlen(word);
	if (size > 0 && word[size - 1] == '%')
		word[size - 1] = '\0';
	if (parse_number(word, 10, value) && *value <= VOLUME_MAX * 10)
		return true;
	ctl_usage(ctl, "a volume in percent is a number from 0 to %d, not %.60s", VOLUME_MAX, word);
	return false;
}

static int show_audio(struct ctl *ctl) {
	int status = connect_to_new(ctl);
	if (status != CTL_OK)
		return status;
	char *text = NULL;
	yyjson_doc *doc =
		ask(ctl, source_city_control_v1_get_audio(ctl->control), "audio", &text, &status);
	if (doc != NULL && ctl->json)
		printf("%s\n", text);
	else if (doc != NULL)
		print_audio(ctl, yyjson_doc_get_root(doc));
	free(text);
	yyjson_doc_free(doc);
	return status;
}

int command_audio(struct ctl *ctl) {
	if (ctl->word_count == 0)
		return show_audio(ctl);
	const struct audio_word *word = find_audio_word(ctl);
	if (word == NULL)
		return CTL_USAGE;
	uint32_t value = 1;
	bool two = word->what >= SOURCE_CITY_CONTROL_V1_AUDIO_LINK;
	if (word->what == SOURCE_CITY_CONTROL_V1_AUDIO_VOLUME &&
		!parse_volume(ctl, ctl->words[2], &value))
		return CTL_USAGE;
	if (word->what == SOURCE_CITY_CONTROL_V1_AUDIO_MUTE && ctl->word_count > 2) {
		if (strcmp(ctl->words[2], "on") != 0 && strcmp(ctl->words[2], "off") != 0)
			return ctl_usage(ctl, "mute is on or off, not %.60s", ctl->words[2]);
		value = strcmp(ctl->words[2], "on") == 0;
	}
	int status = connect_to_new(ctl);
	if (status != CTL_OK)
		return status;
	yyjson_doc *doc =
		ask(ctl, source_city_control_v1_get_audio(ctl->control), "audio", NULL, &status);
	if (doc == NULL)
		return status;
	yyjson_val *root = yyjson_doc_get_root(doc);
	yyjson_val *node = find_node(ctl, root, ctl->words[1]);
	yyjson_val *other = two && node != NULL ? find_node(ctl, root, ctl->words[2]) : NULL;
	status = CTL_FAILED;
	if (node != NULL && (!two || other != NULL)) {
		uint64_t id = yyjson_get_uint(yyjson_obj_get(node, "id"));
		uint64_t to = yyjson_get_uint(yyjson_obj_get(other, "id"));
		status = request_simple(ctl,
			source_city_control_v1_ask_audio(ctl->control, word->what,
				(uint32_t)(id >> 32), (uint32_t)id, (uint32_t)(to >> 32),
				(uint32_t)to, value),
			"");
	}
	yyjson_doc_free(doc);
	return status;
}
