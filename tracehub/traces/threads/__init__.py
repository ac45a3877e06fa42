"""Sessions and users: traces that share an id."""
