#include "models/parts.h"

#include "optim/data/data.h"
#include "optim/trainer.h"

static const nm_item parts[] = {
    NM_ITEM(nm_item, "file", "a network's file", .spec = &nm_file_spec,
            .doc = "    model: [dense: {units: 16}, relu, dense: {units: 3}]\n"
                   "    data: {train: {csv: {path: train.csv}}, batch: 16}\n"
                   "    loss: cross_entropy\n"
                   "    train: {epochs: 20, optimizer: {sgd: {rate: 0.1}}}"),
    NM_ITEM(nm_item, "model", "the network", .spec = &nm_model_spec,
            .doc = "A list of layers, or a map of these options. A layer is a name (relu), or a "
                   "name with options (dense: {units: 10})."),
    NM_ITEM(nm_item, "data", "where samples come from, and what is done to them",
            .spec = &nm_data_spec),
    NM_ITEM(nm_item, "validation", "a part of data: what is held out of the training set",
            .spec = &nm_split_spec,
            .doc = "A fraction, or a map of these options:\n"
                   "    data: {validation: 0.2}\n"
                   "    data: {validation: {share: 0.2, groups: patient}}\n"
                   "    data: {validation: {indices: validation.csv}}"),
    NM_ITEM(nm_item, "loss", "what training makes small",
            .doc = "The name of a loss, or a name with options:\n"
                   "    loss: cross_entropy\n"
                   "    loss: {cross_entropy: {ignore_index: 255}}"),
    NM_ITEM(nm_item, "train", "how the network is trained", .spec = &nm_train_spec),
    NM_ITEM(nm_item, "probes", "what is measured inside of the network while it is trained",
            .doc = "A list of probes, each a name or a name with options. They never change the "
                   "training; what they find goes to probes.jsonl in the run's folder, a line a "
                   "record:\n"
                   "    probes: [{gradient_norms: {every: 100}}, {saturation: {layers: [act3]}}]"),
    NM_ITEM(nm_item, "warmup", "a part of train: a learning rate that rises at first",
            .spec = &nm_warmup_spec, .doc = "    train: {warmup: {epochs: 5}}"),
    NM_ITEM(nm_item, "early_stopping", "a part of train: an end where it gets no better",
            .spec = &nm_early_stopping_spec, .doc = "    train: {early_stopping: {patience: 5}}"),
    NM_ITEM(nm_item, "average", "a part of train: averages of weights instead of the last ones",
            .spec = &nm_averaging_spec, .doc = "    train: {average: {kind: equal, last: 0.25}}"),
    NM_ITEM(nm_item, "from", "a part of train: a saved network to start from",
            .spec = &nm_from_spec,
            .doc = "What fits by name and shape is taken over, and what does not is listed:\n"
                   "    train: {from: runs/net}\n"
                   "    train: {from: {path: runs/net, except: \"dense2.*\"}}"),
    NM_ITEM(nm_item, "groups", "a part of train: parameters treated otherwise, by name",
            .spec = &nm_group_spec,
            .doc = "A list:\n    train: {groups: [{match: \"conv*\", frozen: true}, {match: "
                   "\"*.bias\", rate: 2}]}"),
};

nm_status nm_register_parts(nm_context *context)
{
    nm_status status = NM_OK;
    for (int i = 0; i < NM_COUNT_OF(parts) && status == NM_OK; i++) {
        status = nm_register(context, NM_KIND_PART, &parts[i]);
    }
    return status;
}
