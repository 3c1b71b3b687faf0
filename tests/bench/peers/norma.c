#include "peer.h"

#include <norma.h>

typedef struct network {
    nm_document *document; /* NULL: the network is a file's */
    nm_model *model;
    nm_learner learner;
    nm_batch batch;
    nm_tape *tape;
    nm_tensor *x;
    nm_random random;
} network;

static void train(void *state)
{
    network *n = (network *)state;
    nm_learn(&n->learner, &n->batch, NULL);
}

/* In bf16, which the learner has no word for. */
static void train_bf16(void *state)
{
    network *n = (network *)state;
    const nm_pass pass = {
        .tape = n->tape, .random = &n->random, .training = true, .precision = NM_PRECISION_BF16};
    nm_tape_reset(n->tape);
    nm_tensor *x = nm_tape_wrap(n->tape, NM_F32, n->batch.shape, n->batch.x);
    nm_tensor *y = nm_model_forward(n->model, &pass, x);
    nm_backward(n->tape, nm_loss_of(n->learner.loss, n->tape, y, &n->batch), 0);
    nm_optimizer_step(n->learner.optimizer, n->learner.step++, 1, 1);
    nm_store_clear_grads(nm_model_store(n->model));
}

static void predict(void *state)
{
    network *n = (network *)state;
    nm_tape_reset(n->tape);
    nm_model_predict(n->model, n->tape, n->x);
}

static void describe(const peer *p, char *text, size_t room)
{
    size_t at = (size_t)snprintf(text, room, "{input: [%d], layers: [", p->sizes[0]);
    for (int i = 1; i < p->count; i++) {
        at += (size_t)snprintf(text + at, room - at, "%s{dense: {units: %d}}",
                               i > 1 ? ", relu, " : "", p->sizes[i]);
    }
    snprintf(text + at, room - at, "]}");
}

static void make_model(const peer *p, nm_context *context, network *n)
{
    char text[512];
    if (p->file) {
        n->model = nm_model_open(context, p->file, NULL);
        return;
    }
    describe(p, text, sizeof text);
    n->document = nm_document_parse(context, text, strlen(text), "the network");
    n->model = nm_model_create(context, n->document, nm_document_root(n->document), NULL, NULL);
}

/* [batch, and what a sample has]. */
static nm_shape shape_of(const nm_model *model, int batch)
{
    const nm_shape *sample = nm_model_input(model);
    nm_shape shape = {sample->rank + 1, {batch}};
    memcpy(shape.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
    return shape;
}

static void run(const peer *p, network *n)
{
    const bool in_bf16 = strcmp(p->what, "train_bf16") == 0;
    if (in_bf16 && !nm_has_bf16()) {
        return; /* says nothing: it cannot */
    }
    if (strcmp(p->what, "predict") == 0) {
        nm_model_fold(n->model);
    } else if (strcmp(p->what, "int8") == 0) {
        nm_model_quantize(n->model);
    }
    peer_run(p, in_bf16 ? train_bf16 : train, predict, n);
}

int main(int argc, char **argv)
{
    peer p = peer_begin(argc, argv);
    nm_context *context = nm_open(NULL);
    if (p.threads) {
        nm_context_set_threads(context, p.threads);
    }
    static const nm_choice cross_entropy = {.item = &nm_loss_cross_entropy.item};
    nm_loss loss;
    nm_loss_begin(&loss, context, &cross_entropy);
    network n = {.tape = nm_tape_create(context)};
    make_model(&p, context, &n);
    if (!n.model) {
        fputs(nm_context_error(context), stderr);
        return 1;
    }
    const nm_shape shape = shape_of(n.model, p.batch);
    nm_optimizer *sgd = nm_optimizer_create(
        nm_model_store(n.model), &nm_sgd(.rate = PEER_RATE, .momentum = p.file ? 0.9 : 0), NULL, 0);
    n.random = nm_random_create(1, 0);
    n.batch = nm_batch_of_labels(shape, p.x, p.labels);
    n.x = nm_tensor_copy_of(context, NM_F32, shape, p.x);
    n.learner = (nm_learner){
        .network = nm_model_network(n.model), .loss = &loss, .optimizer = sgd, .tape = n.tape};
    run(&p, &n);
    const int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tensor_destroy(n.x);
    nm_optimizer_destroy(sgd);
    nm_tape_destroy(n.tape);
    nm_loss_end(&loss);
    nm_model_destroy(n.model);
    nm_document_destroy(n.document);
    nm_close(context);
    return failed;
}
