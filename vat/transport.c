/* SPDX-License-Identifier: MIT */
/*
 * The transport's page. Each of its parts, the clock, the music and what is planned, lies there
 * twice: its writer fills the place that does not hold and then raises `turn`, whose lowest bit
 * names the one that does. So a writer that dies leaves what it had written last. What was copied
 * while `turn` stayed the same is whole, for its place is written again only after the next raise.
 */
#include "transport.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define MAGIC 0x74726f70736e6172ull
#define VERSION 2u
/* 760,000 years; what is beyond that is garbage, and nothing below it makes a sum overflow. */
#define FRAME_LIMIT (1ull << 60)
#define RATE_MIN 8000u
#define RATE_MAX 1000000u
#define TRIES 1000

struct clock_place {
	_Atomic uint64_t frame, ns, sound;
};

#define MUSIC_WORDS (sizeof(struct vat_transport) / sizeof(uint64_t))
_Static_assert(sizeof(struct vat_transport) % sizeof(uint64_t) == 0, "the music is whole words");

struct planned_list {
	uint32_t count;
	struct vat_planned planned[VAT_PLANNED_MAX];
};

struct vat_transport_page {
	uint64_t magic;
	uint32_t version, rate;
	_Alignas(64) _Atomic uint32_t clock_turn;
	struct clock_place clock[2];
	_Alignas(64) _Atomic uint32_t music_turn;
	_Atomic uint64_t music[2][MUSIC_WORDS];
	/* Of the writer alone. Came later: where there is none it is all zeros. */
	_Atomic uint32_t planned_turn;
	struct planned_list planned[2];
};
_Static_assert(sizeof(struct vat_transport_page) <= VAT_TRANSPORT_SIZE, "all of it has room");

static bool part_valid(const struct vat_transport_part *part) {
	return part->frame < FRAME_LIMIT && part->tick > -(int64_t)FRAME_LIMIT &&
		part->tick < (int64_t)FRAME_LIMIT && part->tempo >= VAT_TEMPO_MIN &&
		part->tempo <= VAT_TEMPO_MAX && part->beats_a_bar >= 1 &&
		part->beats_a_bar <= VAT_BEATS_MAX && part->bars_a_phrase >= 1 &&
		part->bars_a_phrase <= VAT_PHRASE_MAX && part->playing <= 1 &&
		part->bar_zero > -(int64_t)FRAME_LIMIT && part->bar_zero < (int64_t)FRAME_LIMIT;
}

static bool rate_valid(uint32_t rate) {
	return rate >= RATE_MIN && rate <= RATE_MAX;
}

bool vat_transport_valid(const struct vat_transport *transport) {
	if (!rate_valid(transport->rate) || !part_valid(&transport->parts[0]) ||
		!part_valid(&transport->parts[1]) ||
		transport->parts[0].frame > transport->parts[1].frame ||
		transport->marker_count > VAT_MARKERS_MAX)
		return false;
	for (uint32_t i = 0; i < transport->marker_count; i++) {
		const struct vat_marker *marker = &transport->markers[i];
		if (!memchr(marker->name, 0, sizeof(marker->name)) ||
			!vat_name_valid(marker->name) || marker->tick <= -(int64_t)FRAME_LIMIT ||
			marker->tick >= (int64_t)FRAME_LIMIT ||
			(i > 0 && marker->tick < marker[-1].tick))
			return false;
	}
	return true;
}

/* ---- what is asked for */

static int check_tick(int64_t tick, struct vat_error *err) {
	if (tick < 0)
		return vat_fail(err, EINVAL, "there is nothing before bar 0");
	if (tick > VAT_TICK_MAX)
		return vat_fail(err, EINVAL, "the transport has no tick %lld", (long long)tick);
	return 0;
}

static int check_marker(const char *name, struct vat_error *err) {
	if (name && vat_name_valid(name) && strlen(name) < VAT_MARKER_SIZE)
		return 0;
	return vat_fail(err, EINVAL,
		"\"%.40s\" cannot name a marker; allowed: lower case letters, digits, '.', '_' and "
		"'-', a letter first, %d in all",
		name ? name : "", VAT_MARKER_SIZE - 1);
}

int vat_transport_check(
	uint32_t what, uint32_t value, int64_t tick, const char *name, struct vat_error *err) {
	/* What was asked for from some tick on is taken back. */
	bool none = value == 0 && tick > 0;
	switch (what) {
	case VAT_ASK_PLAY:
	case VAT_ASK_STOP:
		return 0;
	case VAT_ASK_TEMPO:
		if (none || (value >= VAT_TEMPO_MIN && value <= VAT_TEMPO_MAX))
			return tick > 0 ? check_tick(tick, err) : 0;
		return vat_fail(err, EINVAL, "a tempo is %d to %d beats a minute",
			VAT_TEMPO_MIN / 1000, VAT_TEMPO_MAX / 1000);
	case VAT_ASK_METER:
		if (none || (value >= 1 && value <= VAT_BEATS_MAX))
			return tick > 0 ? check_tick(tick, err) : 0;
		return vat_fail(err, EINVAL, "a bar has 1 to %d beats", VAT_BEATS_MAX);
	case VAT_ASK_PHRASE:
		if (value >= 1 && value <= VAT_PHRASE_MAX)
			return 0;
		return vat_fail(err, EINVAL, "a phrase has 1 to %d bars", VAT_PHRASE_MAX);
	case VAT_ASK_LOCATE:
		return check_tick(tick, err);
	case VAT_ASK_MARK:
		return check_marker(name, err) < 0 ? -EINVAL : check_tick(tick, err);
	case VAT_ASK_UNMARK:
		return check_marker(name, err);
	default:
		return vat_fail(err, EINVAL, "the transport knows no request %u", what);
	}
}

/* ---- */

int vat_transport_create(uint32_t rate, struct vat_error *err) {
	if (!rate_valid(rate))
		return vat_fail(err, EINVAL, "transport: %u frames a second is no rate", rate);
	int fd = vat_memfd_fixed("source-city-transport", VAT_TRANSPORT_SIZE);
	if (fd < 0)
		return vat_fail(err, -fd, "transport: cannot make its page: %s", strerror(-fd));
	struct vat_transport_part still = {
		.tempo = VAT_TEMPO, .beats_a_bar = 4, .bars_a_phrase = 4};
	struct vat_transport transport = {.rate = rate, .parts = {still, still}};
	struct vat_transport_page page = {.magic = MAGIC, .version = VERSION, .rate = rate};
	memcpy(page.music[0], &transport, sizeof(transport));
	int rc = vat_write_all(fd, &page, sizeof(page), 0);
	if (rc == 0)
		return fd;
	close(fd);
	return vat_fail(err, -rc, "transport: cannot write its page: %s", strerror(-rc));
}

struct vat_transport_page *vat_transport_map(int fd, bool writer, struct vat_error *err) {
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (fstat(fd, &st) < 0 || st.st_size != VAT_TRANSPORT_SIZE || seals < 0 ||
		!(seals & F_SEAL_SHRINK)) {
		vat_say(err, "transport: what came is not its page");
		return NULL;
	}
	struct vat_transport_page *page = mmap(NULL, VAT_TRANSPORT_SIZE,
		writer ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		vat_say(err, "transport: cannot map its page: %s", strerror(errno));
		return NULL;
	}
	if (page->magic == MAGIC && page->version == VERSION && rate_valid(page->rate))
		return page;
	vat_say(err, "transport: what came is not its page, or one of another version");
	vat_transport_unmap(page);
	return NULL;
}

void vat_transport_unmap(struct vat_transport_page *page) {
	if (page)
		munmap(page, VAT_TRANSPORT_SIZE);
}

/* Copies what holds. Loads acquire, so that the check of the turn comes behind them. */
static bool copy_music(const struct vat_transport_page *page, struct vat_transport *to) {
	for (int i = 0; i < TRIES; i++) {
		uint32_t turn = atomic_load_explicit(&page->music_turn, memory_order_acquire);
		uint64_t words[MUSIC_WORDS];
		for (size_t n = 0; n < MUSIC_WORDS; n++)
			words[n] = atomic_load_explicit(
				&page->music[turn & 1][n], memory_order_acquire);
		if (atomic_load_explicit(&page->music_turn, memory_order_relaxed) == turn) {
			memcpy(to, words, sizeof(words));
			return true;
		}
	}
	return false;
}

bool vat_transport_read(const struct vat_transport_page *page, struct vat_transport *transport) {
	struct vat_transport copy;
	if (!copy_music(page, &copy) || !vat_transport_valid(&copy))
		return false;
	*transport = copy;
	return true;
}

bool vat_transport_read_clock(
	const struct vat_transport_page *page, struct vat_transport_clock *clock) {
	for (int i = 0; i < TRIES; i++) {
		uint32_t turn = atomic_load_explicit(&page->clock_turn, memory_order_acquire);
		const struct clock_place *place = &page->clock[turn & 1];
		uint64_t frame = atomic_load_explicit(&place->frame, memory_order_acquire);
		uint64_t ns = atomic_load_explicit(&place->ns, memory_order_acquire);
		uint64_t sound = atomic_load_explicit(&place->sound, memory_order_acquire);
		if (atomic_load_explicit(&page->clock_turn, memory_order_relaxed) != turn)
			continue;
		if (frame >= FRAME_LIMIT || ns >= INT64_MAX || sound > 1)
			return false;
		*clock = (struct vat_transport_clock){frame, ns, sound == 1};
		return true;
	}
	return false;
}

uint64_t vat_transport_frame_at(
	const struct vat_transport_clock *clock, uint32_t rate, uint64_t now_ns) {
	if (clock->ns == 0)
		return clock->frame;
	bool behind = now_ns < clock->ns;
	unsigned __int128 ns = behind ? clock->ns - now_ns : now_ns - clock->ns;
	unsigned __int128 frames = ns * rate;
	if (!behind)
		return clock->frame + (uint64_t)(frames / 1000000000u);
	frames = (frames + 999999999u) / 1000000000u;
	return frames < clock->frame ? clock->frame - (uint64_t)frames : 0;
}

/* Stores release, so that whoever sees one of them sees the turn before it too. */
void vat_transport_write(struct vat_transport_page *page, const struct vat_transport *transport) {
	uint64_t words[MUSIC_WORDS];
	memcpy(words, transport, sizeof(words));
	uint32_t turn = atomic_load_explicit(&page->music_turn, memory_order_relaxed) + 1;
	for (size_t n = 0; n < MUSIC_WORDS; n++)
		atomic_store_explicit(&page->music[turn & 1][n], words[n], memory_order_release);
	atomic_store_explicit(&page->music_turn, turn, memory_order_release);
}

void vat_transport_write_clock(
	struct vat_transport_page *page, const struct vat_transport_clock *clock) {
	uint32_t turn = atomic_load_explicit(&page->clock_turn, memory_order_relaxed) + 1;
	struct clock_place *place = &page->clock[turn & 1];
	atomic_store_explicit(&place->frame, clock->frame, memory_order_release);
	atomic_store_explicit(&place->ns, clock->ns, memory_order_release);
	atomic_store_explicit(&place->sound, clock->sound, memory_order_release);
	atomic_store_explicit(&page->clock_turn, turn, memory_order_release);
}

void vat_transport_write_planned(
	struct vat_transport_page *page, const struct vat_planned *planned, uint32_t count) {
	uint32_t turn = atomic_load_explicit(&page->planned_turn, memory_order_relaxed) + 1;
	struct planned_list *list = &page->planned[turn & 1];
	list->count = count < VAT_PLANNED_MAX ? count : VAT_PLANNED_MAX;
	memcpy(list->planned, planned, list->count * sizeof(*planned));
	atomic_store_explicit(&page->planned_turn, turn, memory_order_release);
}

uint32_t vat_transport_read_planned(
	const struct vat_transport_page *page, struct vat_planned planned[VAT_PLANNED_MAX]) {
	uint32_t turn = atomic_load_explicit(&page->planned_turn, memory_order_acquire), count = 0;
	const struct planned_list *list = &page->planned[turn & 1];
	for (uint32_t i = 0; i < list->count && i < VAT_PLANNED_MAX; i++) {
		const struct vat_planned *one = &list->planned[i];
		bool ours = one->what == VAT_ASK_TEMPO || one->what == VAT_ASK_METER;
		if (ours && one->value != 0 && one->tick > 0 &&
			vat_transport_check(one->what, one->value, one->tick, NULL, NULL) == 0)
			planned[count++] = *one;
	}
	return count;
}
