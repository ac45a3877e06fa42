"""The parts of the Traces page: what its URL says, its filter bar, rows, facets and histogram."""
