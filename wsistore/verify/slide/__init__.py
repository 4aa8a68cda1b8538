"""One slide of a store: its group, its files, its arrays, and its pixels against the slide file."""
