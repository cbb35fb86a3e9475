-- The terms of a session, crashes of which a part came, and the account of everything that was ever offered.

-- A reopened session is open and has its crash. kept_seq: what of its packs the crash had before; NULL unless it is reopened.
ALTER TABLE ingest_session
  DROP CONSTRAINT ingest_session_check,
  ADD CONSTRAINT ingest_session_complete CHECK (state = 0 OR crash IS NOT NULL),
  ADD COLUMN want     smallint NOT NULL DEFAULT 0,
  ADD COLUMN rule     text NOT NULL DEFAULT '',
  ADD COLUMN weight   bigint NOT NULL DEFAULT 1,
  ADD COLUMN hints    text NOT NULL DEFAULT '',  -- JSON, or '' for none
  ADD COLUMN kept_seq bigint;
-- Each row is in one of them at most.
DROP INDEX ingest_session_open;
CREATE INDEX ingest_session_pending ON ingest_session (expires_at) WHERE state = 0 AND crash IS NULL;
CREATE INDEX ingest_session_reopened ON ingest_session (expires_at) WHERE state = 0 AND crash IS NOT NULL;

-- The same columns in another order: a pack is added where its segment ends, and reconciliation reads a segment's packs.
ALTER TABLE session_pack DROP CONSTRAINT session_pack_session_key_offset_key;
ALTER TABLE session_pack ADD CONSTRAINT session_pack_place UNIQUE (key, "offset", session);

-- A session's rows go when it goes, by the statements that end it. Foreign keys asked the database once more for every pack.
ALTER TABLE session_manifest DROP CONSTRAINT session_manifest_session_fkey;
ALTER TABLE session_pack DROP CONSTRAINT session_pack_session_fkey;

-- The manifest stays with the session: moving it wrote it twice. NULL: it is there. Digests do not compress, and most of these
-- rows fit a page, so that they need not be cut into pieces.
ALTER TABLE crash ALTER COLUMN manifest DROP NOT NULL;
ALTER TABLE session_manifest ALTER COLUMN manifest SET STORAGE EXTERNAL;
ALTER TABLE session_manifest SET (toast_tuple_target = 8160);
ALTER TABLE session_pack ALTER COLUMN index SET STORAGE EXTERNAL;
ALTER TABLE session_pack SET (toast_tuple_target = 8160);

-- A queue is mostly dead rows, whatever its size: who looks for work must not read them all.
ALTER TABLE analysis_queue SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- here_bytes: NULL means all of raw_bytes. captured_us: the device's clock, microseconds since 1970.
ALTER TABLE crash_fact
  ADD COLUMN here_bytes  bigint,
  ADD COLUMN want        smallint NOT NULL DEFAULT 0,
  ADD COLUMN rule        text NOT NULL DEFAULT '',
  ADD COLUMN weight      bigint NOT NULL DEFAULT 1,
  ADD COLUMN os_version  text NOT NULL DEFAULT '',
  ADD COLUMN source      text NOT NULL DEFAULT '',
  ADD COLUMN captured_us bigint,
  ADD COLUMN revision    integer NOT NULL DEFAULT 0;

-- again: the crash has facts, of an older revision.
ALTER TABLE analysis_queue
  ADD COLUMN revision integer NOT NULL DEFAULT 0,
  ADD COLUMN again    boolean NOT NULL DEFAULT false;

-- What was offered (0), accepted (1), refused (2) and expired (3), kept by the transactions that change it. A count is spread
-- over 16 rows, of which each connection adds to its own, so that transactions do not wait for each other.
CREATE TABLE ingest_count (
  what   smallint NOT NULL,
  reason text COLLATE "C" NOT NULL,
  slot   smallint NOT NULL,
  n      bigint NOT NULL,
  PRIMARY KEY (what, reason, slot)
) WITH (fillfactor = 50);

-- What came before there was an account: every session was an offer, and the complete ones were accepted.
INSERT INTO ingest_count (what, reason, slot, n)
  SELECT 0, '', 0, count(*) FROM ingest_session UNION ALL SELECT 1, '', 0, count(*) FROM ingest_session WHERE state = 1;

-- The largest counts that a device has reported, of its last epochs.
CREATE TABLE device_loss (
  device      text COLLATE "C" NOT NULL,
  epoch       text COLLATE "C" NOT NULL,
  reason      text COLLATE "C" NOT NULL,
  n           bigint NOT NULL,
  reported_at timestamptz NOT NULL,
  PRIMARY KEY (device, epoch, reason)
);
