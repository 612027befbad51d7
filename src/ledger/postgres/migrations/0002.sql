-- When it was recorded what Perun shows, by the clock of this server: another worker may have read Perun before.
ALTER TABLE groups ADD COLUMN settled_at timestamptz;

-- The workers that share this ledger. Nothing of it is part of the ledger: a ledger that is moved begins without.
CREATE TABLE replicas (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  version text NOT NULL,
  -- What all of its connections have as their application_name, and no other process.
  session text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When it last said that it is there. It does nothing outside of the ledger any more once the lease after that is over.
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease interval NOT NULL,
  -- How long something that it began outside of the ledger may go on after its end.
  lingers interval NOT NULL,
  -- Since when it is taken for dead. From then on it can settle nothing.
  gone_at timestamptz,
  -- The names under which it took work out of the queue.
  pools text[] NOT NULL DEFAULT '{}'
);

-- Of all series of a site and metric. An index on the columns themselves would be taken for single series, too, as long as nothing is
-- known of how many there are of each: then all of them were looked through for each one.
DROP INDEX series_of_metric;
CREATE INDEX series_of_metric ON series ((metric || ' ' || site));

-- A partition is made by itself and attached then: to make it as one takes a lock that waits for whoever reads the entries, as a dump
-- does for hours, and makes all others wait.
CREATE OR REPLACE FUNCTION make_partitions(up_to bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  size CONSTANT bigint := 2000000;
  part bigint;
BEGIN
  FOR part IN 0 .. up_to / size LOOP
    IF to_regclass(format('entries_%s', part)) IS NULL THEN
      EXECUTE format('CREATE TABLE entries_%s (LIKE entries INCLUDING ALL) WITH (fillfactor = 90)', part);
      EXECUTE format('ALTER TABLE entries ATTACH PARTITION entries_%s FOR VALUES FROM (%s) TO (%s)',
        part, part * size, (part + 1) * size);
    END IF;
  END LOOP;
END $$;

-- Seals are made by one expression over all columns of a row, instead of by a function that is called for each of them.
DO $do$
DECLARE
  sealed record;
  facts text;
  slow text;
BEGIN
  FOR sealed IN SELECT tgrelid, tgattr FROM pg_trigger
    WHERE tgname = 'sealed' AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)
  LOOP
    SELECT
      string_agg(format(CASE WHEN type.typname = 'text' THEN $$coalesce(char_length(NEW.%1$I) || ':' || NEW.%1$I, 'null')$$
        ELSE $$coalesce(NEW.%I::bigint::text, 'null')$$ END, attname), $$ || '|' || $$ ORDER BY wanted.place),
      string_agg(format(CASE WHEN type.typname = 'text' THEN 'sealed(NEW.%I)' ELSE 'sealed(NEW.%I::bigint)' END, attname),
        ' || ' ORDER BY wanted.place)
    INTO facts, slow
    FROM unnest(sealed.tgattr::smallint[]) WITH ORDINALITY AS wanted(number, place)
    JOIN pg_attribute ON attrelid = sealed.tgrelid AND attnum = wanted.number
    JOIN pg_type AS type ON type.oid = atttypid;
    -- Characters are counted as JavaScript does, and as they are in the program, where any of them may differ.
    EXECUTE format($f$CREATE OR REPLACE FUNCTION seal_%s() RETURNS trigger LANGUAGE plpgsql AS $body$
      DECLARE facts text := %s || '|';
      BEGIN
        IF octet_length(facts) = char_length(facts) OR facts !~ U&'[\FDD0\+010000-\+10FFFF]' THEN
          NEW.seal := substr(translate(encode(sha256(convert_to(facts, 'UTF8')), 'base64'), '+/', '-_'), 1, 16);
        ELSE
          NEW.seal := seal_of(%s);
        END IF;
        RETURN NEW;
      END $body$ $f$, sealed.tgrelid::regclass, facts, slow);
  END LOOP;
END $do$;
