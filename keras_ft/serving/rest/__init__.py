"""TF Serving's REST API: JSON, HTTP, and what keeps a server safe from its clients."""
