SELECT mi.info, pi.info, COUNT(*)
FROM title AS t, movie_info AS mi, info_type AS it1, cast_info AS ci, role_type AS rt, name AS n, person_info AS pi, info_type AS it2, kind_type AS kt
WHERE mi.movie_id = t.id
  AND it1.id = mi.info_type_id
  AND ci.movie_id = t.id
  AND ci.movie_id = mi.movie_id
  AND rt.id = ci.role_id
  AND n.id = ci.person_id
  AND pi.person_id = n.id
  AND pi.person_id = ci.person_id
  AND it2.id = pi.info_type_id
  AND kt.id = t.kind_id
  AND it1.info = 'release dates'
  AND it2.info = 'birth date'
  AND mi.info ILIKE {country_like}
  AND pi.info ILIKE {date_like}
  AND kt.kind IN {kind 1 4}
  AND rt.role IN {role 1 3}
GROUP BY mi.info, pi.info
