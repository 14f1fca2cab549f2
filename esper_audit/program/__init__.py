"""Running a program of anybody's under a recorder, as plain Python would run it."""
