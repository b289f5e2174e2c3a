SELECT COUNT(*)
FROM title AS t, movie_info AS mi1, info_type AS it1, movie_info_idx AS votes, info_type AS it_votes, movie_keyword AS mk, keyword AS k, cast_info AS ci, name AS n, role_type AS rt, aka_name AS an
WHERE mi1.movie_id = t.id
  AND it1.id = mi1.info_type_id
  AND votes.movie_id = t.id
  AND it_votes.id = votes.info_type_id
  AND mk.movie_id = t.id
  AND k.id = mk.keyword_id
  AND ci.movie_id = t.id
  AND ci.movie_id = mk.movie_id
  AND n.id = ci.person_id
  AND rt.id = ci.role_id
  AND an.person_id = n.id
  AND it1.info = 'countries'
  AND mi1.info IN {country 1 6}
  AND it_votes.info = 'votes'
  AND votes.info::float >= {votes}
  AND k.keyword IN {keyword 3 15}
  AND rt.role IN {role 1 2}
  AND {note ci}
