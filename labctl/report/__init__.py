"""Pictures and reports of run files."""
