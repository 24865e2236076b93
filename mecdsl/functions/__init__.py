"""The functions of the language, one row each: everything that is known of them stands here."""
