-- Sessions, packs, crashes, what is known of them, and what is counted. docs/decisions and storage/postgres say why.
--
-- Crashes are partitioned by month through their id, which is a UUIDv7: its order is the order of arrival. Partitions are
-- made by the server, a month ahead and when one is missing.

-- One upload, open (0) or complete (1). (device, uid) is what makes a repeated upload the same crash.
CREATE TABLE ingest_session (
  id         text COLLATE "C" PRIMARY KEY,
  device     text COLLATE "C" NOT NULL,
  uid        text COLLATE "C" NOT NULL,
  state      smallint NOT NULL DEFAULT 0,
  crash      uuid,
  expires_at timestamptz NOT NULL,
  note       text NOT NULL,
  UNIQUE (device, uid),
  CHECK ((state = 1) = (crash IS NOT NULL))
);
CREATE INDEX ingest_session_open ON ingest_session (expires_at) WHERE state = 0;

-- Apart from the session, whose row is updated. Moves into the crash when the session ends.
CREATE TABLE session_manifest (
  session  text COLLATE "C" PRIMARY KEY REFERENCES ingest_session ON DELETE CASCADE,
  manifest bytea NOT NULL
);

CREATE TABLE session_pack (
  session  text COLLATE "C" NOT NULL REFERENCES ingest_session ON DELETE CASCADE,
  seq      bigint GENERATED ALWAYS AS IDENTITY,
  key      text COLLATE "C" NOT NULL,
  "offset" bigint NOT NULL,
  size     bigint NOT NULL,
  index    bytea NOT NULL,
  PRIMARY KEY (session, seq),
  UNIQUE (session, key, "offset")
);

-- The wide row, never updated. id_text is the printed form, for shortened ids.
CREATE TABLE crash (
  id       uuid PRIMARY KEY,
  id_text  text COLLATE "C" NOT NULL,
  session  text COLLATE "C" NOT NULL,
  manifest bytea NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX crash_id_text ON crash (id_text);

-- The narrow row that lists read, alone. Analysis fills it in.
CREATE TABLE crash_fact (
  id               uuid PRIMARY KEY,
  device           text COLLATE "C" NOT NULL,
  received_at      timestamptz NOT NULL,
  note             text NOT NULL,
  state            smallint NOT NULL DEFAULT 0,
  raw_bytes        bigint NOT NULL,
  stored_bytes     bigint NOT NULL,
  -- NULL from here on until analysis has run.
  build            integer,  -- build.ref
  build_id         text COLLATE "C",
  release          text COLLATE "C",
  version          text,
  arch             text,
  taint_mask       bigint,   -- the kernel's 64 bits; bit 63 is the sign
  before_mask      bigint,
  uptime_seconds   double precision,
  panic_reason     text,
  analyzer_version integer,
  summary          text      -- the facts in JSON without regions and defects
) PARTITION BY RANGE (id);
CREATE INDEX crash_fact_build ON crash_fact (build, id DESC);
CREATE INDEX crash_fact_device ON crash_fact (device, id DESC);
CREATE INDEX crash_fact_state ON crash_fact (state, id DESC);
CREATE INDEX crash_fact_untainted ON crash_fact (id DESC) WHERE taint_mask = 0;
CREATE INDEX crash_fact_build_untainted ON crash_fact (build, id DESC) WHERE taint_mask = 0;

-- A bit mask cannot be searched with a btree, so each of the kernel's 20 taint bits has its own: of one build, and of all. A
-- query must have the bit as a literal, written as here. "= bit" and not "<> 0": without statistics the planner takes an equality
-- for rare, and so takes this index and no other.
DO $$
BEGIN
  FOR bit IN 0..19 LOOP
    EXECUTE format('CREATE INDEX crash_fact_taint_%s ON crash_fact (id DESC) WHERE (taint_mask & %s::bigint) = %s::bigint',
                   bit, 1::bigint << bit, 1::bigint << bit);
    EXECUTE format('CREATE INDEX crash_fact_build_taint_%s ON crash_fact (build, id DESC)'
                   ' WHERE (taint_mask & %s::bigint) = %s::bigint', bit, 1::bigint << bit, 1::bigint << bit);
  END LOOP;
END $$;

-- All facts in JSON, with regions and defects.
CREATE TABLE crash_detail (
  id    uuid PRIMARY KEY,
  facts text NOT NULL
) PARTITION BY RANGE (id);

-- The kernels seen. A build without an id, or without a release, has '' there.
CREATE TABLE build (
  ref      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  build_id text COLLATE "C" NOT NULL,
  release  text COLLATE "C" NOT NULL,
  UNIQUE (build_id, release)
);
CREATE INDEX build_release ON build (release);

-- Crashes that await analysis. A row goes when the facts are in.
CREATE TABLE analysis_queue (
  crash       uuid PRIMARY KEY,
  attempts    integer NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX analysis_queue_lease ON analysis_queue (lease_until, crash);

-- What dashboards count, kept by the transactions that store the facts: kind 0: analysed crashes by state; 1: by taint bit, -1
-- for untainted; 2: by build.ref.
CREATE TABLE crash_count (
  kind smallint NOT NULL,
  key  bigint NOT NULL,
  n    bigint NOT NULL,
  PRIMARY KEY (kind, key)
) WITH (fillfactor = 50);
