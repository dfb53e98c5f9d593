"""A model server that streams tokens: by steps of the model, or by handlers that wait for their own."""
