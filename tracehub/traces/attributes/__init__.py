"""Attributes of spans as words, and the index over them: what `attr.` in a filter asks for."""
