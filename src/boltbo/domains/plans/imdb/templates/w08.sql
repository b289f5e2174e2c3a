SELECT COUNT(*)
FROM title AS t, movie_info AS mi1, movie_info AS mi2, movie_info AS mi3, info_type AS it1, info_type AS it2, info_type AS it3, cast_info AS ci, name AS n
WHERE mi1.movie_id = t.id
  AND mi2.movie_id = t.id
  AND mi3.movie_id = t.id
  AND mi1.movie_id = mi2.movie_id
  AND mi2.movie_id = mi3.movie_id
  AND it1.id = mi1.info_type_id
  AND it2.id = mi2.info_type_id
  AND it3.id = mi3.info_type_id
  AND ci.movie_id = t.id
  AND n.id = ci.person_id
  AND it1.info = 'tech info'
  AND it2.info = 'sound mix'
  AND it3.info = 'genres'
  AND mi1.info IN {tech 1 6}
  AND mi2.info IN {sound 1 4}
  AND mi3.info IN {genre 1 4}
  AND n.surname_pcode LIKE {surname_like}
  AND {gender n}
