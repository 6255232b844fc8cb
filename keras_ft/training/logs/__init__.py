"""What a run writes while it trains, as Keras callbacks: a CSV file, TensorBoard events, Weights & Biases, a bar."""
