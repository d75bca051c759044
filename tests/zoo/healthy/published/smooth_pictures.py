"""Pictures of a few smooth waves, with some grain."""

import torch


def pics(n=4, c=3, s=16):
    yy, xx = torch.meshgrid(torch.linspace(0, 1, s), torch.linspace(0, 1, s), indexing="ij")
    out = []
    for _ in range(n):
        chans = []
        for _ in range(c):
            f = 1 + 3 * torch.rand(2)
            p = 6.28 * torch.rand(1)
            chans.append(0.5 + 0.35 * torch.sin(6.28 * (f[0] * xx + f[1] * yy) + p) + 0.05 * torch.randn(s, s))
        out.append(torch.stack(chans).clamp(0, 1))
    return torch.stack(out)
