"""The only module that imports cv2, after it has set the limits of cv2."""

import os

from emotion_streams.jpeg import MAX_PIXELS

# cv2 reads both variables once, when it is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
# Level "warning": the lowest at which FFmpeg reports the status of a server's refusal.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "24")

import cv2 as cv2

# Each camera has its own process; thread pools inside them would only compete for the cores.
cv2.setNumThreads(1)
