SELECT COUNT(*)
FROM name AS n, aka_name AS an, person_info AS pi, info_type AS it, cast_info AS ci, role_type AS rt, title AS t, kind_type AS kt
WHERE an.person_id = n.id
  AND pi.person_id = n.id
  AND pi.person_id = an.person_id
  AND it.id = pi.info_type_id
  AND ci.person_id = n.id
  AND rt.id = ci.role_id
  AND t.id = ci.movie_id
  AND kt.id = t.kind_id
  AND n.name_pcode_nf LIKE {code_like}
  AND it.info IN {person_fact 1 3}
  AND rt.role IN {role 1 4}
  AND kt.kind IN {kind 1 5}
  AND {note ci}
