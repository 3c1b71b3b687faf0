/* Layer, RMS, instance and group norm as layers: their parameters, and what is refused. */
#include <math.h>

#include "tests/models/model_test.h"

START_TEST(parameters_have_the_shape_of_what_they_scale)
{
    fixture f = begin("[layer_norm: {axis: 1}, layer_norm, rms_norm: {name: r}, instance_norm, "
                      "group_norm: {groups: 2}]",
                      NM_SHAPE(3, 2, 4));
    char text[NM_SHAPE_TEXT];
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "ln1.scale")), text), "[3, 2, 4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "ln2.shift")), text), "[4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "r.scale")), text), "[4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "in1.scale")), text), "[4]");
    ck_assert_str_eq(nm_shape_text(nm_tensor_shape(named(&f, "gn1.shift")), text), "[4]");
    ck_assert_ptr_null(nm_store_find(f.store, "r.shift"));
    ck_assert_int_eq(nm_store_count(f.store), 9);
    end(&f);
}
END_TEST

/* What one sample becomes does not depend on the others, nor on whether there is training. */
START_TEST(a_sample_is_normalized_by_itself_in_training_and_evaluation_alike)
{
    static const char *const layers[] = {"[layer_norm]", "[layer_norm: {axis: 1}]", "[rms_norm]",
                                         "[instance_norm]", "[group_norm: {groups: 2}]"};
    for (int k = 0; k < NM_COUNT_OF(layers); k++) {
        fixture f = begin_f64(layers[k], NM_SHAPE(3, 2, 4));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(5, 3, 2, 4), 7);
        nm_tensor *first =
            nm_tensor_copy_of(f.context, NM_F64, NM_SHAPE(1, 3, 2, 4), nm_tensor_data(x));
        nm_tensor *all = train(&f, x), *one = evaluate(&f, first);
        assert_fine(f.context);
        for (int64_t i = 0; i < 24; i++) {
            assert_near(nm_tensor_get(all, i), nm_tensor_get(one, i), 1e-12, 1e-12);
        }
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        nm_tensor_destroy(first);
        end(&f);
    }
}
END_TEST

START_TEST(what_cannot_be_normalized_is_refused_by_name_and_line)
{
    refused("[group_norm]", NM_SHAPE(4, 4, 8),
            "net.yaml:1:2: layer \"gn1\": group_norm: axis 3 of x [batch, 4, 4, 8] does not divide "
            "into 32 groups");
    refused("[instance_norm]", NM_SHAPE(1, 1, 8),
            "net.yaml:1:2: layer \"in1\": instance_norm: x [batch, 1, 1, 8] has one value a set, "
            "which would be normalized to 0 whatever it is; normalize over more axes or in fewer "
            "groups");
    refused("[layer_norm]", NM_SHAPE(1),
            "net.yaml:1:2: layer \"ln1\": layer_norm: x [batch, 1] has one value a set, which "
            "would be normalized to 0 whatever it is; normalize over more axes or in fewer groups");
    refused("[instance_norm]", NM_SHAPE(8),
            "net.yaml:1:2: layer \"in1\": instance_norm: x [batch, 8] must have samples on axis 0, "
            "places on one or more and channels on another: axis is -1");
}
END_TEST

TEST_MAIN("models/family_layers", parameters_have_the_shape_of_what_they_scale,
          a_sample_is_normalized_by_itself_in_training_and_evaluation_alike,
          what_cannot_be_normalized_is_refused_by_name_and_line)
