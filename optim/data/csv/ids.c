/* Ids of a prediction, so that its results can be told apart as the samples can. */
#include "optim/data/csv/csv.h"

#define MOST_IDS 8 /* columns */

typedef struct ids {
    const csv_table *table;
    int64_t column[MOST_IDS];
    const char *name[MOST_IDS];
    int count;
    const char **texts; /* [rows, count] */
    char *next;         /* where the next text goes */
    size_t bytes;       /* of all texts, with their 0 */
} ids;

/* ---- Which columns ---- */

/* Without a name: where it stood. */
static bool is_at_its_place(const csv_table *t, int64_t i, const nm_unused_column *like)
{
    const csv_column *c = &t->column[i];
    return c->seat >= 0 ? c->seat == like->place : t->form.header && !*c->name && i == like->place;
}

/* -1: it is not there, or it is used. */
static int64_t find_id(const csv_table *t, const nm_unused_column *like)
{
    int64_t found = *like->name ? nm_csv_column_named(t, like->name) : -1;
    for (int64_t i = 0; !*like->name && found < 0 && i < t->columns; i++) {
        found = is_at_its_place(t, i, like) ? i : -1;
    }
    return found >= 0 && t->column[found].role == CSV_ROLE_OUT ? found : -1;
}

static void find_ids(ids *k, const nm_schema *s)
{
    for (int i = 0; i < s->unused && k->count < MOST_IDS; i++) {
        const nm_unused_column *like = &s->unused_column[i];
        const int64_t found = like->is_id ? find_id(k->table, like) : -1;
        if (found >= 0) {
            k->column[k->count] = found;
            k->name[k->count++] = like->name;
        }
    }
}

/* ---- Their cells ---- */

/* Which of the ids the column is; -1: none. */
static int index_of(const ids *k, int64_t column)
{
    for (int i = 0; i < k->count; i++) {
        if (k->column[i] == column) {
            return i;
        }
    }
    return -1;
}

static const char *keep(ids *k, const char *text, size_t length)
{
    char *kept = k->next;
    memcpy(kept, text, length);
    k->next += length + 1; /* the memory was cleared */
    return kept;
}

/* The first time the bytes are counted, the second time, with memory, they are kept. */
static nm_status walk_ids(ids *k)
{
    csv_walk w = k->table->begin;
    for (int64_t row = 0; nm_csv_begin_row(&w); row++) {
        for (int64_t i = 0; i < k->table->columns; i++) {
            char memory[CSV_LONGEST_NAME];
            size_t length;
            const nm_status status = nm_csv_next(&w);
            const int index = index_of(k, i);
            if (status != NM_OK) {
                return status;
            }
            if (index < 0) {
                continue;
            }
            const char *text = nm_csv_text_of(&w, memory, &length);
            k->bytes += length + 1;
            if (k->texts) {
                k->texts[row * k->count + index] = keep(k, text, length);
            }
        }
    }
    return NM_OK;
}

/* Pointers to the names, pointers to the texts, names, texts: one block. */
static nm_status make_memory(ids *k, nm_dataset *set)
{
    const size_t pointers = (size_t)k->count * ((size_t)k->table->rows + 1);
    for (int i = 0; i < k->count; i++) {
        k->bytes += strlen(k->name[i]) + 1;
    }
    char *memory = nm_alloc_zero(set->context, pointers * sizeof(char *) + k->bytes, 1);
    const char **names = (const char **)(void *)memory;
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    set->memory[2] = memory;
    k->next = memory + pointers * sizeof(char *);
    for (int i = 0; i < k->count; i++) {
        names[i] = keep(k, k->name[i], strlen(k->name[i]));
    }
    k->texts = names + k->count;
    set->id_columns = k->count;
    set->id_names = names;
    set->id_texts = k->texts;
    return NM_OK;
}

nm_status nm_csv_take_ids(csv_table *table, const nm_schema *schema, nm_dataset *set)
{
    ids k = {.table = table};
    nm_status status;
    find_ids(&k, schema);
    if (!k.count || (status = walk_ids(&k)) != NM_OK || (status = make_memory(&k, set)) != NM_OK) {
        return nm_context_status(table->context);
    }
    return walk_ids(&k);
}
