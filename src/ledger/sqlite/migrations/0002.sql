-- Every write to Perun is a line of its own until it is known what came of it; writes of a group are numbered.

ALTER TABLE groups ADD COLUMN newest_intention INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intentions RENAME TO values_intended;

CREATE TABLE intentions (
  group_name TEXT NOT NULL REFERENCES groups (name),
  number INTEGER NOT NULL,
  site TEXT NOT NULL,
  used INTEGER NOT NULL,
  -- The latest reading that its timestamps tell of.
  up_to INTEGER NOT NULL,
  at INTEGER NOT NULL,
  -- Whether a later write of the group was answered.
  overtaken INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (group_name, number)
) STRICT, WITHOUT ROWID;

-- At which site a value was to be written was not recorded: it may have been any.
INSERT INTO intentions (group_name, number, site, used, up_to, at, overtaken)
SELECT group_name, row_number() OVER (PARTITION BY group_name ORDER BY at, site), site, used, coalesce(published_up_to, 0),
  at, 1
FROM values_intended JOIN accounts USING (group_name);
UPDATE groups SET newest_intention =
  (SELECT coalesce(max(number), 0) FROM intentions WHERE group_name = name);
DROP TABLE values_intended;
