SELECT MIN(cn.name), MIN(n.name), COUNT(*)
FROM company_name AS cn, movie_companies AS mc, title AS t, cast_info AS ci, name AS n, role_type AS rt, person_info AS pi, info_type AS it
WHERE mc.company_id = cn.id
  AND t.id = mc.movie_id
  AND ci.movie_id = t.id
  AND ci.movie_id = mc.movie_id
  AND n.id = ci.person_id
  AND rt.id = ci.role_id
  AND pi.person_id = n.id
  AND pi.person_id = ci.person_id
  AND it.id = pi.info_type_id
  AND cn.name IN {company 1 8}
  AND rt.role IN {role 1 4}
  AND it.info IN {person_fact 1 4}
  AND t.production_year {years}
