"""Views that contradict the others: if a head was misdetected, no render of the common code resembles the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from inv3d.core.bundle import Bundle
from inv3d.core.inversion.reconstruction import resize
from inv3d.core.metrics.image import psnr
from inv3d.core.views import Views

MOST_BELOW = 10.0
"""dB below the median view from which a view contradicts the others. On the clips of `benchmarks/clips.py` views with a
right pose lie up to 6 below with nine views, those with face paint included, and up to 8.4 with three; wrong poses lie
about 14 below."""
_SIZE = 64


@torch.no_grad()
def fidelity(views: Views, code: Tensor, bundle: Bundle) -> Tensor:
    """PSNR [N] in dB between small renders of one code [1,num_ws,w_dim] and what was filmed of the views, on the CPU."""
    device = code.device
    scene, filmed = bundle.generator.scene(code), views.filmed
    values = []
    for i in range(len(views)):
        camera = views.cameras[i].to(device)
        render = bundle.generator.render(scene, camera, _SIZE, superresolution=False, sparse=True)
        target, image = (resize(each, _SIZE) for each in (views.images[[i]].to(device), render.image))
        if filmed is not None:
            image = torch.lerp(target, image, resize(filmed[[i]].to(device), _SIZE))
        values.append(psnr(image, target).cpu())
    return torch.cat(values) if values else torch.empty(0)
