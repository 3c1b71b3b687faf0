// dlib (Debian: libdlib-dev): networks are types, so there are those of the rows.
#include <dlib/dnn.h>

#include "peer.h"

using namespace dlib;
template <int a, int b, int c>
using perceptron = loss_multiclass_log<fc<c, relu<fc<b, relu<fc<a, input<matrix<float, 0, 1>>>>>>>>;

template <class net_type>
struct network {
    net_type net;
    std::vector<sgd> solvers;
    std::vector<matrix<float, 0, 1>> x;
    std::vector<unsigned long> y;
    resizable_tensor in;
    double loss = 0;
};

template <class net_type>
static void train(void *state)
{
    auto &n = *static_cast<network<net_type> *>(state);
    n.loss += n.net.compute_parameter_gradients(n.in, n.y.begin());
    n.net.update_parameters(make_sstack(n.solvers), PEER_RATE);
}

template <class net_type>
static void predict(void *state)
{
    auto &n = *static_cast<network<net_type> *>(state);
    n.loss += n.net.subnet().forward(n.in).host()[0];
}

template <class net_type>
static int run(const peer &p)
{
    network<net_type> n;
    n.solvers.assign(net_type::num_computational_layers, sgd(0, 0));
    for (int i = 0; i < p.batch; i++) {
        n.x.push_back(mat(p.x + i * p.sizes[0], p.sizes[0]));
        n.y.push_back(static_cast<unsigned long>(p.labels[i]));
    }
    n.net.to_tensor(n.x.begin(), n.x.end(), n.in);
    return peer_run(&p, train<net_type>, predict<net_type>, &n);
}

int main(int argc, char **argv)
{
    const peer p = peer_begin(argc, argv);
    const std::string sizes = argv[2];
    return sizes == "2-64-64-2"         ? run<perceptron<64, 64, 2>>(p)
           : sizes == "784-256-128-10" ? run<perceptron<256, 128, 10>>(p)
           : sizes == "784-512-256-10" ? run<perceptron<512, 256, 10>>(p)
                                       : 2;
}
