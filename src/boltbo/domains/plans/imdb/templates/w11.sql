SELECT MIN(t1.title), MIN(t2.title), COUNT(*)
FROM title AS t1, title AS t2, movie_link AS ml, link_type AS lt, movie_info AS mi1, movie_info AS mi2, info_type AS it1, info_type AS it2, cast_info AS ci, role_type AS rt
WHERE ml.movie_id = t1.id
  AND ml.linked_movie_id = t2.id
  AND lt.id = ml.link_type_id
  AND mi1.movie_id = t1.id
  AND mi2.movie_id = t2.id
  AND it1.id = mi1.info_type_id
  AND it2.id = mi2.info_type_id
  AND ci.movie_id = t1.id
  AND rt.id = ci.role_id
  AND lt.link IN {link 2 10}
  AND it1.info = 'genres'
  AND it2.info IN {title_fact 1 2}
  AND mi1.info IN {genre 1 5}
  AND rt.role IN {role 1 4}
  AND t2.production_year {years}
