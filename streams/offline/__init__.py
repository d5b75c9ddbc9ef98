"""The roles' own steps over recordings, without any server."""
