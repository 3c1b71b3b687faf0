/* What the fuzzers of data sets share. */
#ifndef NM_TESTS_FUZZ_DATASET_H
#define NM_TESTS_FUZZ_DATASET_H

#include <math.h>

#include "optim/data/loader.h"
#include "optim/optim.h"

#include "tests/fuzz/fuzz.h"

static inline void check_batch(const nm_dataset *set, const nm_batch *batch)
{
    for (int64_t i = 0; i < nm_shape_count(&batch->shape); i++) {
        require(isfinite(batch->x[i]));
    }
    for (int64_t i = 0; batch->targets && i < batch->count; i++) {
        bool label = batch->target_dtype == NM_I32;
        int32_t number = label ? ((const int32_t *)batch->targets)[i] : 0;
        bool in_range = number >= 0 && (!label || number < set->classes);
        require(in_range || nm_is_ignored(&set->ignored, number));
        require(label || isfinite(((const float *)batch->targets)[i]));
    }
}

/* One epoch, which reads every byte of the set. */
static inline void check_epoch(nm_context *context, const nm_dataset *set)
{
    nm_loader_options options = {NM_LOADER_DEFAULTS, .batch = 3, .prefetch = false};
    nm_loader *loader = nm_loader_create(context, set, &options, true, 1);
    nm_batch batch;
    int64_t samples = 0;
    require(loader && nm_loader_begin(loader, 0, 0) == NM_OK);
    while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
        check_batch(set, &batch);
        samples += batch.count;
    }
    require(samples == set->count && nm_context_status(context) == NM_OK);
    nm_loader_destroy(loader);
}

/* A file's own samples are the same for a network that was trained on them. */
static inline void check_again(nm_context *context, const nm_choice *choice, nm_dataset *set)
{
    nm_dataset again;
    nm_schema *schema = set->schema;
    if (!schema || (set->targets && set->target_dtype == NM_I32 && !set->classes)) {
        return; /* no table, or nothing but samples to be ignored */
    }
    schema->shape = set->shape;
    schema->target_shape = set->target_shape;
    schema->classes = set->classes;
    const nm_reading reading = {.schema = schema, .ignored = set->ignored};
    require(nm_dataset_open(context, choice, &reading, &again) == NM_OK);
    require(again.count == set->count && nm_shape_equal(&again.shape, &set->shape));
    require(again.dtype == set->dtype && !again.targets == !set->targets);
    require(
        !memcmp(again.samples, set->samples, (size_t)set->count * nm_dataset_sample_bytes(set)));
    require(!set->targets || !memcmp(again.targets, set->targets,
                                     (size_t)set->count * nm_dataset_target_bytes(set)));
    nm_dataset_close(&again);
}

/* What a YAML text describes, kept for many inputs. */
typedef struct described {
    nm_document *document; /* NULL: not read yet */
    nm_choice choice;
} described;

static inline void describe(nm_context *context, const char *yaml, described *what)
{
    nm_diagnostics d;
    what->document = nm_document_parse(context, yaml, SIZE_MAX, "");
    nm_diagnostics_begin(&d, context);
    nm_choice_read(NM_KIND_DATASET, nm_document_root(what->document), "fuzz", what->document, &d,
                   &what->choice);
    require(nm_diagnostics_end(&d) == NM_OK);
}

/* Opens what the YAML text describes: it either fails with a message or keeps all rules. */
static inline void fuzz_dataset(const char *yaml, described *what)
{
    static fuzz_context f = {.most = (size_t)1 << 30};
    nm_context *context = fuzz_begin(&f);
    if (!what->document) {
        describe(context, yaml, what);
        fuzz_keep(&f);
    }
    nm_dataset set;
    const nm_reading reading = {.ignored = {true, -100}};
    if (nm_dataset_open(context, &what->choice, &reading, &set) == NM_OK) {
        check_epoch(context, &set);
        check_again(context, &what->choice, &set);
    } else {
        require(nm_context_status(context) != NM_OK && !set.samples);
    }
    nm_dataset_close(&set);
    fuzz_end(&f);
}

#endif
