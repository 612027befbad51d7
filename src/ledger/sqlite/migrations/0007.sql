-- Messages: who is told of which notices, from the first notice in it until it was sent.

CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  -- The same each time it is sent.
  uid TEXT NOT NULL UNIQUE,
  channel TEXT NOT NULL CHECK (channel IN ('mail', 'webhook')),
  recipient TEXT NOT NULL COLLATE NOCASE,
  copy_to TEXT,
  opened_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('gathering', 'ready', 'sent', 'given up')),
  -- What is sent, while it is ready.
  content TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  attempted_at INTEGER,
  retry_at INTEGER,
  ended_at INTEGER,
  -- Why it was not sent the last time, or never will be.
  problem TEXT,
  seal TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX messages_by_state ON messages (state, id);
CREATE INDEX messages_of_recipient ON messages (recipient, channel);
CREATE TRIGGER messages_inserted AFTER INSERT ON messages BEGIN
  UPDATE messages SET state = state WHERE id = NEW.id;
END;
CREATE TRIGGER messages_updated AFTER UPDATE OF uid, channel, recipient, copy_to, opened_at, state, content, attempts,
  attempted_at, retry_at, ended_at, problem ON messages BEGIN
  UPDATE messages SET seal = seal(id, uid, channel, recipient, copy_to, opened_at, state, content, attempts, attempted_at,
    retry_at, ended_at, problem) WHERE id = NEW.id;
END;

CREATE TABLE message_notices (
  message_id INTEGER NOT NULL REFERENCES messages (id),
  notice_id INTEGER NOT NULL REFERENCES notices (id),
  seal TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (message_id, notice_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_notices_of_notice ON message_notices (notice_id);
CREATE TRIGGER message_notices_inserted AFTER INSERT ON message_notices BEGIN
  UPDATE message_notices SET seal = seal(message_id, notice_id)
  WHERE message_id = NEW.message_id AND notice_id = NEW.notice_id;
END;
