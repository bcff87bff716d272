"""The one way down to the wire: session, gate, retry, codec, engines."""
