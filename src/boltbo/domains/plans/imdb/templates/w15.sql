SELECT COUNT(*)
FROM title AS t, aka_title AS at, movie_info AS mi1, info_type AS it1, movie_info AS mi2, info_type AS it2, movie_companies AS mc, company_name AS cn
WHERE at.movie_id = t.id
  AND mi1.movie_id = t.id
  AND it1.id = mi1.info_type_id
  AND mi2.movie_id = t.id
  AND it2.id = mi2.info_type_id
  AND mi1.movie_id = mi2.movie_id
  AND mc.movie_id = t.id
  AND mc.movie_id = at.movie_id
  AND cn.id = mc.company_id
  AND it1.info = 'release dates'
  AND it2.info IN {title_fact 1 3}
  AND mi1.info ILIKE {country_like}
  AND cn.country_code IN {country_code 2 10}
  AND t.production_year {years}
