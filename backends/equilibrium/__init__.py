"""General backends for games: models that declare players."""
