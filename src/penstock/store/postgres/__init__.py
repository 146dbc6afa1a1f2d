"""The store on PostgreSQL, through psycopg."""
