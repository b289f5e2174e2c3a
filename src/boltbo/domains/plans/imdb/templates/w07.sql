SELECT cn.name, COUNT(*)
FROM title AS t, movie_companies AS mc, company_name AS cn, company_type AS ct, movie_info AS mi1, info_type AS it1, movie_info AS mi2, info_type AS it2, kind_type AS kt
WHERE mc.movie_id = t.id
  AND cn.id = mc.company_id
  AND ct.id = mc.company_type_id
  AND mi1.movie_id = t.id
  AND it1.id = mi1.info_type_id
  AND mi2.movie_id = t.id
  AND it2.id = mi2.info_type_id
  AND mi1.movie_id = mi2.movie_id
  AND kt.id = t.kind_id
  AND it1.info = 'certificates'
  AND it2.info = 'genres'
  AND mi1.info IN {certificate 2 12}
  AND mi2.info IN {genre 1 6}
  AND cn.name ILIKE {company_like}
  AND ct.kind IN {company_type 1 2}
  AND kt.kind IN {kind 2 6}
GROUP BY cn.name
ORDER BY COUNT(*) DESC
