#include "models/command/eval/evaluated.h"

#include <math.h>
#include <string.h>

#include "models/command/eval/split.h"

/* ---- The set ---- */

static const char *const set_names[] = {"train", "validation", "test"};

/* The set that --on names; -1: there is none of that name. */
static int set_of_name(const char *name)
{
    for (int i = 0; i < NM_COUNT_OF(set_names); i++) {
        if (strcmp(set_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static nm_status no_set(const evaluated *e, nm_set set)
{
    return nm_fail(
        e->trained.context, NM_ERROR_INPUT, "there is no %s set; %s, or give --data FILE",
        set_names[set],
        set == NM_SET_VALIDATION
            ? "hold some of the training samples out with data.validation before training"
            : "give the file one, as data.test");
}

static nm_status open_file(evaluated *e, const char *path, const arguments *a)
{
    nm_context *context = e->trained.context;
    const nm_schema *schema = nm_model_schema(e->trained.model);
    if (!schema) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s does not say what samples are, so --data cannot be read; give the "
                       "network's YAML with its own data",
                       e->trained.weights);
    }
    const nm_reading reading = {.schema = schema,
                                .ignored = nm_loss_choice_ignored(&e->trained.loss),
                                .wanted = nm_loss_choice_wants(&e->trained.loss)};
    nm_status status =
        nm_dataset_open_file(context, path, argument_value(a, "--labels"), &reading, &e->own);
    if (status == NM_OK && !e->own.targets) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s has no targets to compare with; give the column of the target, or "
                       "--labels FILE for an array",
                       path);
    }
    e->set = &e->own;
    e->name = path;
    e->loader = nm_schema_loader(schema, e->trained.config.data_options.loader.batch);
    return status;
}

/* Whether a file is one of those that the training set is read from. */
static bool is_trained_on(const evaluated *e, const char *path)
{
    const nm_choice *train = &e->trained.config.data_options.train;
    const nm_spec *spec = e->trained.has_config && train->item ? train->item->spec : NULL;
    for (int i = 0; spec && train->options && i < spec->count; i++) {
        const nm_option *o = &spec->options[i];
        const char *const *text =
            (const char *const *)(const void *)((const char *)train->options + o->offset);
        if (o->type == NM_OPTION_STRING && (o->flags & NM_PATH) && is_same_file(path, *text)) {
            return true;
        }
    }
    return false;
}

/* Whether the samples are all those that the run divided, whatever their file is called. */
static bool is_whole_set(const evaluated *e)
{
    char print[NM_PRINT_TEXT];
    const char *data = nm_model_saved(e->trained.model)->split.data;
    return data && strcmp(nm_dataset_print(e->set, print), data) == 0;
}

bool evaluated_was_trained_on(const evaluated *e, const char *file)
{
    return is_trained_on(e, file) || is_whole_set(e);
}

static nm_status open_own(evaluated *e, const char *on)
{
    nm_config *c = &e->trained.config;
    const int named = on ? set_of_name(on) : (int)split_usual_set(e);
    if (named < 0) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "there is no set \"%s\"; --on takes train, validation or test", on);
    }
    if (!c->data_options.train.item) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "nothing to evaluate on: there are no data beside %s; give --data FILE",
                       e->trained.weights);
    }
    if (!split_has_set(e, (nm_set)named)) {
        return no_set(e, (nm_set)named);
    }
    e->name = set_names[named];
    nm_data *from = &e->data;
    nm_status status = NM_OK;
    if (c->data.train.count) {
        from = &c->data; /* the saved file does not say what samples are: all are open */
    } else if ((status = split_take(e, (nm_set)named)) == NM_OK) {
        status = nm_data_open_set(e->trained.context, &c->data_options,
                                  nm_model_schema(e->trained.model), (nm_set)named, from);
        status = status == NM_OK ? split_check(e, (nm_set)named, from) : status;
    }
    e->set = named == NM_SET_TRAIN        ? &from->train
             : named == NM_SET_VALIDATION ? &from->validation
                                          : &from->test;
    e->loader = from->loader;
    return status;
}

static nm_status open_set(const arguments *a, const char *on, evaluated *e)
{
    const char *file = argument_value(a, "--data");
    return file ? open_file(e, file, a) : open_own(e, on);
}

nm_status evaluated_open(nm_context *context, const arguments *a, const char *on, evaluated *e)
{
    *e = (evaluated){.name = ""};
    nm_status status = trained_open(context, a, &e->trained);
    return status == NM_OK ? open_set(a, on, e) : status;
}

nm_status evaluated_open_if_any(nm_context *context, const arguments *a, const char *on,
                                evaluated *e)
{
    *e = (evaluated){.name = ""};
    nm_status status = trained_open(context, a, &e->trained);
    const bool any = on || argument_value(a, "--data") || argument_value(a, "--labels") ||
                     e->trained.config.data_options.train.item;
    return status == NM_OK && any ? open_set(a, on, e) : status;
}

/* ---- The evaluation ---- */

/* A network whose class scores are divided by the temperature: then the loss is that of the
 * probabilities that norma predict tells. */
typedef struct tempered {
    const nm_network *inner;
    double temperature;
} tempered;

static nm_tensor *tempered_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const tempered *t = self;
    nm_tensor *y = t->inner->forward(t->inner->self, pass, x);
    return y ? nm_affine(pass->tape, y, 1 / t->temperature, 0) : NULL;
}

static nm_status tempered_try(void *self, const nm_pass *pass, const nm_shape *x, nm_trial *trial)
{
    const tempered *t = self;
    return t->inner->try_on(t->inner->self, pass, x, trial);
}

double evaluated_temperature(const evaluated *e)
{
    const nm_loss_type *loss = (const nm_loss_type *)(const void *)e->trained.loss.item;
    const double saved = nm_model_saved(e->trained.model)->temperature;
    return loss && loss->wants_labels && saved > 0 ? saved : 1;
}

static nm_network temper(tempered *t)
{
    nm_network network = *t->inner;
    if (t->temperature != 1) {
        network.self = t;
        network.forward = tempered_forward;
        network.try_on = network.try_on ? tempered_try : NULL;
    }
    return network;
}

/* The set stands where a training set would: the trainer does nothing but evaluate. */
static nm_status evaluate(evaluated *e, const nm_onlooker *onlooker)
{
    tempered t = {nm_model_network(e->trained.model), evaluated_temperature(e)};
    const nm_network network = temper(&t);
    const nm_data data = {.train = *e->set, .loader = e->loader};
    nm_trainer_setup setup = {.data = NULL};
    if (e->trained.has_config) {
        setup = nm_config_setup(&e->trained.config);
    }
    const nm_item *saved_loss = nm_model_saved(e->trained.model)->loss.item;
    if (!setup.options.metric.count && e->trained.loss.item == saved_loss) {
        setup.options.metric = nm_model_saved(e->trained.model)->metric;
    }
    setup.network = &network;
    setup.onlooker = *onlooker;
    setup.data = &data;
    setup.loss = e->trained.loss;
    setup.guess = nm_model_saved(e->trained.model)->guess;
    setup.only_evaluates = true;
    if (!setup.loss.item) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "%s does not say which loss the network was trained with; give its YAML",
                       e->trained.weights);
    }
    nm_trainer *trainer = nm_trainer_create(e->trained.context, &setup);
    nm_status status = trainer ? nm_trainer_evaluate(trainer, e->set, &e->result)
                               : nm_context_status(e->trained.context);
    if (status == NM_OK) {
        e->metrics = *nm_trainer_state(trainer)->metrics;
        e->baseline = nm_trainer_state(trainer)->baseline;
        status = nm_trainer_evaluate_baseline(trainer, e->set, &e->guess);
    }
    nm_trainer_destroy(trainer);
    return status;
}

/* A mean with a NaN in it is no result. */
static nm_status check_finite(const evaluated *e)
{
    if (isfinite(e->result.loss)) {
        return NM_OK;
    }
    return nm_fail(e->trained.context, NM_ERROR_NUMERIC,
                   "the %s loss is %s: the network's outputs are not finite; its parameters or the "
                   "samples are too large",
                   e->name, isnan(e->result.loss) ? "NaN" : "infinite");
}

nm_status evaluated_run(evaluated *e, const nm_onlooker *onlooker)
{
    nm_status status = evaluate(e, onlooker);
    return status == NM_OK ? check_finite(e) : status;
}

void evaluated_close(evaluated *e)
{
    if (e->data.train.context) {
        nm_data_close(&e->data);
    }
    if (e->own.context) {
        nm_dataset_close(&e->own);
    }
    nm_free(e->trained.context, e->parts);
    trained_close(&e->trained);
}
