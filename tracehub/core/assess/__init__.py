"""What a program answered, held against the assertions of its case."""
