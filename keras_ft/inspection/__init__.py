"""Looking at the data of a recipe before anything is trained on them."""
