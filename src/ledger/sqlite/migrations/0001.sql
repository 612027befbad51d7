-- Amounts are whole micro-credits. Instants are milliseconds since 1970 in UTC. Exact decimals are text.

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  site TEXT NOT NULL,
  metric TEXT NOT NULL,
  project_id TEXT NOT NULL,
  project_name TEXT NOT NULL,
  -- The watermark: the last reading that counted.
  at INTEGER NOT NULL,
  value TEXT NOT NULL,
  -- Which exporter said so.
  origin TEXT,
  -- What was left of a micro-credit.
  carry TEXT NOT NULL,
  pace REAL NOT NULL,
  -- Since when the value is the same, if it did not grow at the last reading.
  still_since INTEGER,
  -- The lines it left when it fell or jumped: [{"at","value","pace","charged"}, …].
  former_lines TEXT,
  -- The charge entry that may still grow.
  open_number INTEGER,
  open_window INTEGER,
  open_price TEXT,
  UNIQUE (project_name, site, metric, project_id)
) STRICT;

-- Who is charged. used = sum(entries.amount) of the group.
CREATE TABLE groups (
  name TEXT PRIMARY KEY,
  used INTEGER NOT NULL DEFAULT 0,
  -- Whether Perun has to be told something.
  dirty INTEGER NOT NULL DEFAULT 1,
  opened INTEGER NOT NULL DEFAULT 0,
  granted TEXT,
  -- What Perun shows as far as we know.
  published INTEGER,
  published_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX groups_dirty ON groups (name) WHERE dirty = 1;

-- What we were about to write to Perun and have no answer for. doubtful: an earlier writing of the same was never answered.
CREATE TABLE intentions (
  group_name TEXT NOT NULL REFERENCES groups (name),
  used INTEGER NOT NULL,
  at INTEGER NOT NULL,
  doubtful INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (group_name, used)
) STRICT, WITHOUT ROWID;

-- A group at a site. charged = sum(entries.amount) of its charges there.
CREATE TABLE accounts (
  group_name TEXT NOT NULL REFERENCES groups (name),
  site TEXT NOT NULL,
  charged INTEGER NOT NULL DEFAULT 0,
  contact TEXT NOT NULL DEFAULT 'new',
  retry_at INTEGER,
  published_up_to INTEGER,
  PRIMARY KEY (group_name, site)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('charge', 'adjustment', 'opening')),
  group_name TEXT NOT NULL REFERENCES groups (name),
  site TEXT,
  -- The end reading of a charge, else when it was recorded.
  at INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  -- Charges: amount + carry_out = (to_value - from_value) * per_unit * 10^6 + carry_in.
  series_id INTEGER REFERENCES series (id),
  from_at INTEGER,
  from_value TEXT,
  to_value TEXT,
  price_version TEXT,
  per_unit TEXT,
  carry_in TEXT,
  carry_out TEXT,
  -- Adjustments, openings, and charges that a person accepted.
  reason TEXT,
  actor TEXT
) STRICT;
CREATE INDEX entries_of_group ON entries (group_name, at);

CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  series_id INTEGER NOT NULL REFERENCES series (id),
  at INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX notes_of_series ON notes (series_id);

CREATE TABLE holds (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  site TEXT NOT NULL,
  group_name TEXT,
  reason TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  closed_at INTEGER,
  closed_why TEXT
) STRICT;
CREATE UNIQUE INDEX holds_open ON holds (key) WHERE closed_at IS NULL;
CREATE INDEX holds_of_group ON holds (group_name) WHERE closed_at IS NULL;

CREATE TABLE held_growths (
  hold_id INTEGER NOT NULL REFERENCES holds (id),
  series_id INTEGER NOT NULL REFERENCES series (id),
  from_at INTEGER NOT NULL,
  from_value TEXT NOT NULL,
  to_at INTEGER NOT NULL,
  to_value TEXT NOT NULL,
  -- The series came back to the line it had left: there is nothing to decide any more.
  withdrawn INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (hold_id, series_id, to_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_growths_of_series ON held_growths (series_id);
