"""From `.proto` files to typed Python: the protoc plugin and what `penstock generate` runs.

`plugin` speaks protoc's plugin protocol, `generate` runs protoc and the plugin together,
`service_file` makes the text of one `X_penstock.py`.
"""
