"""The one place that imports cv2, with its limits set before."""

import os

from emotion_streams.jpeg import MAX_PIXELS

# Read once, when cv2 is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
# Warnings: the least at which FFmpeg says with which status a server refused.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "24")

import cv2 as cv2

# A process per camera is the parallelism; pools within each would only contend.
cv2.setNumThreads(1)
