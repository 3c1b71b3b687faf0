/* What has hurt users of other libraries, and what was wrong in their code, shown not to be so
 * here.
 *
 * The table says for each which test shows it. Most stand beside what they test; the rest is below.
 * A test makes sure that all of them exist.
 *
 * Issues are named by repository and number; a second table holds bugs found by reading code. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "models/config.h"
#include "ops/norm.h"

#include "tests/models/model_test.h"

typedef struct coverage {
    int item;         /* the number of the list, from 1; several tests may show one */
    const char *what; /* and where it was seen */
    const char *file, *test;
} coverage;

/* ---- What hurt users ---- */

static const coverage users[] = {
    {1, "one value per channel: pytorch#7716, fastai#1352, scvi-tools#2314, mlx PR#3817",
     "ops/test_batch_norm.c", "a_batch_of_one_is_an_error_that_says_what_to_do"},
    {1, "the same, by the layer's name", "models/test_norm_layers.c",
     "a_batch_of_one_is_an_error_in_training_that_names_the_layer"},
    {1, "a last batch of one", "optim/train/test_trainer.c",
     "a_last_batch_of_one_is_an_error_that_merging_avoids"},
    {2,
     "biased or unbiased running variance: pytorch#3122, #19902, #77427, #106366, tinygrad PR#807",
     "models/test_norm_layers.c", "running_statistics_move_as_in_pytorch"},
    {3, "which way momentum points: pytorch/examples#289, keras#6839, ludwig PR#2100",
     "models/test_norm_layers.c", "momentum_one_keeps_the_last_batch_only"},
    {4, "training and evaluation confused: pytorch#4741, #5406, caffe#5621", "models/test_layers.c",
     "evaluation_of_a_sample_does_not_depend_on_its_batch"},
    {4, "the same, of a whole run", "optim/train/test_epoch.c",
     "evaluation_does_not_depend_on_the_batch_size"},
    {5,
     "a frozen layer undone, moving statistics behind frozen gradients: gt-pyg#112, chemprop "
     "PR#952",
     "models/test_norm_layers.c", "frozen_statistics_normalize_while_the_rest_trains"},
    {6, "statistics never updated: darknet PR#26, tinygrad PR#17206", "models/test_norm_layers.c",
     "running_statistics_move_in_training_passes_only"},
    {6, "statistics lost on load: mlpack#1504, #2561", "models/test_model.c",
     "a_saved_model_is_loaded_with_its_running_statistics"},
    {7, "another eps in evaluation: darknet PR#5447, keras-yolo3#451", "models/test_peers.c",
     "darknet_5447_training_and_evaluation_have_one_eps"},
    {8, "E[x^2] - E[x]^2 cancels: flax#1491, tt-metal#45968, pytorch#5410, caffe#3963",
     "ops/test_batch_norm.c",
     "a_mean_of_1e4_with_deviation_1e_2_keeps_statistics_and_gradients_accurate"},
    {8, "the same, of a constant channel", "ops/test_batch_norm.c",
     "a_constant_channel_has_variance_0_and_a_finite_gradient"},
    {9, "weight norm NaN at zero: pytorch#19126, flax#1671", "ops/test_weight_norm.c",
     "pytorch_19126_a_zero_row_has_finite_values_and_gradients"},
    {9, "weight norm and copies, names of its parameters: pytorch#28594, #102981",
     "models/test_peers.c", "pytorch_28594_a_weight_normed_layer_is_saved_and_loaded_by_name"},
    {10, "accumulation against batch norm: pytorch#46516", "models/test_peers.c",
     "pytorch_46516_accumulation_moves_statistics_once_a_batch"},
    {10, "weight decay on norm parameters: torch7#846, lbann#809", "optim/test_sgd.c",
     "weight_decay_spares_biases_and_normalization"},
    {11, "abort kills the program: ggml#123, #930, #1083", "models/test_peers.c",
     "ggml_123_a_program_goes_on_after_any_mistake"},
    {11, "an error inside a callback: mlx-c#34", "optim/train/test_trainer.c",
     "a_callback_breaks_the_run_off"},
    {12, "a missing backward: ggml#1514, #1491, llama.cpp#9478", "ops/test_all.c",
     "every_op_has_the_gradient_that_differences_say"},
    {12, "a gradient that depends on the path", "core/tape/test_tape.c",
     "a_tensor_used_twice_gets_both_gradients"},
    {13, "no optimizer or random state in checkpoints: llama.cpp#15442, transformers#17032",
     "optim/train/test_checkpoint.c", "a_resumed_run_equals_an_uninterrupted_one_bit_for_bit"},
    {14, "mistakes in a file passed over: AlexeyAB/darknet#752, #1869", "core/test_option.c",
     "an_unknown_option_is_an_error_with_a_suggestion_or_all_names"},
    {14, "a misspelt policy became constant: AlexeyAB/darknet#4081", "optim/test_schedule.c",
     "a_misspelt_schedule_is_an_error"},
    {15, "silent shape errors: pytorch#16045", "ops/test_loss.c", "mse_refuses_to_broadcast"},
    {15, "the same, of layers: tiny-dnn#593, nntrainer#2155", "models/test_model.c",
     "a_shape_that_does_not_fit_names_the_layer_and_both_shapes"},
    {16, "a decimal comma from the locale: libfann#32", "core/test_value_numbers.c",
     "a_locale_with_a_decimal_comma_changes_no_number"},
    {16, "the same, of a data file", "optim/data/csv/test_csv.c", "the_locale_does_not_matter"},
};

/* ---- What was wrong in code ---- */

static const coverage code[] = {
    {1, "darknet, tiny-dnn: n - 1 forward and n backward, two eps", "ops/test_batch_norm.c",
     "darknet_one_variance_and_one_eps_in_both_directions"},
    {2, "darknet: an unknown activation became ReLU", "models/test_peers.c",
     "darknet_an_unknown_activation_is_an_error"},
    {3, "hank-ai's darknet: another factor on another device", "ops/test_batch_norm_shapes.c",
     "the_bits_do_not_depend_on_the_number_of_threads"},
    {4, "C-ML: batch statistics cut from the graph", "ops/test_batch_norm.c",
     "cml_gradients_flow_through_mean_and_variance"},
    {5, "C-ML: a reshape where a permute was meant", "models/test_peers.c",
     "cml_a_permute_is_no_reshape"},
    {6, "C-ML: running statistics not saved", "models/test_model.c",
     "a_saved_model_is_loaded_with_its_running_statistics"},
    {7, "KANN: clipping to norm 1, not to the threshold", "optim/test_sgd.c",
     "clipping_scales_to_the_threshold_and_never_up"},
    {8, "KANN: a bad magic closes the file twice", "optim/data/test_dataset.c",
     "hostile_idx_files_are_refused"},
    {9, "KANN: unchecked reads", "core/files/test_safetensors.c",
     "a_file_cut_anywhere_is_an_error"},
    {10, "ggml: the batch must divide the data", "optim/data/test_loader.c",
     "a_short_last_batch_is_kept_dropped_or_merged"},
    {11, "FANN: cannot open \"for writing\" what was to be read", "models/test_peers.c",
     "fann_a_file_that_cannot_be_read_is_not_said_to_be_written"},
};

static char *read_test_file(const char *name)
{
    char path[512];
    const char *source = getenv("NORMA_SOURCE");
    ck_assert_msg(source != NULL, "run by meson test, or set NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/tests/%s", source, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is not there", path);
    char *text = calloc(1, 1 << 20);
    ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return text;
}

/* That each test is written and run, and that no item up to `items` is left out. */
static void assert_covered(const coverage *rows, size_t count, int items)
{
    int next = 1;
    for (size_t i = 0; i < count; i++) {
        char wanted[128];
        char *text = read_test_file(rows[i].file);
        snprintf(wanted, sizeof wanted, "START_TEST(%s)", rows[i].test);
        ck_assert_msg(strstr(text, wanted) != NULL, "%s has no test %s (%s)", rows[i].file,
                      rows[i].test, rows[i].what);
        free(text);
        ck_assert_msg(rows[i].item == next || rows[i].item == next - 1, "item %d has no test",
                      next);
        next = rows[i].item + 1;
    }
    ck_assert_int_eq(next, items + 1);
}

START_TEST(every_item_has_a_test)
{
    assert_covered(users, sizeof users / sizeof *users, 16);
    assert_covered(code, sizeof code / sizeof *code, 11);
}
END_TEST

/* ---- The tests that stand here ---- */

/* A batch normalized with its own statistics, and again with the same ones given as running
 * statistics. With eps as large as the variance, another eps or place for it would show. */
START_TEST(darknet_5447_training_and_evaluation_have_one_eps)
{
    fixture f = begin("[batch_norm: {eps: 0.7, affine: false}]", NM_SHAPE(3));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(8, 3), 1);
    nm_batch_norm_options o = {NM_BATCH_NORM_DEFAULTS, .eps = 0.7, NM_END(nm_batch_norm_options)};
    nm_batch_norm_result batch = nm_batch_norm_with(f.tape, x, NULL, NULL, NULL, NULL, &o);
    nm_tensor *trained = train(&f, x);
    ck_assert_int_eq(nm_tensor_assign(named(&f, "bn1.running_mean"), batch.mean), NM_OK);
    ck_assert_int_eq(nm_tensor_assign(named(&f, "bn1.running_var"), batch.var), NM_OK);
    nm_tensor *evaluated = evaluate(&f, x);
    assert_fine(f.context);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        assert_near(nm_tensor_get(trained, i), nm_tensor_get(evaluated, i), 1e-6, 1e-6);
        assert_near(nm_tensor_get(trained, i), nm_tensor_get(batch.y, i), 1e-6, 1e-6);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(pytorch_28594_a_weight_normed_layer_is_saved_and_loaded_by_name)
{
    static const char yaml[] = "[dense: {units: 4, weight_norm: {axis: 0}}]";
    fixture a = begin(yaml, NM_SHAPE(3));
    fixture b = begin_with(yaml, NM_SHAPE(3), (nm_model_options){NM_MODEL_DEFAULTS, .seed = 7});
    assert_fine(b.context);
    ck_assert_ptr_null(nm_store_find(a.store, "dense1.weight")); /* it is made of the two */
    nm_tensor_set(named(&a, "dense1.weight_g"), 2, 5);
    ck_assert(!same_bits(named(&a, "dense1.weight_v"), named(&b, "dense1.weight_v")));
    ck_assert_int_eq(nm_model_save(a.model, test_path("wn.safetensors")), NM_OK);
    ck_assert_int_eq(nm_model_load(b.model, test_path("wn.safetensors")), NM_OK);
    ck_assert(same_bits(named(&a, "dense1.weight_v"), named(&b, "dense1.weight_v")));
    nm_tensor *x = normal(&a, NM_F32, NM_SHAPE(5, 3), 1),
              *same = normal(&b, NM_F32, NM_SHAPE(5, 3), 1);
    ck_assert(same_bits(evaluate(&a, x), evaluate(&b, same)));
    /* the copy is one: changing it leaves the first alone */
    nm_tensor_set(named(&b, "dense1.weight_g"), 2, 6);
    ck_assert_double_eq(value_of(&a, "dense1.weight_g", 2), 5);
    nm_tape_reset(a.tape);
    nm_tape_reset(b.tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(same);
    end(&a);
    end(&b);
}
END_TEST

/* Trains an epoch of four batches at a rate too small to move anything; copies out the running
 * mean of the first channel, and tells the updates made. */
static int64_t train_accumulating(const char *accumulate, float mean[2])
{
    static const char text[] = "model: [batch_norm, dense: {units: 2}]\n"
                               "data: {train: {spirals: {points: 40}}, batch: 10}\n"
                               "loss: cross_entropy\n"
                               "train: {epochs: 1, optimizer: {sgd: {rate: 1e-30}}}\n";
    nm_context *context = open_context(NULL);
    nm_config config;
    nm_train_result result;
    test_write_file(test_path("net.yaml"), text, strlen(text));
    nm_config_open(context, test_path("net.yaml"), &accumulate, 1,
                   NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN, &config);
    assert_fine(context);
    nm_trainer_setup setup = nm_config_setup(&config);
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    ck_assert_int_eq(nm_trainer_run(trainer, &result), NM_OK);
    nm_tensor *running = nm_store_find(nm_model_store(config.model), "bn1.running_mean")->tensor;
    memcpy(mean, nm_tensor_data(running), 2 * sizeof *mean);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    nm_close(context);
    return result.steps;
}

START_TEST(pytorch_46516_accumulation_moves_statistics_once_a_batch)
{
    float apart[2], together[2];
    ck_assert_int_eq(train_accumulating("train.accumulate=1", apart), 4);
    ck_assert_int_eq(train_accumulating("train.accumulate=4", together), 1);
    ck_assert(apart[0] != 0);
    ck_assert(memcmp(apart, together, sizeof apart) == 0);
}
END_TEST

START_TEST(ggml_123_a_program_goes_on_after_any_mistake)
{
    fixture f = begin("[dense: {units: 2}]", NM_SHAPE(3));
    static const char *const wrong[] = {"no_such_op", "matmul", "conv2d", "reshape", "batch_norm"};
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(5, 3), 1), *bad = normal(&f, NM_F64, NM_SHAPE(7), 2);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            nm_tensor *in[] = {bad, bad}, *out[NM_MAX_OUTPUTS];
            ck_assert_int_ne(nm_call(f.tape, wrong[i], in, 2, "{nonsense: [}", out, 1), NM_OK);
            ck_assert_str_ne(nm_context_error(f.context), "");
            nm_context_clear_error(f.context);
        }
        ck_assert_ptr_null(train(&f, bad));
        ck_assert_int_ne(nm_backward(f.tape, bad, 0), NM_OK);
        nm_context_clear_error(f.context);
        nm_tape_reset(f.tape);
        ck_assert_ptr_nonnull(train(&f, x)); /* and what is right works as before */
        assert_fine(f.context);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(bad);
    end(&f);
}
END_TEST

START_TEST(darknet_an_unknown_activation_is_an_error)
{
    refused("[dense: {units: 2}, rleu]", NM_SHAPE(3),
            "net.yaml:1:21: model: unknown layer \"rleu\"; did you mean \"relu\"?");
}
END_TEST

START_TEST(cml_a_permute_is_no_reshape)
{
    fixture f = begin("[flatten]", NM_SHAPE(3));
    static const double transposed[] = {1, 4, 2, 5, 3, 6};
    nm_tensor *x = nm_tensor_create(f.context, NM_F32, NM_SHAPE(2, 3));
    for (int i = 0; i < 6; i++) {
        nm_tensor_set(x, i, i + 1);
    }
    nm_tensor *moved = nm_permute(f.tape, x, .axes = NM_INTS(1, 0));
    nm_tensor *shaped = nm_reshape(f.tape, x, NM_SHAPE(3, 2));
    assert_fine(f.context);
    for (int i = 0; i < 6; i++) {
        ck_assert_double_eq(nm_tensor_get(moved, i), transposed[i]);
        ck_assert_double_eq(nm_tensor_get(shaped, i), i + 1);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(fann_a_file_that_cannot_be_read_is_not_said_to_be_written)
{
    nm_context *context = open_context(NULL);
    ck_assert_ptr_null(nm_npy_read(context, test_path("none.npy")));
    ck_assert_ptr_nonnull(strstr(nm_context_error(context), "cannot read"));
    ck_assert_ptr_null(strstr(nm_context_error(context), "writ"));
    nm_close(context);
}
END_TEST

TEST_MAIN("models/peers", every_item_has_a_test, darknet_5447_training_and_evaluation_have_one_eps,
          pytorch_28594_a_weight_normed_layer_is_saved_and_loaded_by_name,
          pytorch_46516_accumulation_moves_statistics_once_a_batch,
          ggml_123_a_program_goes_on_after_any_mistake, darknet_an_unknown_activation_is_an_error,
          cml_a_permute_is_no_reshape, fann_a_file_that_cannot_be_read_is_not_said_to_be_written)
