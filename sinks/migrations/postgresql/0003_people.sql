-- People are tracks. Of minutes that are here already they follow from the other columns, as in
-- emotion_streams/minutes.py.
ALTER TABLE minutes ADD COLUMN people_mean double precision, ADD COLUMN people_max bigint;

UPDATE minutes
SET people_mean = CASE
        WHEN tracks > 0 AND coverage > 0 THEN least(tracks, face_ms / (60000 * coverage))
        ELSE faces_mean
    END,
    people_max = CASE WHEN tracks > 0 THEN least(faces_max, tracks) ELSE faces_max END
WHERE faces_mean IS NOT NULL;
