"""The paragraphs of MODEL_CARD.md that do not depend on scores."""

from collections.abc import Mapping
from typing import Final

NETWORKS: Final[Mapping[str, str]] = {
    "simpnet-v2": "SimpNet V2",
    "simpnet-v2-slim": "SimpNet V2 slim",
}

FER_PLUS: Final = """\
Trained on FER+ (Barsoum et al., 2016): 48x48 grey face pictures of FER2013, found by web search and
labelled again by ten annotators each. The labels are under the MIT licence (Microsoft). The
pictures are for research, and are not part of this release. Pictures in more than one split are
left out of training and scoring."""

VOTES: Final = (
    "The targets are the shares of the annotators' votes. An emotion with a single vote is ignored."
)
LABELS: Final = "Each picture has one label."
RESAMPLED: Final = """\
Rare emotions are sampled more often, and the loss corrects for it (logit adjustment)."""

DISTILLED: Final = """\
{share:.0%} of each target are the probabilities of {name} {version} for the same augmented picture
(knowledge distillation, arXiv:1503.02531)."""

CALIBRATION: Final = """\
AdamW, warm-up and cosine schedule per stage, averaged weights. The temperature is fitted on the
pictures that are scored above, which may have been used to choose the model, too. The calibration
error above is cross-fitted: each half of them is scaled by the temperature of the other half."""

LOGIT_ADJUSTMENT: Final = """\
Logit adjustment: {tau:g} times the logarithm of the emotion's share of the training targets is
subtracted from each logit, so that rare emotions are predicted somewhat more often than their
frequency in the data."""

NO_ADJUSTMENT: Final = "Logit adjustment: none, which was best."

NOT_CROSSFITTED: Final = """\
Its strength may have been chosen on the pictures that are scored above."""

CROSSFITTED: Final = """\
Its strength of {tau:g} was chosen on the pictures that are scored above. Each half of them was
scored with the strength chosen on the other half, {first:g} and {second:g}, so that no picture
influenced its own score. The table of corruptions is with the release's strength."""

SEEN: Final = """\
- Glasses, hands before the face and poor light cost accuracy; see the table of corruptions.
  Training included bars over the eyes and tilts: real glasses may cost more."""

FER_PLUS_LIMITS: Final = """\
- FER+'s pictures come from web searches for emotion words: much stock photography and acting, few
  spontaneous expressions; mostly frontal faces. Age, sex, skin colour and country of the people in
  them were never recorded, so there are no scores per group: measure on your own people first.
- On most of FER+'s pictures the ten annotators agree only in part. Accuracy counts the pictures on
  which at least half of them agreed."""

UNKNOWN_LIMITS: Final = """\
- Age, sex, skin colour and country of the people in a data set are not recorded here, so there are
  no scores per group: measure on your own people first."""
