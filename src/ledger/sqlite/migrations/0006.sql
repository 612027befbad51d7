-- What closed entries of a group add up to, by day in UTC, so that years need not be added up again for each look. An entry
-- that is open is in none of them. group used = sum(days.amount) + sum(amount) of open entries.
CREATE TABLE days (
  group_name TEXT NOT NULL REFERENCES groups (name),
  -- The instant it begins. An entry that ends at midnight belongs to the day before, as its window does.
  day INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('charge', 'adjustment', 'opening')),
  -- Empty if the entries have none.
  site TEXT NOT NULL,
  metric TEXT NOT NULL,
  entries INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  consumption TEXT NOT NULL,
  seal TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (group_name, day, kind, site, metric)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER days_inserted AFTER INSERT ON days BEGIN
  UPDATE days SET seal = seal(group_name, day, kind, site, metric, entries, amount, consumption)
  WHERE (group_name, day, kind, site, metric) = (NEW.group_name, NEW.day, NEW.kind, NEW.site, NEW.metric);
END;
CREATE TRIGGER days_updated AFTER UPDATE OF group_name, day, kind, site, metric, entries, amount, consumption ON days BEGIN
  UPDATE days SET seal = seal(group_name, day, kind, site, metric, entries, amount, consumption)
  WHERE (group_name, day, kind, site, metric) = (NEW.group_name, NEW.day, NEW.kind, NEW.site, NEW.metric);
END;
