-- Which target opened a series: a target may open so many. Its name has no blank; an exporter behind it is named after one.
ALTER TABLE series ADD COLUMN opened_by TEXT;
UPDATE series SET opened_by = substr(origin, 1, instr(origin || ' ', ' ') - 1) WHERE origin LIKE 'http%';
