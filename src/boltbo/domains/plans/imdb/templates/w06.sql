SELECT COUNT(*)
FROM title AS t, movie_keyword AS mk, keyword AS k, cast_info AS ci, name AS n, role_type AS rt, movie_info AS mi, info_type AS it
WHERE mk.movie_id = t.id
  AND k.id = mk.keyword_id
  AND ci.movie_id = t.id
  AND ci.movie_id = mk.movie_id
  AND n.id = ci.person_id
  AND rt.id = ci.role_id
  AND mi.movie_id = t.id
  AND it.id = mi.info_type_id
  AND it.info = 'color info'
  AND mi.info IN {color 1 2}
  AND k.keyword IN {keyword 1 10}
  AND rt.role IN {role 1 3}
  AND {gender n}
  AND t.production_year {years}
