import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inv3d.video.front import POSE, faced

YAW, PITCH = POSE.index("yaw"), POSE.index("pitch")


def poses(yaws, pitch=0.0):
    rows = np.tile([300.0, 200.0, 400.0, 0.0, 0.0, math.radians(pitch)], (len(yaws), 1))
    rows[:, YAW] = np.radians(yaws)
    return rows


def degrees(rows):
    return np.degrees(rows[:, YAW])


def test_without_faces_what_was_read_stands():
    read = poses([-40, 0, 30])
    assert np.array_equal(faced(read, poses([10, 10, 10]), np.zeros(3)), read)


def test_one_face_that_is_surer_than_the_aligner_is_believed():
    """As of all frames, then as of this one."""
    found = faced(poses([-6]), poses([14]), np.array([0.8]))
    assert degrees(found) == pytest.approx([14 - 20 * 0.2**2])


def test_turns_that_were_read_too_small_go_on_where_no_face_tells():
    """A quarter too small and five degrees aside, as of a photographed man."""
    true = np.linspace(-80, 20, 41)
    read, told = 0.7 * true + 5, true
    weights = np.where(np.abs(true) < 50, 0.85, 0.0)
    found = degrees(faced(poses(read), poses(told), weights))
    assert np.abs(found - true).max() < 8.0 and np.abs(found - true)[weights > 0].max() < 2.0
    assert np.abs(read - true).max() > 20.0


def test_a_face_that_is_half_hidden_does_not_pull_a_turn_back():
    true = np.linspace(-70, 70, 57)
    told = true.clip(-47, 47)  # meshes stay behind
    found = degrees(faced(poses(true), poses(told), np.full(57, 0.5)))
    assert np.abs(found - true).max() < 3.0


def test_a_face_from_the_side_says_that_it_is_turned_at_least_so_far():
    found = degrees(faced(poses([44.0]), poses([58.0]), np.array([0.85])))
    assert found[0] > 54


def test_pitches_that_differ_by_little_stand_and_others_follow_the_faces():
    little, much = (faced(poses([0]), poses([0], pitch), np.array([0.84]))[0, PITCH] for pitch in (4, 40))
    assert math.degrees(little) < 0.5 and math.degrees(much) > 28


def test_where_the_aligner_is_unsure_pitches_follow_at_smaller_differences():
    unsure, sure = (faced(poses([0]), poses([0], 12), np.array([weight]))[0, PITCH] for weight in (0.98, 0.84))
    assert unsure > 1.4 * sure


def test_single_frames_that_are_unlike_the_others_are_brought_back():
    read, told = poses(np.linspace(-20, 20, 21)), poses(np.linspace(-20, 20, 21))
    read[7] += [60.0, 0.0, 120.0, 0.3, 0.0, -0.3]  # a crop that has slipped
    told[:, 0] += 8.0  # faces lie a little aside of what aligners see, in all frames
    found = faced(read, told, np.full(21, 0.85))
    others = np.delete(found, 7, 0)
    assert np.abs(others - np.delete(read, 7, 0)).max() < 2.0
    assert np.all(np.abs(found[7] - others[0])[[0, 2]] < np.array([25, 40])) and abs(found[7, 3]) < 0.12


@settings(max_examples=30)
@given(
    arrays(float, 9, elements=st.floats(-1.0, 1.0)),
    arrays(float, 9, elements=st.floats(-1.0, 1.0)),
    arrays(float, 9, elements=st.floats(0.0, 1.0)),
)
def test_mirrored_poses_are_corrected_alike(read, told, weights):
    rows, others = poses(np.degrees(read)), poses(np.degrees(told))
    mirrored = degrees(faced(poses(-np.degrees(read)), poses(-np.degrees(told)), weights))
    assert mirrored == pytest.approx(-degrees(faced(rows, others, weights)), abs=1e-6)
