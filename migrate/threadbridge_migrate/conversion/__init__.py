"""Archives in other formats, for people and for programs: `migrate convert`."""
