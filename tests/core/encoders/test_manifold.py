import dataclasses

import pytest

from inv3d.core.encoders import manifold
from inv3d.core.encoders.kinds import PREIM3D
from inv3d.core.encoders.manifold import in_manifold, manifold_fingerprint
from inv3d.core.errors import ModelError


def test_the_embedded_model_has_directions_in_the_manifold_of_its_encoder(head):
    own, found = head.bundle.directions, in_manifold(head, PREIM3D).bundle.directions
    assert found is not None
    names = [each.name for each in found]
    assert {"age", "beard", "hair-length"} <= set(names) <= {each.name for each in own}
    assert not any(found[name].step.equal(own[name].step) for name in names)
    assert [each.name for each in found.traits] == [each.name for each in own.traits]


def test_they_are_those_of_one_generator_and_one_encoder(head, monkeypatch):
    bundle = dataclasses.replace(head.bundle, fingerprint="f" * 16)
    assert manifold_fingerprint(bundle, PREIM3D) != manifold_fingerprint(head.bundle, PREIM3D)
    with pytest.raises(ModelError, match="has no directions in the inversion manifold"):
        in_manifold(dataclasses.replace(head, bundle=bundle), PREIM3D)
    monkeypatch.setattr(manifold, "sha256", lambda path: "0" * 64)
    with pytest.raises(ModelError, match="has no directions in the inversion manifold"):
        in_manifold(head, PREIM3D)


def test_a_model_without_the_encoder_has_none(head):
    with pytest.raises(ModelError, match="has no encoder 'restyle'"):
        in_manifold(head, "restyle")
