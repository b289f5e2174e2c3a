SELECT n.gender, rt.role, COUNT(*)
FROM title AS t, cast_info AS ci, name AS n, role_type AS rt, char_name AS cn, movie_companies AS mc, company_name AS co, kind_type AS kt
WHERE ci.movie_id = t.id
  AND n.id = ci.person_id
  AND rt.id = ci.role_id
  AND cn.id = ci.person_role_id
  AND mc.movie_id = t.id
  AND mc.movie_id = ci.movie_id
  AND co.id = mc.company_id
  AND kt.id = t.kind_id
  AND cn.name ILIKE {character_like}
  AND co.country_code IN {country_code 1 4}
  AND kt.kind IN {kind 1 5}
  AND t.production_year {years}
GROUP BY n.gender, rt.role
