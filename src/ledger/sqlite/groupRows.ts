/** Columns of groups, with what belongs to them in other tables. */

/** For `toGroupRow`, of `groups`. */
export const GROUP_COLUMNS = `name, used, dirty, granted, published, published_at, (SELECT json_group_array(json_object(
    'site', site, 'contact', contact, 'charged', CAST(charged AS TEXT))) FROM accounts WHERE group_name = name) AS sites,
  (SELECT json_group_array(DISTINCT kind) FROM holds WHERE group_name = name AND closed_at IS NULL) AS holds,
  (SELECT max(at) FROM series WHERE project_name = name) AS last_reading_at,
  EXISTS (SELECT 1 FROM mutes WHERE group_name = name) AS muted`
