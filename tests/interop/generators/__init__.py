"""protoc and buf, with our plugin."""
