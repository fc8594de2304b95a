CREATE TABLE meta (                       -- single values: connection counter, ...
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE boot (                       -- every start of the machine that left a row
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,              -- first 8 hex digits of the kernel's boot id
    doubtful INTEGER NOT NULL DEFAULT 0   -- 1: told two times, the last for less than a day
) STRICT;

CREATE TABLE anchor (                     -- what the wall clock was found to be: docs/design/storage.md
    boot TEXT NOT NULL,
    from_mono_ms INTEGER NOT NULL,        -- it held from here on; the first of a boot reaches back to its start: 0
    offset_ms INTEGER NOT NULL,           -- wall minus monotonic
    clock TEXT NOT NULL,                  -- unset | saved | rtc | ntp
    err_ms INTEGER,                       -- how far off at most, by the kernel's word; NULL: unknown
    dates_ms INTEGER,                     -- the offset that dates rows from here on; NULL: they stay as written
    PRIMARY KEY (boot, from_mono_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE clip (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,            -- camera-boot-seq: no clock in it
    camera TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('motion', 'continuous')),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'recovered', 'deleting', 'deleted', 'lost')),
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,             -- of the first frame
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    codec TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    dur_ms INTEGER,
    bytes INTEGER,
    frames INTEGER,
    sha256 TEXT,                          -- by the keeper, after the clip is done
    why TEXT,                             -- why it was deleted or lost
    day_key INTEGER                       -- for which its file is encrypted; NULL: for none
) STRICT;
CREATE INDEX clip_by_camera ON clip (camera, seq, kind, bytes)     -- all that retention and the sums have to read
    WHERE state IN ('done', 'recovered');
CREATE INDEX clip_by_start ON clip (camera, boot, mono_ms, wall_ms)    -- which clips reach into a day: store.boots
    WHERE state IN ('open', 'done', 'recovered');
CREATE INDEX clip_by_state ON clip (state, seq) WHERE state NOT IN ('done', 'recovered');
CREATE INDEX clip_gone ON clip (camera, boot, mono_ms, wall_ms)       -- what a day has lost: store.recordings
    WHERE state IN ('deleting', 'deleted', 'lost');
CREATE INDEX clip_unhashed ON clip (seq) WHERE sha256 IS NULL AND state IN ('done', 'recovered');

CREATE TABLE hold (                       -- a clip that retention must leave alone
    clip INTEGER NOT NULL REFERENCES clip (seq),
    reason TEXT NOT NULL,
    until_wall_ms INTEGER,                -- NULL: until released
    work INTEGER NOT NULL DEFAULT 0,      -- 1: the agent's own, as long as it reads the clip
    PRIMARY KEY (clip, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    kind TEXT NOT NULL,                   -- motion, tamper, ...
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'cut')),   -- cut: the process died before its end
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,             -- of the first sight
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    dur_ms INTEGER,
    score REAL,                           -- the peak, 0..1
    tracks_n INTEGER,
    boxes TEXT,                           -- JSON [[x, y, w, h], ...] at the peak, fractions of the picture
    detector TEXT,                        -- version of the detector that saw it
    thumb TEXT,                           -- file name in thumbs/
    day_key INTEGER,                      -- for which its thumbnail is encrypted; NULL: for none
    zones TEXT,                           -- JSON ["gate", ...]: fulfilled, in the order in which they first were
    path TEXT,                         -- JSON [[tenths of a second, object, x, y, w, h], ...]: core.vision.event_notes
    settings TEXT,                        -- what the detector was set to: config.derived
    code TEXT,                            -- of a tamper event: core.vision.tamper.Kind
    label TEXT,                           -- core.household.labels.LabelWord; '': nobody will tell; NULL: not yet
    label_score REAL                      -- how sure that is, 0..1
) STRICT;
CREATE INDEX event_by_state ON event (state) WHERE state = 'open';
CREATE INDEX event_by_start ON event (camera, boot, mono_ms, wall_ms);

CREATE TABLE seen (                       -- events that somebody of the household has looked at
    event INTEGER PRIMARY KEY REFERENCES event (id) ON DELETE CASCADE,
    wall_ms INTEGER NOT NULL              -- when it was noted
) STRICT;

CREATE TABLE event_clip (                 -- which clips show which event
    event INTEGER NOT NULL REFERENCES event (id),
    clip INTEGER NOT NULL REFERENCES clip (seq),
    PRIMARY KEY (event, clip)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_clip_by_clip ON event_clip (clip);

CREATE TABLE absence (                    -- a time in which a camera gave nothing to record: store.absences
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    why TEXT NOT NULL,                    -- camera (it sent no picture), or by whose word: core.household.pause.By
    boot TEXT NOT NULL,                   -- when it began, like the next three
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    dur_ms INTEGER                        -- NULL: it goes on
) STRICT;
CREATE INDEX absence_by_camera ON absence (camera, n);

CREATE TABLE life (                       -- lives of the keeper: between two of them nothing was recorded
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,             -- of its begin, like wall_ms
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    last_mono_ms INTEGER NOT NULL         -- it was still there then
) STRICT;

CREATE TABLE health (                     -- how the machine was, an hour a row: store.health_history
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,             -- of the first sample, like wall_ms
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    samples TEXT NOT NULL                 -- JSON [[...], ...]: core.contract.facts.HealthSample
) STRICT;

CREATE TABLE outbox (                     -- messages for the ward until its receipt names them
    seq INTEGER PRIMARY KEY AUTOINCREMENT,    -- the contract's evt.seq: never reset, never used twice
    kind TEXT NOT NULL,                   -- motion, clip, storage, camera, clock, security, gap, health_hist, ...
    camera TEXT,
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    data TEXT NOT NULL                    -- the CloudEvent's data, JSON
) STRICT;

CREATE TABLE deferred (                   -- messages that wait for a word, and have no seq before: store.deferred
    n INTEGER PRIMARY KEY,
    events TEXT NOT NULL,                 -- JSON [id, ...]: what they tell of
    kind TEXT NOT NULL,                   -- motion, label or clip; this and what follows as in outbox
    camera TEXT,
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE quarantine (                 -- what the ward refused or no broker would take
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE act (                       -- acts that the keeper has not signed yet, written in the act's transaction
    id INTEGER PRIMARY KEY AUTOINCREMENT,     -- without a gap: a row that vanishes here leaves one in the ledger
    kind TEXT NOT NULL,
    boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    body TEXT NOT NULL,                   -- canonical JSON: core.evidence.ledger
    mark BLOB                             -- the keeper's, by which it knows its own acts; NULL: another role's
) STRICT;

CREATE TABLE ledger (                     -- what the device did, chained and signed: docs/design/evidence.md
    n INTEGER PRIMARY KEY,
    doc BLOB NOT NULL,                    -- the very bytes that are hashed and signed
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,                   -- SHA-256 of prev and doc
    sig BLOB NOT NULL                     -- Ed25519
) STRICT;

CREATE TABLE handed_out (                 -- clips whose footage the ward has, by its receipt: the first to make room
    clip INTEGER PRIMARY KEY REFERENCES clip (seq) ON DELETE CASCADE
) STRICT;

CREATE TABLE signing_request (                    -- exports that the keeper is asked to sign: store.signing_requests
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('asked', 'signed', 'refused')),
    claim BLOB NOT NULL,                  -- canonical JSON: core.evidence.ledger.claim
    why TEXT,                             -- it was refused
    manifest BLOB,                        -- the very bytes that are signed
    signatures TEXT                       -- JSON: base64 by file name
) STRICT;

CREATE TABLE command (                    -- what the ward has ordered, and the answer: store.commands
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,              -- the asker's ULID
    name TEXT NOT NULL,
    asker TEXT,                           -- `by` of the command
    state TEXT NOT NULL,                  -- accepted, until it is carried out; then done, failed, refused or expired
    answer TEXT NOT NULL,                 -- the very payload that is sent
    signed INTEGER NOT NULL,              -- 1: by the ward's key; kept longest where room is short
    who TEXT NOT NULL,                    -- where the answer goes: rsp/{who}/{id}
    correlation BLOB,
    told INTEGER NOT NULL DEFAULT 0,      -- 1: the broker has the answer
    boot TEXT NOT NULL,                   -- when it came
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL
) STRICT;

CREATE TABLE request (                    -- pictures that the ward has asked for: store.requests
    n INTEGER PRIMARY KEY AUTOINCREMENT,  -- by which the household knows it
    id TEXT NOT NULL UNIQUE,              -- the ward's command
    command BLOB NOT NULL,                -- the same as it came, signed: the next ten columns say what it says
    kind TEXT NOT NULL,                   -- clip | snapshot
    camera TEXT NOT NULL,
    begin_ms INTEGER,                     -- of the time that is asked for: UTC; NULL with a snapshot
    end_ms INTEGER,
    case_no TEXT NOT NULL,
    purpose TEXT NOT NULL,
    officer TEXT NOT NULL,
    basis TEXT NOT NULL,
    upload TEXT NOT NULL,                 -- URL of the ward's intake
    receipt_key TEXT NOT NULL,            -- Ed25519, hex: whose receipt is believed
    state TEXT NOT NULL,                  -- core.household.sharing_rules; what the keeper has decided stands elsewhere
    until_ms INTEGER,                     -- UTC: then nobody waits for the household any more
    cancel BLOB,                          -- the ward's signed command that it is not wanted any more
    boot TEXT NOT NULL,                   -- when it came
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    decided_by TEXT,                      -- rule | command | page | time | ward | leaving (it)
    decided_ms INTEGER,                   -- UTC
    code TEXT,                            -- why it failed
    bytes INTEGER,                        -- of the file that leaves the house, like the next three
    sha256 TEXT,
    manifest TEXT,                        -- SHA-256 of the export's manifest
    sent_b INTEGER NOT NULL DEFAULT 0,
    receipt TEXT                          -- the ward's, as it came
) STRICT;
CREATE INDEX request_open ON request (n)             -- as store.requests asks
    WHERE state IN ('new', 'waiting', 'approved', 'packed');
