SELECT mi.info, rt.role, COUNT(*)
FROM title AS e, title AS s, kind_type AS kt, movie_info AS mi, info_type AS it, cast_info AS ci, role_type AS rt, name AS n
WHERE e.episode_of_id = s.id
  AND kt.id = s.kind_id
  AND mi.movie_id = s.id
  AND it.id = mi.info_type_id
  AND ci.movie_id = e.id
  AND rt.id = ci.role_id
  AND n.id = ci.person_id
  AND kt.kind LIKE 'tv%series'
  AND it.info = 'genres'
  AND mi.info IN {genre 1 6}
  AND rt.role IN {role 1 4}
  AND e.production_year {years}
  AND {gender n}
GROUP BY mi.info, rt.role
