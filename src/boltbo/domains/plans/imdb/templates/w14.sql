SELECT t.production_year, COUNT(*), MIN(n.name)
FROM title AS t, complete_cast AS cc, comp_cast_type AS cct1, comp_cast_type AS cct2, cast_info AS ci, name AS n, movie_keyword AS mk, keyword AS k, kind_type AS kt
WHERE cc.movie_id = t.id
  AND cct1.id = cc.subject_id
  AND cct2.id = cc.status_id
  AND ci.movie_id = t.id
  AND ci.movie_id = cc.movie_id
  AND n.id = ci.person_id
  AND mk.movie_id = t.id
  AND k.id = mk.keyword_id
  AND kt.id = t.kind_id
  AND cct1.kind = {subject}
  AND cct2.kind ILIKE {status_like}
  AND k.keyword IN {keyword 2 12}
  AND kt.kind IN {kind 2 6}
  AND {gender n}
GROUP BY t.production_year
