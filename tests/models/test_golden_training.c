/* Ten steps of training against PyTorch's, on stored values: Nesterov's momentum, weight decay,
 * batch norm and weight norm. tests/golden/training.py describes the file. */
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"
#include "optim/optim.h"
#include "optim/optimizers.h"

#include "tests/models/golden_network.h"

#define TOLERANCE 1e-6 /* relative, and of numbers about 1 */

typedef struct golden {
    const char *network; /* "mlp_wn" */
    nm_tensor_file *file;
    fixture f;
    int compared; /* tensors of the file */
} golden;

static nm_tensor *stored(const golden *g, const char *what, const char *name)
{
    return find_golden(g->file, g->network, what, name);
}

/* The file is read twice: the model that it describes has a context of its own. */
static golden begin_golden(const char *network)
{
    nm_context *context = open_context(NULL);
    golden g = {.network = network, .file = read_golden(context, "training")};
    nm_shape sample = *nm_tensor_shape(stored(&g, "x", ""));
    memmove(sample.dim, sample.dim + 1, (size_t)--sample.rank * sizeof *sample.dim);
    const char *yaml = nm_tensor_file_metadata(g.file, network);
    ck_assert_ptr_nonnull(yaml);
    g.f = begin(yaml, sample);
    nm_tensor_file_destroy(g.file);
    nm_close(context);
    g.file = read_golden(g.f.context, "training");
    return g;
}

static void end_golden(golden *g)
{
    nm_tensor_file_destroy(g->file);
    end(&g->f);
}

static nm_optimizer *make_optimizer(golden *g)
{
    nm_sgd_options options;
    const char *text = nm_tensor_file_metadata(g->file, "sgd");
    ck_assert_ptr_nonnull(text);
    nm_spec_read_text(g->f.context, nm_optimizer_sgd.item.spec, text, "sgd", &options);
    assert_fine(g->f.context);
    const nm_choice choice = {.item = &nm_optimizer_sgd.item, .options = &options};
    return nm_optimizer_create(g->f.store, &choice, NULL, 0);
}

/* A step of training; its loss. */
static double step_of(golden *g, nm_optimizer *optimizer, int step)
{
    nm_tape *tape = g->f.tape;
    nm_tensor *logits = train(&g->f, stored(g, "x", ""));
    nm_tensor *loss = nm_cross_entropy(tape, logits, stored(g, "labels", ""));
    nm_tensor_keep(loss);
    nm_backward(tape, loss, 0);
    nm_optimizer_step(optimizer, step, 1, 1);
    assert_fine(g->f.context);
    double value = nm_tensor_get(loss, 0);
    nm_store_clear_grads(g->f.store);
    nm_tape_reset(tape);
    return value;
}

static void compare(golden *g, const char *what, int64_t index, double value, nm_tensor *wanted)
{
    double reference = nm_tensor_get(wanted, index);
    ck_assert_msg(near_to(value, reference, TOLERANCE, TOLERANCE),
                  "%s, %s[%lld]: %.9g, PyTorch's %.9g", g->network, what, (long long)index, value,
                  reference);
}

/* Every parameter of the network is in the file, so what decays here and not there is seen. */
static void for_parameters(golden *g, void visit(golden *g, const nm_entry *entry))
{
    for (int i = 0; i < nm_store_count(g->f.store); i++) {
        const nm_entry *entry = nm_store_at(g->f.store, i);
        if (entry->role == NM_PARAMETER) {
            visit(g, entry);
        }
    }
}

static void set_parameter(golden *g, const nm_entry *entry)
{
    nm_tensor_assign(entry->tensor, stored(g, "start/", entry->name));
    assert_fine(g->f.context);
    g->compared++;
}

static void compare_parameter(golden *g, const nm_entry *entry)
{
    nm_tensor *wanted = stored(g, "end/", entry->name);
    for (int64_t i = 0; i < nm_tensor_count(wanted); i++) {
        compare(g, entry->name, i, nm_tensor_get(entry->tensor, i), wanted);
    }
    g->compared++;
}

/* How many tensors the file has of the network. */
static int count_stored(const golden *g)
{
    int count = 0;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s/", g->network);
    for (int i = 0; i < nm_tensor_file_count(g->file); i++) {
        count += strncmp(nm_tensor_file_name(g->file, i), prefix, strlen(prefix)) == 0;
    }
    return count;
}

static void check_network(const char *network)
{
    golden g = begin_golden(network);
    nm_tensor *losses = stored(&g, "losses", "");
    for_parameters(&g, set_parameter);
    nm_optimizer *optimizer = make_optimizer(&g);
    for (int step = 0; step < nm_tensor_count(losses); step++) {
        compare(&g, "losses", step, step_of(&g, optimizer, step), losses);
    }
    for_parameters(&g, compare_parameter);
    ck_assert_int_eq(g.compared + 3, count_stored(&g)); /* and x, labels, losses */
    nm_optimizer_destroy(optimizer);
    end_golden(&g);
}

START_TEST(training_with_weight_norm_and_decay_is_pytorchs)
{
    check_network("mlp_wn");
    check_network("cnn_wn");
}
END_TEST

START_TEST(training_with_batch_norm_and_decay_is_pytorchs)
{
    check_network("mlp_bn");
    check_network("cnn_bn");
}
END_TEST

TEST_MAIN("models/golden_training", training_with_weight_norm_and_decay_is_pytorchs,
          training_with_batch_norm_and_decay_is_pytorchs)
