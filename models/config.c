#include "models/config.h"

#include "core/guard.h"
#include "models/model_internal.h"

#include <string.h>

#include "core/text.h"
#include "models/parts.h"
#include "models/plugin_read.h"

/* ---- The parts ---- */

/* Read one by one, so that a message begins with the part's name. */
typedef struct config_parts {
    const nm_value *plugins, *model, *data, *loss, *train, *probes;
} config_parts;

static const char *const a_part[] = {"a part"};
static const config_parts defaults = {.model = NULL};
static const char *const paths[] = {"a list of paths"};
static const nm_option rows[] = {
    {NM_FIELD(config_parts, model), NM_OPTION_VALUE, .also = "layers network net architecture",
     .names = a_part, .doc = "the network, a list of layers; every command needs it"},
    {NM_FIELD(config_parts, data), NM_OPTION_VALUE, .also = "dataset", .names = a_part,
     .doc = "where samples come from; training and evaluation need it"},
    {NM_FIELD(config_parts, loss), NM_OPTION_VALUE, .also = "criterion objective", .names = a_part,
     .doc = "such as cross_entropy; training and evaluation need it"},
    {NM_FIELD(config_parts, train), NM_OPTION_VALUE, .also = "trainer training fit",
     .names = a_part, .doc = "the optimizer and its rate, epochs; training needs it"},
    {NM_FIELD(config_parts, probes), NM_OPTION_VALUE, .also = "probe hooks", .names = a_part,
     .doc = "what is measured inside of the network while it is trained"},
    {NM_FIELD(config_parts, plugins), NM_OPTION_VALUE, .also = "extensions", .names = paths,
     .doc =
         "shared objects with layers, ops or others that the file has; they are loaded only where "
         "--load-plugins or --plugin allows it"},
};
const nm_spec nm_file_spec = {.name = "config_parts",
                              .size = sizeof(config_parts),
                              .defaults = &defaults,
                              .options = rows,
                              .count = NM_COUNT_OF(rows)};

/* A file being read. */
typedef struct reader {
    nm_config *config;
    nm_context *context;
    nm_diagnostics *d;
    const nm_value *root;
    config_parts parts;
    unsigned needs;
    bool parts_fine;            /* the file has no other */
    bool data_fine, train_fine; /* its options are right */
    nm_saved *saved;            /* of a trained network, with a schema; NULL: it is to be trained */
    const char *resumed;        /* nm_config_how */
    int folds, fold;            /* the same */
} reader;

/* Whether the part is there; reports a needed one that is not, unless another name may be meant for
 * it. A null is no part. */
static bool has_part(const reader *r, const nm_value **part, const char *name, bool needed)
{
    if (*part && nm_value_is_null(*part)) {
        *part = NULL;
    }
    if (!*part && needed && r->parts_fine) {
        nm_diagnose(r->d, r->root, "the file has no part \"%s\"; add it", name);
    }
    return *part;
}

static bool read_data(reader *r)
{
    int errors = r->d->count;
    if (has_part(r, &r->parts.data, "data", r->needs & NM_NEED_DATA)) {
        nm_spec_read(&nm_data_spec, r->parts.data, "data", r->config->document, r->d,
                     &r->config->data_options);
        return r->d->count == errors;
    }
    return false;
}

/* What the loss needs decides how targets are read, and what it ignores may stand among them. Of a
 * file without a loss: what is usual. */
static void tell_data(nm_config *c)
{
    const nm_choice usual = {.item = &nm_loss_cross_entropy.item};
    c->data_options.ignored = nm_loss_choice_ignored(c->loss.item ? &c->loss : &usual);
    c->data_options.wanted = nm_loss_choice_wants(&c->loss);
}

static void read_loss(reader *r)
{
    if (has_part(r, &r->parts.loss, "loss", r->needs & NM_NEED_LOSS)) {
        nm_choice_read(NM_KIND_LOSS, r->parts.loss, "loss", r->config->document, r->d,
                       &r->config->loss);
    }
}

static void read_train(reader *r)
{
    nm_config *c = r->config;
    const int errors = r->d->count;
    c->train = *(const nm_train_options *)nm_train_spec.defaults;
    r->train_fine = true;
    if (has_part(r, &r->parts.train, "train", false)) {
        nm_spec_read(&nm_train_spec, r->parts.train, "train", c->document, r->d, &c->train);
        c->groups = nm_groups_read(c->train.groups, r->d, &c->train.group_count);
        c->train.group_list = c->groups;
        r->train_fine = r->d->count == errors;
    }
}

static void read_probes(reader *r)
{
    if (has_part(r, &r->parts.probes, "probes", false)) {
        nm_choices_read(NM_KIND_PROBE, r->parts.probes, "probes", r->config->document, r->d,
                        &r->config->probes);
    }
}

static void read_model(reader *r)
{
    if (has_part(r, &r->parts.model, "model", true)) {
        r->config->model = nm_model_read(r->context, r->config->document, r->parts.model, r->d);
    }
}

static bool has_more_than_a_model(const reader *r)
{
    const nm_value *const others[] = {r->parts.data, r->parts.loss, r->parts.train,
                                      r->parts.probes};
    for (int i = 0; i < NM_COUNT_OF(others); i++) {
        if (others[i] && !nm_value_is_null(others[i])) {
            return true;
        }
    }
    return false;
}

static void read_parts(reader *r)
{
    const int errors = r->d->count;
    nm_spec_read(&nm_file_spec, r->root, "the file", r->config->document, r->d, &r->parts);
    r->parts_fine = r->d->count == errors;
    if (!nm_plugins_read(r->parts.plugins, r->config->document, r->d)) {
        return; /* whatever is of them would be unknown */
    }
    if (r->needs & NM_NEED_WHOLE && has_more_than_a_model(r)) {
        r->needs |= NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN;
    }
    if (r->root->kind == NM_VALUE_MAP) {
        read_model(r);
        r->data_fine = read_data(r);
        read_loss(r);
        tell_data(r->config);
        r->config->data_options.folds = r->folds;
        r->config->data_options.fold = r->fold;
        read_train(r);
        read_probes(r);
    } else if (nm_value_is_null(r->root)) {
        has_part(r, &r->parts.model, "model", true);
    }
}

/* ---- Data and shapes ---- */

static bool wants_data_open(const reader *r)
{
    const nm_model *m = r->config->model;
    return !r->saved && r->data_fine &&
           (r->needs & NM_NEED_DATA || (m && nm_model_input(m)->rank < 0));
}

/* Whether samples are prepared as those of another network were. */
static bool takes_preparation(const reader *r)
{
    const nm_from *from = &r->config->train.from;
    return r->train_fine && from->path && from->preparation == NM_PREPARATION_TAKEN;
}

/* That network's schema; a run that goes on has it in its own checkpoint. */
static nm_status take_preparation(const reader *r, nm_schema **schema)
{
    nm_saved saved;
    char *path = nm_saved_find(r->context, r->resumed ? r->resumed : r->config->train.from.path);
    nm_status status = path ? nm_saved_open(r->context, path, &saved) : NM_ERROR_INPUT;
    if (status == NM_OK) {
        *schema = saved.schema;
        saved.schema = NULL;
        nm_saved_close(&saved);
    }
    if (status == NM_OK && !*schema) {
        nm_fail(r->context, NM_ERROR_INPUT,
                "%s does not say what was done to its samples; use preparation: new", path);
    }
    nm_free(r->context, path);
    return nm_context_status(r->context) == NM_OK ? NM_OK : nm_fail_in(r->context, "from");
}

static nm_status open_sets(const reader *r)
{
    nm_config *c = r->config;
    nm_schema *taken = NULL;
    if (takes_preparation(r) && take_preparation(r, &taken) != NM_OK) {
        return nm_context_status(r->context);
    }
    return taken ? nm_data_open_as(r->context, &c->data_options, taken, &c->data)
                 : nm_data_open(r->context, &c->data_options, &c->data);
}

/* A file that cannot be read is a mistake like others, unless there are no others. */
static nm_status open_data(reader *r)
{
    if (!wants_data_open(r) || open_sets(r) == NM_OK) {
        return nm_context_status(r->context);
    }
    const nm_value *at = r->parts.data;
    if (r->d->count) {
        nm_diagnose_standing(r->d, at);
        return nm_context_status(r->context);
    }
    return nm_fail_at(r->context, at);
}

/* Not if the shape of a sample is not known because of another mistake. */
static void build_model(reader *r)
{
    nm_config *c = r->config;
    nm_model_options options = {NM_MODEL_DEFAULTS, .seed = (uint64_t)c->train.seed};
    bool known = c->model && nm_model_input(c->model)->rank >= 0;
    if (c->model && r->saved) {
        nm_model_build(c->model, &r->saved->schema->shape, &options, r->d);
    } else if (c->model && c->data.train.count) {
        nm_model_set_schema(c->model, c->data.schema);
        nm_model_build(c->model, &c->data.train.shape, &options, r->d);
    } else if (known || (c->model && !r->parts.data)) {
        nm_model_build(c->model, NULL, &options, r->d);
    }
}

/* ---- The parts against each other ---- */

/* Whether the weights to start from can be. */
static void check_from(const reader *r)
{
    const nm_config *c = r->config;
    if (r->needs & NM_NEED_TRAIN && r->train_fine && c->train.from.path && !r->resumed &&
        !r->d->count && nm_from_check(&c->train.from, nm_model_store(c->model)) != NM_OK) {
        nm_diagnose_standing(r->d, nm_value_place(r->parts.train, "from"));
    }
}

/* What the loss takes from the training set, such as balanced weights: a trainer that only
 * evaluates does not know that the set is the one for training. */
static bool prepare_loss(const reader *r, nm_loss *loss, nm_choice *choice)
{
    const nm_shape *output = nm_model_output(r->config->model);
    const int64_t width = output->rank > 0 ? output->dim[output->rank - 1] : 0;
    if (nm_loss_begin(loss, r->context, choice) != NM_OK ||
        nm_loss_prepare(loss, &r->config->data.train, width) != NM_OK) {
        nm_diagnose_standing(r->d, choice->at);
        return false;
    }
    if (loss->prepared) {
        *choice = (nm_choice){.item = choice->item, .options = loss->prepared, .at = choice->at};
    }
    return true;
}

/* As the trainer will see them. */
static void check_run(const reader *r)
{
    nm_loss loss = {0};
    const nm_config *c = r->config;
    nm_trainer_setup setup = nm_config_setup(c);
    setup.only_evaluates = !(r->needs & NM_NEED_TRAIN);
    if (!r->train_fine) {
        setup.options = *(const nm_train_options *)nm_train_spec.defaults;
    }
    if (c->loss.item && c->data.train.count && nm_model_output(c->model)->rank >= 0) {
        if (!setup.only_evaluates || prepare_loss(r, &loss, &setup.loss)) {
            nm_trainer_check(r->context, &setup, r->d);
        }
        nm_loss_end(&loss);
    }
    check_from(r);
}

/* ---- All of it ---- */

static nm_status apply_settings(nm_document *document, const char *const *settings, int count,
                                nm_diagnostics *d)
{
    for (int i = 0; i < count; i++) {
        if (nm_document_set_nth(document, settings[i], i + 1) != NM_OK) {
            nm_diagnose_standing(d, NULL);
        }
    }
    return nm_diagnostics_end(d);
}

static nm_status read_config(reader *r)
{
    read_parts(r);
    nm_status status = nm_context_status(r->context);
    if (status == NM_OK && (status = open_data(r)) == NM_OK) {
        build_model(r);
        if (r->config->model && nm_context_status(r->context) == NM_OK) {
            check_run(r);
        }
        status = nm_diagnostics_end(r->d);
    }
    return status;
}

/* As a setting would; the rest of the file's `from` stays. */
static nm_status set_from(nm_document *document, const char *path, nm_diagnostics *d)
{
    const nm_value *train = nm_value_get(nm_document_root(document), "train");
    const nm_value *from = nm_value_get(train, "from");
    nm_text setting = {.context = d->context};
    nm_text_add(&setting, "train.from%s=", from && from->kind == NM_VALUE_MAP ? ".path" : "");
    nm_text_add_quoted(&setting, path);
    char *text = nm_text_end(&setting);
    if (text && nm_document_set(document, text) != NM_OK) {
        nm_diagnose_standing(d, NULL);
    }
    nm_free(d->context, text);
    return nm_diagnostics_end(d);
}

static nm_status open_with(nm_context *context, const char *path, const nm_config_how *how,
                           nm_saved *saved, nm_config *config)
{
    nm_diagnostics d;
    NM_REQUIRE(context, config, NM_ERROR_INPUT);
    *config = (nm_config){.context = context};
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    NM_REQUIRE(context, how, NM_ERROR_INPUT);
    config->document = nm_document_read(context, path);
    if (!config->document) {
        return nm_context_status(context);
    }
    nm_diagnostics_begin(&d, context);
    reader r = {.config = config,
                .context = context,
                .d = &d,
                .needs = how->needs,
                .saved = saved,
                .resumed = how->resumed,
                .folds = how->folds,
                .fold = how->fold};
    nm_status status = apply_settings(config->document, how->settings, how->count, &d);
    if (status == NM_OK && how->from) {
        status = set_from(config->document, how->from, &d);
    }
    if (status == NM_OK) {
        r.root = nm_document_root(config->document);
        status = read_config(&r);
    }
    if (status != NM_OK) {
        nm_config_close(config);
    }
    return status;
}

nm_status nm_config_open(nm_context *context, const char *path, const char *const *settings,
                         int count, unsigned needs, nm_config *config)
{
    const nm_config_how how = {.settings = settings, .count = count, .needs = needs};
    return open_with(context, path, &how, NULL, config);
}

nm_status nm_config_open_run(nm_context *context, const char *path, const nm_config_how *how,
                             nm_config *config)
{
    return open_with(context, path, how, NULL, config);
}

static nm_status take_saved(nm_config *c, nm_saved *saved, const char *file)
{
    const nm_choice loss = saved->loss;
    nm_status status = nm_model_take(c->model, saved);
    if (status != NM_OK) {
        nm_fail_in(c->context, "%s", file);
        nm_config_close(c);
        return status;
    }
    c->loss = c->loss.item ? c->loss : loss;
    return NM_OK;
}

/* Before the saved network is read, which may be of plugins that the file names. */
static nm_status load_plugins_of(nm_context *context, const char *path)
{
    nm_diagnostics d;
    nm_document *document = nm_document_read(context, path);
    if (!document) {
        return nm_context_status(context);
    }
    nm_diagnostics_begin(&d, context);
    nm_plugins_read(nm_value_get(nm_document_root(document), "plugins"), document, &d);
    nm_document_destroy(document);
    return nm_diagnostics_end(&d);
}

nm_status nm_config_open_trained(nm_context *context, const char *path, const char *const *settings,
                                 int count, const char *saved_path, nm_config *config)
{
    NM_REQUIRE(context, config, NM_ERROR_INPUT);
    *config = (nm_config){.context = context};
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    if (load_plugins_of(context, path) != NM_OK) {
        return nm_context_status(context);
    }
    nm_saved saved = {.context = context};
    char *file = nm_saved_find(context, saved_path);
    nm_status status = file ? nm_saved_open(context, file, &saved) : nm_context_status(context);
    if (status == NM_OK) {
        const bool told = saved.schema != NULL;
        const nm_config_how how = {
            .settings = settings, .count = count, .needs = told ? 0 : NM_NEED_DATA};
        status = open_with(context, path, &how, told ? &saved : NULL, config);
    }
    status = status == NM_OK ? take_saved(config, &saved, file) : status;
    nm_saved_close(&saved);
    nm_free(context, file);
    return status;
}

void nm_config_close(nm_config *config)
{
    NM_GIVEN(config, );
    if (!config->context) {
        return;
    }
    nm_model_destroy(config->model);
    if (config->data.train.context) {
        nm_data_close(&config->data);
    }
    nm_free(config->context, config->groups);
    nm_document_destroy(config->document);
    *config = (nm_config){0};
}

nm_trainer_setup nm_config_setup(const nm_config *config)
{
    NM_GIVEN(config, ((nm_trainer_setup){0}));
    return (nm_trainer_setup){
        .network = nm_model_network(config->model),
        .data = &config->data,
        .loss = config->loss,
        .options = config->train,
        .probes = config->probes,
        .file = config->document ? nm_document_root(config->document) : NULL,
    };
}
