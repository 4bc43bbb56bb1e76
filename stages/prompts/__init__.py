"""How a problem becomes the token ids and pixels that a model reads, or the messages that an endpoint is sent."""
