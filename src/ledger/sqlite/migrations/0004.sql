-- Receipts (see ../../receipts.ts). Each entry has a hash over itself and over the hash of the entry before it: the charges
-- of a series are one chain, the openings and adjustments of a group another. A seal is a digest over a row, so that a
-- changed byte is noticed; seal() is a function of this program. What can be computed again from entries (used, charged)
-- and what only says that there is work to do (dirty) is not sealed.

ALTER TABLE entries ADD COLUMN hash TEXT NOT NULL DEFAULT '';
-- Corrections: the number of the entry that is corrected, or of the first and the last one of a series.
ALTER TABLE entries ADD COLUMN corrects INTEGER REFERENCES entries (number);
ALTER TABLE entries ADD COLUMN corrects_to INTEGER REFERENCES entries (number);
CREATE INDEX entries_correcting ON entries (corrects) WHERE corrects IS NOT NULL;

-- The hash of its latest entry, and of what does not change any more of its open one.
ALTER TABLE series ADD COLUMN head TEXT NOT NULL DEFAULT '';
ALTER TABLE series ADD COLUMN open_base TEXT;
ALTER TABLE series ADD COLUMN seal TEXT NOT NULL DEFAULT '';
CREATE INDEX series_of_metric ON series (metric);

-- The hash of its latest opening or adjustment.
ALTER TABLE groups ADD COLUMN head TEXT NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN seal TEXT NOT NULL DEFAULT '';
-- The used credits that reach the next line of the grant, as far as that is known: a cheap look at each total is enough then.
ALTER TABLE groups ADD COLUMN next_line INTEGER;
CREATE TRIGGER groups_inserted AFTER INSERT ON groups BEGIN
  UPDATE groups SET head = head WHERE name = NEW.name;
END;
CREATE TRIGGER groups_updated
AFTER UPDATE OF name, opened, granted, published, published_at, newest_intention, head, next_line ON groups BEGIN
  UPDATE groups SET seal = seal(name, opened, granted, published, published_at, newest_intention, head, next_line)
  WHERE name = NEW.name;
END;

ALTER TABLE accounts ADD COLUMN seal TEXT NOT NULL DEFAULT '';
CREATE TRIGGER accounts_inserted AFTER INSERT ON accounts BEGIN
  UPDATE accounts SET contact = contact WHERE group_name = NEW.group_name AND site = NEW.site;
END;
CREATE TRIGGER accounts_updated AFTER UPDATE OF group_name, site, contact, retry_at, published_up_to ON accounts BEGIN
  UPDATE accounts SET seal = seal(group_name, site, contact, retry_at, published_up_to)
  WHERE group_name = NEW.group_name AND site = NEW.site;
END;

ALTER TABLE holds ADD COLUMN seal TEXT NOT NULL DEFAULT '';
CREATE TRIGGER holds_inserted AFTER INSERT ON holds BEGIN
  UPDATE holds SET key = key WHERE id = NEW.id;
END;
CREATE TRIGGER holds_updated
AFTER UPDATE OF key, kind, site, group_name, reason, opened_at, seen_at, closed_at, closed_why ON holds BEGIN
  UPDATE holds SET seal = seal(id, key, kind, site, group_name, reason, opened_at, seen_at, closed_at, closed_why)
  WHERE id = NEW.id;
END;

-- A clock that is set right passes instants again: a series may have two growths of one hold that end at the same one.
ALTER TABLE held_growths RENAME TO old_held_growths;
DROP INDEX held_growths_of_series;
CREATE TABLE held_growths (
  hold_id INTEGER NOT NULL REFERENCES holds (id),
  series_id INTEGER NOT NULL REFERENCES series (id),
  from_at INTEGER NOT NULL,
  from_value TEXT NOT NULL,
  to_at INTEGER NOT NULL,
  to_value TEXT NOT NULL,
  -- The series came back to the line it had left: there is nothing to decide any more.
  withdrawn INTEGER NOT NULL DEFAULT 0,
  seal TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (hold_id, series_id, to_at, to_value, from_at, from_value)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_growths_of_series ON held_growths (series_id);
INSERT INTO held_growths (hold_id, series_id, from_at, from_value, to_at, to_value, withdrawn)
  SELECT hold_id, series_id, from_at, from_value, to_at, to_value, withdrawn FROM old_held_growths;
DROP TABLE old_held_growths;
CREATE TRIGGER held_growths_inserted AFTER INSERT ON held_growths BEGIN
  UPDATE held_growths SET withdrawn = withdrawn
  WHERE hold_id = NEW.hold_id AND series_id = NEW.series_id AND to_at = NEW.to_at AND to_value = NEW.to_value
    AND from_at = NEW.from_at AND from_value = NEW.from_value;
END;
CREATE TRIGGER held_growths_updated
AFTER UPDATE OF hold_id, series_id, from_at, from_value, to_at, to_value, withdrawn ON held_growths BEGIN
  UPDATE held_growths SET seal = seal(hold_id, series_id, from_at, from_value, to_at, to_value, withdrawn)
  WHERE hold_id = NEW.hold_id AND series_id = NEW.series_id AND to_at = NEW.to_at AND to_value = NEW.to_value
    AND from_at = NEW.from_at AND from_value = NEW.from_value;
END;

ALTER TABLE notes ADD COLUMN seal TEXT NOT NULL DEFAULT '';
CREATE TRIGGER notes_inserted AFTER INSERT ON notes BEGIN
  UPDATE notes SET seal = seal(id, kind, series_id, at, text) WHERE id = NEW.id;
END;
CREATE TRIGGER notes_updated AFTER UPDATE OF kind, series_id, at, text ON notes BEGIN
  UPDATE notes SET seal = seal(id, kind, series_id, at, text) WHERE id = NEW.id;
END;

ALTER TABLE intentions ADD COLUMN seal TEXT NOT NULL DEFAULT '';
CREATE TRIGGER intentions_inserted AFTER INSERT ON intentions BEGIN
  UPDATE intentions SET at = at WHERE group_name = NEW.group_name AND number = NEW.number;
END;
CREATE TRIGGER intentions_updated AFTER UPDATE OF group_name, number, site, used, up_to, at, overtaken ON intentions BEGIN
  UPDATE intentions SET seal = seal(group_name, number, site, used, up_to, at, overtaken)
  WHERE group_name = NEW.group_name AND number = NEW.number;
END;

-- Values in Perun that we did not write. shown is NULL if used credits were missing.
CREATE TABLE drifts (
  id INTEGER PRIMARY KEY,
  group_name TEXT NOT NULL REFERENCES groups (name),
  site TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  expected INTEGER,
  shown INTEGER,
  -- As Perun wrote them.
  modified_at TEXT,
  modified_by TEXT,
  -- The adjustment that follows it.
  entry_id TEXT,
  seal TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX drifts_of_group ON drifts (group_name);
CREATE TRIGGER drifts_inserted AFTER INSERT ON drifts BEGIN
  UPDATE drifts SET seal = seal(id, group_name, site, seen_at, expected, shown, modified_at, modified_by, entry_id)
  WHERE id = NEW.id;
END;

-- A change of the price of a past period: previewed, then applied as it was previewed, perhaps undone.
CREATE TABLE repricings (
  id TEXT PRIMARY KEY,
  metric TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  per_unit TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  previewed_at INTEGER NOT NULL,
  -- The last entry that the preview saw.
  seen_entry INTEGER NOT NULL,
  applied_at INTEGER,
  applied_by TEXT,
  undone_at INTEGER,
  undone_by TEXT,
  undone_why TEXT,
  seal TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TRIGGER repricings_inserted AFTER INSERT ON repricings BEGIN
  UPDATE repricings SET reason = reason WHERE id = NEW.id;
END;
CREATE TRIGGER repricings_updated AFTER UPDATE OF id, metric, from_at, to_at, per_unit, reason, actor, previewed_at,
  seen_entry, applied_at, applied_by, undone_at, undone_by, undone_why ON repricings BEGIN
  UPDATE repricings SET seal = seal(id, metric, from_at, to_at, per_unit, reason, actor, previewed_at, seen_entry,
    applied_at, applied_by, undone_at, undone_by, undone_why) WHERE id = NEW.id;
END;

-- What it changes of each series: the difference in micro-credits, and the entries it is about.
CREATE TABLE repricing_lines (
  repricing_id TEXT NOT NULL REFERENCES repricings (id),
  series_id INTEGER NOT NULL REFERENCES series (id),
  first_entry INTEGER NOT NULL REFERENCES entries (number),
  last_entry INTEGER NOT NULL REFERENCES entries (number),
  -- The hash of the last entry: an open one that grew since has another.
  last_hash TEXT NOT NULL,
  consumption TEXT NOT NULL,
  amount INTEGER NOT NULL,
  seal TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (repricing_id, series_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER repricing_lines_inserted AFTER INSERT ON repricing_lines BEGIN
  UPDATE repricing_lines
  SET seal = seal(repricing_id, series_id, first_entry, last_entry, last_hash, consumption, amount)
  WHERE repricing_id = NEW.repricing_id AND series_id = NEW.series_id;
END;

-- Rows that are there already; entries and series are sealed by the program.
UPDATE groups SET head = head;
UPDATE accounts SET contact = contact;
UPDATE holds SET key = key;
UPDATE held_growths SET withdrawn = withdrawn;
UPDATE notes SET text = text;
UPDATE intentions SET at = at;
