"""Reference values for elementwise ops, reductions and shape ops."""

import torch

from common import Golden, normal, uniform

golden = Golden("basic")
golden.case("relu/plain", [normal(4, 7)], torch.relu)
golden.write()
