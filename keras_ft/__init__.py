"""Fine-tune BERT and GPT-2 in Keras and export SavedModels that take strings and give answers."""

__version__ = "0.1.0"
