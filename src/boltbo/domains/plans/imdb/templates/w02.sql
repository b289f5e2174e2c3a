SELECT k.keyword, COUNT(*)
FROM title AS t, movie_keyword AS mk, keyword AS k, movie_companies AS mc, company_name AS cn, company_type AS ct, kind_type AS kt
WHERE mk.movie_id = t.id
  AND k.id = mk.keyword_id
  AND mc.movie_id = t.id
  AND mc.movie_id = mk.movie_id
  AND cn.id = mc.company_id
  AND ct.id = mc.company_type_id
  AND kt.id = t.kind_id
  AND k.keyword IN {keyword 2 12}
  AND cn.country_code IN {country_code 1 6}
  AND ct.kind IN {company_type 1 2}
  AND kt.kind IN {kind 2 5}
GROUP BY k.keyword
