/* embedding: a learned vector for each number of its input. The formula is the op's. */
#include "models/table.h"
#include "ops/shape.h"

typedef struct embedding_layer_options {
    NM_LAYER_FIELDS;
    int64_t num_embeddings, embedding_dim, padding_idx;
    nm_choice init;
} embedding_layer_options;

typedef struct embedding_state {
    nm_tensor *weight;
} embedding_state;

/* The padding's row is 0, and stays so: it gets no gradient. */
static nm_status clear_row(nm_tensor *weight, int64_t row, int64_t channels)
{
    nm_status status = NM_OK;
    for (int64_t i = 0; i < channels && status == NM_OK; i++) {
        status = nm_tensor_set(weight, row * channels + i, 0);
    }
    return status;
}

static nm_status embedding_build(nm_layer *layer, const nm_shape *x)
{
    const embedding_layer_options *o = layer->options;
    embedding_state *s = layer->state;
    static const nm_normal_options normal = {0, 1};
    const nm_choice usual = {.item = &nm_initializer_normal.item, .options = &normal};
    const int64_t rows = o->num_embeddings, channels = o->embedding_dim;
    const int64_t row = o->padding_idx < 0 ? o->padding_idx + rows : o->padding_idx;
    const bool pads = o->padding_idx != NM_NO_PADDING_IDX;
    char text[NM_SHAPE_TEXT];
    if (x->rank == NM_MAX_RANK) {
        return nm_layer_fail(layer, "its input %s has no room for one axis more",
                             nm_shape_text(x, text));
    }
    if (pads && (row < 0 || row >= rows)) {
        return nm_layer_fail(layer, "padding_idx: %lld is none of the %lld numbers",
                             (long long)o->padding_idx, (long long)rows);
    }
    s->weight = nm_layer_parameter(layer, "weight", NM_WEIGHT, NM_SHAPE(rows, channels),
                                   o->init.item ? &o->init : &usual);
    return s->weight && pads ? clear_row(s->weight, row, channels)
                             : nm_context_status(layer->context);
}

static nm_tensor *embedding_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const embedding_layer_options *o = layer->options;
    nm_tensor *index = nm_dtype_is_float(nm_tensor_dtype(x)) ? nm_to_index(pass->tape, x) : x;
    return nm_embedding(pass->tape, index, ((const embedding_state *)layer->state)->weight,
                        .padding_idx = o->padding_idx);
}

static const nm_named_value no_row[] = {{"none", NM_NO_PADDING_IDX}, {NULL, 0}};
static const embedding_layer_options defaults = {.padding_idx = NM_NO_PADDING_IDX};
static const nm_option rows[] = {
    NM_LAYER_ROWS(embedding_layer_options),
    {NM_FIELD(embedding_layer_options, num_embeddings), NM_OPTION_INT,
     .also = "rows vocabulary vocab_size input_dim size", .min = 1, .max = 1e9,
     .flags = NM_REQUIRED, .doc = "numbers that there are, from 0 on"},
    {NM_FIELD(embedding_layer_options, embedding_dim), NM_OPTION_INT,
     .also = "channels units output_dim width", .min = 1, .max = 1e7, .flags = NM_REQUIRED,
     .doc = "how long their vectors are"},
    {NM_FIELD(embedding_layer_options, padding_idx), NM_OPTION_INT, .named = no_row,
     .also = "padding mask_zero",
     .doc = "a number whose vector is 0 and stays so, of padding; a negative one counts from the "
            "end"},
    {NM_FIELD(embedding_layer_options, init), NM_OPTION_CHOICE, .kind = NM_KIND_INITIALIZER,
     .also = "embeddings_initializer weight_init initializer",
     .doc = "how the vectors begin; default: normal, of variance 1"},
};
static const nm_spec spec = NM_LAYER_SPEC(embedding_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_embedding = {
    .item = NM_ITEM(nm_layer_type, "embedding", "a learned vector for each whole number",
                    .also = "lookup word_embedding", .spec = &spec,
                    .doc = "x [batch, ...] of whole numbers from 0 on, y [batch, ..., "
                           "embedding_dim], weight [num_embeddings, embedding_dim]. Behind it, "
                           "mask_value: 0 of layers over sequences finds where those end that are "
                           "filled up with padding_idx."),
    .state_size = sizeof(embedding_state),
    .build = embedding_build,
    .forward = embedding_forward,
};
