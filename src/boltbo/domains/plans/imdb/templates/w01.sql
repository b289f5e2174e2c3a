SELECT COUNT(*)
FROM title AS t, kind_type AS kt, movie_info AS mi, info_type AS it, cast_info AS ci, role_type AS rt
WHERE t.kind_id = kt.id
  AND mi.movie_id = t.id
  AND mi.info_type_id = it.id
  AND ci.movie_id = t.id
  AND ci.role_id = rt.id
  AND it.info = 'genres'
  AND mi.info IN {genre 1 5}
  AND kt.kind IN {kind 1 4}
  AND rt.role IN {role 1 3}
  AND t.production_year {years}
