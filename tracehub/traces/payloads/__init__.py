"""Large payloads outside the database: where they lie, how they get there, how they are read."""
