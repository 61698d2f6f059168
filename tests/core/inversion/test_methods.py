import dataclasses

import pytest

from inv3d.core.errors import UsageError
from inv3d.core.inversion.methods import METHODS, course_of, method_named
from inv3d.core.inversion.settings import DRAFT, FAST, PAPER


def test_without_a_method_an_encoder_alone_or_the_presets_steps_from_the_mean():
    course = course_of(FAST)
    assert (course.method, course.encoder, course.refine, course.tune) == (None, "preim3d", 0, 0)
    assert course.settings == FAST and course.fit.wplus_steps == 0
    assert course_of(FAST, encoder="none").refine == FAST.wplus_steps
    given = course_of(FAST, encoder="none", refine_pose=2, refine=3, tune=4)
    assert (given.fit.pose_steps, given.fit.wplus_steps, given.fit.tuning_steps) == (2, 3, 4)


@pytest.mark.parametrize(
    ("name", "space", "encoder", "tune", "alone"),
    [
        ("3dinv", "w", "preim3d", DRAFT.tuning_steps, min(40, DRAFT.wplus_steps)),
        ("sg2", "w", "none", 0, 0),
        ("sg2-w+", "w+", "none", 0, 0),
        ("pti", "w", "none", DRAFT.tuning_steps, 0),
    ],
)
def test_a_method_says_what_is_searched_for_and_from_where(name, space, encoder, tune, alone):
    course = course_of(DRAFT, name)
    assert (course.method, course.encoder, course.settings.space) == (name, encoder, space)
    assert (course.refine_pose, course.refine, course.tune) == (alone, DRAFT.wplus_steps, tune)
    assert course.settings.identity == course.settings.prior == 0.0 and course.settings.noise > 0.0


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("preset", [DRAFT, PAPER])
def test_a_camera_that_is_given_stays(name, preset):
    given, free = (course_of(preset, name, camera) for camera in ("given", "free"))
    assert given.fit.pose_lr == given.fit.pose_steps == 0.0 and free.fit.pose_lr > 0.0
    assert given.camera == "given" and free == course_of(preset, name) and free.fit.pose_search


def test_ours_alone_smooths_the_surface():
    assert [name for name in METHODS if course_of(FAST, name).settings.smoothness] == ["3dinv"]


def test_warping_is_weighed_like_the_perceptual_term():
    assert course_of(FAST, "3dinv", warping=2.0).settings.warping == 2.0 * FAST.perceptual
    assert course_of(FAST, "3dinv", warping=0.0).settings.warping == 0.0


def test_pixels_join_the_search_only_where_they_are_drawn_at_random():
    """Equations 13 and 14: the perceptual term alone, and then with the squared error."""
    paper, fast = (course_of(preset, "3dinv").settings for preset in (PAPER, FAST))
    assert paper.searching.pixel == 0.0 and paper.tuning.pixel == 1.0
    assert fast.searching.pixel == fast.tuning.pixel == FAST.pixel


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"method": "sg3"}, "there is no method 'sg3'"),
        ({"camera": "free"}, "--camera free belongs to a method"),
        ({"warping": 1.0}, "--warping 1.0 belongs to a method"),
        ({"method": "pti", "camera": "fixed"}, "--camera fixed is not one of: free, given"),
        ({"method": "3dinv", "encoder": "e3dge"}, "--method 3dinv does not start with --encoder e3dge"),
        ({"method": "sg2", "encoder": "preim3d"}, "--method sg2 does not start with --encoder preim3d"),
        ({"method": "pti", "refine_pose": 5}, "--refine-pose and --method pti do not go together"),
        ({"method": "sg2", "refine": 0}, "--method sg2 without steps on the code is none"),
        ({"method": "sg2", "tune": 5}, "--method sg2 does not tune the generator"),
        ({"method": "3dinv", "tune": 0}, "--method 3dinv without tuning is none"),
        ({"method": "sg2-w+", "space": "w"}, "--space w and --method sg2-w"),
        ({"space": "wtri"}, "--space wtri does nothing without steps on the code"),
        ({"method": "pti", "warping": 1.0}, "--warping draws a camera"),
        ({"method": "3dinv", "camera": "given", "warping": 1.0}, "--warping draws a camera"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_hint(asked, wrong):
    with pytest.raises(UsageError, match="^" + wrong) as error:
        course_of(FAST, **asked)
    assert error.value.hint


def test_codes_of_an_encoder_stay_in_its_space_unless_another_is_asked_for():
    spaces = {name: course_of(FAST, encoder=name).settings.space for name in ("preim3d", "wtri")}
    assert spaces == {"preim3d": "w+", "wtri": "wtri"}
    assert course_of(FAST, encoder="wtri", refine=1, space="w").settings.space == "w"
    assert course_of(FAST, "pti", space="wtri").settings.space == "wtri"


def test_ours_starts_at_the_mean_for_a_model_without_an_encoder():
    course = course_of(FAST, "3dinv", encoder="none")
    assert course.encoder == "none" and course.refine_pose == 0


def test_steps_may_be_other_than_the_presets():
    course = course_of(FAST, "3dinv", refine=16, tune=3)
    assert (course.fit.pose_steps, course.fit.wplus_steps, course.fit.tuning_steps) == (16, 16, 3)
    assert dataclasses.replace(course.settings, warping=0.0) == course_of(FAST, "3dinv", warping=0.0).settings


def test_every_method_has_its_name_and_a_purpose():
    assert all(method_named(name).name == name and method.purpose for name, method in METHODS.items())
