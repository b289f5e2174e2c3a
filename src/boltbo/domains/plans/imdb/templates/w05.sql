SELECT mi.info, COUNT(*)
FROM title AS t, movie_info AS mi, info_type AS it, movie_info_idx AS votes, movie_info_idx AS rating, info_type AS it_votes, info_type AS it_rating, kind_type AS kt
WHERE mi.movie_id = t.id
  AND votes.movie_id = t.id
  AND rating.movie_id = t.id
  AND votes.movie_id = rating.movie_id
  AND it.id = mi.info_type_id
  AND it_votes.id = votes.info_type_id
  AND it_rating.id = rating.info_type_id
  AND kt.id = t.kind_id
  AND it.info IN {title_fact 1 3}
  AND it_votes.info = 'votes'
  AND it_rating.info = 'rating'
  AND votes.info::float >= {votes}
  AND rating.info::float {ratings}
  AND kt.kind IN {kind 1 5}
  AND t.production_year {years}
GROUP BY mi.info
