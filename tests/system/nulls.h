/* For nulls.py: what public functions are called with, by type, and how a call is judged. Each call
 * runs in a process of its own, forked from one that made all the things below. Values by type:
 *
 * nm_context *: context
 * const nm_context *: context
 * const nm_context_options *: &(nm_context_options){.threads = 1}
 * const char *: "relu"
 * const char **: &text
 * char *: room
 * const char *const *: (const char *const[]){"relu"}
 * float *: numbers
 * const float *: numbers
 * double *: doubles
 * const double *: doubles
 * int *: &integer
 * int64_t *: &wide
 * size_t *: &size
 * bool *: (bool *)bytes
 * _Bool *: (bool *)bytes
 * int32_t *: (int32_t *)words
 * const int32_t *: (int32_t *)words
 * const uint8_t *: (uint8_t *)bytes
 * uint32_t *: words
 * const uint32_t *: words
 * void *: bytes
 * const void *: bytes
 * function *: NULL
 * va_list: NULL
 * nm_difference_fn: tell
 * nm_range_fn: range
 * nm_row_fn: row
 * nm_shape: NM_SHAPE(2)
 * nm_ints: NM_INTS(1)
 * nm_shape *: &shape
 * const nm_shape *: &shape
 * nm_dtype: NM_F32
 * nm_kind: NM_KIND_OP
 * nm_role: NM_PARAMETER
 * nm_purpose: NM_WEIGHT
 * nm_status: NM_ERROR_INPUT
 * nm_log_level: NM_LOG_INFO
 * nm_activation: NM_ACTIVATION_RELU
 * nm_set: NM_SET_TRAIN
 * nm_tensor *: x
 * const nm_tensor *: x
 * nm_tensor **: results
 * nm_tensor *const *: &x
 * nm_tape *: tape
 * const nm_tape *: tape
 * nm_store *: store
 * const nm_store *: store
 * const nm_entry *: nm_store_at(store, 0)
 * const nm_selection *: &(nm_selection){.match = "*"}
 * nm_map *: map
 * const nm_map *: map
 * nm_document *: document
 * const nm_document *: document
 * const nm_value *: nm_document_root(document)
 * nm_diagnostics *: &diagnostics
 * nm_place *: &(nm_place){0}
 * const nm_spec *: nm_op_softmax_spec()
 * const nm_option *: nm_op_softmax_spec()->options
 * nm_choice *: &choice
 * const nm_choice *: &choice
 * nm_choices *: &choices
 * const nm_choices *: &choices
 * const nm_item *: &nm_find_op(context, "relu")->item
 * const nm_op *: nm_find_op(context, "relu")
 * nm_infer *: &infer
 * const nm_infer *: &infer
 * const nm_run *: &run
 * nm_vjp *: &vjp
 * const nm_vjp *: &vjp
 * const nm_compose *: &(nm_compose){tape, nm_find_op(context, "relu"), NULL, 1, &x, results}
 * nm_check_result *: &(nm_check_result){0}
 * nm_random *: &generator
 * nm_file *: file
 * nm_npy_info *: &(nm_npy_info){0}
 * nm_tensor_file *: tensors
 * const nm_tensor_file *: tensors
 * nm_tensor_writer *: writer
 * const nm_affine_options *: NULL
 * const nm_argmax_options *: NULL
 * const nm_attention_options *: NULL
 * const nm_batch_norm_activation_options *: NULL
 * const nm_batch_norm_options *: NULL
 * const nm_clamp_options *: NULL
 * const nm_concat_options *: NULL
 * const nm_conv2d_activation_options *: NULL
 * const nm_conv1d_options *: NULL
 * const nm_conv2d_options *: NULL
 * const nm_conv2d_transpose_options *: NULL
 * const nm_conv3d_options *: NULL
 * const nm_batch_norm_running_options *: NULL
 * const nm_batch_norm_result *: &normal
 * const nm_cross_entropy_options *: NULL
 * const nm_cumsum_options *: NULL
 * const nm_dense_activation_options *: NULL
 * const nm_ctc_options *: NULL
 * const nm_ctc_decode_options *: NULL
 * const nm_dense_options *: NULL
 * const nm_dropout_options *: NULL
 * const nm_elu_options *: NULL
 * const nm_embedding_options *: NULL
 * const nm_gelu_options *: NULL
 * const nm_local_response_norm_options *: NULL
 * const nm_nll_options *: NULL
 * const nm_hard_sigmoid_options *: NULL
 * const nm_huber_options *: NULL
 * const nm_leaky_relu_options *: NULL
 * const nm_matmul_options *: NULL
 * const nm_mse_options *: NULL
 * const nm_norm_options *: NULL
 * const nm_permute_options *: NULL
 * const nm_pool2d_options *: NULL
 * const nm_recurrent_inputs *: &(nm_recurrent_inputs){0}
 * const nm_self_attention_inputs *: &(nm_self_attention_inputs){0}
 * const nm_recurrent_options *: NULL
 * const nm_reduce_options *: NULL
 * const nm_slice_options *: NULL
 * const nm_self_attention_options *: NULL
 * const nm_softmax_options *: NULL
 * const nm_softplus_options *: NULL
 * const nm_var_options *: NULL
 * const nm_weight_norm_options *: NULL
 * const nm_axes_options *: NULL
 * const nm_stack_options *: NULL
 * const nm_parts_options *: NULL
 * const nm_tile_options *: NULL
 * const nm_factor_options *: NULL
 * const nm_pad_options *: NULL
 * const nm_gather_options *: NULL
 * const nm_one_hot_options *: NULL
 * const nm_upsample_options *: NULL
 * nm_schema *: schema
 * const nm_schema *: schema
 * const nm_reading *: &(nm_reading){0}
 * nm_dataset *: &data.train
 * const nm_dataset *: &data.train
 * nm_data *: &data
 * const nm_data_options *: &data_options
 * const nm_loader_options *: &data.loader
 * const nm_split_options *: &(nm_split_options){.share = 0.5}
 * nm_calibration *: &(nm_calibration){0}
 * nm_loader *: loader
 * const nm_loader *: loader
 * nm_batch *: &batch
 * nm_learner *: &learner
 * const nm_batch *: &batch
 * nm_loss *: &loss
 * const nm_loss *: &loss
 * nm_metric *: &metric
 * const nm_metric *: &metric
 * const nm_metric_type *: &nm_metric_accuracy
 * const nm_evaluator *: &(nm_evaluator){.network = network, .tape = tape}
 * nm_evaluation *: &(nm_evaluation){0}
 * const nm_from *: &(nm_from){.path = "nowhere"}
 * nm_taken *: &(nm_taken){0}
 * const nm_group *: &(nm_group){NM_GROUP_DEFAULTS, .match = "*"}
 * nm_setting *: (nm_setting[9]){{0}}
 * nm_optimizer *: optimizer
 * const nm_optimizer *: optimizer
 * nm_saved *: &(nm_saved){0}
 * const nm_saved *: &saved
 * const nm_description *: &(nm_description){0}
 * nm_schedule *: &schedule
 * const nm_schedule *: &schedule
 * const nm_warmup *: &(nm_warmup){0}
 * nm_trainer *: trainer
 * const nm_trainer *: trainer
 * const nm_trainer_setup *: &setup
 * nm_train_result *: &(nm_train_result){0}
 * nm_model *: model
 * const nm_model *: model
 * const nm_model_options *: &(nm_model_options){NM_MODEL_DEFAULTS}
 * nm_config *: &(nm_config){0}
 * const nm_config *: &config
 * const nm_config_how *: &(nm_config_how){0}
 * nm_layer *: layer
 * const nm_layer *: layer
 * const nm_layer_type *: &probe
 * nm_layers *: &layers
 * const nm_layers *: &layers
 * nm_probe_view *: &(nm_probe_view){.context = context}
 * const nm_probe_options *: &(nm_probe_options){NM_PROBE_DEFAULTS}
 * const nm_pass *: &pass
 * const nm_network *: network
 * nm_graph *: graph
 * const nm_graph *: graph
 * nm_forward_fn *: go
 * const nm_graph_input *: &(nm_graph_input){"x", NM_F32, {1, {2}}}
 * const nm_effect *: &effect
 * nm_plan *: plan
 * const nm_plan *: plan
 * nm_statistics *: statistics
 * const nm_statistics *: statistics
 * nm_traced *: traced
 * const nm_traced *: traced
 * nm_predictor *: predictor
 * const nm_predictor *: predictor
 */
#ifndef END_CHILD
#define END_CHILD _exit /* exit, where a coverage build's counts are to be kept */
#endif

#include <norma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static nm_context *context;
static nm_statistics *statistics;
static nm_tape *tape;
static nm_tensor *x, *results[NM_MAX_OUTPUTS];
static nm_store *store;
static nm_batch_norm_result normal;
static nm_map *map;
static nm_document *document;
static nm_diagnostics diagnostics;
static nm_file *file;
static nm_tensor_file *tensors;
static nm_tensor_writer *writer;
static nm_schema *schema;
static nm_data data;
static nm_data_options data_options;
static nm_loader *loader;
static nm_batch batch;
static nm_loss loss;
static nm_metric metric;
static nm_optimizer *optimizer;
static nm_learner learner;
static nm_saved saved;
static nm_schedule schedule;
static nm_trainer *trainer;
static nm_trainer_setup setup;
static nm_model *model;
static const nm_network *network;
static nm_config config;
static nm_layer *layer;
static nm_layers layers;
static nm_graph *graph;
static nm_plan *plan;
static nm_traced *traced;
static nm_pass pass;
static nm_predictor *predictor;
static nm_choice choice;
static nm_choices choices;
static nm_random generator;
static nm_infer infer;
static nm_run run;
static nm_vjp vjp;
static nm_shape shape = {1, {2}};
static char room[8192], *bytes = room;
static const char *text = "text";
static float numbers[64];
static double doubles[64];
static int integer;
static int64_t wide;
static size_t size;
static uint32_t words[8];

static void tell(void *user, const nm_difference *difference)
{
    (void)user, (void)difference;
}

static void range(void *arg, int64_t begin, int64_t end)
{
    (void)arg, (void)begin, (void)end;
}

static void row(const void *options, const void *const *xs, void *y, int64_t n)
{
    (void)options, (void)xs, (void)y, (void)n;
}

static nm_status go(void *self, nm_tape *on, nm_tensor *const *in, nm_tensor **out)
{
    (void)self;
    out[0] = nm_relu(on, in[0]);
    return NM_OK;
}

static nm_status act(const void *of, nm_tensor *const *in)
{
    (void)of, (void)in;
    return NM_OK;
}

static const nm_effect effect = {"act", 0, act};

static const nm_spec *nm_op_softmax_spec(void)
{
    return nm_find_op(context, "softmax")->item.spec;
}

static nm_status with_list(nm_context *to, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_status status = nm_fail_v(to, NM_ERROR_INPUT, format, list);
    va_end(list);
    return status;
}

/* ---- Things ---- */

static nm_status probe_build(nm_layer *self, const nm_shape *of)
{
    (void)of;
    layer = self;
    layers = (nm_layers){self, self, 1};
    return NM_OK;
}

static nm_tensor *probe_forward(nm_layer *self, const nm_pass *with, nm_tensor *in)
{
    (void)self;
    return nm_relu(with->tape, in);
}

static const nm_layer_type probe = {
    .item = NM_ITEM(nm_layer_type, "probe", "a layer to look at", .doc = "y = max(x, 0)"),
    .build = probe_build,
    .forward = probe_forward};

static const char network_text[] = "model: [dense: {units: 2}, probe]\n"
                                   "data: {train: {spirals: {points: 20}}, batch: 10}\n"
                                   "loss: cross_entropy\n"
                                   "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n";

static void make_network(void)
{
    FILE *yaml = fopen("network.yaml", "w");
    fputs(network_text, yaml);
    fclose(yaml);
    nm_config_open(context, "network.yaml", NULL, 0, NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN,
                   &config);
    model = config.model;
    network = nm_model_network(model);
    setup = nm_config_setup(&config);
    trainer = nm_trainer_create(context, &setup);
    nm_model_save(model, "network.safetensors");
    predictor = nm_predictor_create(model, NULL);
    nm_saved_open(context, "network.safetensors", &saved);
    tensors = nm_tensor_file_read(context, "network.safetensors");
}

static void make_data(void)
{
    document = nm_document_parse(
        context, "{train: {spirals: {points: 20}}, batch: 10, normalize: auto}", SIZE_MAX, "text");
    nm_diagnostics_begin(&diagnostics, context);
    nm_spec_read(&nm_data_spec, nm_document_root(document), "data", document, &diagnostics,
                 &data_options);
    nm_data_open(context, &data_options, &data);
    schema = data.schema;
    loader = nm_loader_create(context, &data.train, &data.loader, true, 1);
    nm_loader_begin(loader, 0, 0);
    nm_loader_next(loader, &batch);
}

static void make_calls(void)
{
    static nm_tensor *out[1], *gin[1];
    static bool need[] = {true};
    const nm_op *relu = nm_find_op(context, "relu");
    out[0] = nm_relu(tape, x);
    normal = nm_batch_norm_with(tape, nm_tape_tensor(tape, NM_F32, NM_SHAPE(3, 2)), NULL, NULL,
                                NULL, NULL, NULL);
    infer = (nm_infer){.context = context, .op = relu, .inputs = 1, .in = {&shape}};
    run = (nm_run){context, relu, NULL, NM_F32, 1, 1, &x, out, {numbers}, {numbers}, true};
    vjp = (nm_vjp){tape, relu, NULL, 1, 1, &x, out, out, gin, need};
}

static void make_things(void)
{
    context = nm_open(&(nm_context_options){.threads = 1});
    nm_register_layer(context, &probe);
    tape = nm_tape_create(context);
    statistics = nm_statistics_create(context);
    x = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor_set_requires_grad(x, true);
    make_network();
    make_data();
    store = nm_store_create(context);
    nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2));
    choice = (nm_choice){.item = &nm_loss_cross_entropy.item};
    choices = (nm_choices){1, {{.item = &nm_metric_accuracy.item}}};
    optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 0.1), NULL, 0);
    nm_loss_begin(&loss, context, &choice);
    nm_metric_begin(&metric, context, &nm_metric_accuracy, NULL);
    nm_schedule_begin(&schedule, context, &(nm_choice){0}, NULL, 10, 1);
    learner = (nm_learner){.network = network, .loss = &loss, .optimizer = optimizer, .tape = tape};
    map = nm_map_create(context);
    nm_map_add(map, "one", room);
    writer = nm_tensor_writer_create(context);
    file = nm_file_create(context, "file");
    generator = nm_random_create(1, 1);
    pass = (nm_pass){.tape = tape, .random = &generator, .training = true};
    graph =
        nm_graph_trace(context, store, go, NULL, &(nm_graph_input){"x", NM_F32, {1, {2}}}, 1, 1);
    plan = nm_plan_create(graph);
    traced = nm_traced_create(network);
    make_calls();
}

/* ---- Calls ---- */

static int calls;

/* In the child, before the call; `standing`: an error stands. */
static void begin(int standing)
{
    nm_context_clear_error(context);
    if (standing) {
        nm_fail(context, NM_ERROR_CANCELLED, "an earlier failure");
    }
}

/* What is wrong after the call; NULL: nothing. */
static const char *judge(int standing, int stands, int needs_message, nm_status status)
{
    if (standing && stands &&
        (nm_context_status(context) != NM_ERROR_CANCELLED ||
         strcmp(nm_context_error(context), "an earlier failure") != 0)) {
        return "changes the error that stands";
    }
    if (!standing && needs_message && status != NM_OK && nm_context_status(context) == NM_OK) {
        return "fails without a message";
    }
    return NULL;
}

static void wait_for(pid_t child, const char *name, int standing)
{
    int status;
    waitpid(child, &status, 0);
    calls++;
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        printf("%s%s %s\n", name, standing ? ", an error standing," : "",
               WIFEXITED(status) && WEXITSTATUS(status) == 7 ? "(above)" : "crashes");
    }
}

static void end(const char *name, int standing, const char *wrong)
{
    if (wrong) {
        printf("%s%s %s\n", name, standing ? ", an error standing," : "", wrong);
        fflush(stdout);
    }
    END_CHILD(0);
}

#define IN_A_CHILD(name, ...)                                                                      \
    for (int standing = 0; standing < 2; standing++) {                                             \
        fflush(stdout);                                                                            \
        pid_t child = fork();                                                                      \
        if (!child) {                                                                              \
            alarm(20);                                                                             \
            begin(standing);                                                                       \
            __VA_ARGS__                                                                            \
        }                                                                                          \
        wait_for(child, name, standing);                                                           \
    }

#define CALL(name, stands, needs_message, ...)                                                     \
    IN_A_CHILD(name, __VA_ARGS__;                                                                  \
               end(name, standing, stands ? judge(standing, stands, 0, NM_OK) : NULL);)
#define STATUS(name, stands, needs_message, ...)                                                   \
    IN_A_CHILD(name, nm_status got = __VA_ARGS__;                                                  \
               end(name, standing, stands ? judge(standing, stands, needs_message, got) : NULL);)
#define MUST_FAIL(name, stands, needs_message, ...)                                                \
    IN_A_CHILD(name, int fine = __VA_ARGS__; end(name, standing,                                   \
                                                 fine     ? "does not fail"                        \
                                                 : stands ? judge(standing, stands, 0, NM_OK)      \
                                                          : NULL);)

void call_all(void);

int main(int argc, char **argv)
{
    (void)argc;
    if (chdir(argv[1]) != 0) {
        return 1;
    }
    make_things();
    if (nm_context_status(context) != NM_OK || !layer || !predictor || !trainer) {
        printf("the things to call with cannot be made: %s\n", nm_context_error(context));
        return 1;
    }
    call_all();
    printf("calls %d\n", calls);
    return 0;
}
