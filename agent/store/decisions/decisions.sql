CREATE TABLE meta (                       -- single values: pairing code, household's key, ...
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE browser (                    -- paired browsers of the household
    token_sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    paired_wall_ms INTEGER NOT NULL,
    used_wall_ms INTEGER NOT NULL,        -- to the hour, so that looking costs few writes
    role TEXT NOT NULL DEFAULT 'owner'    -- owner | viewer
) STRICT, WITHOUT ROWID;

CREATE TABLE link (                       -- links that pair a browser once, within a minute
    token_sha256 TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    until_mono_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (                   -- a request of the ward, and the newest word on it: store.decisions.decided
    request TEXT PRIMARY KEY,             -- the ward's command
    digest TEXT NOT NULL,                 -- of what is asked, as its signed command says: SHA-256
    expires_ms INTEGER NOT NULL,          -- UTC: from then on the command is refused
    until_ms INTEGER NOT NULL,            -- UTC: then nobody waits for the household any more
    code TEXT NOT NULL,                   -- waiting, or core.household.sharing_rules.Decision
    by TEXT,                              -- rule | command | page | time | ward | leaving (it); NULL: nobody yet
    boot TEXT NOT NULL,                   -- of that word, like the next three
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0       -- 1: the shared row, ledger and ward have it
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (                       -- clips that retention must leave alone, by name: a name outlives a database
    clip TEXT NOT NULL,
    reason TEXT NOT NULL,
    until_wall_ms INTEGER,                -- NULL: until released
    state TEXT NOT NULL,                  -- held; placed, released or expired: so, and the ledger is to be told
    PRIMARY KEY (clip, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_key (                    -- what files are encrypted for; private halves are files beside this one
    id INTEGER PRIMARY KEY,
    public BLOB NOT NULL,                 -- X25519
    boot TEXT NOT NULL,                   -- when it was made
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    clock TEXT NOT NULL,
    first_seq INTEGER,                    -- no clip with a lower number is encrypted for it; NULL: not known
    for_household BLOB,                   -- the private half, wrapped for the household's key, if there is one
    gone INTEGER NOT NULL DEFAULT 0       -- 1: destroyed, and with it all that was encrypted for it
) STRICT;

CREATE TABLE condemned (                  -- clips whose files are to go, on whose word
    clip TEXT PRIMARY KEY,
    why TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- last, as in a database that was made before this table existed
CREATE TABLE ledger (                     -- the newest rows about decisions once more: a role may delete the shared
    n INTEGER PRIMARY KEY,
    doc BLOB NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,
    sig BLOB NOT NULL
) STRICT;
