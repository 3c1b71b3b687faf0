/* norma check: what a network's file says, before anything is trained. */
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/command.h"
#include "models/command/train/doubts.h"
#include "models/command/trained.h"
#include "models/summary.h"

/* Its first and last lines are headings. */
static void print_table(nm_context *context, const nm_model *model)
{
    char *table = nm_model_table(model);
    for (const char *line = table; line && *line;) {
        const int length = (int)strcspn(line, "\n") + 1;
        const bool heading = line == table || !line[length];
        printf("%s%.*s%s", heading ? bold() : "", length, line, heading ? plain() : "");
        line += length;
    }
    if (table) {
        puts("\nMultiply-adds and activations are those of one sample's forward pass.");
    }
    nm_free(context, table);
}

static bool print_layer_json(const char *name, const nm_layer_summary *s)
{
    json_line line = {0};
    json_string(&line, "layer", name);
    json_string(&line, "type", s->type);
    json_shape(&line, "output", &s->output);
    json_integer(&line, "parameters", s->parameters);
    json_integer(&line, "multiply_adds", s->multiply_adds);
    json_integer(&line, "activation_bytes", s->bytes);
    return json_end(&line);
}

static void print_json(const nm_model *model)
{
    bool written = true;
    for (int i = 0; i < nm_model_layer_count(model) && written; i++) {
        nm_layer_summary s = nm_model_layer_at(model, i);
        written = print_layer_json(s.name, &s);
    }
    nm_layer_summary total = nm_model_total(model);
    if (written) {
        print_layer_json("total", &total);
    }
}

/* ---- What training would do ---- */

/* Whether there is something to tell: groups, or what is frozen without them. */
static bool has_groups(const nm_trainer *trainer, const nm_config *config)
{
    return trainer && config->train.groups && config->train.group_count;
}

/* Buffers have neither rate nor decay; those that rest are worth a row. */
static void print_resting(const nm_store *store, int width)
{
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        char elements[32];
        if (entry->role == NM_BUFFER && !entry->trainable) {
            printf("%-*s  %12s %16s\n", width, entry->name,
                   nm_grouped_text(nm_tensor_count(entry->tensor), elements), "frozen");
        }
    }
}

static int longest_name(const nm_store *store)
{
    int width = 9;
    for (int i = 0; i < nm_store_count(store); i++) {
        int length = (int)strlen(nm_store_at(store, i)->name);
        width = length > width ? length : width;
    }
    return width < 48 ? width : 48;
}

/* The groups as they come out. */
static void print_groups(nm_trainer *trainer, const nm_store *store)
{
    int width = longest_name(store);
    const nm_optimizer *optimizer = nm_trainer_optimizer(trainer);
    printf("\n%s%-*s  %12s %16s %12s%s\n", bold(), width, "parameter", "elements", "learning rate",
           "weight decay", plain());
    for (int i = 0; i < nm_optimizer_count(optimizer); i++) {
        nm_member m = nm_optimizer_at(optimizer, i);
        char elements[32], rate[32], decay[32];
        bool trains = m.entry->trainable;
        printf("%-*s  %12s %16s %12s\n", width, m.entry->name,
               nm_grouped_text(nm_tensor_count(m.entry->tensor), elements),
               trains ? format_f32(m.rate, rate) : "frozen",
               trains ? format_f32(m.weight_decay, decay) : "");
    }
    print_resting(store, width);
}

static void print_batches(nm_trainer *trainer, const nm_config *config)
{
    const nm_train_state *s = nm_trainer_state(trainer);
    const nm_loader_options *o = &config->data.loader;
    int64_t samples = config->data.train.count;
    int64_t last = samples - (s->batches - 1) * o->batch;
    char texts[4][32];
    printf("\nTraining: %s samples, %s batch%s of %s an epoch", nm_grouped_text(samples, texts[0]),
           nm_grouped_text(s->batches, texts[1]), s->batches == 1 ? "" : "es",
           nm_grouped_text(s->batches == 1 ? last : o->batch, texts[2]));
    if (s->batches > 1 && last != o->batch && o->last_batch != NM_SHORT_DROP) {
        printf(", the last of %lld", (long long)last);
    }
    printf("; %s updates.\n", nm_grouped_text(s->steps, texts[3]));
}

static void print_part(const nm_config *config, const char *name, int64_t samples)
{
    char count[32], rule[NM_SPLIT_TEXT], clean[NM_SPLIT_TEXT];
    const nm_dataset *whole = &config->data.whole;
    if (samples) {
        nm_split_rule(&config->data_options.validation, whole, rule);
        printf("%s: %s samples held out (%.1f %%), %s.\n", name, nm_grouped_text(samples, count),
               100 * (double)samples / (double)whole->count,
               nm_text_clean(rule, false, clean, sizeof clean));
    }
}

static void print_split(const nm_config *config)
{
    print_part(config, "Validation", config->data.validation.count);
    print_part(config, "Test", config->data.split.test);
}

static bool print_groups_json(nm_trainer *trainer)
{
    const nm_optimizer *optimizer = nm_trainer_optimizer(trainer);
    bool written = true;
    for (int i = 0; i < nm_optimizer_count(optimizer) && written; i++) {
        nm_member m = nm_optimizer_at(optimizer, i);
        json_line line = {0};
        json_string(&line, "parameter", m.entry->name);
        json_integer(&line, "elements", nm_tensor_count(m.entry->tensor));
        json_number(&line, "rate", m.entry->trainable ? m.rate : 0);
        json_number(&line, "weight_decay", m.entry->trainable ? m.weight_decay : 0);
        json_bool(&line, "frozen", !m.entry->trainable);
        written = json_end(&line);
    }
    return written;
}

/* ---- The command ---- */

static void print_all(nm_trainer *trainer, const nm_config *config, bool json)
{
    bool groups = has_groups(trainer, config);
    if (json) {
        if ((!config->data.schema || print_data_json(config->data.schema)) &&
            (!groups || print_groups_json(trainer))) {
            print_json(config->model);
        }
        return;
    }
    if (config->data.schema) {
        print_data_table(config->data.schema);
        putchar('\n');
    }
    print_table(config->context, config->model);
    if (groups) {
        print_groups(trainer, nm_model_store(config->model));
    }
    if (trainer) {
        print_batches(trainer, config);
        print_split(config);
    }
}

/* A saved network: what it takes, and its layers. Its file's data and training are not looked at.
 */
static int check_saved(nm_context *context, const arguments *a)
{
    nm_model *model = nm_model_open_saved(context, a->positional[0]);
    if (!model) {
        return report_error(context);
    }
    if (argument_value(a, "--json")) {
        if (print_data_json(nm_model_schema(model))) {
            print_json(model);
        }
    } else {
        const nm_saved *saved = nm_model_saved(model);
        char version[64];
        nm_text_clean(saved->version ? saved->version : "?", false, version, sizeof version);
        printf("Saved by norma %s, trained with %s.\n", version,
               saved->loss.item ? saved->loss.item->name : "a loss it does not name");
        if (saved->temperature > 0 && saved->temperature != 1) {
            printf("Class scores are divided by %.4g (their temperature) before they become "
                   "probabilities.\n",
                   saved->temperature);
        }
        if (nm_model_is_quantized(model)) {
            puts("Its weights have 8 bits: it is for predictions.");
        }
        putchar('\n');
        print_data_table(nm_model_schema(model));
        putchar('\n');
        print_table(context, model);
    }
    nm_model_destroy(model);
    return nm_context_status(context) == NM_OK ? EXIT_FINE : report_error(context);
}

static int run_check(nm_context *context, const arguments *a)
{
    if (is_trained_path(a->positional[0])) {
        return argument_value(a, "--set")
                   ? bad_usage("check: --set changes a network's file; %s is a saved network",
                               a->positional[0])
                   : check_saved(context, a);
    }
    const char *settings[MAX_VALUES];
    int count = argument_list(a, "--set", settings);
    nm_config config;
    nm_trainer *trainer = NULL;
    nm_status status =
        nm_config_open(context, a->positional[0], settings, count, NM_NEED_WHOLE, &config);
    if (status == NM_OK && config.data.train.count && config.loss.item) { /* else only a model */
        nm_trainer_setup setup = nm_config_setup(&config);
        trainer = nm_trainer_create(context, &setup);
        status = nm_context_status(context);
    }
    status = status == NM_OK ? check_doubts(&config) : status;
    if (status == NM_OK) {
        print_all(trainer, &config, argument_value(a, "--json") != NULL);
        status = nm_context_status(context);
    }
    int code = status == NM_OK ? EXIT_FINE : report_error(context);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    return code;
}

const command command_check = {
    .name = "check",
    .usage = "NETWORK",
    .summary = "check a YAML file, or a saved network, and show its layers",
    .doc =
        "Reads the YAML file NETWORK, opens its data, reports every mistake that training would "
        "not begin with, "
        "with its line and column, and prints what each column of the data is and what the network "
        "gets of it, the layers with their output shapes, parameters, "
        "multiply-adds and activation memory, what the groups of parameters come out as, and how "
        "many updates there would be. Of a file that has nothing but a model, the model is "
        "checked. NETWORK may also be the folder of a run or a saved .safetensors file: then it "
        "prints what the network takes and its layers.",
    .flags = {{"--set", "KEY=VALUE", "set a value of the file"},
              {"--json", NULL,
               "JSON lines: one object a column, one a parameter if there are groups, one a layer; "
               "the total last"}},
    .least = 1,
    .most = 1,
    .run = run_check,
};
