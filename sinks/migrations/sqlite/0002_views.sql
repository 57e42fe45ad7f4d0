-- What people ask for: by time, by emotion, by person.
CREATE INDEX episodes_started_at ON episodes (started_at);
CREATE INDEX minutes_started_at ON minutes (started_at);

-- Who showed which emotion, from when to when.
CREATE VIEW emotion_episodes AS
SELECT camera, track, emotion, started_at, ended_at, duration_ms, confidence_mean, confidence_peak,
       peak_at, reason
FROM episodes
WHERE type = 'emotion.ended';

-- Who was there, from when to when.
CREATE VIEW visits AS
SELECT camera, track, started_at, ended_at, duration_ms, frames, emotion_ms, probabilities_mean,
       reason
FROM episodes
WHERE type = 'face.left';

-- A row for each emotion of a minute.
CREATE VIEW minute_emotions AS
SELECT camera, started_at, shown.key AS emotion, shown.value AS ms,
       json_extract(minutes.episodes, '$.' || shown.key) AS episodes
FROM minutes, json_each(minutes.emotion_ms) AS shown;
