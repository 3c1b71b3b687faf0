#include "peer.h"

#include <norma.h>

typedef struct network {
    nm_model *model;
    nm_learner learner;
    nm_batch batch;
    nm_tape *tape;
    nm_tensor *x;
} network;

static void train(void *state)
{
    network *n = (network *)state;
    nm_learn(&n->learner, &n->batch, NULL);
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

int main(int argc, char **argv)
{
    peer p = peer_begin(argc, argv);
    char text[512];
    describe(&p, text, sizeof text);
    nm_context *context = nm_open(NULL);
    if (p.threads) {
        nm_context_set_threads(context, p.threads);
    }
    static const nm_choice cross_entropy = {.item = &nm_loss_cross_entropy.item};
    nm_loss loss;
    nm_loss_begin(&loss, context, &cross_entropy);
    nm_document *document = nm_document_parse(context, text, strlen(text), "the network");
    network n = {.model =
                     nm_model_create(context, document, nm_document_root(document), NULL, NULL),
                 .tape = nm_tape_create(context)};
    nm_optimizer *sgd =
        nm_optimizer_create(nm_model_store(n.model), &nm_sgd(.rate = PEER_RATE), NULL, 0);
    n.batch = nm_batch_of_labels(NM_SHAPE(p.batch, p.sizes[0]), p.x, p.labels);
    n.x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(p.batch, p.sizes[0]), p.x);
    n.learner = (nm_learner){
        .network = nm_model_network(n.model), .loss = &loss, .optimizer = sgd, .tape = n.tape};
    if (strcmp(p.what, "predict") == 0) {
        nm_model_fold(n.model);
    } else if (strcmp(p.what, "int8") == 0) {
        nm_model_quantize(n.model);
    }
    peer_run(&p, train, predict, &n);
    const int failed = nm_context_status(context) != NM_OK;
    fputs(nm_context_error(context), stderr);
    nm_tensor_destroy(n.x);
    nm_optimizer_destroy(sgd);
    nm_tape_destroy(n.tape);
    nm_loss_end(&loss);
    nm_model_destroy(n.model);
    nm_document_destroy(document);
    nm_close(context);
    return failed;
}
