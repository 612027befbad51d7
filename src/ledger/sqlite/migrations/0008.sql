-- The sites whose groups were looked up in Perun when they began, so that those which another service charged go on where it
-- stopped. What is new at such a site later on is new.
CREATE TABLE taken_over (
  site TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  -- How many series of a group begin at the instant that was left behind, and how many could not.
  begun INTEGER NOT NULL,
  missing INTEGER NOT NULL,
  seal TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TRIGGER taken_over_inserted AFTER INSERT ON taken_over BEGIN
  UPDATE taken_over SET seal = seal(site, at, begun, missing) WHERE site = NEW.site;
END;
