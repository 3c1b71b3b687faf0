// ggml (github.com/ggml-org/ggml): softmax and cross entropy, its own SGD, graphs made once. With PEER_BLAS its
// products go to OpenBLAS where it thinks that they should.
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml-opt.h"
#ifdef PEER_BLAS
#include "ggml-blas.h"
#endif

#include "peer.h"

struct network {
    std::vector<ggml_backend_t> backends; // the last one is the processor's
    ggml_backend_sched_t sched;
    ggml_context *fixed, *computed; // parameters and input; what is computed of them
    ggml_tensor *x, *y;
    ggml_cgraph *graph;
    ggml_opt_context_t opt = nullptr;
};

static void train(void *state)
{
    auto &n = *static_cast<network *>(state);
    ggml_opt_alloc(n.opt, true);
    ggml_opt_eval(n.opt, nullptr);
}

static void predict(void *state)
{
    auto &n = *static_cast<network *>(state);
    if (n.opt) { // after training
        ggml_opt_alloc(n.opt, false);
        ggml_opt_eval(n.opt, nullptr);
    } else {
        ggml_backend_sched_graph_compute(n.sched, n.graph);
    }
}

static ggml_context *context_of(size_t bytes)
{
    return ggml_init({bytes, nullptr, true});
}

static void open_backends(network &n, int threads)
{
#ifdef PEER_BLAS
    n.backends.push_back(ggml_backend_blas_init());
    ggml_backend_blas_set_n_threads(n.backends.back(), threads);
#endif
    n.backends.push_back(ggml_backend_cpu_init());
    ggml_backend_cpu_set_n_threads(n.backends.back(), threads);
    n.sched = ggml_backend_sched_new(n.backends.data(), nullptr, static_cast<int>(n.backends.size()),
                                     GGML_DEFAULT_GRAPH_SIZE, false, true);
}

static void build(network &n, const peer &p)
{
    const size_t room = ggml_tensor_overhead() * GGML_DEFAULT_GRAPH_SIZE;
    n.fixed = context_of(room);
    n.computed = context_of(room + 3 * ggml_graph_overhead_custom(GGML_DEFAULT_GRAPH_SIZE, true));
    n.x = ggml_new_tensor_2d(n.fixed, GGML_TYPE_F32, p.sizes[0], p.batch);
    ggml_set_input(n.x);
    n.y = n.x;
    for (int i = 1; i < p.count; i++) {
        ggml_tensor *w = ggml_new_tensor_2d(n.fixed, GGML_TYPE_F32, p.sizes[i - 1], p.sizes[i]);
        ggml_tensor *b = ggml_new_tensor_1d(n.fixed, GGML_TYPE_F32, p.sizes[i]);
        ggml_set_param(w);
        ggml_set_param(b);
        n.y = ggml_add(n.computed, ggml_mul_mat(n.computed, w, n.y), b);
        n.y = i + 1 < p.count ? ggml_relu(n.computed, n.y) : n.y;
    }
    ggml_set_output(n.y);
    ggml_backend_alloc_ctx_tensors(n.fixed, n.backends.back());
}

static void fill(const network &n, const peer &p)
{
    for (ggml_tensor *t = ggml_get_first_tensor(n.fixed); t; t = ggml_get_next_tensor(n.fixed, t)) {
        std::vector<float> values(static_cast<size_t>(ggml_nelements(t)));
        for (size_t i = 0; i < values.size(); i++) {
            values[i] = t == n.x ? p.x[i] : t->ne[1] == 1 ? 0 : 0.01f * static_cast<float>(i % 13) - 0.06f;
        }
        ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t));
    }
}

static ggml_opt_optimizer_params constants(void *)
{
    ggml_opt_optimizer_params constants = ggml_opt_get_default_optimizer_params(nullptr);
    constants.sgd = {static_cast<float>(PEER_RATE), 0};
    return constants;
}

static void begin_training(network &n, const peer &p)
{
    ggml_opt_params options = ggml_opt_default_params(n.sched, GGML_OPT_LOSS_TYPE_CROSS_ENTROPY);
    options.ctx_compute = n.computed;
    options.inputs = n.x;
    options.outputs = n.y;
    options.optimizer = GGML_OPT_OPTIMIZER_TYPE_SGD;
    options.get_opt_pars = constants;
    n.opt = ggml_opt_init(options);
    ggml_opt_alloc(n.opt, true);
    std::vector<float> truth(static_cast<size_t>(p.batch * peer_outputs(&p)));
    for (int i = 0; i < p.batch; i++) {
        truth[static_cast<size_t>(i * peer_outputs(&p) + p.labels[i])] = 1;
    }
    ggml_backend_tensor_set(ggml_opt_labels(n.opt), truth.data(), 0, truth.size() * sizeof(float));
    ggml_opt_eval(n.opt, nullptr);
}

static void begin_predicting(network &n)
{
    n.graph = ggml_new_graph(n.computed);
    ggml_build_forward_expand(n.graph, n.y);
    ggml_backend_sched_alloc_graph(n.sched, n.graph);
}

int main(int argc, char **argv)
{
    peer p = peer_begin(argc, argv);
    network n;
    open_backends(n, p.threads);
    build(n, p);
    fill(n, p);
    if (strcmp(p.what, "predict") == 0) {
        begin_predicting(n);
    } else {
        begin_training(n, p);
    }
    return peer_run(&p, train, predict, &n);
}
