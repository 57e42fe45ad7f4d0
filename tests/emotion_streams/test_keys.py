"""Names of cameras and keys."""

import pytest

from emotion_streams import keys


@pytest.mark.parametrize("name", ["lobby", "cam-1", "0", "a.b_c", "x" * 63])
def test_a_plain_name_is_a_camera_name(name: str) -> None:
    assert keys.check_camera(name) == name


@pytest.mark.parametrize("name", ["", "a b", "{x}", "-x", "ü", "x" * 64, "a/b", "a\n"])
def test_a_name_that_could_break_a_key_or_a_label_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="camera name"):
        keys.check_camera(name)


def test_all_keys_of_a_camera_share_its_hash_tag() -> None:
    made = [
        make("lobby")
        for make in (
            keys.frames, keys.emotions, keys.lease, keys.ledger, keys.dead, keys.camera_info,
        )
    ]  # fmt: skip
    assert all(key.endswith(":{lobby}") for key in made)
    assert len(set(made)) == len(made)
