SELECT MIN(n.name), MIN(t.title), COUNT(*)
FROM title AS t, cast_info AS ci, name AS n, role_type AS rt, movie_info AS mi1, movie_info AS mi2, info_type AS it1, info_type AS it2
WHERE ci.movie_id = t.id
  AND n.id = ci.person_id
  AND rt.id = ci.role_id
  AND mi1.movie_id = t.id
  AND mi2.movie_id = t.id
  AND mi1.movie_id = mi2.movie_id
  AND it1.id = mi1.info_type_id
  AND it2.id = mi2.info_type_id
  AND it1.info = 'countries'
  AND it2.info = 'languages'
  AND mi1.info IN {country 1 5}
  AND mi2.info IN {language 1 6}
  AND rt.role IN {role 1 4}
  AND {gender n}
  AND t.production_year {years}
