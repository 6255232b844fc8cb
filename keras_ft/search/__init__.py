"""Finding the texts of a file that are nearest to a query: inside an export, or with a larger engine's index."""
