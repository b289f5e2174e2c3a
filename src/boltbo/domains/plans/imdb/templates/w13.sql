SELECT COUNT(*)
FROM title AS t, kind_type AS kt, movie_info AS mi, info_type AS it, movie_companies AS mc, company_type AS ct, company_name AS cn, movie_keyword AS mk, keyword AS k, cast_info AS ci, role_type AS rt, name AS n
WHERE t.kind_id = kt.id
  AND mi.movie_id = t.id
  AND it.id = mi.info_type_id
  AND mc.movie_id = t.id
  AND ct.id = mc.company_type_id
  AND cn.id = mc.company_id
  AND mk.movie_id = t.id
  AND k.id = mk.keyword_id
  AND ci.movie_id = t.id
  AND rt.id = ci.role_id
  AND n.id = ci.person_id
  AND it.info = 'locations'
  AND mi.info IN {place 1 6}
  AND kt.kind IN {kind 1 5}
  AND ct.kind IN {company_type 1 1}
  AND cn.country_code IN {country_code 1 5}
  AND rt.role IN {role 1 3}
  AND n.name_pcode_nf LIKE {code_like}
