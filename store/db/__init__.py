"""The job tables: connections, migrations, and what is kept in each."""
