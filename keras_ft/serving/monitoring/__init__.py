"""What a server counts, and how far texts and answers have drifted."""
