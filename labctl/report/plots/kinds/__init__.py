"""One file, one kind of picture: its `KIND` says what it needs of a run and how it is drawn."""
