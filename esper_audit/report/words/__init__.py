"""Words, each made in one place: numbers with their nouns, paths, marks, command lines."""
