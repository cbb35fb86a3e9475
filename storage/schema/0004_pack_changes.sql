-- How often the packs of a session were added to or dropped: who finishes it sees by this whether they still are those he knows.
ALTER TABLE ingest_session ADD COLUMN pack_changes bigint NOT NULL DEFAULT 0;
