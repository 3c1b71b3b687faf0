#include "optim/data/balance.h"

static int64_t row_at(const nm_dataset *set, int64_t i)
{
    return set->rows ? set->rows[i] : i;
}

/* Samples to be ignored are a class behind all others. */
static int64_t class_of(const nm_dataset *set, int64_t row)
{
    const int32_t label = ((const int32_t *)set->targets)[row];
    return nm_is_ignored(&set->ignored, label) ? set->classes : label;
}

void nm_rows_by_class(const nm_dataset *set, int64_t *ends, int64_t *rows)
{
    for (int64_t i = 0; i < set->count; i++) {
        ends[class_of(set, row_at(set, i)) + 1]++;
    }
    for (int64_t c = 0; c < set->classes; c++) {
        ends[c + 1] += ends[c];
    }
    for (int64_t i = 0; i < set->count; i++) { /* ends[c]: where the next one of class c goes */
        const int64_t row = row_at(set, i);
        rows[ends[class_of(set, row)]++] = row;
    }
}

/* Classes without samples have no place. Returns the largest count. */
static int64_t lay_out(const nm_dataset *set, const int64_t *ends, nm_balance *b)
{
    int64_t largest = 0;
    for (int64_t c = 0; c < set->classes; c++) {
        const int64_t count = ends[c] - (c ? ends[c - 1] : 0);
        largest = count > largest ? count : largest;
        if (count) {
            b->classes++;
            b->start[b->classes] = ends[c];
        }
    }
    return largest;
}

nm_status nm_balance_create(const nm_dataset *set, nm_balance *b)
{
    nm_context *context = set->context;
    *b = (nm_balance){.context = context};
    int64_t *ends = nm_alloc_zero(context, (size_t)set->classes + 2, sizeof *ends);
    b->start = nm_alloc_zero(context, (size_t)set->classes + 1, sizeof *b->start);
    b->rank = nm_alloc_zero(context, (size_t)set->classes, sizeof *b->rank);
    b->rows = nm_alloc_zero(context, (size_t)set->count, sizeof *b->rows);
    if (ends && b->start && b->rank && b->rows) {
        nm_rows_by_class(set, ends, b->rows);
        const int64_t largest = lay_out(set, ends, b);
        b->order = nm_alloc_zero(context, (size_t)largest, sizeof *b->order);
    }
    nm_free(context, ends);
    if (!b->order) {
        nm_balance_destroy(b);
    }
    return nm_context_status(context);
}

void nm_balance_destroy(nm_balance *b)
{
    if (b->context) {
        nm_free(b->context, b->start);
        nm_free(b->context, b->rank);
        nm_free(b->context, b->rows);
        nm_free(b->context, b->order);
    }
    *b = (nm_balance){0};
}

/* ---- Drawing ---- */

/* `count` rows of a class: all of them in random order, and again, as often as it takes. */
static void draw_class(const nm_balance *b, int64_t class, nm_random *random, int64_t *rows,
                       int64_t count)
{
    const int64_t *members = b->rows + b->start[class];
    int64_t size = b->start[class + 1] - b->start[class];
    for (int64_t i = 0; i < count; i++) {
        if (i % size == 0) {
            nm_random_permutation(random, b->order, size);
        }
        rows[i] = members[b->order[i % size]];
    }
}

static void shuffle(nm_random *random, int64_t *rows, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t other = nm_random_below(random, i + 1), row = rows[i];
        rows[i] = rows[other];
        rows[other] = row;
    }
}

void nm_balance_draw(const nm_balance *b, nm_random *random, int64_t *rows, int64_t count)
{
    int64_t each = count / b->classes, more = count % b->classes, at = 0;
    nm_random_permutation(random, b->rank, b->classes); /* who has one more: another each time */
    for (int64_t class = 0; class < b->classes; class ++) {
        int64_t quota = each + (b->rank[class] < more);
        draw_class(b, class, random, rows + at, quota);
        at += quota;
    }
    shuffle(random, rows, count);
}
