"""Data of the IMDB schema, generated: the public dump needs a download of gigabytes, this needs a minute.

`generate` makes the tables, `load` puts them into a PostgreSQL, `queries` writes queries for them.
"""
