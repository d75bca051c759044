"""Everything that a measurement could leave behind, as something that compares bit by bit."""

import random

import numpy as np
import torch


def snapshot(model):
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    return {
        "content": {name: bits(tensor) for name, tensor in (parameters | buffers).items()},
        "gradients": {name: None if p.grad is None else (id(p.grad), bits(p.grad)) for name, p in parameters.items()},
        "identity": {name: id(tensor) for name, tensor in (parameters | buffers).items()},
        "requires_grad": {name: p.requires_grad for name, p in parameters.items()},
        "modes": [module.training for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "hooks": [
            len(hooks)
            for module in model.modules()
            for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        ],
        "random": random.getstate(),
        "numpy": [part.tobytes() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
        "torch": bits(torch.get_rng_state()),
        "torch settings": (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_float32_matmul_precision(),
            torch.backends.cudnn.allow_tf32,
            torch.is_anomaly_enabled(),
            torch.is_autocast_enabled("cpu"),
        ),
    }


def bits(tensor):
    dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
    dense = dense.resolve_conj()
    return dense.dtype, tuple(dense.shape), dense.contiguous().flatten().view(torch.uint8).numpy().tobytes()
