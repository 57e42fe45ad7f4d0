-- Records, and the places after them, which are written in one transaction.
CREATE TABLE episodes (
    camera text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    track text NOT NULL,
    frame_id text NOT NULL,
    decided_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    duration_ms bigint NOT NULL,
    frames bigint NOT NULL,
    emotion text,
    confidence_mean double precision,
    confidence_peak double precision,
    peak_at timestamptz,
    side_max double precision NOT NULL,
    reason text,
    emotion_ms jsonb,
    probabilities_mean jsonb,
    PRIMARY KEY (camera, id, type)
);

CREATE TABLE minutes (
    camera text NOT NULL,
    started_at timestamptz NOT NULL,
    frames bigint NOT NULL,
    frames_lost bigint NOT NULL,
    coverage double precision NOT NULL,
    faces_mean double precision,
    faces_max bigint,
    tracks bigint,
    tracks_entered bigint,
    tracks_left bigint,
    face_ms bigint,
    dwell_ms_p50 bigint,
    emotion_ms jsonb,
    probabilities_mean jsonb,
    episodes jsonb,
    PRIMARY KEY (camera, started_at)
);

CREATE TABLE events (
    camera text NOT NULL,
    frame_id text NOT NULL,
    captured_at timestamptz NOT NULL,
    faces bigint NOT NULL,
    record jsonb NOT NULL,
    PRIMARY KEY (camera, frame_id)
);

CREATE TABLE cameras (
    camera text PRIMARY KEY,
    state text NOT NULL,
    error text NOT NULL,
    width bigint NOT NULL,
    height bigint NOT NULL,
    since timestamptz NOT NULL
);

CREATE TABLE sink_places (
    sink text NOT NULL,
    stream text NOT NULL,
    entry_id text NOT NULL,
    PRIMARY KEY (sink, stream)
);
