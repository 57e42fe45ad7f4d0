"""YuNet, the released model and tracking on clips, whose people were counted by hand."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_streams.emotions import EMOTIONS
from tests.benchmarks.material import images
from tests.worker.tracking.walk import Walk
from worker.inference.crop import crop_face, preprocess
from worker.inference.detect.choose import YUNET_FILE
from worker.inference.detect.yunet import YuNet
from worker.inference.engines.choose import build_engine
from worker.inference.quality import sharpness, turn_degrees
from worker.model import release
from worker.tracking import Sighting

FRAME_MS = 80


@pytest.mark.parametrize(
    ("clip", "people"), [("classroom.avi", 4), ("face-demographics-walking-and-pause.avi", 3)]
)
def test_each_person_keeps_one_id_and_labels_flip_a_tenth_as_often(
    clip: str, people: int, shared: Path
) -> None:
    cv2.setNumThreads(1)
    loaded = release.load("simpnet-v2-32")
    card, engine = loaded.card, build_engine("openvino", loaded, 1)
    order = [card.labels.index(emotion) for emotion in EMOTIONS]
    detector = YuNet((shared / "models" / "yunet" / YUNET_FILE).read_bytes())
    walks = {every: Walk() for every in (1, 3, 6)}  # 12.5, 4 and 2 fps
    raw, steady = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for number, image in enumerate(images(shared / "clips" / clip)):
        found = detector.detect(image)
        crops = np.stack(
            [preprocess(crop_face(image, face.box, card.crop_for("yunet")), card) for face in found]
        )
        shares = engine.classify(crops)[:, order]
        sightings = [
            Sighting(face.box, face.score, turn_degrees(face.landmarks), sharpness(crop))
            for face, crop in zip(found, crops, strict=True)
        ]
        for every, walk in walks.items():
            if number % every == 0:
                walk.see(FRAME_MS * number, sightings, shares)
        for face, row in zip(walks[1].faces, shares, strict=True):
            if face.track and face.label:
                raw[face.track].append(EMOTIONS[int(row.argmax())])
                steady[face.track].append(face.label)
    for walk in walks.values():
        assert sum(each.type == "face.entered" for each in walk.episodes) == people
    flips = [
        sum(a != b for track in labels.values() for a, b in pairwise(track))
        for labels in (raw, steady)
    ]
    begins = people  # uncertain to the first emotion
    assert flips[1] - begins <= flips[0] / 10
