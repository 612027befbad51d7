-- Notices: what people are to be told about a group, once for each line and grant. A line is a part of the grant in percent,
-- or a number of days until the grant is used up.

CREATE TABLE notices (
  id INTEGER PRIMARY KEY,
  group_name TEXT NOT NULL REFERENCES groups (name),
  kind TEXT NOT NULL CHECK (kind IN ('threshold', 'runs out')),
  line INTEGER NOT NULL,
  granted TEXT NOT NULL,
  used INTEGER NOT NULL,
  at INTEGER NOT NULL,
  -- The entry that crossed the line; NULL if the grant shrank, or time went by.
  entry INTEGER REFERENCES entries (number),
  -- passed: recorded so that it is not told later. addressed: it is in messages.
  state TEXT NOT NULL CHECK (state IN (
    'waiting', 'addressed', 'sent', 'muted', 'passed', 'no recipient', 'too late', 'given up')),
  seal TEXT NOT NULL DEFAULT '',
  UNIQUE (group_name, kind, line, granted)
) STRICT;
CREATE INDEX notices_waiting ON notices (id) WHERE state = 'waiting';
CREATE TRIGGER notices_inserted AFTER INSERT ON notices BEGIN
  UPDATE notices SET state = state WHERE id = NEW.id;
END;
CREATE TRIGGER notices_updated AFTER UPDATE OF group_name, kind, line, granted, used, at, entry, state ON notices BEGIN
  UPDATE notices SET seal = seal(id, group_name, kind, line, granted, used, at, entry, state) WHERE id = NEW.id;
END;

-- Groups whose people do not want to be told.
CREATE TABLE mutes (
  group_name TEXT PRIMARY KEY REFERENCES groups (name),
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  seal TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TRIGGER mutes_inserted AFTER INSERT ON mutes BEGIN
  UPDATE mutes SET seal = seal(group_name, at, actor, reason) WHERE group_name = NEW.group_name;
END;

-- The lines that groups.next_line was computed for.
CREATE TABLE watched_lines (percents TEXT NOT NULL, seal TEXT NOT NULL) STRICT;
