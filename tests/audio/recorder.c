/* SPDX-License-Identifier: MIT */
/*
 * A recorder that is the sound server's output and drives its graph: cycle after cycle as fast as
 * everybody is ready, so that what it hears is exact and no scheduling noise gets in.
 *
 * Usage: recorder FILE [--name NAME] [--quantum N] [--rate N] [--channels N] [--deadline | --clock]
 *                 [--onsets]
 *
 * FILE gets 32-bit floats, frame by frame: left and right, from the first frame on in which both
 * are not 0; or, with --channels, that many (of no place in a room: who wants to be heard there has
 * to be linked), from the first frame on. It says to the graph that cycles are not in real time
 * (SPA_IO_CLOCK_FLAG_FREEWHEEL), so that who has no sound yet is waited for; with --deadline it
 * does not, and what is late is missing; with --clock neither, and cycles begin when they are due
 * by CLOCK_MONOTONIC, as those of a sound card do. It tells on stdout: `ready`, `began`, `wrote
 * FRAMES` (for each `until`), `bye FRAMES CYCLES`; with --onsets also `onset NS`, when a frame is
 * heard that is not SILENT behind SILENCE frames or more that were. It is told on stdin:
 *
 * - until FRAMES: answer when so many frames are written
 * - stop: make no cycles until `go`
 * - cycles N: make so many, then stop; answers `made`
 * - quantum N: frames of a cycle, from the next on
 * - rate N: of the graph
 * - pace US: wait so long between cycles
 * - patient: when the graph has been steady for some cycles, one may take any time; answers
 * `patient`. Otherwise there is another one after 5 s, as the server may have taken out a node that
 * the cycle waits for, or put one in while it was under way
 */
#include <fcntl.h>
#include <pipewire/pipewire.h>
#include <spa/param/audio/format-utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNELS_MAX 8
#define SILENCE 2048
#define SILENT 1e-9f
/* Frames of silence after which cycles are paced: nobody may be there. */
#define QUIET 32768
#define QUIET_NS 2000000
#define RESTART_NS 20000000
#define LOST_NS 5000000000u
/* After a cycle that was lost, what is late of it has that long to end as well. */
#define STRAY_NS 1000000000u
/* Cycles without a lost one after which the graph is taken for steady. */
#define STEADY 256
#define PATIENT_NS 100000000000u

struct recorder {
	struct pw_main_loop *main;
	struct pw_loop *loop;
	struct pw_stream *stream;
	struct spa_source *pause;
	struct spa_io_position *position;
	FILE *file;
	uint64_t frames, cycles, until, quiet;
	uint64_t steady; /* cycles since one was lost */
	uint64_t left;	 /* cycles to make, if limited */
	uint64_t pace_ns, nsec;
	uint64_t due_ns,
		cycle_ns; /* by the clock: when the next cycle is due, and how long each is */
	uint32_t channels;
	bool all, deadline, clock, onsets, patient, to_be_patient;
	bool running, limited, stopped, began, waiting;
	bool in_cycle; /* one was begun, and has not ended */
	bool lost;     /* the one before it was */
	char line[256];
	size_t line_size;
};

static void say(const char *word, uint64_t number) {
	printf("%s %llu\n", word, (unsigned long long)number);
	fflush(stdout);
}

static void trigger_in(struct recorder *recorder, uint64_t ns) {
	struct timespec when = {
		.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	recorder->waiting = true;
	pw_loop_update_timer(recorder->loop, recorder->pause, &when, NULL, false);
}

static void trigger(struct recorder *recorder) {
	struct spa_io_position *position = recorder->position;
	recorder->waiting = false;
	if (recorder->stopped || !recorder->running)
		return;
	if (!pw_stream_is_driving(recorder->stream)) {
		trigger_in(recorder, QUIET_NS);
		return;
	}
	if (recorder->limited && recorder->left == 0) {
		recorder->stopped = true;
		say("made", recorder->cycles);
		return;
	}
	recorder->left -= recorder->limited;
	if (position) {
		struct spa_io_clock *clock = &position->clock;
		clock->position += clock->duration;
		clock->duration = clock->target_duration;
		clock->rate = clock->target_rate;
		recorder->nsec = pw_stream_get_nsec(recorder->stream);
		recorder->cycle_ns = clock->duration * 1000000000u / clock->rate.denom;
		clock->nsec = clock->next_nsec = recorder->nsec;
		clock->rate_diff = 1.0;
		clock->delay = 0;
		if (recorder->deadline)
			clock->flags &= ~SPA_IO_CLOCK_FLAG_FREEWHEEL;
		else
			clock->flags |= SPA_IO_CLOCK_FLAG_FREEWHEEL;
	}
	recorder->cycles++;
	recorder->in_cycle = true;
	/* A cycle is lost when the server takes a node out of it: then there is another, in a
	 * while. */
	trigger_in(recorder, recorder->patient ? PATIENT_NS : LOST_NS);
	if (pw_stream_trigger_process(recorder->stream) < 0)
		say("failed", recorder->cycles);
}

static void handle_pause(void *data, uint64_t expirations) {
	struct recorder *recorder = data;
	recorder->lost = recorder->in_cycle;
	if (recorder->lost)
		recorder->steady = 0;
	trigger(recorder);
}

/* How long until the next one is due. One that lost a whole cycle does not make it up. */
static uint64_t until_due(struct recorder *recorder) {
	uint64_t now = pw_stream_get_nsec(recorder->stream);
	recorder->due_ns += recorder->cycle_ns;
	if (recorder->due_ns + recorder->cycle_ns < now || recorder->due_ns > now + LOST_NS)
		recorder->due_ns = now;
	return recorder->due_ns > now ? recorder->due_ns - now : 0;
}

static void next(struct recorder *recorder) {
	uint64_t pace = recorder->clock ? until_due(recorder) : recorder->pace_ns;
	if (!recorder->clock && recorder->quiet >= QUIET && pace < QUIET_NS)
		pace = QUIET_NS;
	if (pace > 0)
		trigger_in(recorder, pace);
	else
		trigger(recorder);
}

static void handle_trigger_done(void *data) {
	struct recorder *recorder = data;
	/* Two cycles at a time would not wait for anybody. */
	if (!recorder->in_cycle)
		return;
	recorder->in_cycle = false;
	recorder->steady++;
	if (recorder->to_be_patient && recorder->steady >= STEADY) {
		recorder->to_be_patient = false;
		recorder->patient = true;
		say("patient", recorder->cycles);
	}
	if (recorder->until > 0 && recorder->frames >= recorder->until) {
		recorder->until = 0;
		fflush(recorder->file);
		say("wrote", recorder->frames);
	}
	if (recorder->lost)
		trigger_in(recorder, STRAY_NS);
	else
		next(recorder);
}

static void hear(struct recorder *recorder, const float *frame, uint32_t at) {
	uint32_t zeros = 0;
	bool quiet = true;
	for (uint32_t c = 0; c < recorder->channels; c++) {
		zeros += frame[c] == 0;
		quiet = quiet && frame[c] > -SILENT && frame[c] < SILENT;
	}
	if (!quiet && recorder->quiet >= SILENCE && recorder->onsets)
		say("onset",
			recorder->nsec +
				recorder->cycle_ns * at / recorder->position->clock.duration);
	recorder->quiet = quiet ? recorder->quiet + 1 : 0;
	/* The server makes links one by one. */
	if (zeros > 0 && !recorder->began && !recorder->all)
		return;
	if (!recorder->began) {
		recorder->began = true;
		say("began", recorder->cycles);
	}
	fwrite(frame, sizeof(*frame), recorder->channels, recorder->file);
	recorder->frames++;
}

/* On the real-time thread, but nothing here is in real time: the next cycle waits for it. */
static void handle_process(void *data) {
	struct recorder *recorder = data;
	struct pw_buffer *buffer = pw_stream_dequeue_buffer(recorder->stream);
	if (!buffer)
		return;
	const float *channels[CHANNELS_MAX];
	uint32_t frames = UINT32_MAX;
	for (uint32_t c = 0; c < recorder->channels; c++) {
		const struct spa_data *plane = &buffer->buffer->datas[c];
		channels[c] = SPA_PTROFF(plane->data, plane->chunk->offset, const float);
		frames = SPA_MIN(frames, plane->chunk->size / (uint32_t)sizeof(float));
	}
	for (uint32_t i = 0; i < frames; i++) {
		float frame[CHANNELS_MAX];
		for (uint32_t c = 0; c < recorder->channels; c++)
			frame[c] = channels[c][i];
		hear(recorder, frame, i);
	}
	pw_stream_queue_buffer(recorder->stream, buffer);
}

static void handle_io(void *data, uint32_t id, void *area, uint32_t size) {
	struct recorder *recorder = data;
	if (id == SPA_IO_Position)
		recorder->position = area;
}

static void handle_state(
	void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error) {
	struct recorder *recorder = data;
	recorder->running = state == PW_STREAM_STATE_STREAMING;
	if (!recorder->running) {
		/* The cycle that was begun does not end any more, or later on. */
		recorder->waiting = recorder->in_cycle = false;
		pw_loop_update_timer(recorder->loop, recorder->pause, NULL, NULL, false);
	}
	if (state == PW_STREAM_STATE_ERROR) {
		fprintf(stderr, "recorder: %s\n", error);
		pw_main_loop_quit(recorder->main);
	} else if (recorder->running) {
		say("ready", pw_stream_get_node_id(recorder->stream));
		if (!recorder->waiting)
			trigger_in(recorder, RESTART_NS);
	}
}

static const struct pw_stream_events events = {
	PW_VERSION_STREAM_EVENTS,
	.state_changed = handle_state,
	.io_changed = handle_io,
	.process = handle_process,
	.trigger_done = handle_trigger_done,
};

static void set(struct recorder *recorder, const char *key, const char *format, unsigned long n) {
	char value[64];
	snprintf(value, sizeof(value), format, n);
	const struct spa_dict_item item = SPA_DICT_ITEM_INIT(key, value);
	pw_stream_update_properties(recorder->stream, &SPA_DICT_INIT(&item, 1));
}

static void handle_line(struct recorder *recorder, const char *line) {
	char word[32] = "";
	unsigned long number = 0;
	sscanf(line, "%31s %lu", word, &number);
	if (strcmp(word, "until") == 0) {
		recorder->until = number;
	} else if (strcmp(word, "stop") == 0) {
		recorder->stopped = true;
	} else if (strcmp(word, "go") == 0 || strcmp(word, "cycles") == 0) {
		recorder->limited = word[0] == 'c';
		recorder->left = number;
		recorder->stopped = false;
		if (!recorder->waiting)
			trigger(recorder);
	} else if (strcmp(word, "quantum") == 0) {
		set(recorder, PW_KEY_NODE_FORCE_QUANTUM, "%lu", number);
	} else if (strcmp(word, "rate") == 0) {
		set(recorder, PW_KEY_NODE_FORCE_RATE, "%lu", number);
	} else if (strcmp(word, "patient") == 0) {
		/* Not yet: the cycle that is under way may be lost already. */
		recorder->to_be_patient = true;
		recorder->steady = 0;
	} else if (strcmp(word, "pace") == 0) {
		recorder->pace_ns = number * 1000;
	} else {
		fprintf(stderr, "recorder: what is '%s'?\n", line);
	}
}

static void handle_stdin(void *data, int fd, uint32_t mask) {
	struct recorder *recorder = data;
	ssize_t n = read(fd, recorder->line + recorder->line_size,
		sizeof(recorder->line) - recorder->line_size);
	if (n <= 0) {
		pw_main_loop_quit(recorder->main);
		return;
	}
	recorder->line_size += (size_t)n;
	char *end;
	while ((end = memchr(recorder->line, '\n', recorder->line_size))) {
		*end = '\0';
		handle_line(recorder, recorder->line);
		recorder->line_size -= (size_t)(end + 1 - recorder->line);
		memmove(recorder->line, end + 1, recorder->line_size);
	}
}

static void handle_signal(void *data, int number) {
	struct recorder *recorder = data;
	pw_main_loop_quit(recorder->main);
}

int main(int argc, char **argv) {
	static struct recorder recorder;
	const char *name = "recorder";
	unsigned long quantum = 256, rate = 48000, channels = 0;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--deadline") == 0)
			recorder.deadline = true;
		else if (strcmp(argv[i], "--clock") == 0)
			recorder.deadline = recorder.clock = true;
		else if (strcmp(argv[i], "--onsets") == 0)
			recorder.onsets = true;
		else if (strcmp(argv[i], "--channels") == 0 && i + 1 < argc)
			channels = strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--name") == 0 && i + 1 < argc)
			name = argv[++i];
		else if (strcmp(argv[i], "--quantum") == 0 && i + 1 < argc)
			quantum = strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc)
			rate = strtoul(argv[++i], NULL, 10);
	}
	recorder.all = channels > 0;
	recorder.channels = recorder.all ? (uint32_t)channels : 2;
	recorder.file = argc > 1 && recorder.channels <= CHANNELS_MAX ? fopen(argv[1], "wb") : NULL;
	if (!recorder.file) {
		fprintf(stderr,
			"usage: recorder FILE [--name NAME] [--quantum N] [--rate N] "
			"[--channels N] [--deadline | --clock] [--onsets]\n");
		return 2;
	}
	pw_init(NULL, NULL);
	recorder.main = pw_main_loop_new(NULL);
	recorder.loop = pw_main_loop_get_loop(recorder.main);
	recorder.pause = pw_loop_add_timer(recorder.loop, handle_pause, &recorder);
	pw_loop_add_signal(recorder.loop, SIGTERM, handle_signal, &recorder);
	pw_loop_add_io(recorder.loop, STDIN_FILENO, SPA_IO_IN | SPA_IO_HUP, false, handle_stdin,
		&recorder);
	struct pw_properties *properties = pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio",
		PW_KEY_MEDIA_CLASS, "Audio/Sink", PW_KEY_NODE_NAME, name, PW_KEY_NODE_DESCRIPTION,
		name, PW_KEY_NODE_DRIVER, "true", PW_KEY_NODE_ALWAYS_PROCESS, "true",
		PW_KEY_PRIORITY_DRIVER, "300000", PW_KEY_PRIORITY_SESSION, "2000", NULL);
	pw_properties_setf(properties, PW_KEY_NODE_FORCE_QUANTUM, "%lu", quantum);
	pw_properties_setf(properties, PW_KEY_NODE_FORCE_RATE, "%lu", rate);
	recorder.stream = pw_stream_new_simple(recorder.loop, name, properties, &events, &recorder);
	struct spa_audio_info_raw format = {
		.format = SPA_AUDIO_FORMAT_F32P,
		.rate = (uint32_t)rate,
		.channels = recorder.channels,
		.position = {SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR},
	};
	for (uint32_t c = 0; recorder.all && c < recorder.channels; c++)
		format.position[c] = SPA_AUDIO_CHANNEL_AUX0 + c;
	uint8_t memory[1024];
	struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	const struct spa_pod *params[] = {
		spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &format)};
	if (!recorder.stream ||
		pw_stream_connect(recorder.stream, PW_DIRECTION_INPUT, PW_ID_ANY,
			PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS |
				PW_STREAM_FLAG_DRIVER,
			params, 1) < 0) {
		fprintf(stderr, "recorder: no sound server\n");
		return 1;
	}
	pw_main_loop_run(recorder.main);
	pw_stream_destroy(recorder.stream);
	pw_main_loop_destroy(recorder.main);
	fclose(recorder.file);
	printf("bye %llu %llu\n", (unsigned long long)recorder.frames,
		(unsigned long long)recorder.cycles);
	pw_deinit();
	return 0;
}
