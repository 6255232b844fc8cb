"""The embedded server: TF Serving's API on the same SavedModel folders, and a client for both.

`server.serve` runs it, `background.BackgroundServer` runs it in a child process, `client.Client` asks it.
"""
