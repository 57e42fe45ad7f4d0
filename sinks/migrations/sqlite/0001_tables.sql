-- Records, and the places after them, which are written in one transaction. Times are text in UTC,
-- 2026-11-28 07:08:09.123; maps are JSON.
CREATE TABLE episodes (
    camera TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    track TEXT NOT NULL,
    frame_id TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    duration_ms INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    emotion TEXT,
    confidence_mean REAL,
    confidence_peak REAL,
    peak_at TEXT,
    side_max REAL NOT NULL,
    reason TEXT,
    emotion_ms TEXT,
    probabilities_mean TEXT,
    PRIMARY KEY (camera, id, type)
) STRICT;

CREATE TABLE minutes (
    camera TEXT NOT NULL,
    started_at TEXT NOT NULL,
    frames INTEGER NOT NULL,
    frames_lost INTEGER NOT NULL,
    coverage REAL NOT NULL,
    faces_mean REAL,
    faces_max INTEGER,
    tracks INTEGER,
    tracks_entered INTEGER,
    tracks_left INTEGER,
    face_ms INTEGER,
    dwell_ms_p50 INTEGER,
    emotion_ms TEXT,
    probabilities_mean TEXT,
    episodes TEXT,
    PRIMARY KEY (camera, started_at)
) STRICT;

CREATE TABLE events (
    camera TEXT NOT NULL,
    frame_id TEXT NOT NULL,
    captured_at TEXT NOT NULL,
    faces INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (camera, frame_id)
) STRICT;

CREATE TABLE cameras (
    camera TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    error TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    since TEXT NOT NULL
) STRICT;

CREATE TABLE sink_places (
    sink TEXT NOT NULL,
    stream TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    PRIMARY KEY (sink, stream)
) STRICT;
