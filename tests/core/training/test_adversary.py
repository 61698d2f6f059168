import torch

from inv3d.core.training.adversary import Adversary, PatchDiscriminator


def pair():
    random = torch.Generator().manual_seed(0)
    return torch.rand(4, 3, 16, 16, generator=random) - 1.0, torch.rand(4, 3, 16, 16, generator=random)


def test_the_discriminator_learns_to_tell_renders_from_pictures():
    torch.manual_seed(0)
    adversary = Adversary(PatchDiscriminator(), torch.device("cpu"), lr=2e-3, penalty=0.1)
    rendered, real = pair()
    before = float(adversary.own_loss(rendered, real, 1).detach())
    for step in range(30):
        adversary.learn(rendered, real, step)
    assert float(adversary.own_loss(rendered, real, 1).detach()) < 0.5 * before
    assert float(adversary.network(rendered).mean()) < 0 < float(adversary.network(real).mean())


def test_renders_are_told_which_way_to_look_more_like_pictures():
    torch.manual_seed(0)
    adversary = Adversary(PatchDiscriminator(), torch.device("cpu"), lr=2e-3, penalty=0.1)
    rendered, real = pair()
    for step in range(30):
        adversary.learn(rendered, real, step)
    rendered.requires_grad_(True)
    adversary.encoder_loss(rendered).backward()
    assert float(rendered.grad.mean()) < 0  # brighter, as the pictures are


def test_the_penalty_is_added_in_every_sixteenth_step():
    torch.manual_seed(0)
    adversary = Adversary(PatchDiscriminator(), torch.device("cpu"), lr=1e-3, penalty=10.0)
    rendered, real = pair()
    plain, with_penalty = (float(adversary.own_loss(rendered, real, step).detach()) for step in (1, 16))
    assert with_penalty > plain
    adversary.penalty = 0.0
    assert float(adversary.own_loss(rendered, real, 16).detach()) == plain
