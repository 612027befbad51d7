/** Columns of groups, with what belongs to them in other tables. */

/** For `toGroupRow`, of `groups`. */
export const GROUP_COLUMNS = `name, used, dirty, granted, published, published_at,
  (SELECT coalesce(json_agg(json_build_object('site', site, 'contact', contact, 'charged', charged::text) ORDER BY site), '[]')
    FROM accounts WHERE group_name = name) AS sites,
  (SELECT coalesce(json_agg(DISTINCT kind), '[]') FROM holds WHERE group_name = name AND closed_at IS NULL) AS holds,
  (SELECT max(at) FROM series WHERE project_name = name) AS last_reading_at,
  (EXISTS (SELECT 1 FROM mutes WHERE group_name = name))::int AS muted`

/** Groups with `$1` in their name, in capitals (of ASCII) or not; all of them if it is NULL. */
export const IS_SEARCHED = `($1::text IS NULL OR strpos(lower(name), lower($1::text COLLATE "C")) > 0)`
