"""Models, their versions, and how they come and go."""
