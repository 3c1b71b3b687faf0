/* Texts by number and numbers by text: open addressing, at most half full. */
#include "optim/data/csv/csv.h"

/* Eight bytes at a time, mixed by multiplication, so that texts cannot easily be chosen to collide
 * in the low bits. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = mix(0x2545f4914f6cdd1du, length);
    for (; length >= 8; text += 8, length -= 8) {
        uint64_t eight;
        memcpy(&eight, text, 8);
        hash = mix(hash, eight);
    }
    uint64_t rest = 0;
    memcpy(&rest, text, length);
    hash = mix(hash, rest);
    return hash ^ hash >> 32;
}

/* The slot that holds the text, or the empty one where it belongs. */
static uint32_t *slot_of(const csv_words *w, const char *text, size_t length)
{
    const uint32_t mask = w->slot_count - 1;
    for (uint32_t i = (uint32_t)hash_of(text, length) & mask;; i = (i + 1) & mask) {
        const csv_word *word = w->slots[i] ? &w->word[w->slots[i] - 1] : NULL;
        if (!word || (word->length == length && !memcmp(word->text, text, length))) {
            return &w->slots[i];
        }
    }
}

const csv_word *nm_csv_words_find(const csv_words *words, const char *text, size_t length)
{
    const uint32_t index = words->slot_count ? *slot_of(words, text, length) : 0;
    return index ? &words->word[index - 1] : NULL;
}

static nm_status make_slots(csv_words *w, uint32_t count)
{
    uint32_t *slots = nm_alloc_zero(w->context, count, sizeof *slots);
    if (!slots) {
        return NM_ERROR_MEMORY;
    }
    nm_free(w->context, w->slots);
    w->slots = slots;
    w->slot_count = count;
    for (int i = 0; i < w->count; i++) {
        *slot_of(w, w->word[i].text, w->word[i].length) = (uint32_t)i + 1;
    }
    return NM_OK;
}

static nm_status grow(csv_words *w)
{
    const int capacity = w->capacity ? 2 * w->capacity : 4;
    csv_word *word = capacity < INT32_MAX / 4
                         ? nm_resize(w->context, w->word, (size_t)capacity * sizeof *word)
                         : NULL;
    if (!word) {
        return nm_fail(w->context, NM_ERROR_MEMORY, "out of memory for %d different texts",
                       capacity);
    }
    w->word = word;
    w->capacity = capacity;
    return make_slots(w, 2 * (uint32_t)capacity);
}

csv_word *nm_csv_words_add(csv_words *words, const char *text, size_t length, int64_t value)
{
    const csv_word *found = nm_csv_words_find(words, text, length);
    if (found) {
        return &words->word[found - words->word];
    }
    if (words->count == words->capacity && grow(words) != NM_OK) {
        return NULL;
    }
    words->word[words->count++] = (csv_word){text, length, value};
    *slot_of(words, text, length) = (uint32_t)words->count;
    return &words->word[words->count - 1];
}

void nm_csv_words_free(csv_words *words)
{
    if (words->context) {
        nm_free(words->context, words->word);
        nm_free(words->context, words->slots);
    }
    *words = (csv_words){.context = words->context};
}
