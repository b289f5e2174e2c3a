SELECT COUNT(*)
FROM title AS t, kind_type AS kt, movie_info AS mi1, info_type AS it1, movie_info_idx AS votes, info_type AS it_votes, movie_info_idx AS rating, info_type AS it_rating, cast_info AS ci, role_type AS rt, name AS n, aka_name AS an, person_info AS pi, info_type AS it2
WHERE t.kind_id = kt.id
  AND mi1.movie_id = t.id
  AND it1.id = mi1.info_type_id
  AND votes.movie_id = t.id
  AND rating.movie_id = t.id
  AND votes.movie_id = rating.movie_id
  AND it_votes.id = votes.info_type_id
  AND it_rating.id = rating.info_type_id
  AND ci.movie_id = t.id
  AND rt.id = ci.role_id
  AND n.id = ci.person_id
  AND an.person_id = n.id
  AND pi.person_id = n.id
  AND an.person_id = pi.person_id
  AND it2.id = pi.info_type_id
  AND kt.kind IN {kind 1 4}
  AND it1.info = 'genres'
  AND mi1.info IN {genre 1 6}
  AND it_votes.info = 'votes'
  AND it_rating.info = 'rating'
  AND votes.info::float >= {votes}
  AND rating.info::float {ratings}
  AND rt.role IN {role 1 3}
  AND it2.info IN {person_fact 1 2}
  AND {note ci}
