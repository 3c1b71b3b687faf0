/* Whether a layer's input is images, and what would make it so. */
#include <stdio.h>

#include "core/guard.h"
#include "models/model_internal.h"
#include "models/table.h"

/* The nearest layer of that type before `layer`, a layer of depth 0; NULL: none. */
static const nm_layer *find_before(const nm_layer *layer, const nm_layer_type *type)
{
    const nm_layer *found = NULL, *l = layer->model->layers.first;
    for (; l && l != layer; l = l->next) {
        found = l->type == type ? l : found;
    }
    return l ? found : NULL;
}

/* The root of a number that is a square; else 0. */
static int64_t root_of(int64_t square)
{
    int64_t root = 0;
    while (root < 65536 && root * root < square) {
        root++;
    }
    return root * root == square ? root : 0;
}

/* As the end of a sentence: a shape to give the samples, by a layer in front. */
static void add_image_shape(const nm_shape *x, char *text, size_t size)
{
    const int64_t side = x->rank == 2 ? root_of(x->dim[1]) : 0;
    const long long height = x->rank == 3 ? x->dim[1] : side;
    const long long width = x->rank == 3 ? x->dim[2] : side;
    if (height && width) {
        snprintf(text, size, "[-1, %lld, %lld, 1]", height, width);
    } else {
        snprintf(text, size, "[-1, height, width, channels]");
    }
}

nm_status nm_layer_images(nm_layer *layer, const nm_shape *x)
{
    NM_GIVEN(layer, NM_ERROR_INPUT);
    NM_REQUIRE(layer->context, x, NM_ERROR_INPUT);
    char text[NM_SHAPE_TEXT], shape[96];
    if (x->rank == 4) {
        return NM_OK;
    }
    const nm_layer *flatten = find_before(layer, &nm_layer_flatten);
    if (flatten && flatten->at->line > 0) {
        return nm_layer_fail(layer,
                             "its input %s must be images, [batch, height, width, channels]; put "
                             "it before flatten (line %d), or remove that",
                             nm_shape_text(x, text), flatten->at->line);
    }
    add_image_shape(x, shape, sizeof shape);
    return nm_layer_fail(layer,
                         "its input %s must be images, [batch, height, width, channels]; if it is, "
                         "put op: {apply: {reshape: {shape: %s}}} in front",
                         nm_shape_text(x, text), shape);
}
